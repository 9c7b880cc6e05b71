"""What the desk knows of sessions, devices and kiosks: stored, looked for, told to open pages, answered to kiosks."""
