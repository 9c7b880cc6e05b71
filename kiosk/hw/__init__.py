"""The hardware: ports.py says what the parts see; one file per device talks to drivers; sim/ behaves like them."""
