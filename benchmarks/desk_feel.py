"""How the pages feel: how soon the first one can be used in a browser that has never seen the desk, what comes over the
line for it, and how soon somebody who loads the page anew in a call is in the same call again."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path

from playwright.async_api import Browser, Page

from benchmarks.desk_site import BenchSite
from kiosk.demo.site import Choices
from tests.whole.in_call import in_a_call
from tests.whole.rig import chromium

OPENINGS = 12
RELOADS = 10
TALK_S = 1.5
"""In the call between two reloads."""

WATCH_FIRST = """() => {
  const look = () => {
    if (document.querySelector('.session-row, .empty')) window.filledMs ??= performance.now();
  };
  new MutationObserver(look).observe(document, { subtree: true, childList: true });
}"""
FIRST = """() => {
  const [page] = performance.getEntriesByType('navigation');
  const all = [page, ...performance.getEntriesByType('resource').filter((one) => !one.name.includes('/api/'))];
  const bytes = all.reduce((sum, one) => sum + one.transferSize, 0);
  return { ready: page.domContentLoadedEventEnd, filled: window.filledMs, bytes };
}"""


@dataclass
class First:
    """Milliseconds from the beginning of the navigation: `ready` when all scripts have run, so that whatever is pressed
    is answered; `filled` when the list is there as well. `bytes`: over the line, headers included, without the data."""

    ready_ms: list[float] = field(default_factory=list)
    filled_ms: list[float] = field(default_factory=list)
    bytes: int = 0


@dataclass
class Reloads:
    """Milliseconds from the reload: `on` when the call is connected, `seen` when its first frame is painted."""

    on_ms: list[float] = field(default_factory=list)
    seen_ms: list[float] = field(default_factory=list)


async def first_page(site: BenchSite) -> First:
    first = First()
    async with chromium() as browser:
        for n in range(OPENINGS + 1):
            await _open(browser, site, first, counts=n > 0)  # the browser's own first page is not ours
    return first


async def _open(browser: Browser, site: BenchSite, first: First, *, counts: bool) -> None:
    """With an empty cache, signed in."""
    context = await browser.new_context(bypass_csp=True)
    await context.request.get(site.link("clara"))
    page = await context.new_page()
    await page.add_init_script(f"({WATCH_FIRST})()")
    await page.goto(site.url)
    await page.wait_for_function("window.filledMs")
    told = await page.evaluate(FIRST)
    if counts:
        first.ready_ms.append(told["ready"])
        first.filled_ms.append(told["filled"])
        first.bytes = max(first.bytes, int(told["bytes"]))
    await context.close()


async def reloads_in_call(folder: Path) -> Reloads:
    reloads = Reloads()
    async with chromium() as browser, in_a_call(folder, Choices(steps=(), review_s=0.0)) as call:
        context = await browser.new_context(permissions=["camera", "microphone"], bypass_csp=True)
        page = await context.new_page()
        await page.goto(await call.system.sign_in_link("anna"))
        await page.goto(f"{call.system.site.desk_url}/sessions/{call.session}")
        await page.locator("#join").click()
        await page.locator("#call[data-state=on]").wait_for()
        for _ in range(RELOADS):
            await page.wait_for_function("window.desk.call.frames > 10")
            await asyncio.sleep(TALK_S)
            await _reload(page, reloads)
        await context.close()
    return reloads


async def _reload(page: Page, reloads: Reloads) -> None:
    peer = await page.evaluate("window.desk.call.peer")
    began_s = time.monotonic()
    await page.reload(wait_until="commit")
    await page.locator("#call[data-state=on]").wait_for()
    reloads.on_ms.append(1000 * (time.monotonic() - began_s))
    await page.wait_for_function("window.desk?.call?.frames > 0", polling=20)
    reloads.seen_ms.append(1000 * (time.monotonic() - began_s))
    assert await page.evaluate("window.desk.call.peer") == peer, "another place in the call"
