"""What is taken at the doors of desk/calls/whep.py, and with which status the rest is refused (RFC 9725, 4.1, 4.4)."""

from __future__ import annotations

from typing import Any

from litestar import Request

from desk.calls.peers import Way
from desk.calls.sdp import is_sdp, one_way, sections
from desk.problems import Problem, wrong_type
from kiosk.errors import Unreachable
from kiosk.wire.codec import MAX_SDP
from kiosk.wire.messages import Bye

SDP = "application/sdp"
FRAGMENT = "application/trickle-ice-sdpfrag"
BYE_STATUS = {
    "wrong_state": 409,
    "full": 409,
    "busy": 409,
    "not_assigned": 403,
    "not_allowed": 403,
    "malformed": 422,  # an offer that cannot be answered whole is not answered in part (RFC 9725, 4.4.3)
    "too_large": 413,
}
DIRECTIONS: dict[Way, tuple[str, str]] = {"whep": ("recvonly", "sendrecv"), "whip": ("sendonly", "sendrecv")}

AnyRequest = Request[Any, Any, Any]


def fitting(sdp: str, way: Way) -> str:
    """The offer as the kiosk is to answer it.

    Raises:
        Problem: 422 for one that goes another way than this door, or has more than one picture or sound.
    """
    if way not in DIRECTIONS:
        return sdp
    good, found = DIRECTIONS[way], sections(sdp)
    if not found or any(s.kind not in ("audio", "video") for s in found):
        raise Problem(422, "malformed", "only offers of audio and video are taken here")
    if any(s.direction not in good for s in found):
        raise Problem(422, "malformed", f"only offers whose audio and video are {' or '.join(good)} are taken here")
    if len({s.kind for s in found}) < len(found):
        raise Problem(422, "malformed", "at most one audio and one video are taken here")
    return one_way(sdp, good[0])


def must_take_sdp(request: AnyRequest) -> None:
    """Raises Problem 406 for a client that would not take our answer."""
    accepted = request.headers.get("accept", "*/*").lower()
    kinds = [part.partition(";")[0].strip() for part in accepted.split(",")]
    if not set(kinds) & {"*/*", "application/*", SDP}:
        raise Problem(406, "wrong_type", f"answers are {SDP}")


async def body(request: AnyRequest, wanted: str) -> str:
    """The body, of this type and at most MAX_SDP bytes."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != wanted:
        raise wrong_type(wanted)
    taken = bytearray()
    async for chunk in request.stream():
        taken += chunk
        if len(taken) > MAX_SDP:
            raise Problem(413, "too_large", f"at most {MAX_SDP} bytes are taken")
    try:
        text = taken.decode()
    except UnicodeDecodeError:
        text = ""
    if len(text) < 10 or (wanted == SDP and not is_sdp(text)):
        raise Problem(400, "malformed", "that is no SDP")
    return text


def later(error: Unreachable) -> Problem:
    return Problem(503, error.code, error.text, {"Retry-After": "2"})


def declined(bye: Bye) -> Problem:
    return Problem(BYE_STATUS.get(bye.code, 502), bye.code or "refused", bye.text or "the kiosk refused")
