"""The kiosk is told to stop in the middle of a call, as systemd does it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.whole.in_call import in_a_call, until

pytestmark = [pytest.mark.whole, pytest.mark.timeout(180)]

STOP_S = 15.0
"""systemd gives it 5 s (TimeoutStopSec of systemd/kiosk.service); a calm machine needs less than one."""


async def test_a_kiosk_that_is_stopped_in_a_call_is_gone_in_time_and_the_session_is_intact(tmp_path: Path) -> None:
    async with in_a_call(tmp_path) as call:

        async def sees() -> bool:
            return bool((await call.panel())["camera_open"])

        await until(sees, "the camera at work")
        async with asyncio.timeout(STOP_S):
            await call.system.end("kiosk")
        await call.system.start("kiosk")
        await call.system.ready()

        async def over() -> bool:
            return await call.state() == "COMPLETED"

        await until(over, "the end of the call")
        history = (await call.ask("GET", f"/api/sessions/{call.session}"))["session"]["history"]
        assert history[-1]["cause"] == "kiosk_stopped"
        await call.command("reopen")
        assert await call.state() == "CONFIRMED"
