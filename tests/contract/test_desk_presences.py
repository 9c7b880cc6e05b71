"""Presences taken in many at a time: as one by one, on both kinds of database, and once where desks take the same."""

from __future__ import annotations

import asyncio
import logging
import random
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.engine import URL

from desk.sessions.presences import take_presences
from desk.sessions.store import Store, open_store
from desk.tables import HeldRow, KioskRow
from kiosk.session.record import Session
from kiosk.session.states import State
from kiosk.wire import topics
from kiosk.wire.codec import encode
from kiosk.wire.messages import Presence, UploadGrant
from kiosk.wire.topics import Topic
from tests.contract.desk_site import a_session, an_artifact
from tests.contract.test_desk_intake import Batch, OneDesk, desks
from tests.contract.test_store import NOW, store, url

__all__ = ["desks", "store", "url"]  # fixtures


def on(connection: int = 1, boot: str = "b-1", n: int = 0, held: tuple[str, ...] | None = None) -> Presence:
    return Presence(True, boot, connection, n=n, held=held)


def presence_of(kiosk: str) -> str:
    return str(Topic(kiosk, topics.PRESENCE))


def of(kiosk: str, session: str, state: State = State.CONFIRMED, **more: Any) -> Session:
    return a_session(session, kiosk=kiosk, state=state, **more)


async def kiosks_of(store: Store, prefix: str) -> list[tuple[Any, ...]]:
    columns = (KioskRow.id, KioskRow.online, KioskRow.boot, KioskRow.connection, KioskRow.old_boots)
    query = select(*columns, HeldRow.boot, HeldRow.n, HeldRow.ids).join(HeldRow, isouter=True).order_by(KioskRow.id)
    async with store.transactions.read() as db:
        found = (await db.execute(query.where(KioskRow.id.startswith(prefix)))).all()
    return [(row[0].removeprefix(prefix), *row[1:]) for row in found]


async def test_taken_together_they_are_as_one_by_one(store: Store) -> None:
    drawn = random.Random(7)
    for prefix in ("one-", "all-"):
        await store.take_sessions([of(f"{prefix}{k}", f"{prefix}{k}-{n}") for k in range(8) for n in range(3)])
    lost: dict[str, list[str]] = {"one-": [], "all-": []}
    for n in range(12):
        told = {
            str(k): Presence(
                online=drawn.random() < 0.7,
                boot=f"b-{drawn.randint(max(0, n // 4 - 1), n // 4)}",
                connection=drawn.randint(1, 3),
                n=drawn.randint(0, n),
                held=tuple(str(i) for i in range(3) if drawn.random() < 0.7) if drawn.random() < 0.8 else None,
            )
            for k in range(8)
            if drawn.random() < 0.8
        }
        for k, presence in told.items():
            came = await store.take_presences({f"one-{k}": named(presence, f"one-{k}")})
            lost["one-"] += [session.id.removeprefix("one-") for session in came.sessions]
        came = await store.take_presences({f"all-{k}": named(p, f"all-{k}") for k, p in told.items()})
        lost["all-"] += sorted(session.id.removeprefix("all-") for session in came.sessions)
    assert sorted(lost["one-"]) == sorted(lost["all-"]) != []
    one, together = await kiosks_of(store, "one-"), await kiosks_of(store, "all-")
    assert [plain(row, "one-") for row in one] == [plain(row, "all-") for row in together] != []


def named(presence: Presence, kiosk: str) -> Presence:
    held = None if presence.held is None else tuple(f"{kiosk}-{n}" for n in presence.held)
    return Presence(presence.online, presence.boot, presence.connection, n=presence.n, held=held)


def plain(row: tuple[Any, ...], prefix: str) -> tuple[Any, ...]:
    return tuple(value.replace(prefix, "") if isinstance(value, str) else value for value in row)


async def test_only_those_that_came_or_went_are_news(store: Store) -> None:
    first = await store.take_presences({"k-1": on(), "k-2": on(), "k-3": Presence(False, "b-1", 1)})
    assert sorted(first.kiosks) == ["k-1", "k-2", "k-3"], "also that one is known at all"
    again = await store.take_presences({"k-1": on(2), "k-2": Presence(False, "b-1", 1), "k-3": on(2)})
    assert sorted(again.kiosks) == ["k-2", "k-3"]
    late = await store.take_presences({"k-1": Presence(False, "b-1", 1), "k-2": on(), "k-3": on(2)})
    assert late.kiosks == ["k-2"], "the will of a former connection is late"
    assert (await store.take_presences({})).kiosks == []


async def test_desks_that_take_the_same_crosswise_wait_for_each_other_and_tell_each_once(
    url: URL, store: Store
) -> None:
    other = await open_store(url, now=lambda: NOW)
    kiosks = [f"k-{n:03}" for n in range(60)]
    await store.take_sessions([of(kiosk, f"s-{kiosk}") for kiosk in kiosks])
    told = {kiosk: on(n=1, held=()) for kiosk in kiosks}
    backwards = dict(reversed(told.items()))
    came = await asyncio.gather(*(s.take_presences(t) for s, t in ((store, told), (other, backwards)) * 3))
    assert sorted(kiosk for each in came for kiosk in each.kiosks) == kiosks
    assert sorted(session.id for each in came for session in each.sessions) == [f"s-{kiosk}" for kiosk in kiosks]
    await other.close()


async def test_of_many_kiosks_each_loses_its_own_sessions_and_finds_them_again(store: Store) -> None:
    await store.take_sessions([of(f"k-{k}", f"s-{k}-{n}") for k in range(3) for n in range(2)])
    held = {f"k-{k}": on(n=1, held=(f"s-{k}-0",)) for k in range(3)}
    assert [s.id for s in (await store.take_presences(held)).sessions] == ["s-0-1", "s-1-1", "s-2-1"]
    shown = await store.sessions_of(["s-0-0", "s-0-1"])
    assert [s.state for s in shown] == [State.CONFIRMED, State.CANCELLED]
    assert (await store.take_presences(held)).sessions == [], "told twice"
    found = await store.take_presences({"k-1": on(n=2, held=("s-1-0", "s-1-1")), "k-2": on(n=0, held=())})
    assert [(s.id, s.state) for s in found.sessions] == [("s-1-1", State.CONFIRMED)], "and an older word says nothing"


async def test_files_of_sessions_that_are_over_are_missed_after_another_boot(store: Store) -> None:
    waiting = an_artifact(b"x")
    await store.take_sessions([of("k-1", "s-1", State.CLOSED, artifacts=(waiting,))])
    assert (await store.take_presences({"k-1": on(n=1, held=("s-1",))})).sessions == []
    assert await store.lost_with_files("k-1") == []
    assert [s.id for s in (await store.take_presences({"k-1": on(1, "b-2", 1, held=())})).sessions] == ["s-1"]
    assert [s.id for s in await store.lost_with_files("k-0", "k-1")] == ["s-1"]


async def test_what_the_same_boot_goes_on_naming_is_not_looked_at_again(store: Store) -> None:
    """But for what is open: ten thousand kiosks that only come back must not have all their past read."""
    await store.take_sessions([of("k-1", "s-1", State.CLOSED, artifacts=(an_artifact(b"x"),)), of("k-1", "s-2")])
    await store.take_presences({"k-1": on(1, n=1, held=("s-1", "s-2"))})
    async with store.transactions.begin() as db:
        (held,) = await db.scalars(select(HeldRow))
        held.ids = "s-0"  # as if the sessions had been taken just then, by a desk that did not know of it yet
    same = await store.take_presences({"k-1": on(2, n=2, held=("s-0",))})
    assert [s.id for s in same.sessions] == ["s-2"]
    other = await store.take_presences({"k-1": on(3, n=3, held=("s-0", "s-3"))})
    assert [s.id for s in other.sessions] == ["s-1"]


async def test_all_of_them_or_none(store: Store) -> None:
    async def fails(*_: Any) -> None:
        raise RuntimeError("the power went")

    await store.take_sessions([of("k-1", "s-1")])
    store.noted.append(fails)
    with pytest.raises(RuntimeError):
        await store.take_presences({"k-1": on(n=1, held=()), "k-2": on()})
    assert await kiosks_of(store, "k-") == []


async def test_nothing_is_written_of_a_presence_that_is_known(store: Store) -> None:
    await store.take_presences({"k-1": on()})
    async with store.transactions.begin() as db:
        assert await take_presences(db, {"k-1": on()}, NOW + 5) == ([], [])
        assert not db.dirty
    kiosk = await store.kiosk("k-1")
    assert kiosk is not None
    assert kiosk.changed_s == NOW


# --- through the follower ---------------------------------------------------------------------------------------------


async def test_a_batch_keeps_the_order_of_each_kiosk_and_all_of_it_is_acknowledged(
    desks: tuple[OneDesk, OneDesk], caplog: pytest.LogCaptureFixture
) -> None:
    here, _ = desks
    await here.store.take_sessions([of("k-1", "s-1"), of("k-2", "s-2", State.CLOSED, artifacts=(an_artifact(b"x"),))])
    batch = Batch()
    for kiosk, presence in (
        ("k-1", on(1, n=1, held=("s-1",))),
        ("k-2", on(1, n=1, held=())),
        ("k-1", Presence(False, "b-1", 1)),
        ("k-3", on(1)),
        ("k-1", on(2, n=2, held=())),
    ):
        batch.add(presence_of(kiosk), encode(presence))
    batch.add(presence_of("k-4"), b"nonsense").add(presence_of("k-3"), b"")
    with caplog.at_level(logging.WARNING):
        await here.follower.take_all(batch.messages)
    assert sorted(batch.done) == list(range(7))
    assert [(k.id, k.online) for k in (await here.store.kiosks())[0]] == [("k-1", True), ("k-2", True), ("k-3", True)]
    assert [s.state for s in await here.store.sessions_of(["s-1"])] == [State.CANCELLED]
    assert [said.session for said in here.broker.said if isinstance(said, UploadGrant)] == ["s-2"]
    assert sum("has lost it" in record.getMessage() for record in caplog.records) == 2


async def test_a_session_in_the_batch_that_the_presence_holds_is_not_lost(desks: tuple[OneDesk, OneDesk]) -> None:
    here, _ = desks
    batch = Batch().tell(of("k-1", "s-1"))
    batch.add(presence_of("k-1"), encode(on(n=1, held=("s-1",))))
    batch.tell(of("k-2", "s-2"))
    batch.add(presence_of("k-2"), encode(on(n=1, held=())))
    await here.follower.take_all(batch.messages)
    states = [s.state for s in await here.store.sessions_of(["s-1", "s-2"])]
    assert states == [State.CONFIRMED, State.CANCELLED]
