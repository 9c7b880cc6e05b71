"""Which touch screens, mice and keyboards are plugged in, by the kernel's own word (sysfs).

SDL would find them by libudev, as they come and go; the SDL that comes as a wheel is built without it, and has eyes for
none but those that it is told of before its video begins (SDL_EVDEV_DEVICES, SDL_evdev.c).
"""

from __future__ import annotations

import struct
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

INPUT = Path("/sys/class/input")

_MOUSE, _KEYBOARD, _TOUCHSCREEN = 0x1, 0x2, 0x10  # SDL_UDEV_deviceclass (SDL_evdev_capabilities.h)

# input-event-codes.h
_KEY_ENTER, _KEY_KPENTER = 28, 96
_BTN_LEFT, _BTN_TOOL_PEN, _BTN_TOOL_FINGER, _BTN_TOUCH, _BTN_STYLUS = 0x110, 0x140, 0x145, 0x14A, 0x14B
_ABS_X, _ABS_MT_POSITION_X, _REL_X = 0x00, 0x35, 0x00
_DIRECT = 1
_LONG_BITS = 8 * struct.calcsize("l")


@dataclass(frozen=True, slots=True, order=True)
class InputDevice:
    """number: the kernel's own, another one each time that it is plugged in. kind: SDL's classes."""

    path: str
    kind: int
    number: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.path}"


def present(sysfs: Path = INPUT) -> frozenset[tuple[str, str]]:
    """All there are, of whatever kind: (their file's name, the kernel's number); cheap enough to look each second."""
    found = set()
    for event in sysfs.glob("event*"):
        with suppress(OSError):  # it is being pulled out just now
            found.add((event.name, (event / "device").readlink().name))
    return frozenset(found)


def plugged_in(sysfs: Path = INPUT) -> frozenset[InputDevice]:
    """Those by which somebody can point or type. Buttons of a case, jacks and touchpads are left out."""
    found = set()
    for name, number in present(sysfs):
        with suppress(OSError, ValueError):
            if kind := _kind(sysfs / name / "device"):
                found.add(InputDevice(f"/dev/input/{name}", kind, number))
    return frozenset(found)


def told(devices: frozenset[InputDevice]) -> str:
    """As SDL wants to be told."""
    return ",".join(str(device) for device in sorted(devices))


def _kind(device: Path) -> int:
    """As udev's input_id takes them."""
    keys, absolute, relative = (_bits(device / "capabilities" / name) for name in ("key", "abs", "rel"))
    direct = _DIRECT in _bits(device / "properties")
    placed = bool(absolute & {_ABS_X, _ABS_MT_POSITION_X})
    kind = _KEYBOARD if keys & {_KEY_ENTER, _KEY_KPENTER} else 0
    if placed and not direct and keys & {_BTN_TOOL_PEN, _BTN_TOOL_FINGER, _BTN_STYLUS}:
        return kind  # a pen's tablet, a touchpad: what lies beside the display
    if _BTN_LEFT in keys and (placed or _REL_X in relative):
        return kind | _MOUSE
    return kind | _TOUCHSCREEN if placed and (direct or _BTN_TOUCH in keys) else kind


def _bits(path: Path) -> frozenset[int]:
    """The numbers of the bits that are set: the kernel writes longs in hexadecimal, the highest first."""
    longs = [int(word, 16) for word in reversed(path.read_text().split())]
    return frozenset(n for n in range(len(longs) * _LONG_BITS) if longs[n // _LONG_BITS] >> n % _LONG_BITS & 1)
