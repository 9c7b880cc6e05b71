"""What a link has carried, and what it could: read from packets that have come. Pure."""

from __future__ import annotations

from collections import deque
from statistics import median

from kiosk.call.feedback import Fate

ACKNOWLEDGED_S = 0.5
TRAIN_PACKETS = 4
TRAIN_GAP_S = 0.006
TRAINS = 12
TRAIN_SPAN_S = 0.003
"""A burst that takes less than that is over within the receiver's own jitter."""
LONG_TRAIN_PACKETS = 10
NARROWED = 1.3
"""A keyframe that comes apart so much shows the link's rate before there is a queue worth the name."""


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
        bits = 8 * sum(fate.size for fate in train[1:] if fate.arrived_s is not None)
        span_s = max(times) - times[0]
        left_s = train[-1].sent_s - train[0].sent_s
        self._found.append(bits / max(span_s, left_s, TRAIN_SPAN_S))
        if len(times) >= LONG_TRAIN_PACKETS and span_s > max(NARROWED * left_s, TRAIN_SPAN_S):
            self.narrow_bps = bits / span_s
