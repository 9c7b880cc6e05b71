"""Everything the display needs to know, told whole: what is shown is a function of this and of Front alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kiosk.hw.ports import Picture
from kiosk.session.flow import Flow
from kiosk.session.provider import Provider
from kiosk.session.record import Session
from kiosk.wire.overlay import EditShape, Overlay

NOTHING_DRAWN = Overlay()

RecordingState = Literal["off", "asked", "on"]


@dataclass(frozen=True, slots=True, eq=False)
class SnapshotView:
    """The snapshot that is open, and the edits over it (points in 0..1 of the picture)."""

    id: str
    picture: Picture
    edits: tuple[EditShape, ...] = ()


@dataclass(frozen=True, slots=True)
class CallView:
    """The call that is on.

    people: (name, "#rrggbb") of every participant.
    turns: people speak in turns (half-duplex). silent: the names of those who have switched their microphones off.
    recording: "asked" = the code user must be asked for consent now.
    quality: of the worst link: "good", "fair", "poor" or "" (not known yet).
    step: how the picture is sent: "full", "smaller", "small", "stills" or "" (to nobody yet).
    on_stills: the names of those whose links carry single pictures only.
    frame: (width, height) in px of the sent frame; only its proportions count.
    """

    people: tuple[tuple[str, str], ...] = ()
    overlay: Overlay = NOTHING_DRAWN
    snapshot: SnapshotView | None = None
    staff_camera: bool = False
    muted: bool = False
    turns: bool = False
    silent: tuple[str, ...] = ()
    recording: RecordingState = "off"
    quality: str = ""
    step: str = ""
    on_stills: tuple[str, ...] = ()
    started_s: float = 0.0
    frame: tuple[int, int] = (1280, 720)


@dataclass(frozen=True, slots=True)
class View:
    """What the display shows of the kiosk.

    session: the one to show; `sent` = its newest revision is stored by the desk.
    staff_online: None = not known.
    flow_discarded: said once, after the creation flow timed out.
    troubles: codes of screens.TROUBLES, the worst first.
    article: id of the one that is open. recall: the session that was put away last can be looked at again.
    qr: where the code user finds what belongs to the session; empty = not (yet) known.
    now_s: monotonic seconds. touched_s: when anything happened at the kiosk last.
    """

    language: str
    device_name: str
    provider: Provider
    online: bool = False
    staff_online: bool | None = None
    session: Session | None = None
    sent: bool = False
    flow: Flow | None = None
    flow_discarded: bool = False
    call: CallView | None = None
    troubles: tuple[str, ...] = ()
    article: str | None = None
    recall: bool = False
    qr: str = ""
    now_s: float = 0.0
    touched_s: float = 0.0
    asleep: bool = False
