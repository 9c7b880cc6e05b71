"""The kiosk: the appliance attached to a machine."""
