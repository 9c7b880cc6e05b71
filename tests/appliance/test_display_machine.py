"""A display that is pulled out: a virtio-gpu screen whose connector the kernel can force."""

from __future__ import annotations

import pytest

from tests.appliance.machine import Machine
from tests.appliance.test_kiosk_unit import (
    ALIKE,
    difference,
    idle,
    painted,
    shown,
    wait_until_active,
)

pytestmark = [pytest.mark.appliance, pytest.mark.timeout(900)]

CONNECTOR = "/sys/class/drm/card*-Virtual-1"


def force(machine: Machine, status: str) -> None:
    machine.run("sh", "-c", f"echo {status} > $(echo {CONNECTOR}/status)")


def wait_for_picture(machine: Machine, name: str) -> None:
    """Until the idle screen stands on it, whole and in the display's own mode."""
    for _ in range(40):
        machine.run("sleep", "2")
        if difference(shown(machine, name), painted(idle())) <= ALIKE:
            return
    pytest.fail(f"see {name}.png\n" + machine.run("sh", "-c", "journalctl -b -u kiosk | tail -n 20"))


def test_a_display_that_is_pulled_out_comes_back_in_its_own_mode(machine: Machine) -> None:
    """Where software draws, a frame may take longer than the kiosk gives a driver: then it starts anew."""
    wait_until_active(machine)
    force(machine, "off")
    machine.wait_for_words("kiosk", "display: (not connected|none is connected)")
    force(machine, "detect")
    wait_for_picture(machine, "replugged")
