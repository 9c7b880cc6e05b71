"""The life of a session as one table: (state, event) -> state, and who may cause it.

Read TABLE aloud and you know every life a session can have. `None` is the state before there is a session.
What follows from a state (the call opens, uploads begin, the screen changes) is computed from the state by whoever
follows it; nothing is called from here.
"""

from __future__ import annotations

from enum import StrEnum

from kiosk.errors import NotAllowed, WrongState


class State(StrEnum):
    REQUESTED = "REQUESTED"
    CONFIRMED = "CONFIRMED"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    CLOSED = "CLOSED"
    CANCELLED = "CANCELLED"


class Role(StrEnum):
    """What somebody is *towards one session*."""

    CODE_USER = "code_user"  # stands at the machine: the kiosk's own buttons and touch
    STAFF = "staff"  # assigned to the session
    MODERATOR = "moderator"  # staff with more rights, not assigned to the session
    OUTSIDER = "outsider"  # staff of the provider, not assigned
    FLEET = "fleet"  # fleet manager
    SYSTEM = "system"  # the kiosk itself: timers, the call, a restart


class Event(StrEnum):
    REQUEST = "request"
    CREATE = "create"
    CONFIRM = "confirm"
    START = "start"
    END = "end"
    CLOSE = "close"
    CANCEL = "cancel"
    REOPEN = "reopen"


_CODE_USER = frozenset({Role.CODE_USER})
_STAFF = frozenset({Role.STAFF})
_STAFF_OR_MODERATOR = frozenset({Role.STAFF, Role.MODERATOR})
_BOTH_SIDES = frozenset({Role.CODE_USER, Role.STAFF})
_CALL_ENDS = frozenset({Role.CODE_USER, Role.STAFF, Role.SYSTEM})
_STAFF_OR_TIME = frozenset({Role.STAFF, Role.SYSTEM})

S, E = State, Event

TABLE: dict[tuple[State | None, Event], tuple[State, frozenset[Role]]] = {
    (None, E.REQUEST): (S.REQUESTED, _CODE_USER),
    (None, E.CREATE): (S.CONFIRMED, _STAFF_OR_MODERATOR),
    (S.REQUESTED, E.CONFIRM): (S.CONFIRMED, _STAFF),
    (S.REQUESTED, E.CANCEL): (S.CANCELLED, _BOTH_SIDES),
    (S.CONFIRMED, E.START): (S.RUNNING, _BOTH_SIDES),
    (S.CONFIRMED, E.CANCEL): (S.CANCELLED, _BOTH_SIDES),
    (S.RUNNING, E.END): (S.COMPLETED, _CALL_ENDS),
    (S.RUNNING, E.CANCEL): (S.CANCELLED, _STAFF),
    (S.COMPLETED, E.CLOSE): (S.CLOSED, _STAFF_OR_TIME),
    (S.COMPLETED, E.CANCEL): (S.CANCELLED, _STAFF),
    (S.COMPLETED, E.REOPEN): (S.CONFIRMED, _STAFF_OR_MODERATOR),
    (S.CLOSED, E.REOPEN): (S.CONFIRMED, _STAFF_OR_MODERATOR),
    (S.CANCELLED, E.REOPEN): (S.CONFIRMED, _STAFF_OR_MODERATOR),
}

OPEN = frozenset({S.REQUESTED, S.CONFIRMED, S.RUNNING})
"""A kiosk has at most one session in one of these; reviews of earlier ones run beside it."""

ENDED = frozenset({S.CLOSED, S.CANCELLED})
"""Uploads run in these."""


def step(state: State | None, event: Event, role: Role) -> State:
    """The state that `event` leads to when caused by `role`.

    Raises:
        WrongState: the event does not exist in this state, whoever causes it.
        NotAllowed: it does, but this role may not cause it.
    """
    if (state, event) not in TABLE:
        raise WrongState(f"'{event}' is not possible while the session is {state or 'not there yet'}")
    target, roles = TABLE[state, event]
    if role not in roles:
        raise NotAllowed(f"'{event}' is not for {role}")
    return target
