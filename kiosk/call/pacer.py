"""In which order and how fast packets leave. Pure: told what the time is.

Repairs go first, since the receiver can show nothing before they have come; then the picture; then copies, which are
sent unasked against loss, as long as they are still of use. Sound never waits here, and is only counted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

P = TypeVar("P")

PACE = 2.5
"""Times the rate: a keyframe spreads over some ten milliseconds (libwebrtc paces with the same factor)."""
PACE_MIN_BPS = 500_000
ROOM_SHARE, ROOM_MOST_BPS = 0.8, 25_000_000
BURST_S = 0.005
LANES = 3
REPAIR, PICTURE, COPY = range(LANES)
COPY_LIFE_S = 0.06
"""By then the receiver has asked for what it misses, and the next frames wait behind."""


class Pacer(Generic[P]):
    """Three queues before one link. `size` tells the bytes of a packet."""

    def __init__(self, size: Callable[[P], int]) -> None:
        self._size = size
        self._lanes: tuple[deque[tuple[float, P]], ...] = tuple(deque() for _ in range(LANES))
        self._free_s = 0.0
        self.rate_bps = PACE * 1_300_000
        self.queued_bytes = 0
        self.expired = 0

    def follow(self, bps: float, gently: bool = False, room_bps: float = 0.0) -> None:
        """The rate of everything that is sent. gently: nothing is urgent, and the way too thin for any burst.

        room_bps: what the link has been seen to carry at least: a frame that may leave faster is there sooner.
        """
        quick = min(ROOM_SHARE * room_bps, ROOM_MOST_BPS)
        self.rate_bps = bps if gently else max(PACE * bps, PACE_MIN_BPS, quick)

    def put(self, lane: int, packet: P, now_s: float) -> None:
        self._lanes[lane].append((now_s, packet))
        self.queued_bytes += self._size(packet)

    def wait_s(self, now_s: float) -> float | None:
        """How long until a packet may leave; None: there is none."""
        self._drop_late_copies(now_s)
        if not any(self._lanes):
            return None
        return max(0.0, self._free_s - BURST_S - now_s)

    def take(self, now_s: float) -> P:
        """The next packet; it leaves now. Only after `wait_s` gave 0."""
        lane = next(lane for lane in self._lanes if lane)
        _, packet = lane.popleft()
        size = self._size(packet)
        self.queued_bytes -= size
        self.spend(size, now_s)
        return packet

    def spend(self, size: int, now_s: float) -> None:
        """So many bytes leave now, past the queues."""
        self._free_s = max(self._free_s, now_s) + 8 * size / self.rate_bps

    def waiting(self, lane: int) -> int:
        """Packets in the lane."""
        return len(self._lanes[lane])

    @property
    def queue_s(self) -> float:
        """How long it would take to send all that waits."""
        return 8 * self.queued_bytes / self.rate_bps

    def clear(self, lane: int) -> None:
        for _, packet in self._lanes[lane]:
            self.queued_bytes -= self._size(packet)
        self._lanes[lane].clear()

    def _drop_late_copies(self, now_s: float) -> None:
        copies = self._lanes[COPY]
        while copies and now_s - copies[0][0] > COPY_LIFE_S:
            self.queued_bytes -= self._size(copies.popleft()[1])
            self.expired += 1
