"""Everything that can happen to a session, whatever its way in: a button, a command, the call, a timer.

The kinds that staff may send as commands are listed in COMMANDS; consent is not among them: it comes only from the
kiosk's own buttons and touch.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from kiosk.session.record import Artifact, Consent, Id, LongText, Person, Rating, Text, Ticket


class _Input(Struct, frozen=True, tag_field="kind", forbid_unknown_fields=False):
    pass


class Request(_Input, tag="request", frozen=True):
    """A code user finished the creation flow."""

    reason: LongText = ""
    requester: Text = ""
    note: LongText = ""
    tickets: tuple[Ticket, ...] = ()
    consent: Consent | None = None


class Create(_Input, tag="create", frozen=True):
    """Staff create a session directly."""

    reason: LongText = ""
    tickets: Annotated[tuple[Ticket, ...], Meta(max_length=20)] = ()


class Confirm(_Input, tag="confirm", frozen=True):
    pass


class Cancel(_Input, tag="cancel", frozen=True):
    cause: Text = ""


class Start(_Input, tag="start", frozen=True):
    """START pressed. Rings where the other side is not there; answers where the other side rings.

    `other_present` is filled in by the kiosk, never believed from a message.
    """

    other_present: bool = False


class GiveUp(_Input, tag="give-up", frozen=True):
    """Ringing given up or declined, by either side, or by time."""

    cause: Text = ""


class End(_Input, tag="end", frozen=True):
    cause: Text = ""


class Close(_Input, tag="close", frozen=True):
    cause: Text = ""


class Reopen(_Input, tag="reopen", frozen=True):
    pass


class Assign(_Input, tag="assign", frozen=True):
    person: Person


class Unassign(_Input, tag="unassign", frozen=True):
    person_id: Id


class LinkTicket(_Input, tag="link-ticket", frozen=True):
    ticket: Ticket


class UnlinkTicket(_Input, tag="unlink-ticket", frozen=True):
    ticket_id: Text


class SetVisibility(_Input, tag="set-visibility", frozen=True):
    visibility: Literal["public", "internal"]


class AskRecording(_Input, tag="ask-recording", frozen=True):
    pass


class StopRecording(_Input, tag="stop-recording", frozen=True):
    pass


class GiveConsent(_Input, tag="give-consent", frozen=True):
    """Agreed, refused or withdrawn at the kiosk itself."""

    consent: Consent


class RecordingRuns(_Input, tag="recording-runs", frozen=True):
    """The call tells whether packets go to disk now."""

    running: bool


class Joined(_Input, tag="joined", frozen=True):
    person: Person


class Muted(_Input, tag="muted", frozen=True):
    """The call's microphone was switched off or on at the kiosk; a call that goes on after a restart begins so."""

    call: Id
    on: bool


class CallSummary(_Input, tag="call-summary", frozen=True):
    call: Id
    figures: dict[str, float]


class AddArtifact(_Input, tag="add-artifact", frozen=True):
    """A file is whole on disk. One of the same id is replaced (a snapshot's layers change while it is edited)."""

    artifact: Artifact


class RecordingDeleted(_Input, tag="recording-deleted", frozen=True):
    """Consent was withdrawn, and these files of the call are gone from disk."""

    call: str
    names: tuple[str, ...]


class Uploaded(_Input, tag="uploaded", frozen=True):
    """The desk has verified and receipted the artifact."""

    artifact_id: Id
    sha256: str


class Lost(_Input, tag="lost", frozen=True):
    """The artifact's file is not on disk any more, or not what it was; nobody can be given it."""

    artifact_id: Id
    sha256: str
    reason: Literal["missing", "damaged", "unreadable"]


class Seen(_Input, tag="seen", frozen=True):
    person: Person


class Rate(_Input, tag="rate", frozen=True):
    rating: Rating


Command = (
    Create
    | Confirm
    | Cancel
    | Start
    | GiveUp
    | End
    | Close
    | Reopen
    | Assign
    | Unassign
    | LinkTicket
    | UnlinkTicket
    | SetVisibility
    | AskRecording
    | StopRecording
)
"""What may come from staff through the desk."""

Input = (
    Command
    | Request
    | GiveConsent
    | RecordingRuns
    | Joined
    | Muted
    | CallSummary
    | AddArtifact
    | RecordingDeleted
    | Uploaded
    | Lost
    | Seen
    | Rate
)
