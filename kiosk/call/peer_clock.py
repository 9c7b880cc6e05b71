"""What a participant's clock shows, compared with ours, by the heartbeats that go both ways. Pure.

The way of NTP (RFC 5905, section 8): of the last exchanges the one that was there and back the fastest counts, since
the others waited somewhere. It can be wrong by half of that time at most, where all of it was spent on one way.
"""

from __future__ import annotations

from collections import deque

from kiosk.wire.channel import Heartbeat

KEPT = 30
"""Heartbeats, of a second each: two quartz clocks drift apart by 1.5 ms in that time."""
LONGEST_S = 5.0


class PeerClock:
    def __init__(self) -> None:
        self._seen: deque[tuple[float, float]] = deque(maxlen=KEPT)  # (there and back, theirs - ours), in s

    def heard(self, beat: Heartbeat, now_s: float) -> None:
        """A heartbeat that says which of ours it has heard last, and how long ago."""
        if beat.echo_ms is None:
            return
        there_and_back_s = now_s - (beat.echo_ms + beat.held_ms) / 1000
        if 0 <= there_and_back_s < LONGEST_S:
            self._seen.append((there_and_back_s, beat.sent_ms / 1000 - (now_s - there_and_back_s / 2)))

    def ours_s(self, their_ms: float) -> float | None:
        """Our clock at the moment theirs showed `their_ms`; None: not known yet."""
        return their_ms / 1000 - min(self._seen)[1] if self._seen else None

    @property
    def uncertain_s(self) -> float:
        """How wrong it may be, either way."""
        return min(self._seen)[0] / 2 if self._seen else LONGEST_S
