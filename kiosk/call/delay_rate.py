"""What a link carries, read from when packets arrive: the delay-based half of congestion control. Pure.

After draft-ietf-rmcat-gcc-02, with two things of our own. Where a queue grows (queueing.py), the rate falls below what
arrives. Ours: what waits in the queue is paced off before the rate counts as normal again, for this call is about
delay; and the frames themselves, which leave in bursts faster than the rate, show how much the link could carry
(carried.py), so that it is found again within seconds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from kiosk.call.carried import ACKNOWLEDGED_S, Acknowledged, Trains
from kiosk.call.feedback import Fate
from kiosk.call.queueing import QUEUE_S, Queue, Trend

DECREASE = 0.85
LEAST_FALL = 0.5
"""At most by half at once: what arrives may also be little because a busy machine sent little."""
RISE_PER_S = 0.10
NEAR_RISE_PER_S = 0.02
"""Near what was too much the last time, or where bursts show that there is hardly more: each step too far costs
everybody delay."""
NEAR_BELOW, NEAR_ABOVE = 0.85, 1.1
BEYOND_RISE_PER_S = 0.3
"""Well above what once was too much, or where nothing waits at all: the link is another one now."""
RISE_LOSS, SLOW_RISE_LOSS = 0.1, 0.03
"""With so much loss no rise at all, and none that no burst has shown room for: it may be ours, of a queue too short to
be felt."""
FAST_RISE_PER_S = 0.6
"""Where the frames' bursts have shown that there is room."""
TRAIN_SHARE = 0.85
CAUTION_S, CAUTION_MOST_S = 2.0, 8.0
"""No haste for so long after a hasty rise has ended in a queue; twice as long each time."""
START_S = 2.0
CONGESTED_S = 0.2
LONG_WAIT_S = 0.06
"""With so much in the queue all that arrives has come through the bottleneck, and the last moment tells its rate."""
DRAIN_S, DRAIN_LEAST = 0.5, 0.5
"""A queue is to be gone after so long, at no less than that share of the rate: a picture is still needed."""
AFTERMATH_S = 0.5
CALM_S = 1.0


@dataclass(frozen=True, slots=True)
class Seen:
    """What the last reports say."""

    acknowledged_bps: float | None
    queue_s: float
    jitter_s: float
    overuse: bool
    room_bps: float | None


class DelayRate:
    """The rate that keeps the queue short: everything that is sent, headers and repairs included."""

    def __init__(self, start_bps: float, now_s: float) -> None:
        self.bps = start_bps
        self.round_trip_s = 0.1
        self._trend, self._queue = Trend(), Queue()
        self._acknowledged, self._trains = Acknowledged(), Trains()
        self._at_s = self._began_s = now_s
        self._fell_s = -math.inf
        self._too_much_bps = math.inf
        self._loss = 0.0
        self._cautious_until_s = -math.inf
        self._caution_s = CAUTION_S
        self._fast_s = -math.inf

    @property
    def seen(self) -> Seen:
        return Seen(
            self._acknowledged.bps(),
            self._queue.wait_s,
            self._queue.jitter_s,
            self._trend.state == "over",
            self._trains.bps,
        )

    @property
    def congested(self) -> bool:
        """Whether there is a queue of ours on the way, or was a moment ago."""
        return self._trend.state == "over" or self._queue.wait_s > QUEUE_S or self._at_s - self._fell_s < AFTERMATH_S

    def arrived(self, fates: list[Fate], now_s: float, least_bps: float, most_bps: float, loss: float) -> None:
        """One report's worth; the rate follows at once, between the two bounds. loss: 0..1, of late."""
        delays_s = []
        for fate in fates:
            self._trains.add(fate)
            if fate.arrived_s is not None:
                self._trend.add(fate.sent_s, fate.arrived_s)
                self._acknowledged.add(fate.arrived_s, fate.size)
                delays_s.append(fate.arrived_s - fate.sent_s)
        if delays_s:
            self._queue.add(delays_s, now_s)
            self._follow_round_trip(now_s - max(f.sent_s for f in fates if f.arrived_s is not None))
        passed_s = min(0.5, max(0.0, now_s - self._at_s))
        self._at_s = now_s
        self._loss = loss
        self.bps = min(most_bps, max(least_bps, self._next(passed_s, now_s)))

    def advised_bps(self) -> float:
        """What to send right now: less than the rate while there is a queue to be emptied."""
        wait_s = self._queue.wait_s
        if wait_s < QUEUE_S:
            return self.bps
        carried = self._acknowledged.bps(CONGESTED_S) or self.bps
        return max(DRAIN_LEAST * self.bps, min(self.bps, self.bps - carried * (wait_s - QUEUE_S / 2) / DRAIN_S))

    def _follow_round_trip(self, sample_s: float) -> None:
        self.round_trip_s += (0.5 if sample_s < self.round_trip_s else 0.1) * (sample_s - self.round_trip_s)

    def _next(self, passed_s: float, now_s: float) -> float:
        if self._trains.narrow_bps is not None and now_s - self._began_s < START_S:
            self.bps = min(self.bps, TRAIN_SHARE * self._trains.narrow_bps)
        if self._trend.state == "over":
            return self._fall(now_s) if self._queue.is_felt(now_s) else self.bps
        if self._trend.state == "under" or self._queue.wait_s > QUEUE_S or self._loss > RISE_LOSS:
            return self.bps
        return self._rise(passed_s, now_s)

    def _fall(self, now_s: float) -> float:
        carried = self._acknowledged.bps(CONGESTED_S if self._queue.wait_s > LONG_WAIT_S else ACKNOWLEDGED_S)
        if carried is None or now_s - self._fell_s < max(0.1, self.round_trip_s):
            return self.bps
        if now_s - self._fast_s < 1.0:  # it was our own haste: not so soon again
            self._cautious_until_s = now_s + self._caution_s
            self._caution_s = min(CAUTION_MOST_S, 2 * self._caution_s)
        self._fell_s = now_s
        self._too_much_bps = carried
        self._trains.reset()
        return min(self.bps, max(DECREASE * carried, LEAST_FALL * self.bps))

    def _rise(self, passed_s: float, now_s: float) -> float:
        carried, room = self._acknowledged.bps(), self._trains.bps
        if carried is None:
            return self.bps
        if room is not None and TRAIN_SHARE * room > self.bps and now_s > self._cautious_until_s:
            self._fast_s = now_s
            return min(TRAIN_SHARE * room, self.bps * (1 + FAST_RISE_PER_S * passed_s))
        if self._loss > SLOW_RISE_LOSS:
            return self.bps
        slowly = self.bps * (1 + self._slow_rise_per_s(room) * passed_s)
        return max(self.bps, min(slowly, 1.5 * carried + 10_000))

    def _slow_rise_per_s(self, room_bps: float | None) -> float:
        once = self._too_much_bps
        if self._at_s - self._queue.calm_since_s > CALM_S:
            return BEYOND_RISE_PER_S
        if NEAR_BELOW * once < self.bps < NEAR_ABOVE * once or (room_bps and self.bps > TRAIN_SHARE * room_bps):
            return NEAR_RISE_PER_S
        return RISE_PER_S if self.bps < once else BEYOND_RISE_PER_S
