"""A display that sleeps wakes for whoever presses or touches, and for a session that comes in: virtio-gpu's DPMS."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from kiosk.link.client import Settings
from kiosk.session import inputs as do
from kiosk.session.states import State
from tests.appliance.far_side import Desk
from tests.appliance.hands import forget, log_of, press, property_of, sessions, up, wait_for_another_picture
from tests.appliance.machine import SCREEN, Failed, Machine
from tests.appliance.test_display_machine import CONNECTOR, force

pytestmark = [pytest.mark.appliance, pytest.mark.timeout(900)]

SLEEPS_S = 10
LONG_S = 1.5
BLACK = np.zeros((SCREEN[1], SCREEN[0], 3), np.uint8)


def wait_for_panel(machine: Machine, state: str) -> None:
    """In one command: a panel that is lit for SLEEPS_S must not be missed between two of them."""
    look = f"for n in $(seq 600); do grep -qx {state} {CONNECTOR}/dpms && exit; sleep 0.1; done; exit 1"
    if machine.tried("sh", "-c", look, limit_s=200)[0]:
        raise Failed(f"the panel is not {state}\n{log_of(machine)}")


def touch(machine: Machine) -> None:
    """The screen that was plugged in at the beginning, once the kiosk has opened it."""
    pid = property_of(machine, "MainPID")
    opened = f'ls -l /proc/{pid}/fd | grep -q "/dev/input/$(cat /run/finger)$"'
    try:
        machine.wait("the touch screen is noticed", "sh", "-c", opened)
    except Failed as failed:
        raise Failed(f"{failed}\n{log_of(machine)}") from None
    machine.run("systemctl", "kill", "-s", "USR1", "finger")


async def test_a_display_that_sleeps_wakes_by_the_button_by_a_touch_and_for_a_session_that_comes_in(
    machine: Machine, broker: Settings
) -> None:
    if not quiet(machine):
        forget(machine)
    up(machine, sleep_s=SLEEPS_S)
    async with Desk.at(broker) as desk:
        wait_for_panel(machine, "Off")
        touch(machine)
        wait_for_panel(machine, "On")
        assert quiet(machine)  # that is all that it did

        wait_for_panel(machine, "Off")
        press(machine)
        wait_for_panel(machine, "On")
        request = await desk.until(State.REQUESTED)  # this button asks at once
        await desk.wish(do.Cancel("a test"), request.id)
        await desk.until(State.CANCELLED)
        press(machine, LONG_S)  # done

        wait_for_panel(machine, "Off")
        force(machine, "off")  # somebody has switched it off for the night
        await asyncio.sleep(3)
        force(machine, "detect")
        await desk.wish(do.Create("a test"))
        wait_for_panel(machine, "On")
        await desk.until(State.CONFIRMED)
        await asyncio.to_thread(wait_for_another_picture, machine, "woken", BLACK)


def quiet(machine: Machine) -> bool:
    """Nothing in the book keeps the display awake."""
    return machine.tried("test", "-e", "/var/lib/kiosk/book.json")[0] != 0 or not sessions(machine)
