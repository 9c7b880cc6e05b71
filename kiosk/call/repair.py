"""What has been sent and may be asked for again (NACK), within a budget. Pure.

A repair is worth sending while the receiver still waits for it; after that, or where so much is missing that repairs
alone would fill the link, only a keyframe helps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

HISTORY_S = 1.5
"""Several round trips of a bad link: a browser asks up to ten times, each a round trip after the other."""
HISTORY_PACKETS = 2048
LEAST_SHARE = 0.25
LOSS_SHARE = 3.0
"""Of the rate, for repairs: three times what is lost, since repairs are lost as well."""
BURST_S = 0.5
LEAST_BURST_BYTES = 12_000
LEAST_GAP_S = 0.02

Refused = Literal["on its way", "gone", "too much"]


@dataclass(slots=True)
class _Sent:
    packet: bytes
    sent_s: float
    repaired_s: float = -math.inf
    under_way: int = 0
    arrived: bool = False


class History:
    """The packets of one stream by their sequence numbers (16 bits), as they were sent."""

    def __init__(self, now_s: float) -> None:
        self._sent: dict[int, _Sent] = {}
        self._bytes = math.inf
        self._filled_s = now_s

    def remember(self, number: int, packet: bytes, now_s: float) -> None:
        self._sent.pop(number, None)
        self._sent[number] = _Sent(packet, now_s)
        while len(self._sent) > HISTORY_PACKETS or self._first_is_old(now_s):
            del self._sent[next(iter(self._sent))]

    def left(self, number: int) -> None:
        """The packet, its copy or its repair leaves now."""
        sent = self._sent.get(number)
        if sent is not None:
            sent.under_way += 1

    def reported(self, number: int, arrived: bool) -> bool:
        """What the receiver says of one of them; whether the packet is missing there, with nothing on its way."""
        sent = self._sent.get(number)
        if sent is None:
            return False
        sent.under_way -= 1
        sent.arrived |= arrived
        return not sent.arrived and sent.under_way <= 0

    def copy(self, number: int) -> bytes | None:
        """For a copy that is sent unasked."""
        sent = self._sent.get(number)
        return sent.packet if sent else None

    def repair(self, number: int, now_s: float, bps: float, loss: float, round_trip_s: float) -> bytes | Refused:
        """The packet, to be sent once more now; or why not.

        bps: of the whole link. loss: 0..1, so many repairs are to be expected.
        """
        self._fill(now_s, bps, loss)
        sent = self._sent.get(number)
        if sent is None or now_s - sent.sent_s > HISTORY_S:
            return "gone"
        if now_s - sent.repaired_s < max(LEAST_GAP_S, 0.9 * round_trip_s):
            return "on its way"  # the one sent before cannot have been missed yet
        if self._bytes < len(sent.packet):
            return "too much"
        self._bytes -= len(sent.packet)
        sent.repaired_s = now_s
        return sent.packet

    def _fill(self, now_s: float, bps: float, loss: float) -> None:
        share = min(1.0, max(LEAST_SHARE, LOSS_SHARE * loss))
        most = max(bps / 8 * BURST_S, LEAST_BURST_BYTES)
        self._bytes = min(most, self._bytes + (now_s - self._filled_s) * share * bps / 8)
        self._filled_s = now_s

    def _first_is_old(self, now_s: float) -> bool:
        return now_s - next(iter(self._sent.values())).sent_s > HISTORY_S


def as_rtx(packet: bytes, payload_type: int, number: int, ssrc: int) -> bytes:
    """An RTP packet as one of the repair stream (RFC 4588, section 4): the old number leads the payload."""
    head = header_bytes(packet)
    second = packet[1] & 0x80 | payload_type
    fields = bytes((packet[0], second)) + number.to_bytes(2, "big") + packet[4:8] + ssrc.to_bytes(4, "big")
    return fields + packet[12:head] + packet[2:4] + packet[head:]


def header_bytes(packet: bytes) -> int:
    """The length of an RTP packet's header, its extensions included (RFC 3550, section 5.1)."""
    length = 12 + 4 * (packet[0] & 0x0F)
    if packet[0] & 0x10:
        length += 4 + 4 * int.from_bytes(packet[length + 2 : length + 4], "big")
    return length
