"""What the desk reads in SDP, which is little: it hands offers and answers on, and the kiosk judges the media."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")


@dataclass(frozen=True, slots=True)
class Section:
    """One m-line: its kind (audio, video, application) and which way it goes, as the offerer sees it."""

    kind: str
    direction: str


def is_sdp(text: str) -> bool:
    return text.startswith("v=0")


def sections(sdp: str) -> list[Section]:
    head, *rest = _split(sdp)
    usual = _direction(head) or "sendrecv"
    return [Section(lines[0][2:].partition(" ")[0], _direction(lines) or usual) for lines in rest]


def one_way(sdp: str, direction: str) -> str:
    """The offer with what goes both ways narrowed to `direction`, so that the answer goes one way as well."""
    head, *rest = _split(sdp)
    usual = _direction(head) or "sendrecv"
    narrowed = [[line for line in head if line[2:] not in DIRECTIONS]]
    for lines in rest:
        own = _direction(lines) or usual
        kept = [line for line in lines if line[2:] not in DIRECTIONS]
        media = lines[0].startswith(("m=audio", "m=video"))
        narrowed.append([*kept, f"a={direction if own == 'sendrecv' else own}"] if media else lines)
    return _joined(line for lines in narrowed for line in lines)


def mux_only(answer: str) -> str:
    """An answer that says that RTP and RTCP share a port and nothing else will do (RFC 9725, 4.4.1; RFC 8858)."""
    if "a=rtcp-mux-only" in answer:
        return answer
    return answer.replace("a=rtcp-mux\r\n", "a=rtcp-mux\r\na=rtcp-mux-only\r\n")


def ufrag_of(sdp: str) -> str:
    """The first ICE user name fragment in an SDP or a fragment of one; empty where there is none."""
    return next((line[12:].strip() for line in sdp.splitlines() if line.startswith("a=ice-ufrag:")), "")


def candidates_of(fragment: str) -> list[tuple[str, str]]:
    """(mid, candidate) of the lines of a trickle-ice-sdpfrag (RFC 8840); an empty candidate is the end of them."""
    mid, found = "", []
    for line in fragment.splitlines():
        if line.startswith("a=mid:"):
            mid = line[6:].strip()
        elif line.startswith("a=candidate:"):
            found.append((mid[:20], line[2:].strip()))
        elif line.startswith("a=end-of-candidates"):
            found.append((mid[:20], ""))
    return found


def _split(sdp: str) -> list[list[str]]:
    """The session's lines, then those of each section."""
    parts: list[list[str]] = [[]]
    for line in sdp.splitlines():
        if line.startswith("m="):
            parts.append([])
        parts[-1].append(line)
    return parts


def _direction(lines: list[str]) -> str:
    return next((line[2:] for line in lines if line.startswith("a=") and line[2:] in DIRECTIONS), "")


def _joined(lines: Iterator[str]) -> str:
    return "".join(f"{line}\r\n" for line in lines)
