"""Senders of the same film that the kiosk is measured against; each a process that talks as senders.py says."""
