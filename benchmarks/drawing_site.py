"""What the benchmarks of the tools stand on: the demo's programs with a call on, and Anna's page in a real Chromium."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Page

from kiosk.demo.site import Choices
from tests.whole.in_call import InCall, in_a_call
from tests.whole.rig import chromium

SETTLED_S = 2.0


@dataclass(frozen=True, slots=True)
class Site:
    call: InCall
    page: Page

    async def place(self, u: float, v: float) -> tuple[float, float]:
        """Where a point of the frame is in the tab, px."""
        box = await self.page.locator("#overlay").bounding_box()
        fit = await self.page.evaluate("window.desk.tools.fit()")
        assert box
        return box["x"] + fit["x"] + u * fit["width"], box["y"] + fit["y"] + v * fit["height"]


@asynccontextmanager
async def site(folder: Path, viewport: tuple[int, int]) -> AsyncIterator[Site]:
    async with chromium() as browser, in_a_call(folder, Choices(steps=(), review_s=600.0)) as call:
        context = await browser.new_context(
            viewport={"width": viewport[0], "height": viewport[1]},
            permissions=["camera", "microphone"],
            bypass_csp=True,  # the measuring scripts are let in
        )
        page = await context.new_page()
        await page.goto(await call.system.sign_in_link("anna"))
        await page.goto(f"{call.system.site.desk_url}/sessions/{call.session}")
        await page.locator("#join").click()
        await page.locator("#call[data-state=on]").wait_for()
        await page.wait_for_function("window.desk.call.frames > 10", timeout=120_000)
        await call.press("decline")  # nothing is recorded: the question would stand over the picture
        await asyncio.sleep(SETTLED_S)  # the jitter buffer too
        yield Site(call, page)
        await context.close()
