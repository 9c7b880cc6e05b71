"""Runs in the emulated machine: plugs in a touch screen (uinput), and touches it in its middle at each SIGUSR1.

Writes the name of its device ("event5") to /run/finger. It is pulled out when the program ends. Standard library only.
"""

from __future__ import annotations

import fcntl
import os
import signal
import struct
import time
from pathlib import Path

# uinput.h
_DEV_CREATE, _DEV_SETUP, _ABS_SETUP = 0x5501, 0x405C5503, 0x401C5504
_SET_EV, _SET_KEY, _SET_ABS, _SET_PROP, _GET_NAME = 0x40045564, 0x40045565, 0x40045567, 0x4004556E, 0x8040552C

# input-event-codes.h
_SYN, _KEY, _ABS = 0, 1, 3
_TOUCH, _DIRECT = 0x14A, 1
_X, _Y, _SLOT, _MT_X, _MT_Y, _ID = 0x00, 0x01, 0x2F, 0x35, 0x36, 0x39
_MOST = {_X: 4095, _Y: 4095, _SLOT: 9, _MT_X: 4095, _MT_Y: 4095, _ID: 65535}
_USB = 3
HELD_S = 0.2


def plugged() -> int:
    """A screen for ten fingers, as those of USB are."""
    screen = os.open("/dev/uinput", os.O_WRONLY)
    for request, values in ((_SET_EV, (_KEY, _ABS)), (_SET_KEY, (_TOUCH,)), (_SET_ABS, _MOST), (_SET_PROP, (_DIRECT,))):
        for value in values:
            fcntl.ioctl(screen, request, value)
    for axis, most in _MOST.items():
        fcntl.ioctl(screen, _ABS_SETUP, struct.pack("=HxxiiiiII", axis, 0, 0, most, 0, 0, 0))
    fcntl.ioctl(screen, _DEV_SETUP, struct.pack("=HHHH80sI", _USB, 1, 1, 1, b"Touch screen", 0))
    fcntl.ioctl(screen, _DEV_CREATE)
    return screen


def event_of(screen: int) -> str:
    device = fcntl.ioctl(screen, _GET_NAME, bytes(64)).rstrip(b"\0").decode()
    return next(path.name for path in Path("/sys/devices/virtual/input", device).glob("event*"))


def say(screen: int, *told: tuple[int, int, int]) -> None:
    for kind, code, value in (*told, (_SYN, 0, 0)):
        os.write(screen, struct.pack("=qqHHi", 0, 0, kind, code, value))


def touch(screen: int, number: int) -> None:
    at = ((_MT_X, 2048), (_MT_Y, 2048), (_X, 2048), (_Y, 2048))
    say(screen, (_ABS, _SLOT, 0), (_ABS, _ID, number), *((_ABS, *axis) for axis in at), (_KEY, _TOUCH, 1))
    time.sleep(HELD_S)
    say(screen, (_ABS, _SLOT, 0), (_ABS, _ID, -1), (_KEY, _TOUCH, 0))


def main() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGUSR1,))
    screen = plugged()
    Path("/run/finger").write_text(event_of(screen))
    number = 0
    while True:
        signal.sigwait((signal.SIGUSR1,))
        touch(screen, number := number + 1)


if __name__ == "__main__":
    main()
