"""A participant's SDP offer, judged before aiortc works on it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from aiortc import RTCRtpCodecCapability, RTCRtpSender
from aiortc.sdp import MediaDescription, SessionDescription, parse_h264_profile_level_id

from kiosk.errors import Malformed, TooLarge
from kiosk.wire.codec import MAX_SDP

MAX_MEDIA = 8
BASELINE = "42"
"""profile_idc 66: the only profile that every WebRTC client must be able to decode (RFC 7742, section 6.2)."""


ICE_UFRAG = re.compile(r"[A-Za-z0-9+/]{4,256}")
ICE_PASSWORD = re.compile(r"[A-Za-z0-9+/]{22,256}")
MAX_CANDIDATES = 100

Codec = Literal["h264", "vp8", "opus"]


@dataclass(frozen=True, slots=True)
class Media:
    """One m-line, as the participant sees it. codec: what it is answered with."""

    kind: Literal["audio", "video"]
    sends: bool
    receives: bool
    codec: Codec


@dataclass(frozen=True, slots=True)
class Offer:
    """`sdp` without the candidates that would have to be looked up first; those are in `late` as (candidate, mid)."""

    sdp: str
    media: tuple[Media, ...]
    late: tuple[tuple[str, str], ...]


def read_offer(sdp: str) -> Offer:
    """The offer taken apart.

    Raises:
        Malformed: it is no SDP, has nothing to answer, its video can be neither H.264 baseline nor VP8, or its sound
            is not Opus.
    """
    if len(sdp) > MAX_SDP:
        raise TooLarge(f"the offer has {len(sdp)} characters, at most {MAX_SDP} are allowed")
    sdp = _bundled_on(sdp)
    try:
        description = SessionDescription.parse(sdp)
    except Exception as error:  # named place: the parser breaks on strangers' text in any way it likes
        raise Malformed("the offer is no SDP") from error
    if not description.media or len(description.media) > MAX_MEDIA:
        raise Malformed(f"the offer has {len(description.media)} media sections, 1 to {MAX_MEDIA} can be answered")
    kept, late = _without_names(sdp)
    return Offer(kept, tuple(_media(m) for m in description.media if m.kind != "application"), late)


@dataclass(frozen=True, slots=True)
class Fragment:
    """One side of an ICE restart (RFC 8840). candidates: `candidate:…` each; an empty one is the end of them."""

    ufrag: str
    password: str
    candidates: tuple[str, ...] = ()

    def sdp(self, mid: str) -> str:
        """As a trickle-ice-sdpfrag for the section that carries all others."""
        lines = [f"a={c}" if c else "a=end-of-candidates" for c in self.candidates]
        head = ("m=audio 9 UDP/TLS/RTP/SAVPF 0", f"a=mid:{mid}")
        return "".join(
            f"{line}\r\n" for line in (*head, f"a=ice-ufrag:{self.ufrag}", f"a=ice-pwd:{self.password}", *lines)
        )


def read_fragment(text: str) -> Fragment:
    """What asks for an ICE restart.

    Raises:
        Malformed: it has no name or no password of the length that RFC 8839, section 5.4, wants.
    """
    ufrag = password = ""
    candidates: list[str] = []
    for line in text.splitlines():
        name, _, value = line.strip().partition(":")
        if name == "a=ice-ufrag":
            ufrag = ufrag or value
        elif name == "a=ice-pwd":
            password = password or value
        elif name == "a=candidate":
            candidates.append(f"candidate:{value}")
        elif name == "a=end-of-candidates":
            candidates.append("")
    if not ICE_UFRAG.fullmatch(ufrag) or not ICE_PASSWORD.fullmatch(password):
        raise Malformed("a restart of ICE needs a=ice-ufrag and a=ice-pwd")
    return Fragment(ufrag, password, tuple(sorted(candidates[:MAX_CANDIDATES], key=lambda c: not c)))


def codecs(codec: Codec) -> list[RTCRtpCodecCapability]:
    """What a section that is answered with this codec may be: for H.264 constrained baseline first; video with RTX.

    Opus is what every WebRTC client has (RFC 7874, section 3).
    """
    kind = "audio" if codec == "opus" else "video"
    known = RTCRtpSender.getCapabilities(kind).codecs
    found = [c for c in known if c.mimeType.lower() == f"{kind}/{codec}"]
    found.sort(key=lambda c: not str(c.parameters.get("profile-level-id", "")).startswith("42e0"))
    return found + [c for c in known if c.mimeType.lower() == "video/rtx"]


def _media(m: MediaDescription) -> Media:
    kind: Literal["audio", "video"] = "video" if m.kind == "video" else "audio"
    direction = m.direction or "sendrecv"
    sends, receives = direction in ("sendrecv", "sendonly"), direction in ("sendrecv", "recvonly")
    codec = _codec_of(m, kind)
    if codec == "vp8" and sends and not receives and m.port != 0:
        raise Malformed("the offer sends video without H.264 (constrained baseline, packetization-mode 1)")
    return Media(kind, sends=sends and codec != "vp8", receives=receives, codec=codec)


def _codec_of(m: MediaDescription, kind: Literal["audio", "video"]) -> Codec:
    """Raises Malformed: it has none of ours. A section that is off may have what it likes."""
    names = {c.mimeType.lower() for c in m.rtp.codecs}
    if kind == "audio":
        if m.port != 0 and "audio/opus" not in names:
            raise Malformed("the offer has sound without Opus")
        return "opus"
    if m.port == 0 or _has_baseline(m):
        return "h264"
    if "video/vp8" not in names:
        raise Malformed(
            "the offer has video without H.264 (constrained baseline, packetization-mode 1) and without VP8"
        )
    return "vp8"


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


def _bundled_on(sdp: str) -> str:
    """Sections that go by another one's way bear port 0 in an offer (bundle-only: RFC 9143, section 6), as Firefox
    writes it; aiortc would take them for switched off."""
    head, *sections = re.split(r"^(?=m=)", sdp, flags=re.MULTILINE)
    bundled = re.compile(r"^a=bundle-only\s*$", re.MULTILINE)
    return head + "".join(re.sub(r"^(m=\S+) 0 ", r"\1 9 ", s) if bundled.search(s) else s for s in sections)


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
