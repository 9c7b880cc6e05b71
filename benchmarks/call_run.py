"""One sender over one link into one Chromium: what was seen, and what it cost."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import mean
from typing import Any

from playwright.async_api import Browser

from benchmarks.call_bars import Seen
from benchmarks.links import Emulator, Link, emulated
from benchmarks.receiver import Receiver, Shown, receiving
from benchmarks.report import median, percentile
from benchmarks.senders import Sender, sending

JOIN_LIMIT_S = 30.0
MEAN_OF = 30
FREEZE_FACTOR, FREEZE_MORE_S = 3, 0.15
"""A gap between shown frames is a freeze from max(3 x mean, mean + 150 ms) on, over the last 30 frames: as in
webrtc-stats, freezeCount. Chromium's own figure does not know a freeze that has not ended."""


@dataclass(frozen=True, slots=True)
class _Moment:
    """now_ms: the page's clock; stats: Chromium's; cpu_s: of the sender so far."""

    now_ms: float
    stats: dict[str, Any]
    cpu_s: float


def frozen_s(painted_s: Sequence[float], end_s: float) -> float:
    """Seconds in gaps that are freezes; `end_s` ends the last gap."""
    gaps: list[float] = []
    frozen = 0.0
    for before, after in zip(painted_s, [*painted_s[1:], end_s], strict=True):
        gap = after - before
        usual = mean(gaps[-MEAN_OF:]) if gaps else 0.0
        if gaps and gap > max(FREEZE_FACTOR * usual, usual + FREEZE_MORE_S):
            frozen += gap
        gaps.append(gap)
    return frozen


async def run(browser: Browser, link: Link, sender_name: str, seconds: float, seed: int = 1, **options: Any) -> Seen:
    """Joins and watches for `seconds` from the first frame on.

    Raises:
        RuntimeError, TimeoutError: no picture came.
    """
    async with (
        sending(sender_name, **options) as sender,
        emulated(link, seed) as line,
        receiving(browser) as receiver,
    ):
        start_ms = await join(receiver, sender, line)
        _, before = await _now(receiver, sender)
        await line.begin()
        await asyncio.sleep(seconds)
        shown, after = await _now(receiver, sender)
        late_ms = (await line.counters())["late_ms"]["p99"]
    return replace(_seen(shown, before, after), link=link.name, sender=sender_name, start_ms=start_ms, late_ms=late_ms)


async def _now(receiver: Receiver, sender: Sender) -> tuple[list[Shown], _Moment]:
    """What was shown since the last time, and where everything stands."""
    stats = await receiver.stats()
    shown, now_ms = await receiver.shown()
    return shown, _Moment(now_ms, stats, sender.cpu_s())


def unseen(link: Link, sender_name: str, seconds: float) -> Seen:
    """No picture came: frozen from the beginning to the end."""
    late = {"start_ms": 1000 * JOIN_LIMIT_S, "delay_ms": 1000 * seconds, "delay_p95_ms": 1000 * seconds}
    none = dict.fromkeys(("fps", "bps", "height", "lost", "cpu"), 0.0)
    return Seen(
        link=link.name, sender=sender_name, codec="", frozen_s=seconds, chromium_frozen_s=seconds, **late, **none
    )


async def join(receiver: Receiver, sender: Sender, line: Emulator) -> float:
    async def answer(offer: str) -> str:
        return await line.pass_sdp("sender", await sender.answer("p1", await line.pass_sdp("receiver", offer)))

    return await asyncio.wait_for(receiver.join(answer), JOIN_LIMIT_S)


def _seen(shown: list[Shown], before: _Moment, after: _Moment) -> Seen:
    took_s = (after.now_ms - before.now_ms) / 1000
    delays = [frame.delay_ms for frame in shown if frame.number >= 0] or [1000 * took_s]
    painted_s = [before.now_ms / 1000, *(frame.painted_ms / 1000 for frame in shown)]
    return Seen(
        delay_ms=round(median(delays), 1),
        delay_p95_ms=round(percentile(delays, 0.95), 1),
        fps=round((shown[-1].presented - shown[0].presented + 1) / took_s if shown else 0.0, 2),
        frozen_s=round(frozen_s(painted_s, after.now_ms / 1000), 2),
        chromium_frozen_s=round(after.stats["totalFreezesDuration"] - before.stats["totalFreezesDuration"], 2),
        bps=round(8 * (after.stats["bytesReceived"] - before.stats["bytesReceived"]) / took_s),
        height=int(median([frame.height for frame in shown])) if shown else 0,
        cpu=round(100 * (after.cpu_s - before.cpu_s) / took_s, 1),
        codec=str(after.stats["codec"]).removeprefix("video/"),
        lost=int(after.stats["packetsLost"]),
    )
