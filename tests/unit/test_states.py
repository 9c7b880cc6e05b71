"""The state table, exhaustively: every state, every event, every role."""

from __future__ import annotations

import itertools

import pytest

from kiosk.errors import NotAllowed, WrongState
from kiosk.session.states import Event, Role, State, step

# Written down a second time, from the mission's table, as somebody who reads it aloud would.
U, S, M, K = Role.CODE_USER, Role.STAFF, Role.MODERATOR, Role.SYSTEM
ALLOWED: dict[tuple[State | None, Event], tuple[State, set[Role]]] = {
    (None, Event.REQUEST): (State.REQUESTED, {U}),
    (None, Event.CREATE): (State.CONFIRMED, {S, M}),
    (State.REQUESTED, Event.CONFIRM): (State.CONFIRMED, {S}),
    (State.REQUESTED, Event.CANCEL): (State.CANCELLED, {U, S}),
    (State.CONFIRMED, Event.START): (State.RUNNING, {U, S}),
    (State.CONFIRMED, Event.CANCEL): (State.CANCELLED, {U, S}),
    (State.RUNNING, Event.END): (State.COMPLETED, {U, S, K}),
    (State.RUNNING, Event.CANCEL): (State.CANCELLED, {S}),
    (State.COMPLETED, Event.CLOSE): (State.CLOSED, {S, K}),
    (State.COMPLETED, Event.CANCEL): (State.CANCELLED, {S}),
    (State.COMPLETED, Event.REOPEN): (State.CONFIRMED, {S, M}),
    (State.CLOSED, Event.REOPEN): (State.CONFIRMED, {S, M}),
    (State.CANCELLED, Event.REOPEN): (State.CONFIRMED, {S, M}),
}

EVERYTHING = list(itertools.product([None, *State], Event, Role))


@pytest.mark.parametrize(("state", "event", "role"), EVERYTHING)
def test_each_state_event_and_role_is_allowed_or_refused_as_the_mission_says(
    state: State | None, event: Event, role: Role
) -> None:
    if (state, event) not in ALLOWED:
        with pytest.raises(WrongState):
            step(state, event, role)
    elif role not in ALLOWED[state, event][1]:
        with pytest.raises(NotAllowed):
            step(state, event, role)
    else:
        assert step(state, event, role) is ALLOWED[state, event][0]


def test_all_combinations_are_there() -> None:
    assert len(EVERYTHING) == 7 * 8 * 6


def test_every_state_can_be_reached_and_left() -> None:
    targets = {target for target, _ in ALLOWED.values()}
    sources = {source for source, _ in ALLOWED if source}
    assert targets == set(State)
    assert sources == set(State)
