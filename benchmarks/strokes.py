"""From the pen to the other side's eyes: strokes while they are drawn, on loopback.

1. pen down in the page (its pointer event's own time, real Chromium) -> the first point on the kiosk's display: the
   display is read around that point again and again, and the moment the reading that shows it was answered counts.
2. a finger down at the kiosk (before the touch is even told to it) -> the first point painted in the page.

Both from the input itself to pixels, by the machine's one clock; both are upper bounds.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp
import cv2
import numpy as np

from benchmarks.drawing_site import Site, site
from benchmarks.report import median, percentile, tell
from kiosk.call.author import KIOSK_COLOUR
from kiosk.ui.layout import picture_fit
from tests.whole.rig import until

TIMES = int(os.environ.get("STROKES", "40"))
BAR_MS = 80.0
SIZE = (1024, 600)
LIMIT_S = 5.0

PEN_DOWN = """() => document.getElementById('overlay').addEventListener('pointerdown',
  (event) => { window.penDownMs = performance.timeOrigin + event.timeStamp; }, true)"""

PAINTED = """([u, v, colour, limit]) => new Promise((resolve) => {
  const canvas = document.getElementById('overlay'), began = performance.now();
  const rgb = [1, 3, 5].map((k) => parseInt(colour.slice(k, k + 2), 16));
  const look = () => {
    const fit = window.desk.tools.fit(), scale = canvas.width / canvas.clientWidth;
    const [x, y] = [(fit.x + u * fit.width) * scale, (fit.y + v * fit.height) * scale];
    const { data } = canvas.getContext('2d').getImageData(x - 2, y - 2, 4, 4);
    for (let i = 0; i < data.length; i += 4) {
      if (data[i + 3] > 200 && rgb.every((value, k) => Math.abs(value - data[i + k]) < 40)) {
        return requestAnimationFrame(() => resolve(performance.timeOrigin + performance.now()));
      }
    }
    if (performance.now() - began > limit) resolve(null);
    else requestAnimationFrame(look);
  };
  look();
})"""


async def measure() -> int:
    with tempfile.TemporaryDirectory(prefix="kiosk-bench-") as folder:
        async with site(Path(folder), (1280, 900)) as stage:
            await stage.page.evaluate(PEN_DOWN)
            there = [await page_to_display(stage, n) for n in range(TIMES)]
            back = [await display_to_page(stage, n) for n in range(TIMES)]
    return report(there, back)


def report(there: list[float], back: list[float]) -> int:
    rows, figures = [], dict[str, object](benchmark="strokes", bar_ms=BAR_MS, strokes=TIMES)
    for key, what, times in (
        ("page_to_display_ms", "pen down in the page → on the kiosk's display", there),
        ("display_to_page_ms", "finger down at the kiosk → painted in the page", back),
    ):
        middle, most = median(times), percentile(times, 0.95)
        rows.append(
            (what, f"{middle:.0f} / {most:.0f} ms", f"median / p95 of {len(times)}; bar: median ≤ {BAR_MS:.0f}")
        )
        figures[key] = {"median": round(middle, 1), "p95": round(most, 1)}
    passed = median(there) <= BAR_MS and median(back) <= BAR_MS
    tell("Strokes on the way", rows, figures | {"passed": passed})
    return 0 if passed else 1


def place(n: int) -> tuple[float, float]:
    """Another one each time: strokes of before are still fading."""
    return 0.2 + 0.06 * (n % 11), 0.35 + 0.05 * (n % 8)


async def page_to_display(stage: Site, n: int) -> float:
    u, v = place(n)
    colour = await stage.page.evaluate("window.desk.tools.colour")
    await stage.page.mouse.move(*await stage.place(u, v))
    await asyncio.sleep(0.05 + 0.007 * (n % 5))  # not in step with the camera
    seeing = asyncio.create_task(seen_on_display(stage, (u, v), colour))
    await asyncio.sleep(0.02)
    await stage.page.mouse.down()
    seen_ms = await seeing
    down_ms = float(await stage.page.evaluate("window.penDownMs"))
    await stage.page.mouse.up()
    await faded(stage)
    return seen_ms - down_ms


async def seen_on_display(stage: Site, at: tuple[float, float], colour: str) -> float:
    """When an answer of the display showed `colour` there, ms of the wall clock. Only a few px are asked for."""
    x, y = picture_fit(SIZE, (1280, 720)).to_display(*at)
    bgr = np.array([int(colour[i : i + 2], 16) for i in (5, 3, 1)])
    url = f"{stage.call.system.site.panel_url}/display.png?x={int(x) - 3}&y={int(y) - 3}&w=7&h=7"
    end = time.monotonic() + LIMIT_S
    async with aiohttp.ClientSession() as http:
        while time.monotonic() < end:
            async with http.get(url) as answer:
                part = cv2.imdecode(np.frombuffer(await answer.read(), np.uint8), cv2.IMREAD_COLOR)
            if part is not None and (np.abs(part.astype(int) - bgr).max(axis=2) < 50).any():
                return time.time() * 1000
            await asyncio.sleep(0.002)
    raise AssertionError("the stroke never came to the display")


async def display_to_page(stage: Site, n: int) -> float:
    u, v = place(n)
    x, y = picture_fit(SIZE, (1280, 720)).to_display(u, v)
    url = stage.call.system.site.panel_url
    touch: dict[str, Any] = {"type": "touch", "x": x / SIZE[0], "y": y / SIZE[1]}
    async with aiohttp.ClientSession() as http, http.ws_connect(url + "/socket", origin=url) as front:
        painted = asyncio.create_task(stage.page.evaluate(PAINTED, [u, v, KIOSK_COLOUR, 1000 * LIMIT_S]))
        await asyncio.sleep(0.1 + 0.007 * (n % 5))
        down_ms = time.time() * 1000
        await front.send_json({**touch, "phase": "down"})
        seen_ms = await painted
        await front.send_json({**touch, "phase": "up"})
    assert seen_ms is not None, "the stroke never came to the page"
    await faded(stage)
    return float(seen_ms) - down_ms


async def faded(stage: Site) -> None:
    """The next stroke is drawn on a clean place; there are eleven times eight of them."""
    if (await stage.page.evaluate("window.desk.tools.strokes.size")) > 20:
        await until(lambda: no_strokes(stage), "the strokes fade", 10)


async def no_strokes(stage: Site) -> bool:
    return int(await stage.page.evaluate("window.desk.tools.strokes.size")) == 0


if __name__ == "__main__":
    sys.exit(asyncio.run(measure()))
