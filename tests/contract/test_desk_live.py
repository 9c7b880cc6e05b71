"""Live updates: who is told what, slow listeners, and the end of the desk while pages are open."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec import Struct

from desk.sessions.live import QUEUE, Hub
from kiosk.session.states import State
from kiosk.wire import topics
from kiosk.wire.messages import About, Health
from tests.contract.desk_site import BEN, DEVICE, Site, a_session, next_rev, open_site, until


class Said(Struct, frozen=True):
    n: int


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(tmp_path) as site:
        yield site


class Page:
    """An open page: its events as (name, data)."""

    def __init__(self, answer: httpx.Response) -> None:
        self._lines = answer.aiter_lines()

    async def next(self) -> tuple[str, dict[str, Any]]:
        name = ""
        async with asyncio.timeout(10):
            async for line in self._lines:
                if line.startswith("event: "):
                    name = line[7:]
                elif line.startswith("data: "):
                    return name, json.loads(line[6:])
        raise EOFError


@contextlib.asynccontextmanager
async def open_page(http: httpx.AsyncClient) -> AsyncIterator[Page]:
    async with http.stream("GET", "/api/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        page = Page(answer)
        assert (await page.next())[0] == "hello"
        yield page


async def test_an_open_page_is_told_of_sessions_and_presence(site: Site) -> None:
    async with site.desk(), site.kiosk() as kiosk, site.person("anna") as anna, open_page(anna) as page:
        session = await kiosk.tell(a_session())
        name, body = await page.next()
        assert (name, body["session"]["id"], body["session"]["state"]) == ("session", "s-1", "REQUESTED")
        await kiosk.tell(next_rev(session, state=State.CONFIRMED))
        assert (await page.next())[1]["session"]["state"] == "CONFIRMED"
        await kiosk.online()
        name, body = await page.next()
        assert (name, body["kiosk"], body["online"]) == ("presence", "kiosk-1", True)
        await kiosk.say(topics.HEALTH, Health(1.0, {"camera": "unplugged"}))
        assert (await page.next())[1]["parts"] == {"camera": "unplugged"}


async def test_a_kiosk_is_told_whether_its_staff_have_a_page_open(site: Site) -> None:
    async with site.desk(), site.kiosk() as kiosk, site.person("anna") as anna:
        await kiosk.say(topics.ABOUT, About(DEVICE, "1", "test", staff=("anna", "ben")), retain=True)
        await until(lambda: kiosk.staff == [0])
        async with open_page(anna):
            await until(lambda: kiosk.staff == [0, 1])


async def test_a_page_is_told_of_what_its_person_may_see_only(site: Site) -> None:
    async with site.desk(), site.kiosk() as kiosk, site.person("anna") as anna, open_page(anna) as page:
        await kiosk.told(a_session("s-1", asked=(), assigned=(BEN,), state=State.CLOSED))
        await kiosk.told(a_session("s-2"))
        assert (await page.next())[1]["session"]["id"] == "s-2"


async def test_nobody_listens_without_being_signed_in(site: Site) -> None:
    async with site.desk(), httpx.AsyncClient(base_url=site.url) as stranger:
        assert (await stranger.get("/api/events")).status_code == 401


async def test_the_desk_ends_at_once_while_pages_are_open(site: Site) -> None:
    async with site.person_later() as people:
        async with site.desk():
            anna = await people("anna")
            pages = [await anna.send(anna.build_request("GET", "/api/events"), stream=True) for _ in range(20)]
            ending = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - ending < 3
        for page in pages:
            assert b"event: hello" in await page.aread()


async def test_a_listener_that_does_not_keep_up_is_let_go() -> None:
    hub = Hub()
    slow = hub.stream("anna", False, Said(0))
    await anext(slow)
    for n in range(QUEUE + 1):
        hub.tell("session", Said(n))
    assert [event async for event in slow] == []
    assert len(hub) == 0


async def test_a_quiet_stream_is_kept_alive() -> None:
    stream = Hub().stream("anna", False, Said(0), keep_alive_s=0)
    await anext(stream)
    assert (await anext(stream)).startswith(b":")
    await stream.aclose()


async def test_hundreds_of_listeners_get_the_same_bytes() -> None:
    hub = Hub()
    streams = [hub.stream(f"p-{n}", False, Said(0)) for n in range(500)]
    for stream in streams:
        await anext(stream)
    hub.tell("session", Said(7), lambda listener: listener.person != "p-3")
    told = [await anext(stream) for n, stream in enumerate(streams) if n != 3]
    assert set(told) == {b'event: session\ndata: {"n":7}\n\n'}
    hub.close()
    assert hub.full
    for stream in streams:
        await stream.aclose()
    assert len(hub) == 0


async def test_a_stream_ends_for_whoever_may_not_listen_any_more_however_much_there_is_to_tell() -> None:
    hub, may = Hub(), True

    async def still() -> bool:
        return may

    stream = hub.stream("anna", False, Said(0), keep_alive_s=0.0, still=still)
    assert b"hello" in await anext(stream)
    hub.tell("session", Said(1))
    assert b"session" in await anext(stream)
    may = False
    hub.tell("session", Said(2))
    with pytest.raises(StopAsyncIteration):
        await anext(stream)
    assert len(hub) == 0
