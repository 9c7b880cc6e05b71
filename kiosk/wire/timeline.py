"""What a recording's timeline is made of, and how a file of it is read again. Pure.

Who plays a recording draws what kiosk/wire/replay.py makes of the lines; desk/web/static/js/timeline.js does the same
in the page, and tests/contract/test_same_replay.py holds both together.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec
from msgspec import Struct

from kiosk.wire.channel import (
    DeviceTold,
    Edit,
    Mark,
    MarkGone,
    MarkPose,
    Motion,
    Pointer,
    RecordingTold,
    SnapshotClose,
    SnapshotOpen,
    StrokeBegin,
    StrokeEnd,
    StrokePin,
    StrokePoints,
    Undo,
)

MAX_LINES = 1_000_000
MAX_LINE = 64_000
"""Bytes; the longest that is written is an edit of a thousand points."""
MAX_AT_S = 7 * 86400.0


class PosesAt(Struct, frozen=True, tag_field="kind", tag="poses"):
    marks: tuple[MarkPose, ...]
    motion: Motion | None = None


class Person(Struct, frozen=True, tag_field="kind", tag="person"):
    """Somebody came into the call or left it."""

    name: str
    colour: str
    change: Literal["joined", "left"]


class PictureStep(Struct, frozen=True, tag_field="kind", tag="step"):
    """The picture has this size in px from here on: a link became better or worse, or another camera was plugged in."""

    width: int
    height: int


What = (
    StrokeBegin
    | StrokePoints
    | StrokeEnd
    | StrokePin
    | Pointer
    | Edit
    | Undo
    | SnapshotOpen
    | SnapshotClose
    | Mark
    | MarkGone
    | PosesAt
    | Person
    | PictureStep
    | DeviceTold
    | RecordingTold
)


class Line(Struct, frozen=True):
    """`at_s` may run back a little: what is drawn counts from the frame that its author saw.

    what: also DeviceTold (the camera was lost, or is back) and RecordingTold (on: agreed to, which may be later than
    the first frame where there is a look-back; off: it ends).
    """

    at_s: float
    what: What


def read(lines: Iterable[bytes]) -> tuple[list[Line], int]:
    """The lines that can be understood, and how many cannot: a power cut leaves half a line, a bad disk worse."""
    good: list[Line] = []
    bad = 0
    for line in lines:
        if not line.strip():
            continue
        told = _line(line) if len(good) < MAX_LINES else None
        if told is None:
            bad += 1
        else:
            good.append(told)
    return good, bad


def _line(line: bytes) -> Line | None:
    if len(line) > MAX_LINE:
        return None
    try:
        told = msgspec.json.decode(line, type=Line)
    except (msgspec.MsgspecError, RecursionError):  # MsgspecError is also "not UTF-8"
        return None
    return told if 0 <= told.at_s <= MAX_AT_S else None
