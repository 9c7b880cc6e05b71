"""The session record: all that is known of one session, told whole to whoever follows it.

Times are UTC ISO 8601 strings made by the book (`clock_ok` says whether the wall clock could be trusted);
nothing is ordered by them: order is (epoch, rev).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from msgspec import Meta, Struct

from kiosk.session.states import Event, Role, State

Id = Annotated[str, Meta(pattern=r"^[a-z0-9-]{3,40}$")]
MAX_TEXT = 200
Text = Annotated[str, Meta(max_length=MAX_TEXT)]
LongText = Annotated[str, Meta(max_length=2000)]
MAX_LOOK_BACK_S = 30
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]


class Person(Struct, frozen=True):
    """A staff member."""

    id: Id
    name: Text


class Actor(Struct, frozen=True):
    """Who caused something. `id` is empty for the code user and the system."""

    role: Role
    id: str = ""
    name: Text = ""


SYSTEM = Actor(Role.SYSTEM)
CODE_USER = Actor(Role.CODE_USER)


class Device(Struct, frozen=True):
    """The machine a kiosk is attached to."""

    id: Id
    name: Text


class Ticket(Struct, frozen=True):
    """A reference into somebody else's ticket system."""

    id: Text
    title: Text = ""
    link: Annotated[str, Meta(max_length=500, pattern=r"^(https?://.*)?$")] = ""


class Change(Struct, frozen=True):
    """One line of the history. `source` is None for the first."""

    at: str
    actor: Actor
    event: Event
    source: State | None
    target: State
    cause: Text = ""
    clock_ok: bool = True


class Consent(Struct, frozen=True):
    """What the code user said at the kiosk itself about being recorded, and to which words."""

    given: bool
    at: str
    wording: LongText
    language: str
    way: Literal["creation_flow", "call"]


class Recording(Struct, frozen=True):
    """allowed by the provider, asked by staff, agreed by the code user; running = packets go to disk now."""

    allowed: bool = False
    asked: bool = False
    consent: Consent | None = None
    running: bool = False
    on_withdrawal: Literal["keep", "delete"] = "delete"
    look_back_s: Annotated[int, Meta(ge=0, le=MAX_LOOK_BACK_S)] = 0

    @property
    def wanted(self) -> bool:
        """Whether frames may be kept now: all three must have said yes."""
        return self.allowed and self.asked and self.consent is not None and self.consent.given

    @property
    def deletes(self) -> bool:
        """Whether the code user has said no, and nothing of the call may stay."""
        return self.on_withdrawal == "delete" and self.consent is not None and not self.consent.given


class Call(Struct, frozen=True):
    id: Id
    started_at: str
    ended_at: str = ""
    participants: tuple[Person, ...] = ()
    summary: dict[str, float] = {}
    muted: bool = False


class ArtifactKind(StrEnum):
    RECORDING = "recording"  # fragmented MP4
    TIMELINE = "timeline"  # JSON lines beside a recording
    SNAPSHOT = "snapshot"  # the untouched original, JPEG
    LAYERS = "layers"  # the edits over it, SVG
    FLATTENED = "flattened"  # original + layers, JPEG
    SESSION_DATA = "session_data"  # the record itself, JSON


class Artifact(Struct, frozen=True):
    """A file that belongs to the session. `group` binds what belongs together (a snapshot and its layers)."""

    id: Id
    kind: ArtifactKind
    name: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9.-]{0,80}$")]
    content_type: Text
    bytes: Annotated[int, Meta(ge=0)]
    sha256: Sha256
    call: str = ""
    group: str = ""
    uploaded: bool = False  # the desk has receipted it
    lost: Literal["", "missing", "damaged", "unreadable"] = ""  # why the kiosk can give it to nobody any more

    @property
    def waits(self) -> bool:
        """Whether it still has to go to the desk."""
        return not (self.uploaded or self.lost)


class FileHash(Struct, frozen=True):
    name: str
    sha256: str  # empty: it was gone before it was told
    call: str = ""


class Receipt(Struct, frozen=True):
    """A line of the chain about consent (see receipts.py): what was said, or what became of files made under it."""

    n: int
    at: str
    what: Literal["said", "kept", "deleted"]
    consent: Consent | None = None
    files: tuple[FileHash, ...] = ()
    previous: str = ""
    hash: str = ""


class Ringing(Struct, frozen=True):
    """One side has pressed START and waits for the other; the camera stays off."""

    by: Literal["code_user", "staff"]
    name: Text = ""
    at: str = ""  # when it began; tells one ringing from the next


class Rating(Struct, frozen=True):
    stars: Annotated[int, Meta(ge=1, le=5)]
    text: LongText = ""


class Session(Struct, frozen=True):
    id: Id
    epoch: str
    rev: int
    kiosk: Id
    device: Device
    state: State
    origin: Literal["code_user", "staff"]
    created_at: str
    language: str = "de"
    reason: LongText = ""
    requester: Text = ""
    note: LongText = ""
    tickets: tuple[Ticket, ...] = ()
    asked: tuple[Person, ...] = ()
    assigned: tuple[Person, ...] = ()
    seen_by: tuple[Person, ...] = ()
    visibility: Literal["public", "internal"] = "public"
    recording: Recording = Recording()
    ringing: Ringing | None = None
    rang_in_vain: Text = ""  # why the last ringing ended without a call; empty when it rings (again) or is answered
    rang_by: Literal["code_user", "staff", ""] = ""  # who had rung in vain
    calls: tuple[Call, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    rating: Rating | None = None
    review_s: float = 600.0
    history: tuple[Change, ...] = ()
    consents: tuple[Receipt, ...] = ()

    @property
    def withdrawals(self) -> int:
        """How often the code user has said no to being recorded."""
        return sum(r.consent is not None and not r.consent.given for r in self.consents)

    @property
    def look_back_s(self) -> int:
        """So much of a call before its first recording begins may belong to it; the first no ends that for good."""
        return self.recording.look_back_s if self.recording.allowed and not self.withdrawals else 0

    @property
    def call(self) -> Call | None:
        """The call that is on now."""
        return self.calls[-1] if self.state is State.RUNNING and self.calls else None

    def has_staff(self, person_id: str) -> bool:
        return any(p.id == person_id for p in self.assigned)
