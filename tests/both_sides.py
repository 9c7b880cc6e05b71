"""The README's picture: the demo's page with a call on, kiosk and desk side by side: `python -m tests.both_sides`
(or `make pictures`). The real programs, in a real Chromium; what is in the file's place is replaced."""

from __future__ import annotations

import asyncio
import io
import math
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from kiosk.demo.site import Choices
from tests.whole.rig import Rig, chromium, rig, until

PLACE = Path(__file__).parents[1] / "docs" / "both-sides.png"
SIZE = (1280, 800)
ROUND, WIDE, HIGH = (0.36, 0.6), 0.07, 0.1
MARKED = (0.5, 0.06), (0.66, 0.32)

Point = tuple[float, float]
TIDY = "document.querySelectorAll('.toast').forEach((toast) => toast.remove())"


async def in_a_call(stage: Rig) -> None:
    """A code user has asked and agreed to the recording, Anna has called."""
    await stage.press_and_see("camera_plus")
    for _ in ("the reason", "the consent"):
        await stage.press_and_see("accept")
    row = stage.desk.locator(".session-row[data-state=REQUESTED]")
    session_id = await row.get_attribute("data-id") or ""
    await stage.open_session(session_id)
    await stage.desk.locator("#confirm").click()
    await stage.desk.locator("#start").click()
    await stage.desk.locator("#recording-sign[data-state=on]").wait_for()
    await stage.desk.locator("#toggle-camera").click()
    await until(stage.frame_in_page, "the camera's picture in the page")


async def on_the_picture(stage: Rig) -> Callable[[Point], Point]:
    """Where a point of the picture (0..1) is on the page, in px."""
    box = await stage.desk.locator("#overlay").bounding_box()
    fit = await stage.desk.evaluate("window.desk.tools.fit()")
    assert box
    x, y = box["x"] + fit["x"], box["y"] + fit["y"]
    return lambda point: (x + point[0] * fit["width"], y + point[1] * fit["height"])


async def draw(stage: Rig) -> None:
    """A ring that is pinned to the scene, and a mark: both stay. In one go, as the camera pans."""
    mouse, to_page = stage.page.mouse, await on_the_picture(stage)
    turns = [2 * math.pi * n / 24 for n in range(25)]
    ring = [to_page((ROUND[0] + WIDE * math.cos(a), ROUND[1] + HIGH * math.sin(a))) for a in turns]
    for tool, line in (("#tool-pin", ring), ("#tool-mark", [to_page(corner) for corner in MARKED])):
        await stage.desk.locator(tool).click()
        await mouse.move(*line[0])
        await mouse.down()
        for point in line[1:]:
            await mouse.move(*point)
        await mouse.up()
    await stage.desk.locator("#mark-list li").wait_for()


async def take(path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        choices = Choices(language="en")
        async with chromium() as browser, rig(Path(folder), browser, choices) as stage:
            await in_a_call(stage)
            await stage.desk.evaluate("scrollTo(0, 0)")
            await stage.desk.locator("#quality[data-quality=good]").wait_for()
            await draw(stage)
            await asyncio.sleep(1)
            await stage.desk.evaluate(TIDY)
            shot = Image.open(io.BytesIO(await stage.page.screenshot())).convert("RGB")
    small = shot.resize(SIZE, Image.Resampling.LANCZOS)
    small.quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.FLOYDSTEINBERG).save(path, optimize=True)


def main() -> int:
    asyncio.run(take(PLACE))
    print(PLACE.name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
