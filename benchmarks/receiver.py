"""Chromium as the receiver of the benchmarks: a page that joins through an emulated link and tells what it shows."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from aiohttp import web
from playwright.async_api import Browser, Page, async_playwright

from kiosk.demo.browser import LOOPBACK_SWITCH
from kiosk.hw.ports import Pixels
from tests.whole.rig import ARGUMENTS, CHROMIUM, CORNER_CODE_JS

HERE = Path(__file__).parent
PAGE = """<!doctype html><meta charset="utf-8"><title>receiver</title><body style="margin:0">
<video width="1280" height="720" autoplay muted playsinline></video><script src="/receiver.js"></script>"""
SWITCHES = (
    *ARGUMENTS,
    LOOPBACK_SWITCH,
    "--autoplay-policy=no-user-gesture-required",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
)
CLOCK_MS = 2**24
"""The corner code's clock wraps here."""

Answer = Callable[[str], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Shown:
    """One frame on the screen. number: -1 where its code could not be read; painted_ms: of any one clock."""

    number: int
    delay_ms: float
    painted_ms: float
    presented: int
    height: int


@dataclass
class Receiver:
    """One page."""

    page: Page
    _answer: list[Answer] = field(default_factory=list)
    lumas: list[Pixels] = field(default_factory=list)

    async def join(self, answer: Answer, staff: bool = False) -> float:
        """ms from the wish to the first painted frame. `answer` gets the offer.

        staff: with microphone, camera and data channels, as a staff member's page; else it looks only.
        """
        self._answer[:] = [answer]
        took_ms: float = await self.page.evaluate("(staff) => bench.join(staff)", staff)
        return took_ms

    async def leave(self) -> None:
        """It may join again."""
        await self.page.evaluate("bench.leave()")

    async def shown(self) -> tuple[list[Shown], float]:
        """What was shown since the last time that was asked, and the page's clock in ms."""
        taken = await self.page.evaluate("bench.take()")
        frames = [
            Shown(number, (painted - time_ms) % CLOCK_MS if number >= 0 else 0.0, painted, presented, height)
            for number, time_ms, painted, presented, height in taken["shown"]
        ]
        return frames, taken["nowMs"]

    async def stats(self) -> dict[str, Any]:
        """Chromium's inbound-rtp report of the video, with "codec"."""
        report: dict[str, Any] = await self.page.evaluate("bench.stats()")
        return report

    async def luma(self, count: int, each: int) -> list[Pixels]:
        """The luma of every `each`th frame from now on, (H, W) uint8, whatever size it came in."""
        self.lumas.clear()
        await self.page.evaluate("([count, each]) => bench.send(count, each)", [count, each])
        return list(self.lumas)

    # --- what the page asks for ---------------------------------------------------------------------------------------

    async def on_offer(self, request: web.Request) -> web.Response:
        return web.Response(text=await self._answer[0](await request.text()))

    async def on_luma(self, request: web.Request) -> web.Response:
        shape = int(request.query["height"]), int(request.query["width"])
        self.lumas.append(np.frombuffer(await request.read(), np.uint8).reshape(shape))
        return web.Response()


@asynccontextmanager
async def chromium(display: str = "") -> AsyncIterator[Browser]:
    """display: of an X server, where its window is to be seen; none: headless."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=[s for s in SWITCHES if not (display and s.startswith("--headless"))]
            + ["--window-position=0,0"] * bool(display),
            headless=not display,
            ignore_default_args=["--headless=old", "--mute-audio"],
            env={**os.environ, "DISPLAY": display},
        )
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def receiving(browser: Browser) -> AsyncIterator[Receiver]:
    """A fresh page, at rest."""
    context = await browser.new_context(viewport={"width": 1300, "height": 760})
    page = await context.new_page()
    receiver = Receiver(page)
    async with _served(receiver) as address:
        try:
            await page.goto(address)
            yield receiver
        finally:
            await context.close()


@asynccontextmanager
async def _served(receiver: Receiver) -> AsyncIterator[str]:
    script = CORNER_CODE_JS.replace('"use strict";', "", 1) + (HERE / "receiver.js").read_text()
    app = web.Application(client_max_size=2**24)
    app.add_routes(
        [
            web.get("/", lambda _: _text(PAGE, "text/html")),
            web.get("/receiver.js", lambda _: _text(script, "text/javascript")),
            web.post("/offer", receiver.on_offer),
            web.post("/luma", receiver.on_luma),
        ]
    )
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


async def _text(body: str, kind: str) -> web.Response:
    return web.Response(text=body, content_type=kind)
