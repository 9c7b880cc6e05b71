"""The desk: what the staff use, in a browser."""
