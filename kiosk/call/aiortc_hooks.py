"""Everything that reaches into private names of aiortc 1.16 and aioice; nothing else of ours does.

aiortc sends packets that were encoded elsewhere, but leaves to its user what a sender owes its receivers: keyframes
when they ask (it only tells its own encoder), a rate that follows their reports, pacing, bounded repair, and the
playout-delay extension, which takes the browser's jitter buffer from 100 ms to 20 ms. `VideoSender` adds these to one
RTCRtpSender. The rest stands beside: aiortc_hooks_extensions.py (what is negotiated), aiortc_hooks_wire.py (what
leaves by one transport).
tests/contract/test_aiortc_hooks.py fails loudly where a name used here is gone or means something else.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from typing import Any, Protocol, cast

from aiortc import RTCPeerConnection, RTCRtpTransceiver
from aiortc.rtp import RTCP_PSFB_APP, RtcpPsfbPacket, RtcpRrPacket, RtcpSrPacket, unpack_remb_fci

from kiosk.call.aiortc_hooks_extensions import OurExtensions, negotiate
from kiosk.call.aiortc_hooks_wire import PictureLane, SoundLane, Wire
from kiosk.call.feedback import Fate
from kiosk.call.pacer import COPY, PICTURE, REPAIR, Pacer
from kiosk.call.protection import Plan
from kiosk.call.repair import History, Refused, as_rtx, header_bytes

MARKER = 0x80
WINDOW_S = 0.3
WINDOW_LEAST_BYTES = 30_000
"""So much more than a round trip's worth may be on the way, unreported; then the picture waits: here a frame can still
be left out for a newer one, in a queue on the way it cannot."""
UNREPORTED_S = 1.0
"""A receiver that reports nothing any more says nothing about the way either."""
KICK_PACKETS = 16
"""A frame is put down packet by packet in one go; so many at most before the first of them leave."""
HELD_S = 0.02
TWICE_LOSS = 0.02
"""From this loss on a repair goes out twice: to ask for it again takes another round trip."""


class Feedback(Protocol):
    """Who follows what the receiver says of our video."""

    def keyframe_wanted(self) -> None: ...
    def estimated(self, remb_bps: float) -> None: ...
    def reported(self, loss: float, round_trip_s: float | None) -> None: ...
    def arrived(self, fates: list[Fate]) -> None: ...


class VideoSender:
    """One RTCRtpSender of pre-encoded video, with what aiortc leaves out.

    To be made after setRemoteDescription and before setLocalDescription: then the sender's transport is final, and
    nothing has been sent. `run` sends what has to wait its turn. Used from the loop only.
    """

    def __init__(
        self, connection: RTCPeerConnection, transceiver: RTCRtpTransceiver, to: Feedback, now: Callable[[], float]
    ) -> None:
        self._sender = cast(Any, transceiver.sender)
        self._to, self._now = to, now
        self._agreed = negotiate(connection, transceiver)
        self._wire = Wire(self._sender.transport, self._agreed, now, self._arrived, self._leaves, self.ssrc)
        self._pacer: Pacer[bytes] = Pacer(len)
        self._history = History(now())
        self._plan = Plan()
        self._total_bps, self._loss, self._round_trip_s = 1_300_000.0, 0.0, 0.1
        self._ssrcs = [ssrc.to_bytes(4, "big") for ssrc in (self.ssrc, self._sender._rtx_ssrc)]
        self._frame: list[bytes] = []
        self._rtx_number = 0
        self._ready, self._room = asyncio.Event(), asyncio.Event()
        self._sending = self._broken = False
        self._origin: int | None = None
        self._pts: int | None = None
        self.sound_lane: SoundLane | None = None
        self.new_bytes = 0
        """Of new picture, without repairs and copies."""
        self.counts = {"repairs": 0, "gone": 0, "refused": 0, "copies": 0, "unasked": 0}
        self._hook()

    def _hook(self) -> None:
        sender = self._sender
        self._aiortc_handle_rtcp = sender._handle_rtcp_packet
        self._aiortc_next_frame = sender._next_encoded_frame
        sender.setTransport(PictureLane(sender.transport, self._wire, self._put))
        sender._retransmit = self._retransmit
        sender._handle_rtcp_packet = self._handle_rtcp
        sender._next_encoded_frame = self._next_frame
        sender._send_keyframe = self._to.keyframe_wanted

    def add_sound(self, connection: RTCPeerConnection, transceiver: RTCRtpTransceiver) -> None:
        """Sound that goes by the same transport: never waits, and is counted with the rest. Called like the maker."""
        sender = cast(Any, transceiver.sender)
        if sender.transport is self._wire.transport:
            negotiate(connection, transceiver)
            self.sound_lane = SoundLane(sender.transport, self._wire, self._spend)
            sender.setTransport(self.sound_lane)

    @property
    def ssrc(self) -> int:
        return int(self._sender._ssrc)

    @property
    def round_trip_s(self) -> float | None:
        """As the receiver's reports have it."""
        value: float | None = self._sender._RTCRtpSender__rtt
        return value

    @property
    def sent_bytes(self) -> int:
        """Everything sent so far: picture, repairs, copies, and the sound that goes with it."""
        return self._wire.sent_bytes

    @property
    def queue_s(self) -> float:
        """How long what waits here needs to leave."""
        return self._pacer.queue_s

    def follow(
        self,
        total_bps: float,
        loss: float,
        round_trip_s: float,
        plan: Plan,
        gently: bool = False,
        room_bps: float = 0.0,
    ) -> None:
        """What pacing, repair and copies are measured by from now on. gently: no bursts, for stills."""
        self._total_bps, self._loss, self._round_trip_s = total_bps, loss, round_trip_s
        self._pacer.follow(total_bps, gently, room_bps)
        if plan.playout_s != self._plan.playout_s:
            extensions = self._sender._RTCRtpSender__rtp_header_extensions_map
            if isinstance(extensions, OurExtensions):
                extensions.ask_playout(plan.playout_s)
        self._plan = plan

    # --- frames named by their RTP timestamps -----------------------------------------------------------------------

    def to_wire(self, pts: int) -> int | None:
        """The RTP timestamp of the frame with this pts (90 kHz); None before the first frame went out."""
        return None if self._origin is None else (self._origin + pts) % 2**32

    def from_wire(self, t: int) -> int | None:
        """The pts of the frame with this RTP timestamp, the one nearest to the last frame sent."""
        if self._origin is None or self._pts is None:
            return None
        behind = (self._origin + self._pts - t + 2**31) % 2**32 - 2**31
        return self._pts - behind

    # --- what goes out ----------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Sends what waits, for as long as the connection lives."""
        while not self._broken:
            await self._send_what_may()
            wait_s = self._pacer.wait_s(self._now())
            if wait_s is None:
                self._ready.clear()
                await self._ready.wait()
            else:
                await asyncio.sleep(HELD_S if self._held() else wait_s)

    async def _next_frame(self, codec: Any) -> Any:
        """The next frame is taken only when the one before has nearly left: until then a newer one may come."""
        while self._pacer.waiting(PICTURE):
            self._room.clear()
            await self._room.wait()
        frame = await self._aiortc_next_frame(codec)
        if frame is not None:
            self._pts = frame.timestamp
        return frame

    async def _put(self, packet: bytes) -> None:
        if self._broken:
            raise ConnectionError
        now_s = self._now()
        self._learn_origin(packet)
        self.new_bytes += len(packet)
        self._history.remember(int.from_bytes(packet[2:4], "big"), packet, now_s)
        self._pacer.put(PICTURE, packet, now_s)
        self._frame.append(packet)
        whole = bool(packet[1] & MARKER)
        if whole:
            self._put_copies(now_s)
        if whole or not self._pacer.waiting(PICTURE) % KICK_PACKETS:
            await self._kick()

    async def _kick(self) -> None:
        """Sends at once what needs not wait, so that a good link costs no change of tasks."""
        if not self._sending:
            await self._send_what_may()
        if self._broken or self._pacer.queued_bytes:
            self._ready.set()

    async def _send_what_may(self) -> None:
        self._sending = True
        try:
            while not self._held() and self._pacer.wait_s(self._now()) == 0:
                await self._wire.send(self._pacer.take(self._now()))
        except ConnectionError:
            self._broken = True
        finally:
            self._sending = False
        if self._broken or not self._pacer.waiting(PICTURE):
            self._room.set()

    def _held(self) -> bool:
        """Whether more is on the way than the way is good for."""
        if self._agreed.number is None or not self._wire.reports:
            return False
        self._wire.log.forget_before(self._now() - UNREPORTED_S)
        most = max(WINDOW_LEAST_BYTES, self._total_bps / 8 * (self._round_trip_s + WINDOW_S))
        return self._wire.log.outstanding_bytes > most

    def _spend(self, size: int) -> None:
        self._pacer.spend(size, self._now())

    def _learn_origin(self, packet: bytes) -> None:
        if self._origin is None and self._pts is not None:
            self._origin = (int.from_bytes(packet[4:8], "big") - self._pts) % 2**32

    # --- against loss -----------------------------------------------------------------------------------------------

    def _put_copies(self, now_s: float) -> None:
        """The whole frame, once or twice, or its last packet, whose loss nobody would notice before the next frame."""
        frame, self._frame = self._frame, []
        for packet in {"none": [], "last": frame[-1:], "all": frame, "all twice": 2 * frame}[self._plan.copies]:
            self.counts["copies"] += 1
            self._pacer.put(COPY, self._again(packet), now_s)

    async def _retransmit(self, sequence_number: int) -> None:
        """Asked for by the receiver."""
        refused = self._repair(sequence_number)
        if refused is None:
            await self._kick()
        elif refused != "on its way":
            self.counts["gone" if refused == "gone" else "refused"] += 1
            self._to.keyframe_wanted()  # nothing else helps

    def _repair(self, sequence_number: int) -> Refused | None:
        """Puts it among what waits; or why not."""
        now_s = self._now()
        found = self._history.repair(sequence_number, now_s, self._total_bps, self._loss, self._round_trip_s)
        if not isinstance(found, bytes):
            return found
        self.counts["repairs"] += 1
        for _ in range(2 if self._loss > TWICE_LOSS else 1):
            self._pacer.put(REPAIR, self._again(found), now_s)
        return None

    def _leaves(self, packet: bytes) -> int | None:
        """Which packet of the picture it is, or is in it; None: it is of the sound."""
        ssrc = packet[8:12]
        if ssrc not in self._ssrcs:
            return None
        at = 2 if ssrc == self._ssrcs[0] else header_bytes(packet)
        number = int.from_bytes(packet[at : at + 2], "big")
        self._history.left(number)
        return number

    def _arrived(self, fates: list[Fate]) -> None:
        """A packet is sent again too where the receiver's asking for it was lost: its report says as much."""
        self._to.arrived(fates)
        for fate in fates:
            if fate.carried is None or not self._history.reported(fate.carried, fate.arrived_s is not None):
                continue
            if self._repair(fate.carried) is None:
                self.counts["unasked"] += 1
                self._ready.set()

    def _again(self, packet: bytes) -> bytes:
        payload_type = self._sender._RTCRtpSender__rtx_payload_type
        if payload_type is None:  # the other side knows no repair stream: the packet itself once more
            return packet
        self._rtx_number = (self._rtx_number + 1) % 2**16
        return as_rtx(packet, payload_type, self._rtx_number, self._sender._rtx_ssrc)

    # --- what comes back --------------------------------------------------------------------------------------------

    async def _handle_rtcp(self, packet: Any) -> None:
        await self._aiortc_handle_rtcp(packet)
        if isinstance(packet, RtcpPsfbPacket) and packet.fmt == RTCP_PSFB_APP:
            self._handle_remb(packet.fci)
        elif isinstance(packet, RtcpRrPacket | RtcpSrPacket):
            for report in packet.reports:
                if report.ssrc == self.ssrc:
                    self._to.reported(report.fraction_lost / 256, self.round_trip_s)

    def _handle_remb(self, fci: bytes) -> None:
        try:
            bps, ssrcs = unpack_remb_fci(fci)
        except (ValueError, struct.error):  # other application feedback, or garbage
            return
        if self.ssrc in ssrcs:
            self._to.estimated(float(bps))
