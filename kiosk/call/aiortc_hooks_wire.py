"""Everything that leaves by one DTLS transport of aiortc: numbered, timed, and reported back by the receiver.

Part of aiortc_hooks.py, where it says why; its tests hold the names used here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiortc.rtp import is_rtcp

from kiosk.call import feedback
from kiosk.call.aiortc_hooks_extensions import Extensions, find
from kiosk.call.feedback import RTPFB, Fate, SentLog

SEND_TIME_HZ = 2**18
"""abs-send-time: 24 bits of seconds in 6.18 fixed point."""

Arrived = Callable[[list[Fate]], None]


class Wire:
    """One DTLS transport. Sound and picture of a bundle share it, so that their packets are counted together.

    arrived: called with what each report of the receiver says. From the loop only.
    """

    def __init__(self, transport: Any, agreed: Extensions, now: Callable[[], float], arrived: Arrived) -> None:
        self.transport, self._agreed, self._now, self._arrived = transport, agreed, now, arrived
        self.log = SentLog()
        self.sent_bytes = 0
        self.reports = 0
        self._send_rtp: Callable[[bytes], Awaitable[None]] = transport._send_rtp
        self._aiortc_handle_rtcp: Callable[[bytes], Awaitable[None]] = transport._handle_rtcp_data
        transport._handle_rtcp_data = self._handle_rtcp

    async def send(self, packet: bytes) -> None:
        """An RTP packet, now; its number and time are written into it at this moment. Raises ConnectionError."""
        stamped = self._stamped(packet)
        self.sent_bytes += len(stamped)
        await self._send_rtp(stamped)

    async def send_rtcp(self, packet: bytes) -> None:
        await self._send_rtp(packet)

    def _stamped(self, packet: bytes) -> bytes:
        now_s = self._now()
        stamped = bytearray(packet)
        at = find(packet, self._agreed.send_time) if self._agreed.send_time is not None else -1
        if at > 0:
            stamped[at : at + 3] = (int(now_s * SEND_TIME_HZ) & 0xFFFFFF).to_bytes(3, "big")
        at = find(packet, self._agreed.number) if self._agreed.number is not None else -1
        if at > 0:
            stamped[at : at + 2] = self.log.sent(len(packet), now_s).to_bytes(2, "big")
        return bytes(stamped)

    async def _handle_rtcp(self, data: bytes) -> None:
        """aiortc would read transport feedback as something else; the rest of the compound is its business."""
        if RTPFB not in data:
            await self._aiortc_handle_rtcp(data)
            return
        reports, others = feedback.split(data)
        for report in reports:
            self.reports += 1
            self._arrived(self.log.reported(report))
        if others:
            await self._aiortc_handle_rtcp(others)


class SoundLane:
    """What a sender of sound takes for its transport: nothing waits here."""

    def __init__(self, transport: Any, wire: Wire, spend: Callable[[int], None]) -> None:
        self._transport, self._wire, self._spend = transport, wire, spend

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    async def _send_rtp(self, data: bytes) -> None:
        if is_rtcp(data):
            await self._wire.send_rtcp(data)
        else:
            self._spend(len(data))
            await self._wire.send(data)


class PictureLane:
    """What a sender of video takes for its transport: its packets go into the pacer."""

    def __init__(self, transport: Any, wire: Wire, put: Callable[[bytes], Awaitable[None]]) -> None:
        self._transport, self._wire, self._put = transport, wire, put

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    async def _send_rtp(self, data: bytes) -> None:
        if is_rtcp(data):
            await self._wire.send_rtcp(data)
        else:
            await self._put(data)
