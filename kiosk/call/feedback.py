"""Transport-wide feedback: what of everything that was sent has arrived, and when. Pure.

Each packet of a transport (picture, sound, repairs) bears a number; the receiver answers ten times a second or so with
the numbers that came and their arrival times, by its own clock.
Format: draft-holmer-rmcat-transport-wide-cc-extensions-01.
"""

from __future__ import annotations

import itertools
import struct
from dataclasses import dataclass

RTPFB = 205
TRANSPORT_FEEDBACK = 15
TICK_S = 0.000_25
REFERENCE_S = 0.064
REFERENCE_WRAP_S = 2**24 * REFERENCE_S
"""The receiver's clock, in 24 bits of 64 ms, begins anew after twelve days."""
NOT_RECEIVED, SMALL, LARGE = 0, 1, 2
REMEMBERED = 4000


@dataclass(frozen=True, slots=True)
class Report:
    """`arrived_s[i]`: when packet `first + i` (mod 2**16) came, in s of the receiver's clock; None: not so far."""

    first: int
    arrived_s: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Fate:
    """One packet of ours. `arrived_s` None: reported as missing. carried: the picture's packet in it, by its RTP
    sequence number; None: it was of something else."""

    sent_s: float
    size: int
    arrived_s: float | None
    carried: int | None = None


def split(rtcp: bytes) -> tuple[list[Report], bytes]:
    """(reports, all other packets of the compound). What cannot be understood stays with the others."""
    reports: list[Report] = []
    others = b""
    position = 0
    while position + 4 <= len(rtcp):
        first, kind, words = struct.unpack_from("!BBH", rtcp, position)
        end = position + 4 * (words + 1)
        packet = rtcp[position:end]
        position = end
        if kind == RTPFB and first & 0x1F == TRANSPORT_FEEDBACK and len(packet) == 4 * (words + 1):
            try:
                reports.append(parse(packet[12:]))
            except ValueError:  # garbled: as good as lost
                continue
        else:
            others += packet
    return reports, others + rtcp[position:]


def parse(body: bytes) -> Report:
    """What follows the two SSRCs of a transport feedback packet.

    Raises:
        ValueError: it is cut off.
    """
    try:
        first, count, reference = struct.unpack_from("!HHI", body)
        statuses, position = _statuses(body, count)
        at_s = (reference >> 8) * REFERENCE_S
        arrived: list[float | None] = []
        for status in statuses:
            if status == SMALL:
                at_s += body[position] * TICK_S
                position += 1
            elif status == LARGE:
                at_s += struct.unpack_from("!h", body, position)[0] * TICK_S
                position += 2
            arrived.append(at_s if status in (SMALL, LARGE) else None)
    except (struct.error, IndexError) as error:
        raise ValueError("transport feedback is cut off") from error
    return Report(first, tuple(arrived))


def _statuses(body: bytes, count: int) -> tuple[list[int], int]:
    """The symbol of each packet, and where the arrival times begin."""
    found: list[int] = []
    position = 8
    while len(found) < count:
        chunk = struct.unpack_from("!H", body, position)[0]
        position += 2
        if not chunk & 0x8000:
            found += [chunk >> 13] * min(chunk & 0x1FFF, count - len(found))
            if not chunk & 0x1FFF:
                raise ValueError("transport feedback with an empty run")
        elif chunk & 0x4000:
            found += [chunk >> shift & 3 for shift in range(12, -2, -2)]
        else:
            found += [chunk >> shift & 1 for shift in range(13, -1, -1)]
    return found[:count], position


class SentLog:
    """Numbers what is sent, and joins the receiver's reports with it. Times sent are s of our clock."""

    def __init__(self) -> None:
        self._next = 0
        self._sent: dict[int, tuple[float, int, int | None]] = {}
        self._clock_s = 0.0
        self.outstanding_bytes = 0
        """Sent, and not yet reported either way."""

    def sent(self, size: int, now_s: float, carried: int | None = None) -> int:
        """The number (16 bits) for a packet of `size` bytes that leaves now. carried: as in Fate."""
        number = self._next
        self._next += 1
        self._sent[number] = (now_s, size, carried)
        self.outstanding_bytes += size
        if len(self._sent) > REMEMBERED:
            self._forget(next(iter(self._sent)))
        return number & 0xFFFF

    def reported(self, report: Report) -> list[Fate]:
        """What became of the packets of this report, in the order they were sent. Each is told once."""
        first = self._unwrap(report.first)
        for number in list(itertools.takewhile(lambda n: n < first, self._sent)):
            self._forget(number)  # the report that told of them was lost
        fates: list[Fate] = []
        for number, arrived_s in enumerate(report.arrived_s, first):
            known = self._forget(number)
            if known is not None:
                sent_s, size, carried = known
                fates.append(Fate(sent_s, size, None if arrived_s is None else self._going_on(arrived_s), carried))
        return fates

    def forget_before(self, sent_s: float) -> None:
        """Packets sent before that time are not outstanding any more, reported or not."""
        for number in list(itertools.takewhile(lambda n: self._sent[n][0] < sent_s, self._sent)):
            self._forget(number)

    def _unwrap(self, number: int) -> int:
        """The full number of a packet sent lately."""
        return self._next - ((self._next - number) & 0xFFFF)

    def _going_on(self, arrived_s: float) -> float:
        """The receiver's clock without its wrap."""
        turns = round((self._clock_s - arrived_s) / REFERENCE_WRAP_S)
        self._clock_s = arrived_s + turns * REFERENCE_WRAP_S
        return self._clock_s

    def _forget(self, number: int) -> tuple[float, int, int | None] | None:
        known = self._sent.pop(number, None)
        if known is not None:
            self.outstanding_bytes -= known[1]
        return known
