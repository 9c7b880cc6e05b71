"""RTP header extensions that aiortc 1.16 does not offer of itself: playout-delay, and numbers for the whole transport.

Part of aiortc_hooks.py, where it says why; its tests hold the names used here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from aiortc import RTCPeerConnection, RTCRtpTransceiver
from aiortc.rtcrtpparameters import RTCRtcpFeedback, RTCRtpHeaderExtensionParameters
from aiortc.rtp import HeaderExtensions, HeaderExtensionsMap, pack_header_extensions, unpack_header_extensions
from aiortc.sdp import MediaDescription, SessionDescription

PLAYOUT_DELAY = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
TRANSPORT_NUMBER = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
SEND_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
TRANSPORT_FEEDBACK = RTCRtcpFeedback(type="transport-cc")
ONE_BYTE_HEADER = 0xBEDE
ONE_BYTE_HEADER_MAX_ID = 14  # RFC 8285, section 4.2
PLAYOUT_STEP_S = 0.01
PLAYOUT_MOST = 0xFFF


@dataclass(frozen=True, slots=True)
class Extensions:
    """The ids agreed upon; None: the other side does not know that one."""

    playout_delay: int | None = None
    number: int | None = None
    send_time: int | None = None


def negotiate(connection: RTCPeerConnection, transceiver: RTCRtpTransceiver) -> Extensions:
    """Answers what is offered of ours for this section. Between the two descriptions."""
    media = _offered(connection, transceiver)
    if media is None:
        return Extensions()
    ids = {e.uri: e.id for e in media.rtp.headerExtensions if e.id <= ONE_BYTE_HEADER_MAX_ID}
    if not any(TRANSPORT_FEEDBACK in codec.rtcpFeedback for codec in media.rtp.codecs):
        ids.pop(TRANSPORT_NUMBER, None)
    if transceiver.kind != "video":
        ids.pop(PLAYOUT_DELAY, None)
    for uri in (PLAYOUT_DELAY, TRANSPORT_NUMBER):
        if uri in ids:
            transceiver._headerExtensions.append(RTCRtpHeaderExtensionParameters(ids[uri], uri))
    if TRANSPORT_NUMBER in ids:
        for codec in transceiver._codecs:
            codec.rtcpFeedback = [*codec.rtcpFeedback, TRANSPORT_FEEDBACK]
    agreed = Extensions(ids.get(PLAYOUT_DELAY), ids.get(TRANSPORT_NUMBER), ids.get(SEND_TIME))
    cast(Any, transceiver.sender)._RTCRtpSender__rtp_header_extensions_map = OurExtensions(agreed)
    return agreed


def _offered(connection: RTCPeerConnection, transceiver: RTCRtpTransceiver) -> MediaDescription | None:
    remote = SessionDescription.parse(connection.remoteDescription.sdp)
    return next((media for media in remote.media if media.rtp.muxId == transceiver.mid), None)


class OurExtensions(HeaderExtensionsMap):
    """aiortc's header extensions, and with each packet the playout delay and room for the transport's number."""

    def __init__(self, agreed: Extensions) -> None:
        super().__init__()
        self._agreed = agreed
        self.ask_playout(0.0)

    def ask_playout(self, seconds: float) -> None:
        """Each frame from now on is to be shown so long after it has come; 0: at once, however unsteadily they come."""
        steps = min(PLAYOUT_MOST, max(0, round(seconds / PLAYOUT_STEP_S)))
        self._ours = []
        if self._agreed.playout_delay is not None:
            self._ours.append((self._agreed.playout_delay, (steps << 12 | steps).to_bytes(3, "big")))
        if self._agreed.number is not None:
            self._ours.append((self._agreed.number, b"\0\0"))
        self._packed: bytes = pack_header_extensions(self._ours)[1]

    def set(self, values: HeaderExtensions) -> tuple[int, bytes]:
        profile, packed = super().set(values)
        if profile == ONE_BYTE_HEADER or not packed:
            return ONE_BYTE_HEADER if packed or self._packed else 0, packed + self._packed
        both: tuple[int, bytes] = pack_header_extensions([*unpack_header_extensions(profile, packed), *self._ours])
        return both


def find(packet: bytes | bytearray, extension_id: int) -> int:
    """Where the value of this extension begins in an RTP packet with one-byte extension headers; -1: nowhere."""
    at = 12 + 4 * (packet[0] & 0x0F)
    if not packet[0] & 0x10 or len(packet) < at + 4 or packet[at] != 0xBE or packet[at + 1] != 0xDE:
        return -1
    end = min(len(packet), at + 4 + 4 * (packet[at + 2] << 8 | packet[at + 3]))
    at += 4
    while at < end:
        head = packet[at]
        if head >> 4 == extension_id:
            return at + 1
        at += 2 + (head & 0x0F) if head else 1
    return -1
