"""What a notification says: in the reader's language, as plain and short text, whatever comes from outside."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.notifications.words import MOST_TEXT, MOST_TITLE, Words, harmless
from kiosk.session.record import CODE_USER, Actor, Change, Device
from kiosk.session.states import Event, Role, State
from tests.contract.desk_site import AT, a_session

WORDS = Words("en")
PUSH_LIMIT = 3993
"""Of the 4096 bytes that push services take (RFC 8030, 7.2), encryption needs 103 (RFC 8188, RFC 8291)."""


def ended(state: State, event: Event, actor: Actor) -> tuple[Change, ...]:
    return (*a_session().history, Change(AT, actor, event, State.REQUESTED, state))


def test_each_reader_is_told_in_his_language_and_others_in_the_desks() -> None:
    session = a_session(reason="It is hot")
    assert WORDS.told(session, "request", 0, "de").title == "Neue Anfrage: Press 7"
    assert WORDS.told(session, "request", 0).title == "New request: Press 7"
    assert Words("de").told(session, "request", 0).title == "Neue Anfrage: Press 7"
    assert WORDS.told(session, "request", 0, "fr").title == "New request: Press 7"
    assert WORDS.told(session, "request", 1, "de").title == "Noch hat niemand reagiert: Press 7"


def test_who_asks_why_and_where_is_said_with_the_way_there() -> None:
    told = WORDS.told(a_session(reason="It is hot", requester="Max"), "request", 0)
    assert (told.text, told.path, told.tag, told.silent) == ("Max: It is hot", "/sessions/s-1", "asks-s-1", False)
    assert WORDS.told(a_session(), "request", 0).text == "No reason given"
    ring = WORDS.told(a_session(), "ring-1", 0)
    assert (ring.title, ring.tag) == ("Press 7 is calling", "rings-s-1")


ANNA = Actor(Role.STAFF, "anna", "Anna Berg")


@pytest.mark.parametrize(
    ("state", "event", "actor", "title"),
    [
        (State.CONFIRMED, Event.CONFIRM, ANNA, "Anna Berg has confirmed: Press 7"),
        (State.CANCELLED, Event.CANCEL, ANNA, "Anna Berg has called it off: Press 7"),
        (State.CANCELLED, Event.CANCEL, CODE_USER, "Called off: Press 7"),
    ],
)
def test_what_became_of_it_is_said_without_a_noise(state: State, event: Event, actor: Actor, title: str) -> None:
    over = WORDS.over(a_session(state=state, history=ended(state, event, actor)), "request")
    assert (over.title, over.silent, over.tag) == (title, True, "asks-s-1")


def test_a_session_that_has_gone_on_is_told_by_who_confirmed_it() -> None:
    history = (
        *ended(State.CONFIRMED, Event.CONFIRM, ANNA),
        Change(AT, CODE_USER, Event.START, State.CONFIRMED, State.RUNNING),
    )
    over = WORDS.over(a_session(state=State.RUNNING, history=history), "request")
    assert over.title == "Anna Berg has confirmed: Press 7"


@given(st.text(max_size=2000), st.text(max_size=200), st.text(max_size=200))
def test_whatever_comes_from_outside_is_one_short_line_and_fits_into_a_push(reason: str, name: str, who: str) -> None:
    session = a_session(reason=reason, device=Device("press-7", name), requester=who)
    for said in (WORDS.told(session, "request", 0), WORDS.told(session, "ring-1", 0), WORDS.over(session, "request")):
        assert len(said.title) <= MOST_TITLE
        assert len(said.text) <= MOST_TEXT
        assert (said.title + said.text).isprintable()
        assert len(msgspec.json.encode(said)) <= PUSH_LIMIT


def test_braces_from_outside_stay_what_they_are() -> None:
    session = a_session(device=Device("press-7", "{name} {0} {device.__class__}"), reason="{x}")
    assert WORDS.told(session, "request", 0).title == "New request: {name} {0} {device.__class__}"


@pytest.mark.parametrize("call", ["@everyone", "@here", "<!channel>", "<!here>", "<@U123>"])
def test_nobody_at_a_machine_calls_a_whole_chat(call: str) -> None:
    assert call not in harmless(f"It burns {call}!")
