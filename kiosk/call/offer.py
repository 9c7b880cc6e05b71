"""A participant's SDP offer, judged before aiortc works on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from aiortc import RTCRtpCodecCapability, RTCRtpSender
from aiortc.sdp import MediaDescription, SessionDescription, parse_h264_profile_level_id

from kiosk.errors import Malformed, TooLarge
from kiosk.wire.codec import MAX_SDP

MAX_MEDIA = 8
BASELINE = "42"
"""profile_idc 66: the only profile that every WebRTC client must be able to decode (RFC 7742, section 6.2)."""


@dataclass(frozen=True, slots=True)
class Media:
    """One m-line, as the participant sees it."""

    kind: Literal["audio", "video"]
    sends: bool
    receives: bool


@dataclass(frozen=True, slots=True)
class Offer:
    """`sdp` without the candidates that would have to be looked up first; those are in `late` as (candidate, mid)."""

    sdp: str
    media: tuple[Media, ...]
    late: tuple[tuple[str, str], ...]


def read_offer(sdp: str) -> Offer:
    """The offer taken apart.

    Raises:
        Malformed: it is no SDP, has nothing to answer, or its video cannot be H.264 baseline.
    """
    if len(sdp) > MAX_SDP:
        raise TooLarge(f"the offer has {len(sdp)} characters, at most {MAX_SDP} are allowed")
    try:
        description = SessionDescription.parse(sdp)
    except Exception as error:  # named place: the parser breaks on strangers' text in any way it likes
        raise Malformed("the offer is no SDP") from error
    if not description.media or len(description.media) > MAX_MEDIA:
        raise Malformed(f"the offer has {len(description.media)} media sections, 1 to {MAX_MEDIA} can be answered")
    kept, late = _without_names(sdp)
    return Offer(kept, tuple(_media(m) for m in description.media if m.kind != "application"), late)


def h264_only() -> list[RTCRtpCodecCapability]:
    """What our video sections may be: constrained baseline first, then baseline, with repair (RTX)."""
    codecs = RTCRtpSender.getCapabilities("video").codecs
    h264 = [c for c in codecs if c.mimeType.lower() == "video/h264"]
    h264.sort(key=lambda c: not str(c.parameters.get("profile-level-id", "")).startswith("42e0"))
    return h264 + [c for c in codecs if c.mimeType.lower() == "video/rtx"]


def opus_only() -> list[RTCRtpCodecCapability]:
    """What our sound sections may be: the codec that every WebRTC client has (RFC 7874, section 3)."""
    codecs = RTCRtpSender.getCapabilities("audio").codecs
    return [c for c in codecs if c.mimeType.lower() == "audio/opus"]


def _media(m: MediaDescription) -> Media:
    kind: Literal["audio", "video"] = "video" if m.kind == "video" else "audio"
    if kind == "video" and m.port != 0 and not _has_baseline(m):
        raise Malformed("the offer has video without H.264 (constrained baseline, packetization-mode 1)")
    if kind == "audio" and m.port != 0 and not any(c.mimeType.lower() == "audio/opus" for c in m.rtp.codecs):
        raise Malformed("the offer has sound without Opus")
    direction = m.direction or "sendrecv"
    return Media(kind, sends=direction in ("sendrecv", "sendonly"), receives=direction in ("sendrecv", "recvonly"))


def _has_baseline(m: MediaDescription) -> bool:
    for codec in m.rtp.codecs:
        if codec.mimeType.lower() != "video/h264" or str(codec.parameters.get("packetization-mode", "0")) != "1":
            continue
        profile = str(codec.parameters.get("profile-level-id", "42e01f"))
        try:
            parse_h264_profile_level_id(profile)
        except ValueError:
            continue
        if profile.lower().startswith(BASELINE):
            return True
    return False


def _without_names(sdp: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Browsers hide addresses behind mDNS names; to look one up takes seconds where nobody answers.

    With names taken out, the end of candidates is not yet known either.
    """
    kept: list[str] = []
    late: list[tuple[str, str]] = []
    section: list[str] = []
    mid = ""
    for line in sdp.splitlines():
        if line.startswith("m="):
            late += [(name, mid) for name in section]
            section, mid = [], ""
        if line.startswith("a=mid:"):
            mid = line.removeprefix("a=mid:")
        if line.startswith("a=candidate:") and ".local " in line:
            section.append(line.removeprefix("a="))
        else:
            kept.append(line)
    late += [(name, mid) for name in section]
    if late:
        kept = [line for line in kept if line != "a=end-of-candidates"]
    return "\r\n".join(kept) + "\r\n", tuple(late)
