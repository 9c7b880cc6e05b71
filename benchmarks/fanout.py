"""What a call costs, and how many it carries: CPU of the sender's process alone, picture (720p30) and sound.

1. One participant: the kiosk, GStreamer's webrtcbin with the same x264 settings, and aiortc as it comes (H.264), each
   filming the same film at the same bitrate, the sound of a quiet room encoded as well; in turned order, median of
   REPEATS (3).
2. Each further participant, from 1 to 8.
3. 24 participants on this machine: frames a second of each.
4. Recording on top: on and off in turns within one call.

Receivers are GStreamer's without a decoder, in a process of their own; they count whole frames. SECONDS (10) is the
length of one measurement. A rival that is not installed ends it with 2.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks.film_studio import render
from benchmarks.report import median, tell
from benchmarks.senders import Missing, Sender, check_installed, receiving_all, sending

BPS = 1_900_000
SETTLE_S = 4.0
MANY, FULL = 8, 24
TRIES = 3
RECORDING_TURNS = 6
GSTREAMER_BAR, AIORTC_BAR = 1.2, 0.25
FURTHER_BAR, RECORDING_BAR = 2.0, 1.0
FPS_BAR = 29.0


@dataclass(frozen=True, slots=True)
class Load:
    """cpu: percent of a core; fps: whole frames a second, of each participant."""

    cpu: float
    fps: tuple[float, ...]


@asynccontextmanager
async def participants(name: str, count: int, **options: Any) -> AsyncIterator[tuple[Sender, Sender]]:
    """A sender with `count` of them connected, and their process; settled."""
    async with sending(name, bitrate_bps=BPS, room=True, **options) as sender, receiving_all() as sink:
        for n in range(count):
            peer = f"p{n}"
            offer = await sink.ask(do="offer", peer=peer)
            await sink.ask(do="answer", peer=peer, sdp=await sender.answer(peer, offer))
        await asyncio.sleep(SETTLE_S)
        yield sender, sink


async def load(name: str, count: int, seconds: float) -> Load:
    async with participants(name, count) as (sender, sink):
        return await watch(sender, sink, seconds)


async def steady(name: str, count: int, seconds: float) -> Load:
    """Who sends fewer frames takes less: a run that the machine had no time for is run again, twice at most."""
    for _ in range(TRIES):
        seen = await load(name, count, seconds)
        said(f"{name}, {count} participant{'s' if count > 1 else ''}", seen)
        if min(seen.fps) >= FPS_BAR:
            break
    return seen


async def watch(sender: Sender, sink: Sender, seconds: float) -> Load:
    before, cpu_s, began_s = await sink.ask(do="frames"), sender.cpu_s(), time.monotonic()
    await asyncio.sleep(seconds)
    after, took_s = await sink.ask(do="frames"), time.monotonic() - began_s
    fps = tuple((after[peer] - before[peer]) / took_s for peer in after)
    return Load(100 * (sender.cpu_s() - cpu_s) / took_s, fps)


async def one_participant(seconds: float, repeats: int) -> dict[str, float]:
    """CPU by sender: medians."""
    names = ("ours", "gstreamer", "aiortc")
    cpu: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(repeats):
        for name in names[turn % 3 :] + names[: turn % 3]:
            cpu[name].append((await steady(name, 1, seconds)).cpu)
    return {name: median(values) for name, values in cpu.items()}


async def each_further(seconds: float, repeats: int) -> float:
    """Percent of a core: median."""
    costs = []
    for _ in range(repeats):
        few, many = await steady("ours", 1, seconds), await steady("ours", MANY, seconds)
        costs.append((many.cpu - few.cpu) / (MANY - 1))
    return median(costs)


async def recording(seconds: float) -> float:
    """Percent of a core that a running recording adds: median of neighbouring turns, on minus off."""
    adds = []
    async with participants("ours", 1) as (sender, sink):
        for _ in range(RECORDING_TURNS):
            cpu = []
            for on in (False, True):
                await sender.ask(do="record", on=on)
                await asyncio.sleep(1)
                cpu.append((await watch(sender, sink, seconds)).cpu)
            adds.append(cpu[1] - cpu[0])
    return median(adds)


async def measure(seconds: float, repeats: int) -> int:
    await asyncio.to_thread(render)
    alone = await one_participant(seconds, repeats)
    further = await each_further(seconds, repeats)
    full = await load("ours", FULL, seconds)
    said(f"ours, {FULL} participants", full)
    recorded = await recording(seconds)
    ours = alone["ours"]
    rows = [
        judged("CPU ÷ GStreamer's", ours / alone["gstreamer"], GSTREAMER_BAR),
        judged("CPU ÷ aiortc's as it comes", ours / alone["aiortc"], AIORTC_BAR),
        judged("each further participant, % of a core", further, FURTHER_BAR),
        judged(f"{FULL} participants: fps of the worst", min(full.fps), FPS_BAR, least=True),
        judged("recording on top, % of a core", recorded, RECORDING_BAR),
    ]
    told = [(what, f"{value:.2f}", f"{bar}: {'reached' if good else 'MISSED'}") for what, value, bar, good in rows]
    told[:0] = [
        (f"one participant, {name}", f"{cpu:.1f} % of a core", "picture and sound") for name, cpu in alone.items()
    ]
    told.append(
        (
            f"{FULL} participants",
            f"{full.cpu:.0f} % of a core",
            f"frames a second {min(full.fps):.1f} to {max(full.fps):.1f}",
        )
    )
    tell(
        "What a call costs",
        told,
        {
            "benchmark": "fanout",
            "one_participant_cpu_percent": {name: round(cpu, 2) for name, cpu in alone.items()},
            "full_cpu_percent": round(full.cpu, 1),
            "bars": [{"what": w, "measured": round(v, 3), "must": b, "reached": g} for w, v, b, g in rows],
            "reached": all(good for *_, good in rows),
        },
    )
    return 0 if all(good for *_, good in rows) else 1


def judged(what: str, value: float, bar: float, least: bool = False) -> tuple[str, float, str, bool]:
    return what, value, f"{'≥' if least else '≤'} {bar:g}", value >= bar if least else value <= bar


def said(what: str, seen: Load) -> None:
    print(
        f"{what}: {seen.cpu:.1f} % of a core, fps {min(seen.fps):.1f} to {max(seen.fps):.1f}",
        file=sys.stderr,
        flush=True,
    )


def main() -> int:
    try:
        check_installed(("ours", "gstreamer", "aiortc"))
    except Missing as error:
        print(error, file=sys.stderr)
        return 2
    return asyncio.run(measure(float(os.environ.get("SECONDS", "10")), int(os.environ.get("REPEATS", "3"))))


if __name__ == "__main__":
    sys.exit(main())
