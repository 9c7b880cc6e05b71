"""Whether a call stays as large as it is: memory over time, and memory and file descriptors over joins and leaves.

1. A staff member's Chromium (camera, microphone, channels) and a viewer are in a recorded call for MINUTES (20). The
   memory of the call's process (anonymous pages, without the film) is sampled each two seconds; a line through the
   medians of each half minute, but for the first quarter (at most 3 min), says how much an hour adds. A leak with each
   frame is seen in twenty minutes as in sixty; MINUTES=60 is the hour itself.
2. JOINS (200) times Chromium joins as staff, sees a frame and leaves: after the last as after the tenth.

Either is left out with MINUTES=0 or JOINS=0. On a machine that is busy with other things the picture takes steps of the
ladder, and an encoder of another size has up to 15 MB more or less: memory then says nothing about leaks.

Bars: an hour adds at most 5 MB; after all joins no more file descriptors than after ten, and at most 5 MB more.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from playwright.async_api import Browser

from benchmarks.film_studio import render
from benchmarks.receiver import Receiver, chromium, receiving
from benchmarks.report import median, tell
from benchmarks.senders import Sender, sending

MB = 1e6
SAMPLE_S = 2.0
WARM_UP_S = 180.0
BIN_S = 30.0
FIRST = 10
EACH = 10
REST_S = 3.0
BAR_MB = 5.0


@dataclass(frozen=True, slots=True)
class Size:
    bytes: int
    descriptors: int


def size(pid: int) -> Size:
    """Of a process: its own pages (the film is mapped from a file, and does not count), and what it has open."""
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    kilobytes = next(int(line.split()[1]) for line in status if line.startswith("RssAnon:"))
    return Size(kilobytes * 1024, len(list(Path(f"/proc/{pid}/fd").iterdir())))


def growth(samples: Sequence[tuple[float, int]], warm_up_s: float) -> tuple[float, float]:
    """Of (seconds, bytes) after the warm-up: bytes an hour, and between the largest and the smallest half minute."""
    bins: dict[int, list[int]] = {}
    for at_s, bytes_ in samples:
        if at_s >= warm_up_s:
            bins.setdefault(int(at_s // BIN_S), []).append(bytes_)
    medians = [median(values) for values in bins.values()]
    slope = np.polyfit(list(bins), medians, 1)[0]
    return 3600 / BIN_S * float(slope), max(medians) - min(medians)


async def over_time(browser: Browser, minutes: float) -> tuple[list[tuple[float, int]], float]:
    """(seconds since the join, bytes), and the frames a second that the staff member saw."""
    samples: list[tuple[float, int]] = []
    frames = 0
    async with sending("ours", record=True) as sender, receiving(browser) as staff, receiving(browser) as viewer:
        await join(staff, sender, "staff")
        await viewer.join(lambda offer: sender.answer("viewer", offer))
        await sender.ask(do="record", on=True)
        began_s = time.monotonic()
        while (at_s := time.monotonic() - began_s) < 60 * minutes:
            samples.append((at_s, size(sender.pid).bytes))
            frames += len((await staff.shown())[0])
            await viewer.shown()
            await asyncio.sleep(SAMPLE_S)
    return samples, frames / at_s


async def joins(browser: Browser, count: int) -> list[Size]:
    """After each EACH of them, the first time after FIRST."""
    sizes: list[Size] = []
    async with sending("ours") as sender, receiving(browser) as staff:
        for n in range(1, count + 1):
            await join(staff, sender, "staff")
            await staff.shown()
            await staff.leave()
            await sender.ask(do="leave", peer="staff")
            if n % EACH == 0:
                await asyncio.sleep(REST_S)
                sizes.append(size(sender.pid))
                print(f"{n} joins: {sizes[-1].bytes / MB:.1f} MB, {sizes[-1].descriptors} open", file=sys.stderr)
    return sizes


async def join(staff: Receiver, sender: Sender, peer: str) -> None:
    await asyncio.wait_for(staff.join(lambda offer: sender.answer(peer, offer), staff=True), 30)


@dataclass(frozen=True, slots=True)
class Part:
    """What one half of the benchmark has found."""

    rows: list[tuple[str, str, str]]
    figures: dict[str, object]
    good: bool


async def a_long_call(browser: Browser, minutes: float) -> Part:
    samples, fps = await over_time(browser, minutes)
    hour, spread = growth(samples, min(WARM_UP_S, 60 * minutes / 4))
    rows = [
        ("an hour of call adds", f"{hour / MB:.1f} MB", f"by {minutes:g} min at {fps:.0f} fps; bar {BAR_MB:g} MB"),
        (
            "between the smallest and the largest half minute",
            f"{spread / MB:.1f} MB",
            f"of {samples[-1][1] / MB:.0f} MB",
        ),
    ]
    figures: dict[str, object] = {
        "minutes": minutes,
        "fps": round(fps, 1),
        "hour_adds_mb": round(hour / MB, 2),
        "spread_mb": round(spread / MB, 2),
    }
    return Part(rows, figures, hour <= BAR_MB * MB)


async def coming_and_going(browser: Browser, count: int) -> Part:
    sizes = await joins(browser, count)
    first, last = sizes[0], sizes[-1]
    more = last.bytes - first.bytes
    rows = [
        (
            f"{count} joins and leaves add",
            f"{more / MB:.1f} MB",
            f"to the {first.bytes / MB:.0f} after ten; bar {BAR_MB:g} MB",
        ),
        ("open files and sockets", f"{last.descriptors}", f"after ten: {first.descriptors}; bar: no more"),
    ]
    figures: dict[str, object] = {
        "joins": count,
        "joins_add_mb": round(more / MB, 2),
        "memory_by_tens_mb": [round(s.bytes / MB, 1) for s in sizes],
        "descriptors": {"after_ten": first.descriptors, "after_all": last.descriptors},
    }
    return Part(rows, figures, more <= BAR_MB * MB and last.descriptors <= first.descriptors)


async def measure(minutes: float, count: int) -> int:
    await asyncio.to_thread(render)
    async with chromium() as browser:
        parts = [await coming_and_going(browser, count)] if count else []
        parts += [await a_long_call(browser, minutes)] if minutes else []
    good = all(part.good for part in parts)
    figures: dict[str, object] = {"benchmark": "call_soak"}
    for part in parts:
        figures |= part.figures
    tell("A long call", [row for part in parts for row in part.rows], figures | {"reached": good})
    return 0 if good else 1


def main() -> int:
    return asyncio.run(measure(float(os.environ.get("MINUTES", "20")), int(os.environ.get("JOINS", "200"))))


if __name__ == "__main__":
    sys.exit(main())
