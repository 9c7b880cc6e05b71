"""What is told of a session: one event for each change of its state. Pure."""

from __future__ import annotations

import hashlib

import msgspec
from msgspec import Struct

from kiosk.session.record import Change, Device, Person, Session, Ticket
from kiosk.session.states import State

TEST = "test"
KINDS = tuple(f"session.{state.value.lower()}" for state in State)


class Brief(Struct, frozen=True):
    """The session as it is after all that is known; `url` is its page at the desk."""

    id: str
    url: str
    state: State
    kiosk: str
    device: Device
    origin: str
    created_at: str
    reason: str
    requester: str
    visibility: str
    tickets: tuple[Ticket, ...]
    assigned: tuple[Person, ...]
    calls: int


class Told(Struct, frozen=True):
    """`n`: which change of the session's history it is, from 1: they may arrive in another order. `change.target` is
    the state that it led to; a later one may have led on meanwhile."""

    id: str
    type: str
    at: str
    n: int
    change: Change | None
    session: Brief | None


def news(told: Session, before: Session | None) -> list[tuple[int, Change]]:
    """What of the history is not known yet, with its number."""
    known = set(map(_key, before.history)) if before else set()
    return [(n, change) for n, change in enumerate(told.history, 1) if _key(change) not in known]


def _key(change: Change) -> bytes:
    return msgspec.json.encode(change)


def kind_of(change: Change) -> str:
    return f"session.{change.target.value.lower()}"


def event_of(session: Session, n: int, change: Change, url: str) -> Told:
    """The same change has the same id, whoever says it and how often. `url`: of the desk."""
    digest = hashlib.sha256(f"{session.id}\n{n}\n".encode() + _key(change)).hexdigest()
    return Told(f"evt_{digest[:32]}", kind_of(change), change.at, n, change, brief(session, url))


def test_event(drawn: str, at: str) -> Told:
    """For trying a webhook out; `drawn` makes its id one of its own."""
    return Told(f"evt_{drawn}", TEST, at, 0, None, None)


def brief(session: Session, url: str) -> Brief:
    return Brief(
        id=session.id,
        url=f"{url}/sessions/{session.id}",
        state=session.state,
        kiosk=session.kiosk,
        device=session.device,
        origin=session.origin,
        created_at=session.created_at,
        reason=session.reason,
        requester=session.requester,
        visibility=session.visibility,
        tickets=session.tickets,
        assigned=session.assigned,
        calls=len(session.calls),
    )
