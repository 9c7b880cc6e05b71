"""Transport-wide feedback for what we receive: the staff's camera, whose browser else would not know what it may send.

The other half of feedback.py; pure.
"""

from __future__ import annotations

import struct

from kiosk.call.feedback import LARGE, NOT_RECEIVED, REFERENCE_S, RTPFB, SMALL, TICK_S, TRANSPORT_FEEDBACK

REPORT_S = 0.1
MOST_PACKETS = 400
MOST_GAP = 2000
"""Numbers that jump further than that are not a loss: somebody counts anew."""
SYMBOLS_PER_CHUNK = 7


class Arrivals:
    """Numbers and times of what came. Told about each packet, gives a report when one is due."""

    def __init__(self) -> None:
        self._came: dict[int, float] = {}
        self._newest: int | None = None
        self._next = 0
        self._reported_s = 0.0
        self._count = 0

    def add(self, number: int, at_s: float) -> None:
        """The packet's 16 bits, and when it came in s of our clock."""
        full = self._unwrap(number)
        if self._newest is None or abs(full - self._newest) > MOST_GAP:
            self._came.clear()
            self._newest = self._next = full
        self._newest = max(self._newest, full)
        if full >= self._next:
            self._came.setdefault(full, at_s)

    def due(self, now_s: float, our_ssrc: int, their_ssrc: int) -> bytes | None:
        """An RTCP packet, ten times a second at most; None where there is nothing to be said yet."""
        if not self._came or (now_s - self._reported_s < REPORT_S and len(self._came) < MOST_PACKETS):
            return None
        last = max(self._came)
        first = max(self._next, last - MOST_PACKETS + 1)
        times = [self._came.get(number) for number in range(first, last + 1)]
        self._next, self._reported_s = last + 1, now_s
        self._came.clear()
        self._count += 1
        return packed(our_ssrc, their_ssrc, self._count, first & 0xFFFF, times)

    def _unwrap(self, number: int) -> int:
        if self._newest is None:
            return number
        return self._newest + ((number - self._newest + 0x8000) & 0xFFFF) - 0x8000


def packed(our_ssrc: int, their_ssrc: int, count: int, first: int, times_s: list[float | None]) -> bytes:
    """The RTCP packet for packets `first` and following; one of the times at least is known."""
    begin = int(next(at_s for at_s in times_s if at_s is not None) / REFERENCE_S)
    statuses, deltas = _deltas(begin * REFERENCE_S, times_s)
    body = struct.pack("!IIHHI", our_ssrc, their_ssrc, first, len(times_s), begin % 2**24 << 8 | count % 256)
    for at in range(0, len(statuses), SYMBOLS_PER_CHUNK):
        chunk = 0xC000
        for k, status in enumerate(statuses[at : at + SYMBOLS_PER_CHUNK]):
            chunk |= status << 12 - 2 * k
        body += chunk.to_bytes(2, "big")
    body += deltas
    body += b"\0" * (-len(body) % 4)
    return struct.pack("!BBH", 0x80 | TRANSPORT_FEEDBACK, RTPFB, len(body) // 4) + body


def _deltas(at_s: float, times_s: list[float | None]) -> tuple[list[int], bytes]:
    """Each packet's symbol, and the arrival times one after the other."""
    statuses, deltas = [], b""
    at = round(at_s / TICK_S)
    for time_s in times_s:
        if time_s is None:
            statuses.append(NOT_RECEIVED)
            continue
        step = max(-(2**15), min(2**15 - 1, round(time_s / TICK_S) - at))
        at += step
        statuses.append(SMALL if 0 <= step <= 255 else LARGE)
        deltas += step.to_bytes(1, "big") if 0 <= step <= 255 else step.to_bytes(2, "big", signed=True)
    return statuses, deltas
