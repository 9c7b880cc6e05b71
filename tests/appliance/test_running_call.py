"""A call in the emulated machine, on vivid's camera: its frames feed the watchdog, and it ends in time.

It goes on with the request that test_kiosk_unit.py has left, or makes one.
"""

from __future__ import annotations

import asyncio
import re

import pytest

from kiosk.app import FRAMES_S
from kiosk.link.client import Settings
from kiosk.session import inputs as do
from kiosk.session.states import State
from tests.appliance.far_side import Desk
from tests.appliance.hands import LAMP, log_of, press, property_of, sessions, shown, up
from tests.appliance.machine import Machine

pytestmark = [pytest.mark.appliance, pytest.mark.timeout(900)]

IN_THE_CALL_S = FRAMES_S + 3
"""Once the frames have stood still for FRAMES_S the watchdog is not fed: later food is theirs."""


async def test_the_frames_of_a_call_feed_the_watchdog_and_stopping_in_it_leaves_the_session_intact(
    machine: Machine, broker: Settings
) -> None:
    up(machine)
    async with Desk.at(broker) as desk:
        await asyncio.to_thread(press, machine)  # a request, where there is none yet; and somebody is there
        session = await desk.until(State.REQUESTED)
        await desk.wish(do.Confirm(), session.id)
        await desk.until(State.CONFIRMED)
        pid = property_of(machine, "MainPID")
        await asyncio.to_thread(press, machine)
        await desk.wish(do.Start(), session.id)
        await desk.until(State.RUNNING)
        await asyncio.to_thread(
            machine.wait, "the camera is open", "sh", "-c", f"ls -l /proc/{pid}/fd | grep -q /dev/video0"
        )
        assert machine.run("cat", LAMP).strip() == "1"

        await asyncio.to_thread(wait_until_fed_by_frames, machine)
        shown(machine, "call")
        assert property_of(machine, "MainPID") == pid
        assert desk.health.get("camera", "ok") == "ok", desk.health
        assert desk.sessions[session.id].state is State.RUNNING
        assert not re.search("no progress:.*frames", log_of(machine, lines=200))

        await asyncio.to_thread(machine.run, "systemctl", "stop", "kiosk")
        assert property_of(machine, "Result") == "success"
        over = await desk.until(State.COMPLETED)
    assert over.id == session.id
    assert over.history[-1].cause == "kiosk_stopped"
    assert sessions(machine)[over.id] == "COMPLETED"
    assert machine.run("cat", LAMP).strip() == "0"


def wait_until_fed_by_frames(machine: Machine) -> None:
    """Until systemd was fed that long after the frames began; where the camera was lost meanwhile, after it was back:
    a camera that is known to be lost is no hang, and feeding goes on without it."""
    began_s = float(machine.run("cut", "-d ", "-f1", "/proc/uptime"))
    last = 'journalctl -b -u kiosk -o short-monotonic --no-pager | grep "fleet.board: camera" | tail -n 1'
    while fed_s(machine) < began_s + IN_THE_CALL_S:
        machine.run("sleep", "1")
        if told := machine.run("sh", "-c", last).strip():
            began_s = max(began_s, float(told.split("]")[0].lstrip("[ ")))


def fed_s(machine: Machine) -> float:
    return int(property_of(machine, "WatchdogTimestampMonotonic")) / 1e6
