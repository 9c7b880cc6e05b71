"""Filters, search and paging of sessions and kiosks, on SQLite and on PostgreSQL alike."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from alembic import command
from sqlalchemy import text
from sqlalchemy.engine import Connection

from desk import database as db
from desk.config import Config
from desk.database import database_url, engine_of, migrate
from desk.sessions.store import Store, open_store
from desk.sessions.wanted import Wanted, WantedKiosks, seconds, words_of
from kiosk.errors import Malformed
from kiosk.session.record import CODE_USER, Change, Device, Session, Ticket
from kiosk.session.states import Event, State
from kiosk.wire.codec import encode
from kiosk.wire.messages import About
from tests.contract.desk_site import ANNA, BEN, DEVICE, KIOSK, Kiosk, a_session, next_rev

NOW = 1_772_000_000.0


@pytest.fixture
async def store(database: str) -> AsyncIterator[Store]:
    store = await open_store(database_url(Config(database=database)), now=lambda: NOW)
    yield store
    await store.close()


def at(minute: int) -> str:
    return f"2026-03-01T{10 + minute // 60:02}:{minute % 60:02}:00Z"


def made(n: int, **more: Any) -> Session:
    """The `n`th of a day, a minute after the one before."""
    history = (Change(at(n), CODE_USER, Event.REQUEST, None, State.REQUESTED),)
    return a_session(f"s-{n:03}", created_at=at(n), history=history, **more)


async def found(store: Store, **wanted: Any) -> list[str]:
    return [session.id for session in (await store.sessions(Wanted(**wanted))).sessions]


async def test_every_filter_narrows_and_all_must_fit(store: Store) -> None:
    await store.take_session(made(1))
    await store.take_session(made(2, assigned=(BEN,), state=State.RUNNING))
    await store.take_session(made(3, kiosk="kiosk-2", device=Device("lathe-1", "Lathe"), asked=(BEN,), assigned=(BEN,)))
    assert await found(store) == ["s-003", "s-002", "s-001"]
    assert await found(store, seen_by=ANNA.id) == ["s-002", "s-001"]
    assert await found(store, seen_by=ANNA.id, assigned=ANNA.id) == ["s-001"]
    assert await found(store, assigned=BEN.id) == ["s-003", "s-002"]
    assert await found(store, states=("RUNNING", "CLOSED")) == ["s-002"]
    assert await found(store, kiosk=KIOSK, states=("REQUESTED",)) == ["s-001"]
    assert await found(store, device="lathe-1") == ["s-003"]
    assert await found(store, device="lathe-1", states=("CLOSED",)) == []


async def test_somebody_taken_off_is_not_responsible_any_more(store: Store) -> None:
    await store.take_session(made(1))
    assert await found(store, assigned=ANNA.id) == ["s-001"]
    await store.take_session(next_rev(made(1), assigned=(BEN,)))
    assert await found(store, assigned=ANNA.id) == []
    assert await found(store, seen_by=ANNA.id) == ["s-001"]


async def test_from_when_to_when(store: Store) -> None:
    for n in range(4):
        await store.take_session(made(n))
    since, until = seconds("since", at(1)), seconds("until", at(3))
    assert await found(store, since_s=since, until_s=until) == ["s-002", "s-001"]
    assert await found(store, since_s=seconds("since", "2026-03-01T12:03:00+02:00")) == ["s-003"]


@pytest.mark.parametrize("time", ["yesterday", "2026-03-01T10:00:00", "2026-03-01", "99999-01-01T00:00:00Z"])
def test_what_is_no_time_is_refused(time: str) -> None:
    with pytest.raises(Malformed):
        seconds("since", time)


@pytest.mark.parametrize(
    "words",
    [
        "e-217",
        "Störung",
        "STÖRUNG",
        "straße",
        "STRASSE",
        "müller",
        "T-9",
        "100%",
        "druck press anna",
        "s-001",
        "a_b",
        "press-7",
    ],
)
async def test_a_word_is_found_in_all_that_is_shown(store: Store, words: str) -> None:
    reason = "Störung E-217: Druck 100% in der Hafenstraße a_b"
    ticket = Ticket("T-9", "Öl fehlt", "https://tickets.example/T-9")
    await store.take_session(made(1, reason=reason, requester="Hr. Müller", tickets=(ticket,)))
    await store.take_session(made(2, kiosk="kiosk-2", device=Device("d-2", "D 2"), assigned=(), reason="nix axb"))
    assert await found(store, words=words_of(words)) == ["s-001"]


@pytest.mark.parametrize("words", ["%", "_", "e-218", "Störung fehlt-ganz", "\\", "'; DROP TABLE sessions; --"])
async def test_what_is_not_there_is_not_found_and_signs_mean_themselves(store: Store, words: str) -> None:
    await store.take_session(made(1, reason="Störung E-217"))
    assert await found(store, words=words_of(words)) == []


async def test_a_search_follows_each_revision(store: Store) -> None:
    await store.take_session(made(1, reason="alt"))
    await store.take_session(next_rev(made(1, reason="neu")))
    assert await found(store, words=("alt",)) == []
    assert await found(store, words=("neu",)) == ["s-001"]


async def test_pages_hold_all_once_also_where_many_are_of_the_same_second_and_news_come(store: Store) -> None:
    for n in range(5):
        await store.take_session(made(n))
    for n in range(50, 55):
        history = (Change(at(2), CODE_USER, Event.REQUEST, None, State.REQUESTED),)
        await store.take_session(a_session(f"s-{n:03}", created_at=at(2), history=history))
    everything, seen, after = await found(store), [], ""
    while True:
        page = await store.sessions(Wanted(limit=3, after=after))
        seen += [session.id for session in page.sessions]
        after = page.after
        if len(seen) == 3:
            await store.take_session(made(59))
        if not after:
            break
    assert seen == everything
    assert len(set(seen)) == 10


@pytest.mark.parametrize("after", ["x", "nan~s-1", "inf~s-1", "1.0~", "1.0", "~"])
async def test_a_place_that_no_page_said_is_refused(store: Store, after: str) -> None:
    with pytest.raises(Malformed):
        await store.sessions(Wanted(after=after))


async def test_kiosks_are_searched_and_paged_by_name(store: Store) -> None:
    for n in range(7):
        await store.take_about(f"kiosk-{n}", About(Device(f"press-{n}", f"Presse Ö {n % 3}"), "1", "pi"))
    seen, after = [], ""
    while True:
        page, after = await store.kiosks(WantedKiosks(limit=2, after=after))
        seen += [kiosk.id for kiosk in page]
        if not after:
            break
    assert seen == [f"kiosk-{n}" for n in (0, 3, 6, 1, 4, 2, 5)]
    assert [k.id for k in (await store.kiosks(WantedKiosks(words=words_of("PRESSE ö 2"))))[0]] == ["kiosk-2", "kiosk-5"]
    assert [k.id for k in (await store.kiosks(WantedKiosks(device="press-4")))[0]] == ["kiosk-4"]
    assert (await store.kiosks(WantedKiosks(online=True)))[0] == []


async def test_what_an_earlier_desk_has_stored_is_found_as_well(database: str) -> None:
    """The revision fills in what a search looks through."""
    url = database_url(Config(database=database))
    engine = engine_of(url)
    await migrate(engine)
    told = made(1, reason="Störung", tickets=(Ticket("T-9", "Öl"),), assigned=(BEN,))

    def back_and_fill(connection: Connection) -> None:
        settings = db._alembic()
        settings.attributes["connection"] = connection
        command.downgrade(settings, "0003")
        row = {"id": told.id, "kiosk": KIOSK, "device": DEVICE.id, "document": encode(told), "at": NOW}
        connection.execute(
            text(
                "INSERT INTO sessions (id, kiosk, device_id, epoch, rev, old_epochs, state, document, created_s,"
                " updated_s) VALUES (:id, :kiosk, :device, 'e1', 1, '', 'REQUESTED', :document, :at, :at)"
            ),
            row,
        )
        for person in (ANNA, BEN):
            connection.execute(
                text("INSERT INTO session_people (session, person) VALUES (:id, :person)"),
                {"id": told.id, "person": person.id},
            )

    async with engine.begin() as connection:
        await connection.run_sync(back_and_fill)
    await engine.dispose()
    store = await open_store(url, now=lambda: NOW)
    assert await found(store, words=words_of("STÖRUNG t-9 öl ben press")) == [told.id]
    assert await found(store, assigned=BEN.id) == [told.id]
    assert await found(store, assigned=ANNA.id) == []
    await store.close()


async def test_the_api_filters_searches_and_pages_and_says_what_it_does_not_understand(
    kiosk: Kiosk, anna: httpx.AsyncClient
) -> None:
    await kiosk.told(made(1, reason="Öl & Druck"))
    await kiosk.told(made(2, state=State.CLOSED, assigned=(BEN,)))
    await kiosk.told(made(3, asked=(BEN,), assigned=(BEN,)))

    async def ids(**params: Any) -> list[str]:
        answer = await anna.get("/api/sessions", params=params)
        assert answer.status_code == 200, answer.text
        return [session["id"] for session in answer.json()["sessions"]]

    assert await ids() == ["s-002", "s-001"], "what is nobody's business of hers is never among them"
    assert await ids(mine=True) == ["s-001"]
    assert await ids(q="öl druck") == ["s-001"]
    assert await ids(state=["CLOSED", "CANCELLED"]) == ["s-002"]
    assert await ids(until=at(2)) == ["s-001"]
    assert await ids(device=DEVICE.id, provider="nobody") == []
    first = (await anna.get("/api/sessions", params={"limit": 1})).json()
    assert await ids(limit=1, after=first["after"]) == ["s-001"]
    for params in ({"since": "soon"}, {"after": "x"}, {"state": "NEVER"}, {"limit": 0}, {"q": "x" * 201}):
        answer = await anna.get("/api/sessions", params=params)
        assert answer.status_code == 400, (params, answer.text)
        assert json.loads(answer.text)["code"] == "malformed"
    listed = (await anna.get("/api/kiosks", params={"q": "nothing like it"})).json()
    assert listed == {"kiosks": [], "after": ""}
