"""The whole system as a person meets it: the demo's three programs, a real Chromium, and eyes on both sides."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray
from playwright.async_api import Browser, BrowserContext, Frame, Page, async_playwright

from kiosk.demo.browser import LOOPBACK_SWITCH, only_loopback
from kiosk.demo.run import Running, page, running
from kiosk.demo.site import Choices
from kiosk.hw.sim.corner_code import read as read_corner_code
from kiosk.session.record import Session
from kiosk.ui.gallery import flat
from kiosk.ui.layout import picture_fit
from kiosk.ui.local import Front
from kiosk.ui.paint import Painter
from kiosk.ui.view import View

T = TypeVar("T")
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)
CORNER_CODE_JS = (Path(__file__).parent / "corner_code.js").read_text()
SEEN_LAST = Path(__file__).parents[2] / "build" / "seen-last.png"
Image = NDArray[np.uint8]


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=[*ARGUMENTS, *([LOOPBACK_SWITCH] if only_loopback() else [])],
            ignore_default_args=["--headless=old", "--mute-audio"],
        )
        try:
            yield browser
        finally:
            await browser.close()


async def until(look: Callable[[], Awaitable[T | None]], what: str, limit_s: float = 20.0, pause_s: float = 0.02) -> T:
    """Looks until there is something (truthy) to be seen, and returns it."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        found = await look()
        if found:
            return found
        await asyncio.sleep(pause_s)
    raise AssertionError(f"not seen within {limit_s:.0f} s: {what}")


@dataclass
class Rig:
    """One story's stage. `desk` and `kiosk` are the two frames of the newcomer's page."""

    system: Running
    context: BrowserContext
    page: Page
    kiosk: Frame
    desk: Frame
    troubles: list[str]

    # --- the kiosk's side ---------------------------------------------------------------------------------------------

    async def display(self) -> Image:
        """What the kiosk's display shows now: (H, W, 3) uint8 BGR."""
        answer = await self.context.request.get(self.system.site.panel_url + "/display.png")
        assert answer.ok
        picture = cv2.imdecode(np.frombuffer(await answer.body(), np.uint8), cv2.IMREAD_COLOR)
        assert picture is not None
        return picture.astype(np.uint8)

    async def panel_state(self) -> dict[str, Any]:
        answer = await self.context.request.get(self.system.site.panel_url + "/state.json")
        state: dict[str, Any] = await answer.json()
        return state

    async def press(self, button: str, hold_s: float = 0.08) -> None:
        """One of the drawn buttons under the display, with the mouse."""
        await self.kiosk.locator(f"[data-button={button}]").hover()
        await self.page.mouse.down()
        await asyncio.sleep(hold_s)
        await self.page.mouse.up()

    async def press_and_see(self, button: str) -> None:
        """As a person does, who presses the next one when the screen has changed: a press counts where it began."""
        before = (await self.display()).astype(np.int16)
        await self.press(button)

        async def changed() -> bool:
            return float((np.abs(await self.display() - before).max(axis=2) > 60).mean()) > 0.05

        await until(changed, f"another screen after {button}")

    # --- the desk's side ----------------------------------------------------------------------------------------------

    async def api(self, path: str) -> Any:
        """What the desk says to the signed-in person."""
        answer = await self.context.request.get(self.system.site.desk_url + path)
        assert answer.ok, f"{path}: {answer.status}"
        return await answer.json()

    async def session(self, session_id: str) -> Session:
        body = await self.api(f"/api/sessions/{session_id}")
        return msgspec.convert(body["session"], Session)

    async def until_state(self, session_id: str, state: str, limit_s: float = 20.0) -> Session:
        async def look() -> Session | None:
            session = await self.session(session_id)
            return session if session.state == state else None

        return await until(look, f"{session_id} {state}", limit_s)

    async def command(self, session_id: str, kind: str) -> None:
        """As an integrator would: through the API, as the signed-in person."""
        url = self.system.site.desk_url
        answer = await self.context.request.post(
            f"{url}/api/sessions/{session_id}/commands",
            data={"do": {"kind": kind}},
            headers={"X-Desk": "1", "Origin": url},
        )
        assert answer.ok, f"{kind}: {answer.status} {await answer.text()}"

    async def open_session(self, session_id: str) -> None:
        """Its page, in the desk's frame."""
        await self.desk.goto(f"{self.system.site.desk_url}/sessions/{session_id}")

    async def frame_in_page(self) -> dict[str, Any] | None:
        """The corner code of the video frame that the page shows: {number, timeMs}."""
        found: dict[str, Any] | None = await self.desk.evaluate(
            """(source) => {
                const read = window.readCornerCode ??= new Function(source + '; return readCornerCode;')();
                const video = document.getElementById('call-video');
                if (!video.videoWidth) return null;
                const canvas = window.codeCanvas ??= document.createElement('canvas');
                canvas.width = video.videoWidth; canvas.height = video.videoHeight;
                const context = canvas.getContext('2d', { willReadFrequently: true });
                context.drawImage(video, 0, 0);
                return read(context, canvas.width, canvas.height);
            }""",
            CORNER_CODE_JS,
        )
        return found


@asynccontextmanager
async def rig(folder: Path, browser: Browser, choices: Choices | None = None) -> AsyncIterator[Rig]:
    """The demo, ready, with its page open in a fresh browser context."""
    async with running(folder, choices or Choices()) as system, page(system) as address:
        context = await browser.new_context(
            viewport={"width": 1600, "height": 1000},
            permissions=["notifications", "camera", "microphone"],
            bypass_csp=True,  # the test's own scripts are let in; the pages' own keep their policy in other tests
        )
        try:
            tab = await context.new_page()
            troubles: list[str] = []
            tab.on("pageerror", lambda error: troubles.append(str(error)))
            await tab.goto(address)
            kiosk = await frame_at(tab, system.site.panel_url)
            desk = await frame_at(tab, system.site.desk_url)
            yield Rig(system, context, tab, kiosk, desk, troubles)
        finally:
            SEEN_LAST.parent.mkdir(exist_ok=True)
            await tab.screenshot(path=SEEN_LAST)  # what a person would have seen when it ended or failed
            await context.close()


async def frame_at(tab: Page, url: str) -> Frame:
    async def look() -> Frame | None:
        return next((f for f in tab.frames if f.url.startswith(url)), None)

    frame = await until(look, f"the frame of {url}")
    await frame.wait_for_load_state("load")
    return frame


def code_on(display: Image, frame: tuple[int, int] = (1280, 720)) -> int | None:
    """The number of the camera's frame that the display shows."""
    r = picture_fit((display.shape[1], display.shape[0]), frame).rect
    found = read_corner_code(
        cv2.cvtColor(display[r.y : r.y + r.h, r.x : r.x + r.w], cv2.COLOR_BGR2GRAY).astype(np.uint8)
    )
    return found[0] if found else None


def shows(display: Image, view: View) -> bool:
    """Whether the display shows what the kiosk paints for `view`, but for a few pixels (a clock, a hold ring); whoever
    touched it last sees no focus and no hint to the button."""
    return any(_looks_like(display, view, Front(by_touch=by_touch)) for by_touch in (False, True))


def _looks_like(display: Image, view: View, front: Front) -> bool:
    size = (display.shape[1], display.shape[0])
    wanted = flat(Painter(size).paint(view, front), size)
    differs = np.abs(display.astype(np.int16) - wanted).max(axis=2) > 60
    return float(differs.mean()) < 0.01


def has_colour(
    display: Image,
    at: tuple[float, float],
    colour: str,
    within_px: int = 4,
    beside: tuple[int, int] | None = None,
) -> bool:
    """Whether a pixel of about "#rrggbb" lies near `at` (0..1 of the frame) on the live picture; or, with the live one
    beside it, on the snapshot."""
    x, y = picture_fit((display.shape[1], display.shape[0]), (1280, 720), beside).to_display(*at)
    x0, y0 = max(0, int(x) - within_px), max(0, int(y) - within_px)
    patch = display[y0 : int(y) + within_px + 1, x0 : int(x) + within_px + 1].astype(np.int16)
    bgr = [int(colour[i : i + 2], 16) for i in (5, 3, 1)]
    return bool((np.abs(patch - bgr).max(axis=2) < 50).any())
