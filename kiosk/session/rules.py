"""What an input does to a session: `apply` is pure, the book calls it and writes the result to disk.

Who may do what is judged here for every input, whatever its way in. Who somebody is towards a session is judged here
as well (`role_of`): the kiosk does not believe a message that calls its sender assigned.
"""

from __future__ import annotations

from typing import assert_never

from msgspec import Struct, json
from msgspec.structs import replace

from kiosk.errors import (
    Busy,
    Full,
    NoSuchSession,
    NotAllowed,
    NotAssigned,
    RecordingOff,
    RequestsOff,
    WrongState,
)
from kiosk.session import inputs as do
from kiosk.session import receipts
from kiosk.session.provider import Provider
from kiosk.session.record import Actor, ArtifactKind, Call, Change, Device, Person, Recording, Ringing, Session
from kiosk.session.states import ENDED, OPEN, Event, Role, State, step

MAX_TICKETS = 20
MAX_ASSIGNED = 50
MAX_DOCUMENT = 60 * 1024
"""Bytes of the session as JSON. The wire takes 64 kB: what grew beyond could never be told, and would take the
connection down with it."""

ROOM_FOR_THE_END = 12 * 1024
"""Kept free for the call's files, and for what must always be possible."""

ROOM_FOR_WISHES = 4 * 1024
"""Kept free of snapshots beside that, so that staff can still assign, reopen and ask for a recording."""

ALWAYS = (
    do.End,
    do.Cancel,
    do.Close,
    do.GiveUp,
    do.StopRecording,
    do.RecordingRuns,
    do.RecordingDeleted,
    do.Uploaded,
    do.Lost,
)


class Now(Struct, frozen=True):
    """What the book knows when an input arrives; ids are drawn by the book, so that `apply` stays pure."""

    at: str
    clock_ok: bool
    epoch: str
    kiosk: str
    device: Device
    provider: Provider
    new_session_id: str
    new_call_id: str
    open_session_id: str | None  # the one session in OPEN, if any


def role_of(session: Session | None, provider: Provider, claimed: Actor) -> Actor:
    """The actor with the role that he really has towards `session` (or towards the device where it is None)."""
    if claimed.role in (Role.CODE_USER, Role.SYSTEM, Role.FLEET):
        return claimed
    assigned = session.assigned if session else provider.staff
    if any(p.id == claimed.id for p in assigned):
        role = Role.STAFF
    elif any(p.id == claimed.id for p in provider.moderators):
        role = Role.MODERATOR
    else:
        role = Role.OUTSIDER
    return replace(claimed, role=role)


def apply(session: Session | None, what: do.Input, actor: Actor, now: Now) -> Session:
    """The session after `what`; the very same object where nothing changed.

    Raises:
        Refused: one of its kinds; then nothing has changed.
    """
    actor = role_of(session, now.provider, actor)
    if isinstance(what, do.Request | do.Create):
        return _begin(what, actor, now)
    if session is None:
        raise NoSuchSession("the kiosk holds no such session")
    changed = _apply(session, what, actor, now)
    if changed == session:
        return session
    if not _fits(session, changed, what, actor):
        if actor.role is Role.SYSTEM:
            return session  # the kiosk's own news: nobody asked, so there is nobody to refuse it to
        raise Full("the session holds as much as can be told; please begin a new one")
    return replace(changed, rev=session.rev + 1)


def _fits(before: Session, after: Session, what: do.Input, actor: Actor) -> bool:
    """Whether `after` can still be told, or must be possible anyway."""
    said_no = before.recording.consent is not None and not before.recording.consent.given
    withdrawn = isinstance(what, do.GiveConsent) and not what.consent.given and not said_no
    record = isinstance(what, do.AddArtifact) and what.artifact.kind is ArtifactKind.SESSION_DATA
    if withdrawn or record or isinstance(what, ALWAYS):
        return True
    limit = MAX_DOCUMENT if actor.role is Role.SYSTEM else MAX_DOCUMENT - ROOM_FOR_THE_END
    size = len(json.encode(after))
    return size <= limit or size <= len(json.encode(before))


def takes_a_snapshot(session: Session) -> bool:
    """Whether its files (picture, drawings, both in one) can still be told, and some wishes of staff after them."""
    return len(json.encode(session)) <= MAX_DOCUMENT - ROOM_FOR_THE_END - ROOM_FOR_WISHES


def _begin(what: do.Request | do.Create, actor: Actor, now: Now) -> Session:
    provider = now.provider
    event = Event.REQUEST if isinstance(what, do.Request) else Event.CREATE
    _staff_only_if_assigned(actor, moderator_too=True)
    state = step(None, event, actor.role)
    if event is Event.REQUEST and not provider.requests_allowed:
        raise RequestsOff("requests are switched off at this kiosk")
    if now.open_session_id is not None:
        raise Busy("another session is in progress at this kiosk")
    consent = what.consent if isinstance(what, do.Request) else None
    by_staff = Person(actor.id, actor.name) if event is Event.CREATE else None
    assigned = provider.staff
    if by_staff and all(p.id != by_staff.id for p in assigned):
        assigned = (*assigned, by_staff)
    session = Session(
        id=now.new_session_id,
        epoch=now.epoch,
        rev=1,
        kiosk=now.kiosk,
        device=now.device,
        state=state,
        origin="code_user" if event is Event.REQUEST else "staff",
        created_at=now.at,
        language=provider.language,
        reason=what.reason,
        requester=what.requester if isinstance(what, do.Request) else "",
        note=what.note if isinstance(what, do.Request) else "",
        tickets=what.tickets,
        asked=provider.staff,
        assigned=assigned,
        visibility=provider.visibility,
        recording=Recording(
            allowed=provider.recording_allowed,
            asked=provider.recording_allowed and provider.recording_wanted,
            on_withdrawal=provider.on_withdrawal,
            look_back_s=provider.look_back_s,
        ),
        review_s=provider.review_s,
        history=(Change(now.at, actor, event, None, state, clock_ok=now.clock_ok),),
    )
    return receipts.said(session, consent, now.at) if consent and provider.recording_allowed else session


def _apply(s: Session, what: do.Input, actor: Actor, now: Now) -> Session:  # noqa: PLR0911, PLR0912, PLR0915 - a line per input
    match what:
        case do.Confirm():
            return _move(s, Event.CONFIRM, actor, now)
        case do.Cancel(cause):
            return _move(s, Event.CANCEL, actor, now, cause)
        case do.Start(other_present):
            return _start(s, other_present, actor, now)
        case do.GiveUp(cause):
            _require(actor, Role.CODE_USER, Role.STAFF, Role.SYSTEM)
            return _give_up(s, cause, actor)
        case do.End(cause):
            return _move(s, Event.END, actor, now, cause)
        case do.Close(cause):
            return _move(s, Event.CLOSE, actor, now, cause)
        case do.Reopen():
            if now.open_session_id not in (None, s.id):
                raise Busy("another session is in progress at this kiosk")
            return _by_present_settings(_move(s, Event.REOPEN, actor, now), now.provider)
        case do.Assign(person):
            _require(actor, Role.STAFF, Role.MODERATOR)
            return _assign(s, person)
        case do.Unassign(person_id):
            _require(actor, Role.STAFF, Role.MODERATOR)
            return _unassign(s, person_id)
        case do.LinkTicket(ticket):
            _require(actor, Role.STAFF, Role.MODERATOR)
            others = tuple(t for t in s.tickets if t.id != ticket.id)
            if len(others) >= MAX_TICKETS:
                raise WrongState(f"a session has at most {MAX_TICKETS} tickets")
            return replace(s, tickets=(*others, ticket))
        case do.UnlinkTicket(ticket_id):
            _require(actor, Role.STAFF, Role.MODERATOR)
            return replace(s, tickets=tuple(t for t in s.tickets if t.id != ticket_id))
        case do.SetVisibility(visibility):
            _require(actor, Role.STAFF, Role.MODERATOR)
            return replace(s, visibility=visibility)
        case do.AskRecording():
            _require(actor, Role.STAFF)
            _open_for_recording(s)
            return replace(s, recording=replace(s.recording, asked=True))
        case do.StopRecording():
            _require(actor, Role.STAFF, Role.CODE_USER)
            return replace(s, recording=replace(s.recording, asked=False))
        case do.GiveConsent(consent):
            _require(actor, Role.CODE_USER)
            _open_for_recording(s)
            return receipts.said(s, consent, now.at)
        case do.RecordingRuns(running):
            _require(actor, Role.SYSTEM)
            # said late, after the call: nothing runs any more, whatever the recorder knew when it said it
            return replace(s, recording=replace(s.recording, running=running and s.state is State.RUNNING))
        case do.Joined(person):
            _require(actor, Role.SYSTEM)
            return _joined(s, person)
        case do.Muted(call, on):
            _require(actor, Role.SYSTEM)
            return replace(s, calls=tuple(replace(c, muted=on) if c.id == call else c for c in s.calls))
        case do.CallSummary(call, figures):
            _require(actor, Role.SYSTEM)
            return replace(s, calls=tuple(replace(c, summary=figures) if c.id == call else c for c in s.calls))
        case do.AddArtifact(artifact):
            _require(actor, Role.SYSTEM)
            if receipts.must_go(s, artifact):
                return s
            others_ = tuple(a for a in s.artifacts if a.id != artifact.id)
            return receipts.kept(replace(s, artifacts=(*others_, artifact)), artifact, now.at)
        case do.RecordingDeleted(call, names):
            _require(actor, Role.SYSTEM)
            return receipts.deleted(s, call, names, now.at)
        case do.Uploaded(artifact_id, sha256):
            _require(actor, Role.SYSTEM)
            return replace(
                s,
                artifacts=tuple(
                    replace(a, uploaded=True, lost="") if (a.id, a.sha256) == (artifact_id, sha256) else a
                    for a in s.artifacts
                ),
            )
        case do.Lost(artifact_id, sha256, reason):
            _require(actor, Role.SYSTEM)
            return replace(
                s,
                artifacts=tuple(
                    replace(a, lost=reason) if (a.id, a.sha256) == (artifact_id, sha256) and a.waits else a
                    for a in s.artifacts
                ),
            )
        case do.Seen(person):
            _require(actor, Role.SYSTEM)
            return s if any(p.id == person.id for p in s.seen_by) else replace(s, seen_by=(*s.seen_by, person))
        case do.Rate(rating):
            _require(actor, Role.CODE_USER)
            if s.state in OPEN:
                raise WrongState("a session is rated when its call is over")
            return replace(s, rating=rating)
        case do.Request() | do.Create():
            raise AssertionError("begun elsewhere")
        case _:
            assert_never(what)


def _move(s: Session, event: Event, actor: Actor, now: Now, cause: str = "") -> Session:
    _staff_only_if_assigned(actor, moderator_too=True)
    source, target = s.state, step(s.state, event, actor.role)
    s = replace(
        s,
        state=target,
        ringing=None,
        rang_in_vain="",
        rang_by="",
        history=(*s.history, Change(now.at, actor, event, source, target, cause, now.clock_ok)),
    )
    if target is State.RUNNING:
        recording = _at_most_as_today(s.recording, now.provider)
        s = replace(s, calls=(*s.calls, Call(now.new_call_id, now.at)), recording=recording)
    if source is State.RUNNING:
        ended = replace(s.calls[-1], ended_at=now.at)
        s = replace(s, calls=(*s.calls[:-1], ended), recording=replace(s.recording, running=False))
    return s


def _at_most_as_today(recording: Recording, provider: Provider) -> Recording:
    """What the provider has switched off meanwhile is off; what it has switched on, nobody was asked about."""
    return replace(
        recording,
        allowed=recording.allowed and provider.recording_allowed,
        look_back_s=min(recording.look_back_s, provider.look_back_s),
    )


def _start(s: Session, other_present: bool, actor: Actor, now: Now) -> Session:
    _staff_only_if_assigned(actor)
    if s.state is State.RUNNING and actor.role in (Role.STAFF, Role.CODE_USER):
        return s  # pressed on both sides in the same second: the call is on, nobody is refused
    step(s.state, Event.START, actor.role)  # refuses
    side = "staff" if actor.role is Role.STAFF else "code_user"
    answers = s.ringing is not None and s.ringing.by != side
    if other_present or answers:
        return _move(s, Event.START, actor, now)
    if s.ringing is not None:
        return s  # pressed again: it rings already
    ringing = Ringing("staff" if side == "staff" else "code_user", actor.name, now.at)
    return replace(s, ringing=ringing, rang_in_vain="", rang_by="")


def _give_up(s: Session, cause: str, actor: Actor) -> Session:
    if s.ringing is None:
        raise WrongState("nothing is ringing")
    caller = "code_user" if actor.role is Role.CODE_USER else "staff"
    said = "given_up" if s.ringing.by == caller else "declined"
    why = cause if actor.role is Role.SYSTEM else said
    return replace(s, ringing=None, rang_in_vain=why, rang_by=s.ringing.by)


def _by_present_settings(s: Session, provider: Provider) -> Session:
    """A reopened session keeps all it had, consent too; what the provider decides is decided by today's settings."""
    allowed = provider.recording_allowed
    asked = s.recording.asked if s.recording.allowed else provider.recording_wanted
    recording = replace(s.recording, allowed=allowed, asked=allowed and asked)
    return replace(s, recording=recording, review_s=provider.review_s)


def _assign(s: Session, person: Person) -> Session:
    if s.has_staff(person.id):
        return s
    if len(s.assigned) >= MAX_ASSIGNED:
        raise Full(f"at most {MAX_ASSIGNED} people are assigned to a session")
    return replace(s, assigned=(*s.assigned, person))


def _unassign(s: Session, person_id: str) -> Session:
    left = tuple(p for p in s.assigned if p.id != person_id)
    if s.assigned and not left:
        raise WrongState("the last of the assigned cannot leave: assign somebody else first")
    return replace(s, assigned=left)


def _joined(s: Session, person: Person) -> Session:
    call = s.call
    if call is None:
        raise WrongState("nobody can join: no call is on")
    if any(p.id == person.id for p in call.participants):
        return s
    joined = replace(call, participants=(*call.participants, person))
    return replace(s, calls=(*s.calls[:-1], joined))


def _open_for_recording(s: Session) -> None:
    if not s.recording.allowed:
        raise RecordingOff("the provider does not allow recordings at this kiosk")
    if s.state in ENDED:
        raise WrongState("the session is over")


def _require(actor: Actor, *roles: Role) -> None:
    if actor.role in roles:
        return
    _staff_only_if_assigned(actor, moderator_too=Role.MODERATOR in roles)
    raise NotAllowed(f"not for {actor.role}")


def _staff_only_if_assigned(actor: Actor, *, moderator_too: bool = False) -> None:
    if actor.role is Role.OUTSIDER or (actor.role is Role.MODERATOR and not moderator_too):
        raise NotAssigned(f"{actor.name or actor.id} is not assigned")
