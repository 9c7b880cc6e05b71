"""A kiosk that dies without a word is shown as gone, by its will; one that comes back is shown as back."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from kiosk.link.client import Settings
from kiosk.link.connection import BROKER_TAKES_S, will_delay_s
from tests.contract.desk_site import KIOSK, Site

KEEPALIVE_S = 2


def settings(keepalive_s: int, asked_s: int = 10) -> Settings:
    return Settings("127.0.0.1", 1, KIOSK, (), keepalive_s=keepalive_s, will_delay_s=asked_s)


@pytest.mark.parametrize("keepalive_s", [12, 15, 30, 31, 60, 300])
def test_a_dead_kiosk_is_known_within_two_keep_alives(keepalive_s: int) -> None:
    noticed_s = 1.5 * keepalive_s + BROKER_TAKES_S
    assert noticed_s + will_delay_s(settings(keepalive_s)) <= 2 * keepalive_s


def test_a_will_is_not_delayed_for_longer_than_was_asked_nor_where_there_is_no_time() -> None:
    assert [will_delay_s(settings(k)) for k in (2, 5, 12, 20, 30, 300)] == [0, 0, 0, 4, 9, 10]
    assert will_delay_s(settings(300, 0)) == 0


async def online(http: httpx.AsyncClient) -> bool | None:
    kiosks: list[dict[str, Any]] = (await http.get("/api/kiosks")).json()["kiosks"]
    return next((bool(k["online"]) for k in kiosks if k["id"] == KIOSK), None)


async def becomes(http: httpx.AsyncClient, wanted: bool) -> None:
    async with asyncio.timeout(30):
        while await online(http) is not wanted:
            await asyncio.sleep(0.05)


async def test_a_frozen_kiosk_is_shown_as_gone_and_as_back_when_it_goes_on(site: Site, tmp_path: Path) -> None:
    password = site.folder / "broker" / f"{KIOSK}.password"
    arguments = (tmp_path / "kiosk", site.port, password, KEEPALIVE_S)
    (tmp_path / "kiosk").mkdir()
    program = [sys.executable, "-m", "tests.contract.link_site", *map(str, arguments)]
    process = await asyncio.create_subprocess_exec(*program, stderr=asyncio.subprocess.DEVNULL)
    try:
        async with site.person("clara") as clara:
            await becomes(clara, True)
            process.send_signal(signal.SIGSTOP)
            frozen_s = time.monotonic()
            await becomes(clara, False)
            assert time.monotonic() - frozen_s < 1.5 * KEEPALIVE_S + 2 * BROKER_TAKES_S, "the broker's timers, and room"
            process.send_signal(signal.SIGCONT)
            await becomes(clara, True)
    finally:
        process.kill()
        await process.wait()
