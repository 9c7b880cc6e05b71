"""Open pages: how soon a request that a kiosk publishes is to be seen in a list in Chromium, and how soon an update is
at 500 pages that are open at one desk. The rival for those is a bare aiohttp server that sends the same bytes."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp import web
from msgspec.structs import replace

from benchmarks.desk_hold import a_document
from benchmarks.desk_site import BenchSite
from benchmarks.main_job import WATCH_LIST
from kiosk.link.client import Client
from kiosk.session.record import Session
from kiosk.session.states import State
from kiosk.wire.codec import encode
from kiosk.wire.messages import SessionTold
from tests.whole.rig import chromium, until

PAGES = 500
UPDATES = 20
REQUESTS = 30
PAUSE_S = 0.3
FORGET = "DELETE FROM sessions WHERE id >= 's-5000000'"
"""What is told here, of an earlier run: the database is kept, and what it knows already is no news to any page."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Milliseconds until the last of all pages had each update; `memory_mb` of the desk with all of them open."""

    last_ms: list[float]
    rival_ms: list[float]
    memory_mb: float


async def tell(client: Client, told: Session) -> None:
    topic = f"kiosk/1/{told.kiosk}/up/session/{told.id}"
    await client.publish(topic, encode(SessionTold(told)), retain=True)


# --- to be seen -------------------------------------------------------------------------------------------------------


async def seen_in_list(site: BenchSite) -> list[float]:
    """Milliseconds from publishing to the row in the page."""
    times = []
    async with chromium() as browser, site.loader() as client:
        await anext(client.connections())
        context = await browser.new_context(bypass_csp=True)
        page = await context.new_page()
        await page.goto(site.link("clara"))
        await page.locator("#session-list[aria-busy=false]").wait_for()
        await page.evaluate(WATCH_LIST)
        for n in range(REQUESTS):
            told = replace(a_document(5_000_000 + n, 1), state=State.REQUESTED)
            began_ms = 1000 * time.time()
            await tell(client, told)

            async def look(id_: str = told.id) -> float | None:
                found: float | None = await page.evaluate("(id) => window.seen[id] ?? null", id_)
                return found

            times.append(await until(look, "the request in the list") - began_ms)
            await asyncio.sleep(PAUSE_S)
        await context.close()
    return times


# --- 500 pages --------------------------------------------------------------------------------------------------------


class Pages:
    """What is open: each notes when it hears of a session for the first time."""

    def __init__(self) -> None:
        self.ready = 0
        self.heard: dict[bytes, list[float]] = {}

    async def follow(self, http: aiohttp.ClientSession, url: str, headers: dict[str, str]) -> None:
        async with http.get(url, headers=headers) as answer:
            assert answer.status == 200, answer.status
            self.ready += 1
            async for line in answer.content:
                if line.startswith(b'data: {"session":{"id":"'):
                    self.heard.setdefault(line[24:33], []).append(time.monotonic())

    async def until_all(self, id_: str) -> float:
        """When the last of them had it."""
        async with asyncio.timeout(30):
            while len(self.heard.get(id_.encode(), ())) < PAGES:
                await asyncio.sleep(0.005)
        return self.heard[id_.encode()][-1]


@contextlib.asynccontextmanager
async def pages_open(url: str, cookies: list[str]) -> AsyncIterator[Pages]:
    pages = Pages()
    more: dict[str, Any] = {"connector": aiohttp.TCPConnector(limit=0), "cookie_jar": aiohttp.DummyCookieJar()}
    async with aiohttp.ClientSession(read_bufsize=2**18, **more) as http:
        following = [asyncio.create_task(pages.follow(http, url, {"Cookie": cookie})) for cookie in cookies]
        async with asyncio.timeout(90):
            while pages.ready < len(cookies):
                await asyncio.sleep(0.05)
        try:
            yield pages
        finally:
            for task in following:
                task.cancel()
            await asyncio.gather(*following, return_exceptions=True)


async def at_all_pages(site: BenchSite) -> Spread:
    cookies = [await _cookie(site) for _ in range(PAGES)]
    last_ms = []
    async with pages_open(site.url + "/api/events", cookies) as pages, site.loader() as client:
        await anext(client.connections())
        await asyncio.sleep(1)
        for n in range(UPDATES):
            told = a_document(6_000_000 + n, 1)
            began_s = time.monotonic()
            await tell(client, told)
            last_ms.append(1000 * (await pages.until_all(told.id) - began_s))
            await asyncio.sleep(PAUSE_S)
        memory_mb = site.memory_mb()
    return Spread(last_ms, await _rival(cookies), memory_mb)


async def _cookie(site: BenchSite) -> str:
    async with site.person("clara") as http:
        return "; ".join(f"{name}={value}" for name, value in http.cookies.items())


async def _rival(cookies: list[str]) -> list[float]:
    """In this process, so its times hold the server's work and the pages' one after the other, as on one core."""
    queues: list[asyncio.Queue[bytes]] = []

    async def events(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        queues.append(queue)
        while True:
            await answer.write(await queue.get())

    app = web.Application()
    app.router.add_get("/api/events", events)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=1)
    await runner.setup()
    listener = web.TCPSite(runner, "127.0.0.1", 0)
    await listener.start()
    port = runner.addresses[0][1]
    times = []
    try:
        async with pages_open(f"http://127.0.0.1:{port}/api/events", cookies) as pages:
            for n in range(UPDATES):
                told = a_document(7_000_000 + n, 1)
                event = b"event: session\ndata: " + encode(SessionTold(told)) + b"\n\n"
                began_s = time.monotonic()
                for queue in queues:
                    queue.put_nowait(event)
                times.append(1000 * (await pages.until_all(told.id) - began_s))
                await asyncio.sleep(PAUSE_S)
    finally:
        await runner.cleanup()
    return times
