"""Everything that leaves by one DTLS transport of aiortc: numbered, timed, and reported back by the receiver.

Part of aiortc_hooks.py, where it says why; its tests hold the names used here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from aiortc.rtp import is_rtcp

from kiosk.call import feedback
from kiosk.call.aiortc_hooks_extensions import Extensions, find
from kiosk.call.arrivals import Arrivals
from kiosk.call.feedback import RTPFB, Fate, SentLog

RTP_HEADER_BYTES = 12
SEND_TIME_HZ = 2**18
"""abs-send-time: 24 bits of seconds in 6.18 fixed point."""

Arrived = Callable[[list[Fate]], None]
Carried = Callable[[bytes], int | None]


class Wire:
    """One DTLS transport. Sound and picture of a bundle share it, so that their packets are counted together.

    ssrc: ours, for reports. arrived: called with what each report of the receiver says. carried: which packet of the
    picture it is that leaves now, for its Fate. From the loop only.
    """

    def __init__(
        self,
        transport: Any,
        agreed: Extensions,
        now: Callable[[], float],
        arrived: Arrived,
        carried: Carried,
        ssrc: int,
    ) -> None:
        self.transport, self._agreed, self._now = transport, agreed, now
        self._arrived, self._carried = arrived, carried
        self._ssrc = ssrc
        self.log = SentLog()
        self.sent_bytes = 0
        self.reports = 0
        self._send_rtp: Callable[[bytes], Awaitable[None]] = transport._send_rtp
        self._aiortc_handle_rtcp: Callable[[bytes], Awaitable[None]] = transport._handle_rtcp_data
        transport._handle_rtcp_data = self._handle_rtcp
        self._arrivals = Arrivals()
        self._aiortc_handle_rtp: Callable[..., Awaitable[None]] = transport._handle_rtp_data
        if agreed.number is not None:
            transport._handle_rtp_data = self._handle_rtp

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
            stamped[at : at + 2] = self.log.sent(len(packet), now_s, self._carried(packet)).to_bytes(2, "big")
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

    async def _handle_rtp(self, data: bytes, arrival_time_ms: int) -> None:
        """Who numbers its packets for us steers by our reports: without them a browser's camera would stay at a
        fraction of what the link carries."""
        await self._aiortc_handle_rtp(data, arrival_time_ms=arrival_time_ms)
        at = find(data, self._agreed.number or 0) if len(data) > RTP_HEADER_BYTES else -1
        if at < 0:
            return
        now_s = self._now()
        self._arrivals.add(int.from_bytes(data[at : at + 2], "big"), now_s)
        report = self._arrivals.due(now_s, self._ssrc, int.from_bytes(data[8:12], "big"))
        if report is not None:
            with contextlib.suppress(ConnectionError):
                await self._send_rtp(report)


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
