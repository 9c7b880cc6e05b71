"""The call page in a stock Firefox, over the demo's three programs: it joins, sees, is heard, draws, marks, comes back.

Debian's Firefox has no H.264 for calls until it has fetched its plugin for it from the Internet, which a test does not
wait for: the kiosk then sends it VP8, and the page says what that means. With the plugin the same test sees H.264.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from kiosk.demo.site import Choices
from tests.whole.firefox import Firefox, Tab, firefox
from tests.whole.in_call import InCall, in_a_call, until
from tests.whole.rig import has_colour

PLACES = """(points) => {
  const box = document.querySelector("#overlay").getBoundingClientRect(), fit = window.desk.tools.fit();
  return points.map(([u, v]) => [box.x + fit.x + u * fit.width, box.y + fit.y + v * fit.height]); }"""
HEARD = """window.desk.call.connection.getStats().then((all) =>
  [...all.values()].some((one) => one.type === "inbound-rtp" && one.kind === "audio" && one.totalAudioEnergy > 1e-4))"""
DECODED = """window.desk.call.connection.getStats().then((all) =>
  [...all.values()].find((one) => one.type === "inbound-rtp" && one.kind === "video")?.framesDecoded > 10)"""


@pytest.fixture
async def browser() -> AsyncIterator[Firefox]:
    async with firefox() as opened:
        yield opened


async def joined(call: InCall, browser: Firefox, width: int, height: int) -> Tab:
    tab = await browser.tab()
    await tab.size(width, height)
    await tab.goto(await call.system.sign_in_link("anna"))
    await tab.goto(f"{call.system.site.desk_url}/sessions/{call.session}")
    await tab.click("#join")
    await is_on(tab)
    return tab


async def is_on(tab: Tab) -> None:
    await tab.until("""document.querySelector("#call").dataset.state === "on" && window.desk.call.frames > 5""")


async def places(tab: Tab, *points: tuple[float, float]) -> list[tuple[float, float]]:
    """Of the picture, as px of the page."""
    found: list[tuple[float, float]] = await tab.look(f"({PLACES})({[list(p) for p in points]})")
    return found


@pytest.mark.timeout(240)
async def test_firefox_joins_sees_hears_draws_and_marks_and_is_back_after_a_reload(
    tmp_path: Path, browser: Firefox
) -> None:
    async with in_a_call(tmp_path, Choices(steps=(), review_s=0.0)) as call:
        tab = await joined(call, browser, 1280, 860)
        await tab.until(DECODED)
        await tab.until(HEARD)
        assert isinstance(await tab.look("window.desk.call.frameTime"), int), "each frame has its name"
        await staff_are_heard(call)
        await the_page_says_what_is_missing(tab)
        await a_stroke_is_on_the_display(call, tab)
        await a_mark_is_tracked(tab)
        peer = await tab.look("window.desk.call.peer")
        await tab.reload()
        await is_on(tab)
        assert await tab.look("window.desk.call.peer") == peer, "the same place in the call, not a second one"
        assert browser.complaints == []


async def staff_are_heard(call: InCall) -> None:
    async def loud() -> bool:
        return float((await call.panel())["speaker_dbfs"]) > -45

    await until(loud, "the staff's voice at the machine")


async def the_page_says_what_is_missing(tab: Tab) -> None:
    """Only where it is."""
    has = await tab.look("""RTCRtpReceiver.getCapabilities("video").codecs.some((c) => /h264/i.test(c.mimeType))""")
    assert await tab.look("""document.querySelector("#no-h264").hidden""") is has


async def a_stroke_is_on_the_display(call: InCall, tab: Tab) -> None:
    colour = str(await tab.look("window.desk.tools.colour"))
    line: list[tuple[float, float]] = [(0.30, 0.30), (0.45, 0.30), (0.60, 0.30)]

    async def seen() -> Any:
        await tab.draw(await places(tab, *line))
        display = await call.display()
        return has_colour(display, (0.40, 0.30), colour, 6) and has_colour(display, (0.52, 0.30), colour, 6)

    await until(seen, "the stroke on the kiosk's display")


async def a_mark_is_tracked(tab: Tab) -> None:
    await tab.press("m")
    await tab.draw(await places(tab, (0.5, 0.45)))
    await tab.until("""document.querySelector("#mark-list li")?.dataset.state === "tracked" """)
    await tab.until("window.desk.call.channels.poses.some((p) => p.marks.length)")
