"""What counts as a touch screen, a mouse or a keyboard, from what the kernel tells of it."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path

import pytest

from kiosk.hw import evdev

MOUSE, KEYBOARD, TOUCHSCREEN = 0x1, 0x2, 0x10
ENTER, LEFT, PEN, FINGER, TOUCH, POWER = 28, 0x110, 0x140, 0x145, 0x14A, 116
X, Y, MT_X, MT_Y = 0, 1, 0x35, 0x36
LONG_BITS = 8 * struct.calcsize("l")


def plug(
    sysfs: Path,
    event: str,
    number: str,
    *,
    keys: Iterable[int],
    abs_: Iterable[int] = (),
    rel: Iterable[int] = (),
    prop: int = 0,
) -> None:
    """As /sys/class/input has it: `event` is a folder, its `device` a link to the kernel's own."""
    device = sysfs / "devices" / number
    (device / "capabilities").mkdir(parents=True)
    for name, bits in (("key", keys), ("abs", abs_), ("rel", rel)):
        (device / "capabilities" / name).write_text(longs(set(bits)) + "\n")
    (device / "properties").write_text(f"{prop:x}\n")
    (sysfs / event).mkdir()
    (sysfs / event / "device").symlink_to(device)


def longs(bits: set[int]) -> str:
    count = max(bits, default=0) // LONG_BITS + 1
    words = [sum(1 << b % LONG_BITS for b in bits if b // LONG_BITS == n) for n in range(count)]
    return " ".join(f"{word:x}" for word in reversed(words))


@pytest.mark.parametrize(
    ("keys", "abs_", "rel", "prop", "kind"),
    [
        ({TOUCH}, {X, Y, MT_X, MT_Y}, set(), 0b10, TOUCHSCREEN),
        ({TOUCH}, {X, Y}, set(), 0, TOUCHSCREEN),
        ({TOUCH, FINGER}, {X, Y, MT_X, MT_Y}, set(), 0b10, TOUCHSCREEN),
        ({TOUCH, FINGER, LEFT}, {X, Y, MT_X, MT_Y}, set(), 0b1, 0),
        ({TOUCH, FINGER}, {X, Y, MT_X, MT_Y}, set(), 0b1, 0),
        ({TOUCH, PEN}, {X, Y}, set(), 0, 0),
        ({LEFT}, set(), {X, Y}, 0, MOUSE),
        ({LEFT, TOUCH}, {X, Y}, set(), 0, MOUSE),
        ({ENTER, LEFT}, set(), {X, Y}, 0, KEYBOARD | MOUSE),
        ({ENTER, 16, 30}, set(), set(), 0, KEYBOARD),
        ({POWER}, set(), set(), 0, 0),
        (set(), set(), set(), 0, 0),
    ],
    ids=[
        "a touch screen for several fingers",
        "one for a single finger, of a driver that says no more",
        "a touch screen that counts fingers",
        "a touchpad with buttons",
        "a touchpad",
        "a pen's tablet",
        "a mouse",
        "a mouse that points, as an emulator has it",
        "keys and a mouse in one",
        "a keyboard or scanner",
        "the power button",
        "a jack",
    ],
)
def test_a_kind_is_told_from_what_the_kernel_says(
    tmp_path: Path, keys: set[int], abs_: set[int], rel: set[int], prop: int, kind: int
) -> None:
    plug(tmp_path, "event7", "input19", keys=keys, abs_=abs_, rel=rel, prop=prop)
    found = evdev.plugged_in(tmp_path)
    assert found == (frozenset({evdev.InputDevice("/dev/input/event7", kind, "input19")}) if kind else frozenset())


def test_sdl_is_told_of_all_of_them(tmp_path: Path) -> None:
    plug(tmp_path, "event0", "input3", keys={ENTER})
    plug(tmp_path, "event1", "input4", keys={TOUCH}, abs_={X, Y}, prop=2)
    plug(tmp_path, "event2", "input5", keys={POWER})
    assert evdev.told(evdev.plugged_in(tmp_path)) == "2:/dev/input/event0,16:/dev/input/event1"
    assert evdev.told(evdev.plugged_in(tmp_path / "none")) == ""


def test_one_that_was_plugged_in_again_is_another_one(tmp_path: Path) -> None:
    plug(tmp_path / "before", "event0", "input3", keys={ENTER})
    plug(tmp_path / "after", "event0", "input4", keys={ENTER})
    assert evdev.present(tmp_path / "before") != evdev.present(tmp_path / "after")
    assert evdev.plugged_in(tmp_path / "before") != evdev.plugged_in(tmp_path / "after")


def test_one_that_is_just_being_pulled_out_is_left_out(tmp_path: Path) -> None:
    plug(tmp_path, "event0", "input3", keys={ENTER})
    (tmp_path / "devices/input3/capabilities/abs").unlink()
    (tmp_path / "event1").mkdir()
    assert evdev.plugged_in(tmp_path) == frozenset()
