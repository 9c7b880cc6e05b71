"""How good the call is, as the whole system tells it: in words and numbers while it runs, and afterwards."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import expect

from kiosk.demo.site import Choices
from tests.whole.rig import CORNER_CODE_JS, Rig, chromium, rig, until
from tests.whole.test_bad_luck import in_a_call, moving

pytestmark = [pytest.mark.whole, pytest.mark.timeout(180)]

DELAYS = """(source) => new Promise((resolve) => {
  // ms from the camera to the screen of some frames: the picture says when it was filmed, by the same machine's clock
  const read = new Function(source + '; return readCornerCode;')();
  const video = document.getElementById('call-video'), canvas = document.createElement('canvas');
  const context = canvas.getContext('2d', { willReadFrequently: true });
  const delays = [];
  const look = (_, { presentationTime }) => {
    canvas.width = video.videoWidth; canvas.height = video.videoHeight;
    context.drawImage(video, 0, 0);
    const code = read(context, canvas.width, canvas.height);
    const shown = Math.round(performance.timeOrigin + presentationTime);
    if (code) delays.push(((shown - code.timeMs) % 2 ** 24 + 2 ** 24) % 2 ** 24);
    if (delays.length < 60) video.requestVideoFrameCallback(look);
    else resolve(delays.sort((a, b) => a - b));
  };
  video.requestVideoFrameCallback(look);
})"""


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Rig]:
    async with chromium() as browser, rig(tmp_path, browser, Choices(review_s=600.0, steps=("consent",))) as stage:
        yield stage


async def test_the_call_says_how_good_it_is_and_what_it_was_like(stage: Rig) -> None:
    session_id = await in_a_call(stage)
    await expect(stage.desk.locator("#quality[data-step=full]")).to_be_visible(timeout=20_000)
    await stage.desk.locator("#quality").click()
    delay = stage.desk.locator("#quality-figures [data-name=delay]")
    await expect(delay).to_contain_text("ms", timeout=20_000)
    await moving(stage)
    filmed = await stage.desk.evaluate(DELAYS, CORNER_CODE_JS)

    async def told() -> float | None:
        digits = "".join(c for c in await delay.inner_text() if c.isdigit())
        return float(digits) if digits else None

    # both see the same frames at about the same time; how late they are on a busy machine proves nothing
    assert filmed[0] - 100 < await until(told, "the delay in the panel") < filmed[-1] + 100
    await stage.desk.locator("#hang-up").click()

    async def summed_up() -> dict[str, float]:
        return (await stage.session(session_id)).calls[-1].summary

    summary = await until(summed_up, "the call's summary")
    assert summary.get("at_full_s", 0) + summary.get("at_smaller_s", 0) + summary.get("at_small_s", 0) > 0
    assert 0 < summary["glass_to_glass_ms"] < filmed[-1] + 100
    assert summary["glass_to_glass_uncertain_ms"] >= 0
    await expect(stage.desk.locator("#calls [data-name=delay]")).to_contain_text("ms")
    assert stage.troubles == []
