"""What the page draws over the picture, against the element in the very frame that is shown.

The simulated camera pans over a drawn machine along a known path and writes each frame's number into its corner. A
staff member boxes an element in the page; then screenshots of the tab are taken, that is what Chromium composed for
the screen, video and overlay together. In each, the number says where the element truly is, and the pixels of the
overlay say where the page has drawn it. Distances of the centres, in px at 720p; the tracker's own error is in them.

Rival, in the same run: the same page drawing each mark where the newest pose that has arrived has it, as is usual,
instead of where the pose for the frame that is shown has it.
"""

from __future__ import annotations

import asyncio
import math
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.drawing_site import Site, site
from benchmarks.report import median, percentile, tell
from kiosk.hw.sim.corner_code import read
from kiosk.hw.sim.scene import Scene
from tests.whole.rig import CORNER_CODE_JS

SHOTS = int(os.environ.get("SHOTS", "60"))
BAR_PX = 3.0
VIEWPORT = (1600, 1030)
BOX = ((0.42, 0.34), (0.56, 0.52))
MOVING_PX = 6.0
LOOK_PX = 140
"""So far from where the element is, at 720p, its overlay is looked for."""

NUMBERS = """(source) => {
  const read = new Function(source + '; return readCornerCode;')();
  const video = document.getElementById('call-video'), canvas = document.createElement('canvas');
  const context = canvas.getContext('2d', { willReadFrequently: true });
  window.numbers = new Map();
  const look = (_, meta) => {
    canvas.width = video.videoWidth; canvas.height = video.videoHeight;
    context.drawImage(video, 0, 0);
    const code = read(context, canvas.width, canvas.height);
    if (code) window.numbers.set(meta.rtpTimestamp, code.number);
    if (!window.numbersEnough) video.requestVideoFrameCallback(look);
  };
  video.requestVideoFrameCallback(look);
  const { call, tools } = window.desk;
  tools.nameOf = () => '';  // the outline alone is measured
  const say = call.say.bind(call);
  call.say = (message) => { if (message.kind === 'mark-create') window.made = message; return say(message); };
}"""

MADE = """() => window.made && window.numbers.has(window.made.t)
  ? { number: window.numbers.get(window.made.t), box: window.made.box } : null"""

NEWEST = "() => Object.defineProperty(window.desk.call, 'frameTime', { get: () => null, set() {}, configurable: true })"


Off = list[tuple[float, bool]]
"""Distances in px, and whether the camera was moving."""


async def measure() -> int:
    with tempfile.TemporaryDirectory(prefix="kiosk-bench-") as folder:
        async with site(Path(folder), VIEWPORT) as stage:
            truth = await mark(stage)
            ours, unread = await shots(stage, truth)
            await stage.page.evaluate(NEWEST)
            rival, _ = await shots(stage, truth)
    return report(ours, rival, unread)


def report(ours: Off, rival: Off, unread: int) -> int:
    rows: list[tuple[str, str, str]] = []
    figures: dict[str, object] = {"benchmark": "overlay", "bar_px": BAR_PX, "not_measured": unread}
    for key, what, off in (
        ("ours", f"pose for the frame shown (bar: median ≤ {BAR_PX:.0f} px)", ours),
        ("newest_pose", "rival: the newest pose", rival),
    ):
        for when, part in (("px", [d for d, _ in off]), ("px_moving", [d for d, moving in off if moving])):
            if not part:
                continue
            middle, most = median(part), percentile(part, 0.95)
            how = "screenshots" if when == "px" else "of them, while the camera moves"
            rows.append(
                (what if when == "px" else "", f"{middle:.2f} / {most:.2f} px", f"median / p95, {len(part)} {how}")
            )
            figures[f"{key}_{when}"] = {"median": round(middle, 2), "p95": round(most, 2), "n": len(part)}
    passed = len(ours) >= SHOTS // 3 and median([d for d, _ in ours]) <= BAR_PX
    tell(
        "The overlay on the page against the element in the frame shown, px at 720p", rows, figures | {"passed": passed}
    )
    return 0 if passed else 1


class Truth:
    """Where the element is in each frame: the scene is a plane, and the camera's path is known."""

    def __init__(self, number: int, box: list[list[float]]) -> None:
        self._scene = Scene(1280, 720, 30)
        (x0, y0), (x1, y1) = box
        corners = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]) * (1280, 720)
        self._places = np.linalg.inv(self._scene.pose(number)) @ np.vstack([corners.T, np.ones(4)])

    def centre(self, number: int) -> tuple[float, float] | None:
        """Of the box around the element's corners, px at 720p; None where not all of it is in the picture."""
        there = self._scene.pose(number) @ self._places
        xy = there[:2] / there[2]
        low, high = xy.min(axis=1), xy.max(axis=1)
        if low.min() < 8 or high[0] > 1272 or high[1] > 712:
            return None
        return float(low[0] + high[0]) / 2, float(low[1] + high[1]) / 2

    def moves(self, number: int) -> bool:
        """Whether the camera moves: by more than MOVING_PX in the three frames before."""
        here, before = self.centre(number), self.centre(number - 3)
        return here is not None and before is not None and math.dist(here, before) > MOVING_PX


async def mark(stage: Site) -> Truth:
    """Boxes an element, on a frame whose number is known."""
    page = stage.page
    await page.evaluate(NUMBERS, CORNER_CODE_JS)
    await page.locator("#tool-mark").click()
    await asyncio.sleep(0.5)
    from_, to = [await stage.place(*corner) for corner in BOX]
    await page.mouse.move(*from_)
    await page.mouse.down()
    await page.mouse.move(*to)
    await page.mouse.up()
    await page.locator("#mark-list li[data-state=tracked]").wait_for()
    made: dict[str, Any] | None = await page.evaluate(MADE)
    assert made, "the frame that was marked has a number"
    await page.evaluate("window.numbersEnough = true")
    await page.mouse.move(5, 5)
    await asyncio.sleep(0.5)
    return Truth(made["number"], made["box"])


async def shots(stage: Site, truth: Truth) -> tuple[Off, int]:
    """What screenshots show, and how many could not be measured."""
    page = stage.page
    box = await page.locator("#overlay").bounding_box()
    fit = await page.evaluate("window.desk.tools.fit()")
    colour = await page.evaluate("window.desk.tools.colour")
    assert box
    clip = {"x": box["x"] + fit["x"], "y": box["y"] + fit["y"], "width": fit["width"], "height": fit["height"]}
    found: list[tuple[float, bool] | None] = []
    for n in range(SHOTS):
        await asyncio.sleep(0.02 + 0.011 * (n % 7))
        shot = await page.screenshot(clip=clip)  # type: ignore[arg-type]  # four floats, as it asks for
        found.append(await asyncio.to_thread(distance, shot, colour, truth))
    off = [d for d in found if d is not None]
    return off, len(found) - len(off)


def distance(shot: bytes, colour: str, truth: Truth) -> tuple[float, bool] | None:
    """Between the overlay's and the element's centre; None where the frame's number or the overlay cannot be read."""
    picture = cv2.imdecode(np.frombuffer(shot, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    code = read(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.uint8))
    if code is None:
        return None
    scale = 1280 / picture.shape[1]
    place = truth.centre(code[0])
    if place is None:
        return None
    x, y = place
    seen = drawn(picture.astype(np.uint8), colour, (x / scale, y / scale), LOOK_PX / scale)
    if seen is None:
        return None
    return math.dist((seen[0] * scale, seen[1] * scale), (x, y)), truth.moves(code[0])


def drawn(
    picture: NDArray[np.uint8], colour: str, near: tuple[float, float], reach: float
) -> tuple[float, float] | None:
    """The middle of the outline in `colour` that is drawn around `near`, px."""
    bgr = np.array([int(colour[i : i + 2], 16) for i in (5, 3, 1)])
    rows, columns = np.nonzero(np.abs(picture.astype(np.int16) - bgr).max(axis=2) < 24)
    close = (np.abs(columns - near[0]) < reach) & (np.abs(rows - near[1]) < reach)
    if close.sum() < 60:
        return None
    low, high = np.percentile(np.stack([columns[close], rows[close]]), (0.5, 99.5), axis=1)
    return float(low[0] + high[0] + 1) / 2, float(low[1] + high[1] + 1) / 2


if __name__ == "__main__":
    sys.exit(asyncio.run(measure()))
