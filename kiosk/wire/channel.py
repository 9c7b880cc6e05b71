"""What is said on the data channels of a call: `events` (reliable, ordered) and `poses` (unordered, unreliable).

One JSON object per message, told apart by `kind`. Points are (x, y) in 0..1 of the sent frame, origin top left.
`t` names a frame: the RTP timestamp as *that* participant receives it (`requestVideoFrameCallback().rtpTimestamp`);
None where a participant cannot tell. What the kiosk says names the frames of the participant it speaks to.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from kiosk.session.record import Id, Text

Coordinate = Annotated[float, Meta(ge=-0.5, le=1.5)]
"""A little outside is allowed: elements leave the picture, and pens slip over its edge."""
Point = tuple[Coordinate, Coordinate]
RtpTime = Annotated[int, Meta(ge=0, lt=2**32)]
Colour = Annotated[str, Meta(pattern=r"^#[0-9a-f]{6}$")]
MarkState = Literal["tracked", "unsure", "lost", "found"]
"""found: tracked again after it was lost; told for a moment, then it is tracked."""
EditTool = Literal["pen", "arrow", "box", "text", "step"]
Matrix = tuple[float, float, float, float, float, float, float, float, float]
"""A homography by rows: maps (x, y, 1), points in 0..1 of a frame, to another frame's."""

MAX_POINTS = 200
"""Points of one message; a stroke is streamed in many."""


class _Event(Struct, frozen=True, tag_field="kind", kw_only=True, omit_defaults=True):
    pass


# --- both ways: participants send them, the kiosk passes them on with `by` and `colour` filled in ---------------------


class StrokeBegin(_Event, tag="stroke-begin", frozen=True, kw_only=True):
    """The pen is down. pinned: the scene's motion carries the stroke along (StrokePin, Poses.motion)."""

    id: Id
    at: Point
    t: RtpTime | None = None
    pinned: bool = False
    by: Text = ""
    colour: Colour = "#ffffff"


class StrokePoints(_Event, tag="stroke-points", frozen=True, kw_only=True):
    """The stroke goes on. Of a pinned one, points are given where they would lie in the frame it began on."""

    id: Id
    points: Annotated[tuple[Point, ...], Meta(max_length=MAX_POINTS)]
    t: RtpTime | None = None


class StrokeEnd(_Event, tag="stroke-end", frozen=True, kw_only=True):
    """The pen is up; the stroke fades `fade_s` later."""

    id: Id
    fade_s: float = 4.0
    t: RtpTime | None = None


class Pointer(_Event, tag="pointer", frozen=True, kw_only=True):
    """A pointer without a trace; `at` None takes it away."""

    at: Point | None = None
    t: RtpTime | None = None
    by: Text = ""
    colour: Colour = "#ffffff"


class Edit(_Event, tag="edit", frozen=True, kw_only=True):
    """One edit of the snapshot that is open. The kiosk orders them and fills in `by`, `colour` and `n`.

    points: of a pen line all of them; of an arrow tail and tip; of a box two opposite corners; of a text the left end
    of its first line's top; of a numbered step its middle. n: the step's number. An edit that comes again (after a lost
    link) counts once; telling it to everybody acknowledges it.
    """

    id: Id
    snapshot: Id
    points: Annotated[tuple[Point, ...], Meta(min_length=1, max_length=1000)]
    tool: EditTool = "pen"
    text: Annotated[str, Meta(max_length=80)] = ""
    n: Annotated[int, Meta(ge=0)] = 0
    by: Text = ""
    colour: Colour = "#ffffff"


class Undo(_Event, tag="undo", frozen=True, kw_only=True):
    """From a participant: take back my newest edit. From the kiosk: `id` is gone ("": there was nothing to take back).

    op: names this wish: one that comes again is answered again and carried out once.
    """

    snapshot: Id
    id: str = ""
    op: Annotated[str, Meta(pattern=r"^[a-z0-9-]{0,40}$")] = ""


class SnapshotClose(_Event, tag="snapshot-close", frozen=True, kw_only=True):
    """Back to live, by either side."""


class Heartbeat(_Event, tag="heartbeat", frozen=True, kw_only=True):
    """Each second, both ways; answered by nobody. `sent_ms` is the sender's own clock.

    echo_ms: `sent_ms` of the last one heard, which was `held_ms` ago: so each side can tell how far the clocks are
    apart. None where none was heard, or by a participant that does not tell.
    """

    n: Annotated[int, Meta(ge=0)]
    sent_ms: float = 0.0
    echo_ms: float | None = None
    held_ms: float = 0.0


# --- participant -> kiosk ---------------------------------------------------------------------------------------------


class MarkCreate(_Event, tag="mark-create", frozen=True, kw_only=True):
    """Mark the element at a point (tap) or in a box (two corners), on the frame that was seen."""

    id: Id
    t: RtpTime | None = None
    at: Point | None = None
    box: tuple[Point, Point] | None = None
    label: Annotated[str, Meta(max_length=60)] = ""


class MarkRemove(_Event, tag="mark-remove", frozen=True, kw_only=True):
    id: Id


class EditDelete(_Event, tag="edit-delete", frozen=True, kw_only=True):
    """Take this edit away, whoever made it; the kiosk answers everybody with Undo, for one that is gone already too."""

    snapshot: Id
    id: Id


class SnapshotTake(_Event, tag="snapshot-take", frozen=True, kw_only=True):
    """A photograph now. `t` names the picture that was seen: where the snapshot stands in the recorded timeline."""

    t: RtpTime | None = None


class Mute(_Event, tag="mute", frozen=True, kw_only=True):
    on: bool


class HangUp(_Event, tag="hang-up", frozen=True, kw_only=True):
    """The participant goes for good, and says so where the desk cannot: it is not waited for, and where nobody else is
    in the call or awaited back, the call ends. Whose connection is closed without it (a page loaded anew) may return.
    """


class CameraOn(_Event, tag="camera", frozen=True, kw_only=True):
    """The staff camera is switched on or off; off at first."""

    on: bool


class Seen(_Event, tag="seen", frozen=True, kw_only=True):
    """What the participant saw of late, each two seconds or so, for the call's summary and its own display.

    frames: some of the frames shown, each with the moment on the clock of its heartbeats' `sent_ms`.
    freezes, frozen_s: since this connection began.
    """

    frames: Annotated[tuple[tuple[RtpTime, float], ...], Meta(max_length=20)] = ()
    freezes: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    frozen_s: Annotated[float, Meta(ge=0, le=1_000_000)] = 0.0


# --- kiosk -> participant ---------------------------------------------------------------------------------------------


class Hello(_Event, tag="hello", frozen=True, kw_only=True):
    """The first message on `events`; what is on the picture follows as if it were just being made.

    fade_s: how long strokes stay in this call: an author is not told the end of his own.
    """

    you: Text
    colour: Colour
    session: Id
    call: Id
    fade_s: float = 4.0


class StrokePin(_Event, tag="stroke-pin", frozen=True, kw_only=True):
    """A pinned stroke is held: in a frame whose Poses.motion has the same `anchor`, it lies where that motion puts what
    `matrix` makes of its points. Where the scene was lost the stroke ends and fades quickly."""

    id: Id
    anchor: int
    matrix: Matrix


class Mark(_Event, tag="mark", frozen=True, kw_only=True):
    """A mark is there, or its state or label has changed. Where it is comes on `poses`."""

    id: Id
    by: Text
    colour: Colour
    label: Text
    state: MarkState


class MarkGone(_Event, tag="mark-gone", frozen=True, kw_only=True):
    id: Id
    text: Text = ""


class SnapshotOpen(_Event, tag="snapshot-open", frozen=True, kw_only=True):
    """A picture is open for everybody. `chunks` binary messages with the JPEG follow, each led by its snapshot's
    id in 16 ASCII bytes (padded with spaces) and its index in 4 bytes, big endian."""

    id: Annotated[str, Meta(pattern=r"^[a-z0-9-]{3,16}$")]
    by: Text
    width: int
    height: int
    bytes: int
    chunks: int


class RecordingTold(_Event, tag="recording", frozen=True, kw_only=True):
    state: Literal["off", "asked", "on"]


class Quality(_Event, tag="quality", frozen=True, kw_only=True):
    """What the kiosk knows of the link to this participant, each second or two, and at each change of `step`.

    step: the rung of the ladder this participant is on: `full`, `smaller` (three quarters of the camera's width and
    height), `small` (half, and half the pictures a second), `stills` (one sharp picture a second).
    width, height, fps: of what is sent. word: the link in one word. delay_ms: from the camera to this participant's
    screen, as well as can be estimated by both clocks (`Seen`); None: not known.
    """

    bitrate_bps: int
    loss: float
    round_trip_ms: float
    step: Text = ""
    width: int = 0
    height: int = 0
    fps: int = 0
    word: Text = ""
    delay_ms: float | None = None


class People(_Event, tag="people", frozen=True, kw_only=True):
    """Who is in the call, with colours; sent at each change."""

    people: tuple[tuple[Text, Colour], ...]


class DeviceTold(_Event, tag="device", frozen=True, kw_only=True):
    """A part of the kiosk was lost, or is back; told at the edge, and to those who join meanwhile."""

    name: Literal["camera", "microphone", "speaker"]
    works: bool


class SoundTold(_Event, tag="sound", frozen=True, kw_only=True):
    """How it stands with the sound; told at each change, and to those who join."""

    muted: bool = False
    """The code user has switched the kiosk's microphone off."""
    turns: bool = False
    """Half-duplex: the kiosk's microphone is turned down while a participant speaks."""
    silent: tuple[Text, ...] = ()
    """The names of participants who have switched theirs off."""


class Trouble(_Event, tag="trouble", frozen=True, kw_only=True):
    """Something was refused or went wrong: the code of an error and a sentence.

    about: the id of what was refused (of an undo its `op`), where it has one.
    """

    code: Text
    text: Text
    about: Text = ""


FromParticipant = (
    StrokeBegin
    | StrokePoints
    | StrokeEnd
    | Pointer
    | Edit
    | Undo
    | SnapshotClose
    | Heartbeat
    | MarkCreate
    | MarkRemove
    | EditDelete
    | SnapshotTake
    | Mute
    | HangUp
    | CameraOn
    | Seen
)

FromKiosk = (
    StrokeBegin
    | StrokePoints
    | StrokeEnd
    | Pointer
    | Edit
    | Undo
    | SnapshotClose
    | Heartbeat
    | Hello
    | StrokePin
    | Mark
    | MarkGone
    | SnapshotOpen
    | RecordingTold
    | Quality
    | People
    | DeviceTold
    | SoundTold
    | Trouble
)


class MarkPose(Struct, frozen=True):
    """Where a mark is in the frame `t`: its four corners, clockwise from the top left one it had when made."""

    id: Id
    quad: tuple[tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float]]
    confidence: float
    state: MarkState


class Motion(Struct, frozen=True):
    """How the scene lies in this frame: from the coordinates of the frame that `anchor` stands for to this one's."""

    anchor: int
    matrix: Matrix


class Poses(Struct, frozen=True, omit_defaults=True):
    """On `poses`, once for each tracked frame. Coordinates may lie outside 0..1 where a mark has left the picture.

    motion: while strokes are pinned to the scene.
    """

    t: RtpTime
    marks: tuple[MarkPose, ...]
    motion: Motion | None = None
