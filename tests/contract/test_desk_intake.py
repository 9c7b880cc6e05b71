"""What kiosks tell, taken in many at a time: as one by one, whatever stands beside each other in a batch, and once
where two desks take the same."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy.engine import URL

from desk.calls.bridge import Calls
from desk.calls.ice import IceServers
from desk.calls.peers import PeerRows
from desk.config import Config
from desk.database import database_url
from desk.files.store import Files
from desk.files.uploads import Uploads
from desk.follow import Follower
from desk.seals import Seals
from desk.sessions.commands import Commands
from desk.sessions.kiosks import Kiosks
from desk.sessions.live import Hub
from desk.sessions.store import Store, Told, open_store
from desk.sessions.wanted import Wanted
from desk.sessions.words import Words
from kiosk.link.client import Incoming
from kiosk.session.record import Device, Session
from kiosk.session.states import State
from kiosk.wire.codec import decode, encode
from kiosk.wire.messages import About, Health, InForce, Presence, Receipt, SessionTold, Stored
from tests.contract.broker_site import until
from tests.contract.desk_site import ANNA, BEN, KIOSK, a_session


@dataclass
class Broker:
    """Takes what the desk says."""

    said: list[Any] = field(default_factory=list)
    connected: bool = True

    async def publish(self, topic: str, payload: bytes, **_: Any) -> None:
        self.said.append(decode(payload, Receipt))


@dataclass
class OneDesk:
    store: Store
    follower: Follower
    broker: Broker


def one_desk(store: Store, folder: Path) -> OneDesk:
    broker = Broker()
    kiosks = Kiosks(cast(Any, broker))
    calls = Calls(kiosks, Hub(), IceServers(()), PeerRows(store.transactions, lambda: 0.0))
    uploads = Uploads(store, Files(folder), kiosks, Seals(b"x" * 32), "http://desk")
    return OneDesk(store, Follower(store, kiosks, Commands(kiosks, store), calls, uploads), broker)


@pytest.fixture
async def desks(database: str, tmp_path: Path) -> AsyncIterator[tuple[OneDesk, OneDesk]]:
    url: URL = database_url(Config(database=database))
    stores = [await open_store(url), await open_store(url)]
    yield one_desk(stores[0], tmp_path), one_desk(stores[1], tmp_path)
    for store in stores:
        await store.close()


class Batch:
    """Messages as they come from the broker, and which of them were acknowledged."""

    def __init__(self) -> None:
        self.messages: list[Incoming] = []
        self.done: list[int] = []

    def add(self, topic: str, payload: bytes) -> Batch:
        n = len(self.messages)
        self.messages.append(Incoming(topic, payload, False, "", b"", lambda: self.done.append(n)))
        return self

    def tell(self, *sessions: Session) -> Batch:
        for session in sessions:
            self.add(f"kiosk/1/{session.kiosk}/up/session/{session.id}", encode(SessionTold(session)))
        return self


async def test_a_session_that_is_there_twice_is_as_it_was_told_last(desks: tuple[OneDesk, OneDesk]) -> None:
    here, _ = desks
    batch = Batch().tell(
        a_session(rev=1), a_session("s-2"), a_session(rev=3, state=State.CONFIRMED), a_session(rev=2), a_session(rev=3)
    )
    await here.follower.take_all(batch.messages)
    session = await here.store.session("s-1")
    assert session is not None
    assert (session.rev, session.state) == (3, State.CONFIRMED)
    assert sorted(batch.done) == [0, 1, 2, 3, 4]
    assert [r.rev for r in here.broker.said if isinstance(r, Stored) and r.session == "s-1"] == [1, 3, 2, 3]


async def test_what_does_not_fit_spoils_nothing_that_stands_beside_it(desks: tuple[OneDesk, OneDesk]) -> None:
    here, _ = desks
    await here.store.take_session(a_session("s-3", kiosk="kiosk-2"))
    batch = Batch().tell(a_session("s-1"), a_session("s-3"), a_session("s-2"))
    batch.add("kiosk/1/kiosk-1/up/session/s-9", b"{")
    batch.add("kiosk/1/kiosk-1/up/session/s-8", encode(SessionTold(a_session())))
    batch.add("nothing/of/ours", b"x").add("kiosk/1/kiosk-1/up/health", encode(Health(1.0, {"camera": "ok"})))
    await here.follower.take_all(batch.messages)
    assert sorted(batch.done) == list(range(7)), "nobody can mend what does not fit by sending it again"
    assert sum(here.follower.refused.values()) == 4
    for session in ("s-1", "s-2"):
        assert await here.store.session(session)
    kiosk = await here.store.kiosk(KIOSK)
    assert kiosk is not None
    assert kiosk.parts == {"camera": "ok"}


async def test_of_two_desks_that_take_the_same_each_session_is_new_at_one(desks: tuple[OneDesk, OneDesk]) -> None:
    for rev in (1, 2, 3):
        told = [a_session(f"s-{n:03}", rev=rev) for n in range(60)]
        others = list(reversed(told))
        one, two = await asyncio.gather(desks[0].store.take_sessions(told), desks[1].store.take_sessions(others))
        at_two = dict(zip((t.id for t in others), two, strict=True))
        for session, outcome in zip(told, one, strict=True):
            assert {outcome, at_two[session.id]} == {Told.NEW, Told.KNOWN}


async def test_who_may_see_a_session_follows_its_newest_revision(desks: tuple[OneDesk, OneDesk]) -> None:
    here, there = desks
    await here.store.take_sessions([a_session(), a_session("s-2")])
    await there.store.take_sessions([a_session(rev=2, asked=(BEN,), assigned=(BEN,)), a_session("s-2", rev=2)])
    assert [s.id for s in (await here.store.sessions(Wanted(seen_by=ANNA.id))).sessions] == ["s-2"]
    assert [s.id for s in (await here.store.sessions(Wanted(seen_by=BEN.id))).sessions] == ["s-1"]


async def test_health_of_many_is_kept_and_told_where_a_part_is_another(desks: tuple[OneDesk, OneDesk]) -> None:
    here, _ = desks
    parts = {f"kiosk-{n}": Health(1.0, {"camera": "ok"}) for n in range(3)}
    assert len(await here.store.take_words({kiosk: Words(health=told) for kiosk, told in parts.items()})) == 3
    again = parts | {"kiosk-1": Health(2.0, {"camera": "unplugged"})}
    assert await here.store.take_words({kiosk: Words(health=told) for kiosk, told in again.items()}) == ["kiosk-1"]
    kiosks, _ = await here.store.kiosks()
    assert {k.id: k.parts["camera"] for k in kiosks} == {"kiosk-0": "ok", "kiosk-1": "unplugged", "kiosk-2": "ok"}


async def test_what_a_kiosk_says_of_itself_is_taken_together_with_its_presence_and_its_session(
    desks: tuple[OneDesk, OneDesk],
) -> None:
    here, _ = desks
    introduced: list[tuple[str, str]] = []

    async def note(kiosk: str, about: About) -> None:
        introduced.append((kiosk, about.device.id))

    here.follower.introduced.append(note)
    batch = Batch()
    for n in range(3):
        topic = f"kiosk/1/kiosk-{n}"
        batch.tell(a_session(f"s-{n}", kiosk=f"kiosk-{n}"))
        batch.add(f"{topic}/up/config", encode(InForce(name=f"provider {n}")))
        batch.add(f"{topic}/up/about", encode(About(Device(f"press-{n}", f"Press {n}"), "1", "pi")))
        batch.add(f"{topic}/up/health", encode(Health(float(n), {"camera": "ok"})))
        batch.add(f"{topic}/presence", encode(Presence(True, "b-1", 1, n=1, held=(f"s-{n}",))))
    batch.add("kiosk/1/kiosk-1/up/config", encode(InForce(name="another")))
    await here.follower.take_all(batch.messages)
    assert sorted(batch.done) == list(range(16))
    assert sorted(introduced) == [(f"kiosk-{n}", f"press-{n}") for n in range(3)]
    for n in range(3):
        known = await here.store.kiosk_details(f"kiosk-{n}")
        assert known is not None
        assert (known.kiosk.online, known.kiosk.device, known.uptime_s) == (True, Device(f"press-{n}", f"Press {n}"), n)
        assert known.kiosk.provider == ("another" if n == 1 else f"provider {n}"), "the last that was said"
        session = await here.store.session(f"s-{n}")
        assert session is not None
        assert session.state is State.REQUESTED


async def test_of_two_kiosks_that_name_the_same_session_at_once_it_is_the_first_one_s(
    desks: tuple[OneDesk, OneDesk],
) -> None:
    here, _ = desks
    batch = Batch().tell(a_session(kiosk="kiosk-2"), a_session(kiosk="kiosk-1", rev=7))
    await here.follower.take_all(batch.messages)
    session = await here.store.session("s-1")
    assert session is not None
    assert (session.kiosk, session.rev) == ("kiosk-2", 1)
    assert here.follower.refused["kiosk-1", "up/session"] == 1


async def test_what_one_kiosk_tells_stays_in_its_order_however_it_comes_in_pieces(
    desks: tuple[OneDesk, OneDesk],
) -> None:
    here, _ = desks
    drawn, batch = random.Random(5), Batch()
    for rev in range(1, 41):
        for kiosk in range(6):
            told = a_session(f"s-{kiosk}-{drawn.randint(0, 1)}", kiosk=f"kiosk-{kiosk}", rev=rev)
            batch.tell(told).add(f"kiosk/1/kiosk-{kiosk}/up/config", encode(InForce(name=f"as of {rev}")))
            batch.tell(told)  # as a kiosk does that has heard no receipt yet

    async def pieces() -> AsyncIterator[list[Incoming]]:
        rest = batch.messages
        while rest:
            n = drawn.choice((1, 2, 30))
            yield rest[:n]
            rest = rest[n:]

    following = asyncio.create_task(here.follower.run(pieces()))
    await until(lambda: len(batch.done) == len(batch.messages))
    following.cancel()
    assert sorted(batch.done) == list(range(len(batch.messages))), "each once"
    for kiosk in range(6):
        known = await here.store.kiosk(f"kiosk-{kiosk}")
        assert known is not None
        assert known.provider == "as of 40"
        for one in ("0", "1"):
            mine = [r.rev for r in here.broker.said if isinstance(r, Stored) and r.session == f"s-{kiosk}-{one}"]
            assert mine == sorted(mine)
            session = await here.store.session(f"s-{kiosk}-{one}")
            assert session is not None
            assert session.rev == mine[-1]


async def test_what_was_said_before_stays_where_only_something_else_is_said(desks: tuple[OneDesk, OneDesk]) -> None:
    here, there = desks
    about, in_force = About(Device("press-7", "Press 7"), "1", "pi"), InForce(name="Example Ltd")
    health = Health(1.0, {"camera": "ok"})
    said = [Words(about=about), Words(health=health), Words(in_force=in_force)]
    assert [await here.store.take_words({KIOSK: words}) for words in said] == [[KIOSK]] * 3
    assert [await there.store.take_words({KIOSK: words}) for words in said] == [[]] * 3, "known, also elsewhere"
    assert await here.store.take_words({}) == []
    known = await there.store.kiosk_details(KIOSK)
    assert known is not None
    assert (known.about, known.in_force, known.kiosk.parts) == (about, in_force, {"camera": "ok"})


async def test_desks_that_take_the_words_of_the_same_kiosks_crosswise_wait_for_each_other(
    desks: tuple[OneDesk, OneDesk],
) -> None:
    said = {f"kiosk-{n:02}": Words(About(Device(f"d-{n:02}", "d"), "1", "pi")) for n in range(40)}
    backwards = dict(reversed(said.items()))
    each = [(desks[n % 2], (said, backwards)[n % 2]) for n in range(6)]
    changed = await asyncio.gather(*(desk.store.take_words(told) for desk, told in each))
    assert sorted(kiosk for kiosks in changed for kiosk in kiosks) == sorted(said)


async def test_desks_hear_what_any_of_them_changed(desks: tuple[OneDesk, OneDesk], database: str) -> None:
    here, there = desks
    listening = [asyncio.create_task(desk.store.notices.listen()) for desk in desks]
    if database.startswith("postgresql"):
        for desk in desks:
            assert [n.kind for n in await desk.store.notices.news()] == ["anew"], "what was before nobody knows"
        await here.store.take_session(a_session())
        for desk in (here, there):
            assert [(n.kind, n.id) for n in await desk.store.notices.news()] == [("session", "s-1")]
    else:
        await here.store.take_session(a_session())
        assert [(n.kind, n.id) for n in await here.store.notices.news()] == [("session", "s-1")]
    for task in listening:
        task.cancel()
    await asyncio.gather(*listening, return_exceptions=True)
