"""A sender under rate control, a link and a receiver that reports, in simulated time: no clock, no network, no sleep.

The sender is ours (LinkRate, Pacer, SentLog) behind an encoder that follows its target with some delay; the link is the
benchmarks' own.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from benchmarks.links import Link, Way, chance
from kiosk.call.feedback import Report, SentLog
from kiosk.call.pacer import PICTURE, Pacer
from kiosk.call.rate import LinkRate

FRAME_S = 1 / 30
REPORT_S = 0.1
ENCODER_LAG_S = 0.15
PACKET = 1100
SOUND_BPS = 40_000
SPIKE_S = 0.1


@dataclass
class Sample:
    at_s: float
    target_bps: float
    delay_s: float
    sent_bytes: int
    lost: int


@dataclass
class Simulation:
    """`run` goes on from where it stopped. Samples are taken at each report that arrives.

    jitter_s: packets come later by up to that. spikes: the share of tenths of a second in which all packets are late
    together, as on a busy radio channel. Their order is kept.
    """

    link: Link
    rate: LinkRate
    keyframe_bits: int = 250_000
    unsteady: float = 0.3
    clock_offset_s: float = 5000.0
    jitter_s: float = 0.0
    spikes: float = 0.0
    samples: list[Sample] = field(default_factory=list)
    now_s: float = 0.0

    def __post_init__(self) -> None:
        self._there, self._back = Way(self.link, 2, 0.0, True), Way(self.link, 3, 0.0, False)
        self._there.begin(0.0)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._pacer: Pacer[int] = Pacer(lambda size: size)
        self._log = SentLog()
        self._arrived: dict[int, float] = {}
        self._told = 0
        self._newest = -1
        self._frames = 0
        self._encoder_bps = float(self.rate.figures.target_bps)
        self._delay_s = 0.0
        self._sent = self._lost = 0
        self._pumping = False
        self._stalled_until_s = self._last_s = 0.0
        self._at(0.0, self._frame)
        self._at(0.01, self._sound)
        self._at(REPORT_S, self._report)
        self._at(1.0, self._tick)

    def run(self, until_s: float) -> list[Sample]:
        """The samples of this run."""
        before = len(self.samples)
        while self._events and self._events[0][0] <= until_s:
            self.now_s, _, then = heapq.heappop(self._events)
            then()
        return self.samples[before:]

    def _at(self, at_s: float, then: Callable[[], None]) -> None:
        heapq.heappush(self._events, (at_s, next(self._order), then))

    def stall(self, seconds: float) -> None:
        """The receiver's machine does nothing for so long: what comes meanwhile is timed late, all at once."""
        self._stalled_until_s = self.now_s + seconds

    def _take(self, number: int) -> None:
        tenth = int(self.now_s * 10)
        late_s = self.jitter_s * chance(7, number)
        if chance(8, tenth) < self.spikes:
            late_s += SPIKE_S * chance(9, tenth)
        self._last_s = self._arrived[number] = max(self.now_s + late_s, self._stalled_until_s, self._last_s)

    def _frame(self) -> None:
        follow = FRAME_S / ENCODER_LAG_S
        self._encoder_bps += follow * (self.rate.figures.target_bps - self._encoder_bps)
        bits = self._encoder_bps * FRAME_S * (1 + self.unsteady * (2 * chance(9, self._frames) - 1))
        if self._frames == 0:
            bits = self.keyframe_bits
        self._frames += 1
        size = int(bits / 8)
        while size > 0:
            self._pacer.put(PICTURE, min(size, PACKET), self.now_s)
            size -= PACKET
        self._at(self.now_s + FRAME_S, self._frame)
        if not self._pumping:
            self._pump()

    def _pump(self) -> None:
        while (wait_s := self._pacer.wait_s(self.now_s)) == 0:
            self._send(self._pacer.take(self.now_s))
        self._pumping = wait_s is not None
        if wait_s is not None:
            self._at(self.now_s + wait_s + 0.0005, self._pump)

    def _sound(self) -> None:
        size = int(SOUND_BPS * 0.02 / 8)
        self._pacer.spend(size, self.now_s)
        self._send(size)
        self._at(self.now_s + 0.02, self._sound)

    def _send(self, size: int) -> None:
        number = self._log.sent(size, self.now_s)
        self._newest = max(self._newest, number)
        self._sent += size
        arrives_s = self._there.arrives_s(self.now_s, size)
        if arrives_s is None:
            self._lost += 1
            return
        self._delay_s = arrives_s - self.now_s
        self._at(arrives_s, lambda: self._take(number))

    def _report(self) -> None:
        newest = max((n for n, at_s in self._arrived.items() if at_s <= self.now_s), default=-1)
        if newest >= self._told:
            times = [self._arrived.pop(n, None) for n in range(self._told, newest + 1)]
            offset = self.clock_offset_s
            report = Report(self._told & 0xFFFF, tuple(None if t is None else t + offset for t in times))
            self._told = newest + 1
            back_s = self._back.arrives_s(self.now_s, 100)
            if back_s is not None:
                self._at(back_s, lambda: self._hear(report))
        self._at(self.now_s + REPORT_S, self._report)

    def _hear(self, report: Report) -> None:
        self.rate.arrived(self._log.reported(report), self.now_s)
        figures = self.rate.figures
        self._pacer.follow(figures.total_bps, room_bps=figures.room_bps)
        self.rate.spends(SOUND_BPS / max(figures.total_bps, 1))
        self.samples.append(Sample(self.now_s, figures.total_bps, self._delay_s, self._sent, self._lost))

    def _tick(self) -> None:
        self.rate.advance(self.now_s)
        self._at(self.now_s + 1, self._tick)


def simulated(link: Link, min_bps: int = 200_000, max_bps: int = 2_500_000) -> Simulation:
    return Simulation(link, LinkRate(min_bps, max_bps, 0.0))
