"""Where sound and the staff camera reach into private names of aiortc 1.16, beside aiortc_hooks.py.

aiortc decodes every packet that comes, in a thread for each track, whether anybody looks or not; and what it does with
sound holds a lost packet's successors back for 300 ms. Its jitter buffers, through which all packets go, are therefore
replaced: sound goes to our own (voice.py), and a camera's pictures come through only while they are shown.
tests/contract/test_aiortc_hooks_sound.py fails loudly where a name used here is gone or means something else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from aiortc import RTCRtpReceiver, RTCRtpSender
from aiortc.jitterbuffer import JitterBuffer, JitterFrame
from aiortc.rtp import RtcpRrPacket, RtcpSrPacket, RtpPacket

CAMERA_PACKETS = 512
"""As aiortc's own: more than a keyframe has."""
ASK_EACH = 30
"""Packets between two requests for a keyframe: some tenths of a second."""
_IDR, _SPS = 5, 7
_VP8_START = b"\x9d\x01\x2a"


def divert_sound(receiver: RTCRtpReceiver, take: Callable[[int, bytes], None]) -> None:
    """Hands each packet (RTP timestamp, Opus data) to `take`, in the loop and in the order they come; its track stays
    empty. Before the remote description is applied."""
    cast(Any, receiver)._RTCRtpReceiver__jitter_buffer = _SoundDiverted(take)


def follow_sound_reports(sender: RTCRtpSender, reported: Callable[[float], None]) -> None:
    """Tells of each report on the sound we send: how much of it (0..1) was lost since the one before."""
    its = cast(Any, sender)
    handle = its._handle_rtcp_packet

    async def handle_rtcp(packet: Any) -> None:
        await handle(packet)
        if isinstance(packet, RtcpRrPacket | RtcpSrPacket):
            for report in packet.reports:
                if report.ssrc == its._ssrc:
                    reported(report.fraction_lost / 256)

    its._handle_rtcp_packet = handle_rtcp


class CameraGate:
    """Before one receiver's decoder: pictures come through while it is open, from a keyframe on.

    seen: called for each packet that is dropped, in the loop. Made before the remote description is applied.
    """

    def __init__(self, receiver: RTCRtpReceiver, seen: Callable[[], None] = lambda: None) -> None:
        self._seen = seen
        self._buffer: JitterBuffer | None = None
        self._until_asked = 0
        self._has_keyframe = False
        self.dropped = 0
        cast(Any, receiver)._RTCRtpReceiver__jitter_buffer = self

    @property
    def is_open(self) -> bool:
        return self._buffer is not None

    def open(self, on: bool) -> None:
        if on == self.is_open:
            return
        self._buffer = JitterBuffer(CAMERA_PACKETS, is_video=True) if on else None
        self._has_keyframe, self._until_asked = False, 0

    def add(self, packet: RtpPacket) -> tuple[bool, JitterFrame | None]:
        """aiortc's JitterBuffer.add: (ask for a keyframe, a whole frame to decode)."""
        if self._buffer is None:
            self.dropped += 1
            self._seen()
            return False, None
        broken, frame = self._buffer.add(packet)
        if frame is not None and not self._has_keyframe:
            self._has_keyframe = _is_keyframe(frame.data)
            frame = frame if self._has_keyframe else None
        return self._asks(broken), frame

    def _asks(self, broken: bool) -> bool:
        if self._has_keyframe:
            return broken
        self._until_asked -= 1
        if self._until_asked >= 0:
            return False
        self._until_asked = ASK_EACH
        return True


class _SoundDiverted:
    def __init__(self, take: Callable[[int, bytes], None]) -> None:
        self._take = take

    def add(self, packet: RtpPacket) -> tuple[bool, JitterFrame | None]:
        self._take(packet.timestamp, packet.payload)
        return False, None


def _is_keyframe(data: bytes) -> bool:
    """Of H.264 in Annex B: whether it holds an IDR slice or the parameters that stand before one. Of VP8: its frame tag
    and start code (RFC 6386, section 9.1)."""
    if data[3:6] == _VP8_START:
        return not data[0] & 1
    at = data.find(b"\0\0\1")
    while at >= 0 and at + 3 < len(data):
        if data[at + 3] & 0x1F in (_IDR, _SPS):
            return True
        at = data.find(b"\0\0\1", at + 3)
    return False
