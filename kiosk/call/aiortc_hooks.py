"""Everything that reaches into private names of aiortc 1.16 and aioice; nothing else of ours does.

aiortc sends packets that were encoded elsewhere, but leaves to its user what a sender owes its receivers: keyframes
when they ask (it only tells its own encoder), a rate that follows their reports, pacing, bounded repair, and the
playout-delay extension, which takes the browser's jitter buffer from 100 ms to 20 ms. `VideoSender` adds these to one
RTCRtpSender.
tests/contract/test_aiortc_hooks.py fails loudly where a name used here is gone or means something else.
"""

from __future__ import annotations

import asyncio
import math
import struct
from collections.abc import Callable
from typing import Any, Protocol, cast

from aiortc import RTCPeerConnection, RTCRtpTransceiver
from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTP_HISTORY_SIZE,
    HeaderExtensions,
    HeaderExtensionsMap,
    RtcpPsfbPacket,
    RtcpRrPacket,
    RtcpSrPacket,
    is_rtcp,
    pack_header_extensions,
    unpack_header_extensions,
    unpack_remb_fci,
)
from aiortc.sdp import SessionDescription

PLAYOUT_DELAY = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
NO_DELAY = b"\0\0\0"
"""12 bits minimum, 12 bits maximum, in 10 ms: show each frame as soon as it is whole."""
ONE_BYTE_HEADER_MAX_ID = 14  # RFC 8285, section 4.2

PACE = 2.5
"""Times the target rate: a keyframe spreads over some ten milliseconds (libwebrtc paces with the same factor)."""
PACE_MIN_BPS = 1_000_000
BURST_S = 0.005
REPAIR_SHARE = 0.25
"""Of the target rate. Unbounded repair eats a thin link up: each repair is lost as well, and asked for again."""
REPAIR_BURST_S = 0.3


class Feedback(Protocol):
    """Who follows what the receiver says of our video."""

    def keyframe_wanted(self) -> None: ...
    def estimated(self, remb_bps: float) -> None: ...
    def reported(self, loss: float, round_trip_s: float | None) -> None: ...


class VideoSender:
    """One RTCRtpSender of pre-encoded video, with what aiortc leaves out.

    To be made after setRemoteDescription and before setLocalDescription: then the sender's transport is final, and
    nothing has been sent. Used from the loop only.
    """

    def __init__(self, transceiver: RTCRtpTransceiver, feedback: Feedback, now: Callable[[], float]) -> None:
        self._sender = cast(Any, transceiver.sender)
        self._feedback = feedback
        self._target_bps = 1_300_000.0
        self._repairs = _Repairs(now)
        self._aiortc_retransmit = self._sender._retransmit
        self._aiortc_handle_rtcp = self._sender._handle_rtcp_packet
        self._aiortc_next_frame = self._sender._next_encoded_frame
        self._wire = _PacedTransport(self._sender.transport, self._sender._ssrc, now)
        self._sender.setTransport(self._wire)
        self._sender._retransmit = self._retransmit
        self._sender._handle_rtcp_packet = self._handle_rtcp
        self._sender._next_encoded_frame = self._next_frame
        self._sender._send_keyframe = feedback.keyframe_wanted

    @property
    def ssrc(self) -> int:
        return int(self._sender._ssrc)

    @property
    def round_trip_s(self) -> float | None:
        value: float | None = self._sender._RTCRtpSender__rtt
        return value

    def set_target(self, bps: float) -> None:
        """What pacing and repair are measured by."""
        self._target_bps = bps
        self._wire.rate_bps = max(PACE * bps, PACE_MIN_BPS)

    @property
    def sent_bytes(self) -> int:
        """Video sent so far, repairs included."""
        return self._wire.sent_bytes

    def to_wire(self, pts: int) -> int | None:
        """The RTP timestamp of the frame with this pts (90 kHz); None before the first frame went out."""
        origin = self._wire.origin
        return None if origin is None else (origin + pts) % 2**32

    def from_wire(self, t: int) -> int | None:
        """The pts of the frame with this RTP timestamp, the one nearest to the last frame sent."""
        if self._wire.origin is None or self._wire.pts is None:
            return None
        behind = (self._wire.origin + self._wire.pts - t + 2**31) % 2**32 - 2**31
        return self._wire.pts - behind

    async def _next_frame(self, codec: Any) -> Any:
        frame = await self._aiortc_next_frame(codec)
        if frame is not None:
            self._wire.pts = frame.timestamp
        return frame

    async def _handle_rtcp(self, packet: Any) -> None:
        await self._aiortc_handle_rtcp(packet)
        if isinstance(packet, RtcpPsfbPacket) and packet.fmt == RTCP_PSFB_APP:
            self._handle_remb(packet.fci)
        elif isinstance(packet, RtcpRrPacket | RtcpSrPacket):
            for report in packet.reports:
                if report.ssrc == self.ssrc:
                    self._feedback.reported(report.fraction_lost / 256, self.round_trip_s)

    def _handle_remb(self, fci: bytes) -> None:
        try:
            bps, ssrcs = unpack_remb_fci(fci)
        except (ValueError, struct.error):  # other application feedback, or garbage
            return
        if self.ssrc in ssrcs:
            self._feedback.estimated(float(bps))

    async def _retransmit(self, sequence_number: int) -> None:
        history: dict[int, Any] = self._sender._RTCRtpSender__rtp_history
        packet = history.get(sequence_number % RTP_HISTORY_SIZE)
        if packet is None or packet.sequence_number != sequence_number:
            self._feedback.keyframe_wanted()  # too old to be repaired: nothing else helps
            return
        if self._repairs.allow(sequence_number, len(packet.payload), self._target_bps, self.round_trip_s or 0.0):
            self._wire.repairing += 1
            try:
                await self._aiortc_retransmit(sequence_number)
            finally:
                self._wire.repairing -= 1


class _Repairs:
    """A budget for retransmissions, and a memory of those that are on their way."""

    REMEMBERED = 500

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._bytes = math.inf
        self._filled_s = now()
        self._sent_s: dict[int, float] = {}

    def allow(self, sequence_number: int, size: int, target_bps: float, round_trip_s: float) -> bool:
        now_s = self._now()
        share = target_bps / 8 * REPAIR_SHARE
        most = max(share * REPAIR_BURST_S, 3_000.0)
        self._bytes = min(most, self._bytes + (now_s - self._filled_s) * share)
        self._filled_s = now_s
        if now_s - self._sent_s.get(sequence_number, float("-inf")) < max(0.02, round_trip_s):
            return False  # the one sent before cannot have arrived yet
        if self._bytes < size:
            return False
        self._bytes -= size
        self._remember(sequence_number, now_s)
        return True

    def _remember(self, sequence_number: int, now_s: float) -> None:
        self._sent_s.pop(sequence_number, None)
        self._sent_s[sequence_number] = now_s
        if len(self._sent_s) > self.REMEMBERED:
            del self._sent_s[next(iter(self._sent_s))]


class _PacedTransport:
    """Stands before the DTLS transport of one sender: spreads its packets and reads their timestamps.

    A wait here holds that sender's loop only; the relay behind it drops what does not get through in time.
    """

    def __init__(self, transport: Any, ssrc: int, now: Callable[[], float]) -> None:
        self._transport = transport
        self._ssrc = struct.pack("!I", ssrc)
        self._now = now
        self._free_s = 0.0
        self.rate_bps = PACE * 1_300_000
        self.pts: int | None = None
        self.origin: int | None = None
        self.sent_bytes = 0
        self.repairing = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    async def _send_rtp(self, data: bytes) -> None:
        if not is_rtcp(data):
            self.sent_bytes += len(data)
            self._learn_origin(data)
            wait_s = self._wait(len(data))
            if wait_s > 0 and not self.repairing:  # repairs are sent from the task that receives: it must not wait
                await asyncio.sleep(wait_s)
        await self._transport._send_rtp(data)

    def _learn_origin(self, data: bytes) -> None:
        if self.origin is None and self.pts is not None and data[8:12] == self._ssrc:
            self.origin = (int(struct.unpack_from("!I", data, 4)[0]) - self.pts) % 2**32

    def _wait(self, size: int) -> float:
        now_s = self._now()
        self._free_s = max(self._free_s, now_s - BURST_S) + size * 8 / self.rate_bps
        return self._free_s - now_s if self._free_s - now_s > BURST_S else 0.0


class _PlayoutDelayMap(HeaderExtensionsMap):
    """aiortc's header extensions, and playout-delay with each packet."""

    def __init__(self, extension_id: int) -> None:
        super().__init__()
        self._extension_id = extension_id

    def set(self, values: HeaderExtensions) -> tuple[int, bytes]:
        extensions = unpack_header_extensions(*super().set(values))
        packed: tuple[int, bytes] = pack_header_extensions([*extensions, (self._extension_id, NO_DELAY)])
        return packed


def negotiate_playout_delay(connection: RTCPeerConnection, transceiver: RTCRtpTransceiver) -> bool:
    """Answers the offered playout-delay extension, so that frames are shown at once. Between the two descriptions.

    Returns whether the other side knows it.
    """
    remote = SessionDescription.parse(connection.remoteDescription.sdp)
    for media in remote.media:
        if media.rtp.muxId != transceiver.mid:
            continue
        for extension in media.rtp.headerExtensions:
            if extension.uri == PLAYOUT_DELAY and extension.id <= ONE_BYTE_HEADER_MAX_ID:
                transceiver._headerExtensions.append(RTCRtpHeaderExtensionParameters(extension.id, PLAYOUT_DELAY))
                sender = cast(Any, transceiver.sender)
                sender._RTCRtpSender__rtp_header_extensions_map = _PlayoutDelayMap(extension.id)
                return True
    return False


def tune_gathering(connection: RTCPeerConnection, loopback: bool, limit_s: float) -> None:
    """Bounds how long STUN and TURN may take, and with `loopback` offers 127.0.0.1 as well, which aioice leaves out.

    For this connection only. Before the local description is set; that is when addresses are gathered.
    """
    for agent in _ice_agents(connection):
        _tune_agent(agent, loopback, limit_s)


def _tune_agent(agent: Any, loopback: bool, limit_s: float) -> None:
    gather = agent.get_component_candidates

    async def get_component_candidates(component: int, addresses: list[str], timeout: int = 5) -> Any:  # noqa: ASYNC109 - aioice's own signature
        more = ["127.0.0.1"] if loopback and "127.0.0.1" not in addresses else []
        return await gather(component=component, addresses=[*addresses, *more], timeout=min(timeout, limit_s))

    agent.get_component_candidates = get_component_candidates


def _ice_agents(connection: RTCPeerConnection) -> list[Any]:
    dtls = [t.receiver.transport for t in connection.getTransceivers()]
    if connection.sctp is not None:
        dtls.append(connection.sctp.transport)
    return list({id(d): d.transport.iceGatherer._connection for d in dtls}.values())


async def abort(connection: RTCPeerConnection) -> None:
    """Closes the sockets of a connection whose orderly `close` did not end in time."""
    for agent in _ice_agents(connection):
        await agent.close()
