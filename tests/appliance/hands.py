"""What the tests do with the kiosk in the machine: have it run or not, press, look at its display, read its book.

Each start takes software a quarter of a minute. So nobody puts back what he found: whoever needs the kiosk up or down,
or set in another way, says so, and only what is not so already is done.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import numpy as np
from PIL import Image

from kiosk.hw.ports import Pixels
from kiosk.session.provider import Provider
from kiosk.session.record import Person
from kiosk.ui.local import Front
from kiosk.ui.paint import Painter
from kiosk.ui.view import View
from tests.appliance.machine import SCREEN, Failed, Machine
from tests.appliance.tree import CACHE

SETTINGS = "/etc/kiosk/kiosk.toml"
BOOK = "/var/lib/kiosk/book.json"
BOARD = "/run/board/gpio"
CAMERA_PLUS, LAMP = f"{BOARD}/sim_gpio17/pull", f"{BOARD}/sim_gpio27/value"

ALIKE = 5.0
"""Of 255, mean difference of the screen painted from the one shown. Measured: 2 to 4 (letters stand closer where Pillow
finds fribidi), in another language 6, without its banner 9, black 59."""

SETTLED_S = 5.0


def up(machine: Machine, *, sleep_s: int | None = None) -> None:
    """The kiosk runs; with `sleep_s`, its display sleeps after so long."""
    if sleep_s is not None and machine.tried("grep", "-qx", f"sleep_s = {sleep_s}", SETTINGS)[0]:
        down(machine)
        machine.run("sed", "-i", f"s/^sleep_s = .*/sleep_s = {sleep_s}/", SETTINGS)
    machine.tried("systemctl", "start", "kiosk", limit_s=300)
    machine.wait("the kiosk is ready", "systemctl", "is-active", "kiosk", limit_s=300)


def down(machine: Machine) -> None:
    machine.run("systemctl", "stop", "kiosk")


def forget(machine: Machine) -> None:
    """No session is in its book, as on the first day. It is down then."""
    down(machine)
    machine.run("sh", "-c", f"rm -f {BOOK}*")


def property_of(machine: Machine, name: str, unit: str = "kiosk") -> str:
    return machine.run("systemctl", "show", unit, "-p", name, "--value").strip()


def sessions(machine: Machine) -> dict[str, str]:
    """id -> state, as on disk."""
    kept = json.loads(machine.run("cat", BOOK))["tables"].get("sessions", {})
    return {row["id"]: row["body"]["state"] for row in kept.values()}


def press(machine: Machine, held_s: float = 0.3) -> None:
    """A press of camera-plus, as a hand does it."""
    machine.run("sh", "-c", f"echo pull-down > {CAMERA_PLUS}; sleep {held_s}; echo pull-up > {CAMERA_PLUS}")


def log_of(machine: Machine, unit: str = "kiosk", lines: int = 30) -> str:
    return machine.run("sh", "-c", f"journalctl -b -u {unit} --no-pager | tail -n {lines}")


# --- its display ------------------------------------------------------------------------------------------------------


def shown(machine: Machine, name: str) -> Pixels:
    """The machine's screen, kept under build/ to be looked at."""
    picture = machine.screen()
    picture.save(CACHE / f"{name}.png")
    assert picture.size == SCREEN
    return np.asarray(picture)


def idle() -> View:
    """What the machine's kiosk shows while nobody is there: its broker is, a time server or a desk is not."""
    provider = Provider(language="de", steps=(), staff=(Person("anna", "Anna"),))
    return View(language="de", device_name="Presse 1", provider=provider, online=True, troubles=("no_time",))


def painted(view: View) -> Pixels:
    overlay = Painter(SCREEN).paint(view, Front(size=SCREEN)).overlay
    return overlay[:, :, 2::-1]  # BGRA -> RGB


def difference(one: Pixels, other: Pixels) -> float:
    """Of the two in small, wherever one was moved by a few pixels against the other: the kiosk spares its panel so."""
    a, b = (np.asarray(Image.fromarray(np.ascontiguousarray(p)).resize((320, 180))).astype(float) for p in (one, other))
    moved = (np.roll(a, (y, x), (0, 1)) for x in range(-4, 5) for y in range(-4, 5))
    return min(float(np.abs(picture - b)[8:-8, 8:-8].mean()) for picture in moved)


def settled(machine: Machine, name: str, limit_s: float = 120.0) -> Pixels:
    """What is on the display once it has stood still for SETTLED_S. Raises Failed."""
    until, seen = time.monotonic() + limit_s, shown(machine, name)
    while time.monotonic() < until:
        time.sleep(SETTLED_S)
        before, seen = seen, shown(machine, name)
        if difference(before, seen) <= ALIKE:
            return seen
    raise Failed(f"it never stands still\n{log_of(machine)}")


def wait_for_picture(machine: Machine, name: str, wanted: Pixels, limit_s: float = 120.0) -> None:
    """Until it stands on the display. Raises Failed; build/appliance/`name`.png is what stands there instead."""
    _wait_to_see(machine, name, lambda seen: difference(seen, wanted) <= ALIKE, limit_s)


def wait_for_another_picture(machine: Machine, name: str, than: Pixels, limit_s: float = 60.0) -> None:
    """Until it does not stand there any more. Raises Failed."""
    _wait_to_see(machine, name, lambda seen: difference(seen, than) > ALIKE, limit_s)


def _wait_to_see(machine: Machine, name: str, fits: Callable[[Pixels], bool], limit_s: float) -> None:
    until = time.monotonic() + limit_s
    while not fits(shown(machine, name)):
        if time.monotonic() > until:
            raise Failed(f"see {name}.png\n{log_of(machine)}")
        time.sleep(0.5)
