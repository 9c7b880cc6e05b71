"""Whether packets wait on their way, read from when they were sent and when they came. Pure.

`Trend` follows draft-ietf-rmcat-gcc-02: packets that left together are compared with those before them, and where each
group comes later than it should, a queue is growing (5.3); how much is too much adapts itself (5.4). `Queue` is our
own: how long packets wait in it, and whether it is one at all.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Literal

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

BASE_S = 15.0
QUEUE_S = 0.04
"""Less than that in the queue is what a keyframe leaves behind, and jitter."""
FELT_S, FELT_FOR_S, LONG_S = 0.012, 0.11, 0.1
"""A trend with nothing behind it is an accident: packets came late in a bunch, and the next ones are in time again. A
queue is there for longer than a report or two, or long at once."""
CALM_WAIT_S = 0.008
STUCK_S = 3.0
"""A queue that does not drain while we send less is not ours: the path has become longer."""


class Trend:
    """Whether a queue grows (`state` "over"), empties ("under") or neither ("normal")."""

    def __init__(self) -> None:
        self.state: Literal["over", "normal", "under"] = "normal"
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
        self._felt_since_s = math.inf

    def add(self, delays_s: list[float], now_s: float) -> None:
        """The one-way delays (between two clocks, so only their changes count) of one report's packets."""
        quickest_s = min(delays_s)
        if now_s - self._turn_s > BASE_S:
            self._least_s, self._next_least_s, self._turn_s = min(self._next_least_s, quickest_s), math.inf, now_s
        self._least_s = min(self._least_s, quickest_s)
        self._next_least_s = min(self._next_least_s, quickest_s)
        self.wait_s = quickest_s - self._least_s
        self._felt_since_s = min(self._felt_since_s, now_s) if self.wait_s > FELT_S else math.inf
        spread_s = sorted(delays_s)[int(0.9 * (len(delays_s) - 1))] - quickest_s
        if self.wait_s < QUEUE_S:  # else it is the queue that grows
            self._follow_jitter(spread_s)
        self.calm_since_s = min(self.calm_since_s, now_s) if self.wait_s + spread_s < CALM_WAIT_S else math.inf
        self._give_up_stuck(quickest_s, now_s)

    def is_felt(self, now_s: float) -> bool:
        """Whether there is one at all: of a length that is no accident, or for longer than one."""
        return self.wait_s > LONG_S or now_s - self._felt_since_s > FELT_FOR_S

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
