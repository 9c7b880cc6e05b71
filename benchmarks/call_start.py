"""START -> first frame, as a person has it: broker, desk, kiosk and page, again and again."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.async_api import Error as PlaywrightError

from benchmarks.main_job import WATCH_LIST, newcomer, start_to_frame
from benchmarks.report import median
from kiosk.demo.site import Choices
from tests.whole.rig import chromium, rig

NEVER_MS = 20_000.0
"""The page gives up then."""
ALONE = Choices(review_s=600.0, steps=())


async def start_ms() -> float:
    """The median; NEVER_MS where no picture came."""
    with tempfile.TemporaryDirectory(prefix="kiosk-bench-") as folder:
        async with chromium() as browser, rig(Path(folder), browser, ALONE) as stage:
            await stage.desk.evaluate(WATCH_LIST)
            await stage.press("camera_plus")
            session_id = await newcomer(stage, set())
            await stage.command(session_id, "confirm")
            await stage.until_state(session_id, "CONFIRMED")
            await stage.open_session(session_id)
            try:
                return median(await start_to_frame(stage, session_id))
            except PlaywrightError as error:
                print(f"START: {error}", file=sys.stderr)
                return NEVER_MS
