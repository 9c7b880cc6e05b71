"""A display that is pulled out: a virtio-gpu screen whose connector the kernel can force."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.appliance.hands import settled, up, wait_for_another_picture, wait_for_picture
from tests.appliance.machine import Machine

pytestmark = [pytest.mark.appliance, pytest.mark.timeout(900)]

CONNECTOR = "/sys/class/drm/card*-Virtual-1"


def force(machine: Machine, status: str) -> None:
    machine.run("sh", "-c", f"echo {status} > $(echo {CONNECTOR}/status)")


@pytest.fixture
def _plugged_in_again(machine: Machine) -> Iterator[None]:
    yield
    force(machine, "detect")


@pytest.mark.usefixtures("_plugged_in_again")
def test_a_display_that_is_pulled_out_comes_back_in_its_own_mode(machine: Machine) -> None:
    """Where software draws, a frame may take longer than the kiosk gives a driver: then it starts anew."""
    up(machine)
    before = settled(machine, "plugged")
    force(machine, "off")
    machine.wait_for_words("kiosk", "not connected|none is connected")
    wait_for_another_picture(machine, "unplugged", before)
    force(machine, "detect")
    wait_for_picture(machine, "replugged", before, limit_s=300)
