"""What a timeline is made of. Pure."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from kiosk.wire.channel import (
    Edit,
    Mark,
    MarkGone,
    MarkPose,
    Motion,
    Pointer,
    SnapshotClose,
    SnapshotOpen,
    StrokeBegin,
    StrokeEnd,
    StrokePin,
    StrokePoints,
    Undo,
)


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
)


class Line(Struct, frozen=True):
    """`at_s` may run back a little: what is drawn counts from the frame that its author saw."""

    at_s: float
    what: What
