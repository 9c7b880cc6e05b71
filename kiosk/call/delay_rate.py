"""What a link carries, read from when packets arrive: the delay-based half of congestion control. Pure.

After draft-ietf-rmcat-gcc-02, with two things of our own. Packets that left together are compared with those before
them: where each group comes later than it should, a queue is growing (`Trend`, section 5.3), and more than a threshold
that adapts (5.4) brings the rate down below what arrives. Ours: what waits in the queue is paced off before the rate
counts as normal again (`Queue`), for this call is about delay; and the frames themselves, which leave in bursts
faster than the rate, show how much the link could carry (`Trains`), so that it is found again within seconds.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from statistics import median

from kiosk.call.feedback import Fate

GROUP_S, BUNCH_S = 0.005, 0.1
TREND_GROUPS = 20
SMOOTHING = 0.9
GAIN = 4.0
MOST_COUNTED = 60
THRESHOLD_MS, THRESHOLD_LEAST_MS, THRESHOLD_MOST_MS = 12.5, 6.0, 600.0
THRESHOLD_UP, THRESHOLD_DOWN = 0.0087, 0.039
THRESHOLD_OUTLIER_MS = 15.0
OVERUSE_S = 0.01
"""All of these as the draft has them (5.3 to 5.5) or, for the trend line, as its authors' later paper: Carlucci et al.,
"Analysis and design of the Google congestion control for WebRTC", MMSys 2016."""

DECREASE = 0.85
LEAST_FALL = 0.5
"""At most by half at once: what arrives may also be little because a busy machine sent little."""
FELT_S = 0.012
"""A trend with nothing behind it: packets came late in a bunch, and the next ones are in time again."""
RISE_PER_S = 0.10
NEAR_RISE_PER_S = 0.02
"""Near what was too much the last time, or where bursts show that there is hardly more: each step too far costs
everybody delay."""
NEAR_BELOW, NEAR_ABOVE = 0.85, 1.1
BEYOND_RISE_PER_S = 0.3
"""Well above what once was too much, or where nothing waits at all: the link is another one now."""
FAST_RISE_PER_S = 0.6
"""Where the frames' bursts have shown that there is room."""
START_S = 2.0
START_PACKETS = 10
NARROWED = 1.3
"""A first keyframe that comes apart so much shows the link's rate before there is a queue worth the name."""
TRAIN_SHARE = 0.85
TRAIN_PACKETS = 4
TRAIN_GAP_S = 0.006
TRAINS = 12
TRAIN_SPAN_S = 0.003
"""A burst that takes less than that is over within the receiver's own jitter."""
ACKNOWLEDGED_S, CONGESTED_S = 0.5, 0.2
BASE_S = 15.0
QUEUE_S = 0.04
"""Less than that in the queue is what a keyframe leaves behind, and jitter."""
DRAIN_S, DRAIN_LEAST = 0.5, 0.5
"""A queue is to be gone after so long, at no less than that share of the rate: a picture is still needed."""
AFTERMATH_S = 0.5
CALM_WAIT_S, CALM_S = 0.008, 1.0
STUCK_S = 3.0
"""A queue that does not drain while we send less is not ours: the path has become longer."""


class Trend:
    """Whether a queue grows (`state` "over"), empties ("under") or neither ("normal")."""

    def __init__(self) -> None:
        self.state = "normal"
        self._group: tuple[float, float, float] | None = None  # first sent, last sent, last arrived
        self._before: tuple[float, float] | None = None  # of the group before: last sent, last arrived
        self._points: deque[tuple[float, float]] = deque(maxlen=TREND_GROUPS)
        self._sum_ms = self._smooth_ms = 0.0
        self._count = 0
        self._threshold_ms = THRESHOLD_MS
        self._adapted_s: float | None = None
        self._over_s = 0.0
        self._slope = 0.0

    def add(self, sent_s: float, arrived_s: float) -> None:
        """A packet that arrived, in the order they were sent."""
        if self._group is None:
            self._group = (sent_s, sent_s, arrived_s)
        elif sent_s - self._group[0] <= GROUP_S or self._in_a_bunch(sent_s, arrived_s):
            self._group = (self._group[0], sent_s, max(arrived_s, self._group[2]))
        else:
            self._finish(self._group[1], self._group[2])
            self._group = (sent_s, sent_s, arrived_s)

    def _in_a_bunch(self, sent_s: float, arrived_s: float) -> bool:
        """Held up together somewhere and let go together: only the last of them tells of the way (section 5.2)."""
        assert self._group is not None
        first_s, last_s, before_s = self._group
        catches_up = arrived_s - before_s < sent_s - last_s
        return catches_up and arrived_s - before_s <= GROUP_S and sent_s - first_s < BUNCH_S

    def _finish(self, sent_s: float, arrived_s: float) -> None:
        if self._before is not None:
            gap_s = sent_s - self._before[0]
            self._move(1000 * (arrived_s - self._before[1] - gap_s), gap_s, arrived_s)
        self._before = (sent_s, arrived_s)

    def _move(self, change_ms: float, gap_s: float, arrived_s: float) -> None:
        self._count += 1
        self._sum_ms += change_ms
        self._smooth_ms = SMOOTHING * self._smooth_ms + (1 - SMOOTHING) * self._sum_ms
        self._points.append((1000 * arrived_s, self._smooth_ms))
        if len(self._points) == TREND_GROUPS:
            self._judge(_slope(self._points), gap_s, arrived_s)

    def _judge(self, slope: float, gap_s: float, at_s: float) -> None:
        trend_ms = min(self._count, MOST_COUNTED) * slope * GAIN
        if trend_ms > self._threshold_ms:
            self._over_s += gap_s
            if self._over_s > OVERUSE_S and slope >= self._slope:
                self._over_s = 0.0
                self.state = "over"
        else:
            self._over_s = 0.0
            self.state = "under" if trend_ms < -self._threshold_ms else "normal"
        self._slope = slope
        self._adapt(abs(trend_ms), at_s)

    def _adapt(self, trend_ms: float, at_s: float) -> None:
        passed_ms = 0.0 if self._adapted_s is None else min(100.0, max(0.0, 1000 * (at_s - self._adapted_s)))
        self._adapted_s = at_s
        if trend_ms > self._threshold_ms + THRESHOLD_OUTLIER_MS:
            return  # a jump: no reason to become deaf
        share = THRESHOLD_DOWN if trend_ms < self._threshold_ms else THRESHOLD_UP
        moved = self._threshold_ms + share * (trend_ms - self._threshold_ms) * passed_ms
        self._threshold_ms = min(THRESHOLD_MOST_MS, max(THRESHOLD_LEAST_MS, moved))


def _slope(points: deque[tuple[float, float]]) -> float:
    """Of the line that fits best."""
    n = len(points)
    mean_x = sum(x for x, _ in points) / n
    mean_y = sum(y for _, y in points) / n
    over = sum((x - mean_x) * (y - mean_y) for x, y in points)
    under = sum((x - mean_x) ** 2 for x, _ in points)
    return over / under if under else 0.0


class Queue:
    """How long packets wait on the way: the delay beyond the least one of the last half minute."""

    def __init__(self) -> None:
        self.wait_s = 0.0
        self.jitter_s = 0.0
        """How much later than the quickest of its report a packet comes, nearly always."""
        self.calm_since_s = math.inf
        """Since when nothing at all has waited: whatever is sent, the link hardly notices it."""
        self._least_s = self._next_least_s = math.inf
        self._turn_s = -math.inf
        self._stuck_since_s: float | None = None

    def add(self, delays_s: list[float], now_s: float) -> None:
        """The one-way delays (between two clocks, so only their changes count) of one report's packets."""
        quickest_s = min(delays_s)
        if now_s - self._turn_s > BASE_S:
            self._least_s, self._next_least_s, self._turn_s = min(self._next_least_s, quickest_s), math.inf, now_s
        self._least_s = min(self._least_s, quickest_s)
        self._next_least_s = min(self._next_least_s, quickest_s)
        self.wait_s = quickest_s - self._least_s
        spread_s = sorted(delays_s)[int(0.9 * (len(delays_s) - 1))] - quickest_s
        if self.wait_s < QUEUE_S:  # else it is the queue that grows
            self._follow_jitter(spread_s)
        self.calm_since_s = min(self.calm_since_s, now_s) if self.wait_s + spread_s < CALM_WAIT_S else math.inf
        self._give_up_stuck(quickest_s, now_s)

    def _follow_jitter(self, spread_s: float) -> None:
        share = 0.2 if spread_s > self.jitter_s else 0.02
        self.jitter_s += share * (spread_s - self.jitter_s)

    def _give_up_stuck(self, quickest_s: float, now_s: float) -> None:
        if self.wait_s < QUEUE_S:
            self._stuck_since_s = None
        elif self._stuck_since_s is None:
            self._stuck_since_s = now_s
        elif now_s - self._stuck_since_s > STUCK_S:
            self._least_s = self._next_least_s = quickest_s
            self.wait_s, self._stuck_since_s = 0.0, None


class Acknowledged:
    """How many bits a second arrive."""

    def __init__(self) -> None:
        self._arrived: deque[tuple[float, int]] = deque()

    def add(self, arrived_s: float, size: int) -> None:
        self._arrived.append((arrived_s, size))
        while self._arrived[0][0] < arrived_s - ACKNOWLEDGED_S:
            self._arrived.popleft()

    def bps(self, span_s: float = ACKNOWLEDGED_S) -> float | None:
        """Over the last `span_s`; None before so much time has passed."""
        if not self._arrived or self._arrived[-1][0] - self._arrived[0][0] < 0.8 * span_s:
            return None
        since_s = self._arrived[-1][0] - span_s
        return 8 * sum(size for at_s, size in self._arrived if at_s > since_s) / span_s


class Trains:
    """What the link can carry, from packets that left in a burst: they come apart by the pace of its narrowest part.

    A burst shows no more than its own pace; so this says what the link carries at least.
    """

    def __init__(self) -> None:
        self._open: list[Fate] = []
        self._found: deque[float] = deque(maxlen=TRAINS)
        self.narrow_bps: float | None = None
        """Of the last long burst that came apart on the way: what the link carried then, and no more."""

    def add(self, fate: Fate) -> None:
        """A packet of ours, lost or not, in the order they were sent."""
        if self._open and fate.sent_s - self._open[-1].sent_s > TRAIN_GAP_S:
            self._close()
        self._open.append(fate)

    @property
    def bps(self) -> float | None:
        """None before there have been enough bursts."""
        return median(self._found) if len(self._found) >= TRAINS // 2 else None

    def reset(self) -> None:
        """The link has changed."""
        self._found.clear()
        self._open.clear()

    def _close(self) -> None:
        train, self._open = self._open, []
        times = [fate.arrived_s for fate in train if fate.arrived_s is not None]
        if len(times) < TRAIN_PACKETS or train[0].arrived_s is None:
            return
        bits = 8 * sum(fate.size for fate in train[1:])
        span_s = max(times) - times[0]
        left_s = train[-1].sent_s - train[0].sent_s
        self._found.append(bits / max(span_s, left_s, TRAIN_SPAN_S))
        if len(times) >= START_PACKETS and span_s > max(NARROWED * left_s, TRAIN_SPAN_S):
            self.narrow_bps = 8 * sum(fate.size for fate in train[1:] if fate.arrived_s is not None) / span_s


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
        self._cautious_until_s = -math.inf
        self._caution_s = 2.0
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

    def arrived(self, fates: list[Fate], now_s: float, least_bps: float, most_bps: float) -> None:
        """One report's worth; the rate follows at once, between the two bounds."""
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
            return self._fall(now_s) if self._queue.wait_s > FELT_S else self.bps
        if self._trend.state == "under" or self._queue.wait_s > QUEUE_S:
            return self.bps
        return self._rise(passed_s, now_s)

    def _fall(self, now_s: float) -> float:
        carried = self._acknowledged.bps(CONGESTED_S)
        if carried is None or now_s - self._fell_s < max(0.1, self.round_trip_s):
            return self.bps
        if now_s - self._fast_s < 1.0:  # it was our own haste: not so soon again
            self._cautious_until_s = now_s + self._caution_s
            self._caution_s = min(30.0, 2 * self._caution_s)
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
        slowly = self.bps * (1 + self._slow_rise_per_s(room) * passed_s)
        return max(self.bps, min(slowly, 1.5 * carried + 10_000))

    def _slow_rise_per_s(self, room_bps: float | None) -> float:
        once = self._too_much_bps
        if self._at_s - self._queue.calm_since_s > CALM_S:
            return BEYOND_RISE_PER_S
        if NEAR_BELOW * once < self.bps < NEAR_ABOVE * once or (room_bps and self.bps > TRAIN_SHARE * room_bps):
            return NEAR_RISE_PER_S
        return RISE_PER_S if self.bps < once else BEYOND_RISE_PER_S
