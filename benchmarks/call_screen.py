"""When a frame is on the screen: the delay of the clean link, read from the memory of a virtual screen.

benchmarks/call.py takes the browser's word for when it showed a frame. Here it is held against what can be seen:
Chromium runs on Xvfb, whose picture lies in a file, and the corner code is read there about a thousand times a second.
SECONDS (15) is the length of a run; REPEATS (3) runs of each sender, medians of them.
"""

from __future__ import annotations

import asyncio
import mmap
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, astuple, dataclass
from pathlib import Path

import numpy as np
from playwright.async_api import Browser

from benchmarks.call_bars import CLEAN_MS, CLEAN_P95_MS, CLEAN_SHARE
from benchmarks.call_run import join
from benchmarks.film import CELL_PX, CODE_ROWS, CODE_WIDTH_PX, HEIGHT, WIDTH
from benchmarks.film_studio import render
from benchmarks.links import LINKS, emulated
from benchmarks.receiver import CLOCK_MS, chromium, receiving
from benchmarks.report import median, percentile, tell
from benchmarks.senders import Missing, check_installed, sending
from kiosk.hw.ports import Pixels
from kiosk.hw.sim.corner_code import read

SENDERS = ("ours", "libwebrtc")
SCREEN = (1400, 900)
POLL_S = 0.0007
BEFORE_PAGE_PX = 300
"""The window's own bars are not higher than that."""
SETTLE_S = 3.0
HEADER = struct.Struct(">25I")
"""Of an X window dump (XWDFile.h); used: its own size, the height, the bytes of a line, the number of colours."""
COLOUR_BYTES = 12
APART_MS = 3.0
"""By so much may the browser's word be better for one sender than for the other."""


@dataclass(frozen=True, slots=True)
class Run:
    """Of one sender. late_ms: how much later than the browser says a frame was on the screen."""

    screen_ms: float
    screen_p95_ms: float
    late_ms: float


class Screen:
    """Reads the corner codes that a virtual screen shows, in a thread of its own."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        head = HEADER.unpack_from(memory)
        size, height, line, colours = head[0], head[5], head[12], head[19]
        flat = np.frombuffer(memory, np.uint8, offset=size + COLOUR_BYTES * colours)
        self._green: Pixels = flat[: line * height].reshape(height, line)[:, 1::4]
        self._frames: list[tuple[int, int, float]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="screen", daemon=True)

    def begin(self) -> None:
        self._thread.start()

    def end(self) -> list[tuple[int, int, float]]:
        """(number, time in the code, when it was first seen) of each frame; ms, of the wall clock."""
        self._stop.set()
        self._thread.join()
        return self._frames

    def _watch(self) -> None:
        picture = self._page()
        strip = picture[-CODE_ROWS * CELL_PX :, :CODE_WIDTH_PX][CELL_PX // 2 :: CELL_PX, CELL_PX // 2 :: CELL_PX]
        before, number = b"", -1
        while not self._stop.wait(POLL_S):
            now_ms, cells = time.time() * 1000, strip.tobytes()
            if cells == before:
                continue
            before, code = cells, read(picture)
            if code and code[0] != number:
                number = code[0]
                self._frames.append((*code, now_ms))

    def _page(self) -> Pixels:
        """Where in the screen the video is: its code can be read there only."""
        while not self._stop.wait(POLL_S):
            for top in range(BEFORE_PAGE_PX):
                if read(picture := self._green[top : top + HEIGHT, :WIDTH]):
                    return picture
        return self._green


@contextmanager
def virtual_screen() -> Iterator[tuple[str, Path]]:
    """(DISPLAY, the file that holds its picture)."""
    with tempfile.TemporaryDirectory(prefix="kiosk-screen-") as folder:
        told, tells = os.pipe()
        server = subprocess.Popen(
            ["Xvfb", "-screen", "0", f"{SCREEN[0]}x{SCREEN[1]}x24", "-fbdir", folder, "-displayfd", str(tells)],
            pass_fds=(tells,),
            stderr=subprocess.DEVNULL,
        )
        os.close(tells)
        try:
            yield f":{os.read(told, 16).decode().strip()}", Path(folder) / "Xvfb_screen0"
        finally:
            os.close(told)
            server.terminate()
            server.wait()


@asynccontextmanager
async def seen_browser() -> AsyncIterator[tuple[Browser, Path]]:
    with virtual_screen() as (display, file):
        async with chromium(display) as browser:
            yield browser, file


async def run(browser: Browser, file: Path, name: str, seconds: float) -> Run:
    async with sending(name) as sender, emulated(LINKS["clean"]) as line, receiving(browser) as receiver:
        await join(receiver, sender, line)
        await asyncio.sleep(SETTLE_S)
        screen = Screen(file)
        await receiver.shown()
        screen.begin()
        await asyncio.sleep(seconds)
        told, _ = await receiver.shown()
        frames = await asyncio.to_thread(screen.end)
    delays = [(shown_ms - filmed_ms) % CLOCK_MS for _, filmed_ms, shown_ms in frames]
    painted = {frame.number: frame.painted_ms for frame in told}
    late = [shown_ms - painted[number] for number, _, shown_ms in frames if number in painted]
    seen = Run(*(round(value, 1) for value in (median(delays), percentile(delays, 0.95), median(late))))
    print(f"{name}: {len(frames)} frames, {seen}", file=sys.stderr, flush=True)
    return seen


async def measure(seconds: float, repeats: int) -> int:
    await asyncio.to_thread(render)
    runs: dict[str, list[Run]] = {name: [] for name in SENDERS}
    async with seen_browser() as (browser, file):
        for _ in range(repeats):
            for name in SENDERS:
                runs[name].append(await run(browser, file, name, seconds))
    return judge({name: _middle(runs[name]) for name in SENDERS})


def judge(seen: dict[str, Run]) -> int:
    ours, rival = (seen[name] for name in SENDERS)
    share = f"{CLEAN_SHARE} × libwebrtc's"
    bars = [
        ("delay", ours.screen_ms, CLEAN_MS),
        ("delay p95", ours.screen_p95_ms, CLEAN_P95_MS),
        (f"delay, {share}", ours.screen_ms, round(CLEAN_SHARE * rival.screen_ms, 1)),
        (f"delay p95, {share}", ours.screen_p95_ms, round(CLEAN_SHARE * rival.screen_p95_ms, 1)),
        ("the browser's word, ours against libwebrtc's", round(abs(ours.late_ms - rival.late_ms), 1), APART_MS),
    ]
    reached = all(value <= most for _, value, most in bars)
    rows = [
        (name, f"{run.screen_ms:.1f}, {run.screen_p95_ms:.1f} ms", f"{run.late_ms:.1f} ms after the browser says so")
        for name, run in seen.items()
    ]
    rows += [
        (what, f"{value:.1f} ms", f"≤ {most:.1f}: {'reached' if value <= most else 'MISSED'}")
        for what, value, most in bars
    ]
    tell(
        "On the screen, after it was filmed (median, p95)",
        rows,
        {
            "benchmark": "call_screen",
            "seen": {name: asdict(run) for name, run in seen.items()},
            "bars": [{"what": w, "measured": v, "must": m, "reached": v <= m} for w, v, m in bars],
            "reached": reached,
        },
    )
    return 0 if reached else 1


def _middle(runs: list[Run]) -> Run:
    return Run(*(median(list(values)) for values in zip(*(astuple(run) for run in runs), strict=True)))


def main() -> int:
    try:
        check_installed(SENDERS)
        if shutil.which("Xvfb") is None:
            raise Missing("Xvfb is not installed (on Debian: the package xvfb)")
    except Missing as error:
        print(error, file=sys.stderr)
        return 2
    return asyncio.run(measure(float(os.environ.get("SECONDS", "15")), int(os.environ.get("REPEATS", "3"))))


if __name__ == "__main__":
    sys.exit(main())
