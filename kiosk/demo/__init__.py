"""The whole system on one machine, for newcomers and for tests: broker, desk and one simulated kiosk."""
