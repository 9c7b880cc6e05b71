"""Waiting for a kiosk that does not answer, on a clock that jumps."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from desk.calls.bridge import Calls
from desk.calls.ice import IceServers
from desk.calls.peers import PeerRows
from desk.config import Member
from desk.files.store import Files
from desk.files.uploads import Uploads
from desk.follow import Follower
from desk.seals import Seals
from desk.sessions.commands import Commands
from desk.sessions.kiosks import Kiosks
from desk.sessions.live import Hub
from desk.sessions.store import Store, open_store
from desk.sessions.wanted import Wanted
from kiosk.errors import StoreTrouble, Unreachable
from kiosk.session import inputs
from kiosk.session.record import Device, Person, Session
from kiosk.session.states import State
from kiosk.wire import topics
from kiosk.wire.codec import decode, encode
from kiosk.wire.messages import Answer, AnswerSdp, Bye, Command, Offer, SessionTold, SignalDown
from tests.unit.desk_link import Link

ANNA = Member(id="anna", name="Anna Berg")
SDP = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\n"


@dataclass
class Clock:
    """Time passes when somebody waits."""

    now: float = 0.0

    async def wait(self, answer: asyncio.Future[Any], seconds: float) -> bool:
        self.now += seconds
        return answer.done()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = await open_store(f"sqlite+aiosqlite:///{tmp_path}/desk.sqlite")
    yield store
    await store.close()


def peers(store: Store) -> PeerRows:
    return PeerRows(store.transactions, time.time)


def a_session() -> Session:
    return Session(
        id="s-1",
        epoch="e1",
        rev=1,
        kiosk="kiosk-1",
        device=Device("press-7", "Press 7"),
        state=State.RUNNING,
        origin="staff",
        created_at="2026-03-01T10:00:00Z",
        assigned=(Person("anna", "Anna Berg"),),
    )


async def test_a_command_that_nobody_answers_ends_after_ten_repeats(store: Store) -> None:
    link, clock = Link(), Clock()
    commands = Commands(Kiosks(link), store, clock.wait)
    with pytest.raises(Unreachable):
        await commands.send(ANNA, "kiosk-1", inputs.Create())
    assert clock.now == 10
    sent = [decode(payload, Command) for _, payload, _ in link.said]
    assert len(sent) == 10
    assert len({c.id for c in sent}) == 1
    # a repeat must not outlive the one who waits for it, or it would be done after he was told that it was not
    assert [expiry for _, _, expiry in link.said] == [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]


async def test_a_command_waits_for_a_broker_that_comes_back(store: Store) -> None:
    link, clock = Link(connected=False), Clock()
    commands = Commands(Kiosks(link), store, clock.wait)

    async def wait(answer: asyncio.Future[Answer], seconds: float) -> bool:
        if link.said:
            commands.answered("kiosk-1", Answer(decode(link.said[0][1], Command).id, ok=True))
        link.connected = clock.now >= 3
        return await clock.wait(answer, seconds)

    commands = Commands(Kiosks(link), store, wait)
    assert (await commands.send(ANNA, "kiosk-1", inputs.Create())).ok
    assert await store.audited() == [("anna", "Create", "kiosk-1", "done")]


async def test_an_answer_after_the_time_changes_nothing(store: Store) -> None:
    link = Link()
    commands = Commands(Kiosks(link), store, Clock().wait)
    with pytest.raises(Unreachable):
        await commands.send(ANNA, "kiosk-1", inputs.Create())
    commands.answered("kiosk-1", Answer(decode(link.said[0][1], Command).id, ok=True))


async def test_a_database_that_takes_nothing_ends_the_desk_after_some_tries(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/desk.sqlite"
    store = await open_store(url)
    with sqlite3.connect(tmp_path / "desk.sqlite") as db:
        db.execute("DROP TABLE sessions")
    db.close()
    link, hub, pauses = Link(), Hub(), list[float]()
    kiosks = Kiosks(link)
    commands, calls = Commands(kiosks, store), Calls(kiosks, hub, IceServers(()), peers(store))
    uploads = Uploads(store, Files(tmp_path), kiosks, Seals(b"x" * 32), "http://desk")

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    follower = Follower(store, kiosks, commands, calls, uploads, sleep)
    with pytest.raises(StoreTrouble):
        await follower.take("kiosk/1/kiosk-1/up/session/s-1", encode(SessionTold(a_session())))
    assert pauses == [0.2, 0.4, 0.8, 1.6, 3.2]
    assert not link.said
    await store.close()


async def test_what_does_not_fit_is_counted_and_the_next_is_taken(store: Store, tmp_path: Path) -> None:
    link, hub = Link(), Hub()
    kiosks = Kiosks(link)
    uploads = Uploads(store, Files(tmp_path), kiosks, Seals(b"x" * 32), "http://desk")
    follower = Follower(
        store, kiosks, Commands(kiosks, store), Calls(kiosks, hub, IceServers(()), peers(store)), uploads
    )
    for topic in (
        "kiosk/1/kiosk-1/up/session/s-1",
        "kiosk/1/kiosk-1/up/nothing",
        "else/where",
        "",
        "kiosk/1/K/presence",
    ):
        for payload in (b"{", b"", b"\x00" * 70_000):
            await follower.take(topic, payload)
    assert follower.refused["kiosk-1", "up/session"] == 2
    await follower.take("kiosk/1/kiosk-1/up/session/s-1", encode(SessionTold(a_session())))
    assert [topic for topic, _, _ in link.said] == ["kiosk/1/kiosk-1/down/receipt"]


async def test_many_writers_wait_for_each_other(store: Store) -> None:
    async with asyncio.TaskGroup() as tasks:
        for n in range(40):
            tasks.create_task(store.audit(f"p-{n:02}", "look"))
            tasks.create_task(store.take_session(replace(a_session(), id=f"s-{n}", rev=n + 1)))
            tasks.create_task(store.sessions(Wanted()))
    assert len(await store.audited()) == 40
    assert len((await store.sessions(Wanted())).sessions) == 40


async def test_an_offer_that_nobody_answers_is_taken_back(store: Store) -> None:
    link, clock = Link(), Clock()
    calls = Calls(Kiosks(link), Hub(), IceServers(()), peers(store), clock.wait)
    with pytest.raises(Unreachable):
        await calls.offer(a_session(), ANNA, SDP)
    assert clock.now == 10
    offer, bye = (decode(payload, SignalDown) for _, payload, _ in link.said)
    assert isinstance(offer, Offer)
    assert bye == Bye(peer=offer.peer)
    assert {expiry for _, _, expiry in link.said} == {30}
    assert all(topic == f"kiosk/1/kiosk-1/{topics.SIGNAL_DOWN}/s-1" for topic, _, _ in link.said)
    assert await calls.peer("s-1", offer.peer, "anna") is None


async def test_an_offer_without_a_broker_fails_at_once(store: Store) -> None:
    clock = Clock()
    with pytest.raises(Unreachable):
        await Calls(Kiosks(Link(connected=False)), Hub(), IceServers(()), peers(store), clock.wait).offer(
            a_session(), ANNA, SDP
        )
    assert clock.now == 0


async def test_an_offer_is_said_again_to_a_kiosk_that_has_just_come_back_and_only_its_own_answer_counts(
    store: Store,
) -> None:
    link = Link()
    calls = Calls(Kiosks(link), Hub(), IceServers(()), peers(store))
    asking = asyncio.create_task(calls.offer(a_session(), ANNA, SDP))
    offers = await said(link, 1)
    calls.kiosk_back("kiosk-2")
    calls.kiosk_back("kiosk-1")
    offers = await said(link, 2)
    first, again = offers
    assert (first.peer, first.sdp) == (again.peer, again.sdp)
    assert first.id != again.id
    await calls.signalled("kiosk-1", "s-1", AnswerSdp(peer=first.peer, sdp="v=0 the first one", offer=first.id))
    await calls.signalled("kiosk-1", "s-1", AnswerSdp(peer=first.peer, sdp="v=0 the second", offer=again.id))
    peer, answer = await asking
    assert answer == "v=0 the second"
    assert await calls.peer("s-1", peer.id, "anna") == peer


async def test_the_end_of_a_connection_is_no_answer_to_the_offer_that_replaces_it(store: Store) -> None:
    link = Link()
    calls = Calls(Kiosks(link), Hub(), IceServers(()), peers(store))
    asking = asyncio.create_task(calls.offer(a_session(), ANNA, SDP))
    (offer,) = await said(link, 1)
    await calls.signalled("kiosk-1", "s-1", AnswerSdp(peer=offer.peer, sdp="v=0 first", offer=offer.id))
    peer, _ = await asking
    asking = asyncio.create_task(calls.offer(a_session(), ANNA, SDP, peer))
    _, offer = await said(link, 2)
    await calls.signalled("kiosk-1", "s-1", Bye(peer=peer.id, code="unreachable"))
    await calls.signalled("kiosk-1", "s-1", AnswerSdp(peer=peer.id, sdp="v=0 second", offer=offer.id))
    assert (await asking)[1] == "v=0 second"


async def test_a_newer_offer_of_the_same_peer_takes_the_place_of_one_that_still_waits(store: Store) -> None:
    link = Link()
    calls = Calls(Kiosks(link), Hub(), IceServers(()), peers(store))
    asking = asyncio.create_task(calls.offer(a_session(), ANNA, SDP))
    (offer,) = await said(link, 1)
    await calls.signalled("kiosk-1", "s-1", AnswerSdp(peer=offer.peer, sdp="v=0 first", offer=offer.id))
    peer, _ = await asking
    older = asyncio.create_task(calls.offer(a_session(), ANNA, SDP, peer))
    await said(link, 2)
    newer = asyncio.create_task(calls.offer(a_session(), ANNA, SDP, peer))
    _, _, offer = await said(link, 3)
    older.cancel()
    await asyncio.gather(older, return_exceptions=True)
    await calls.signalled("kiosk-1", "s-1", AnswerSdp(peer=peer.id, sdp="v=0 newest", offer=offer.id))
    assert (await newer)[1] == "v=0 newest"


async def said(link: Link, count: int) -> list[Offer]:
    """The offers that went to the kiosk, as soon as there are so many."""
    while True:
        signals = [decode(payload, SignalDown) for _, payload, _ in link.said]
        offers = [s for s in signals if isinstance(s, Offer)]
        if len(offers) >= count:
            return offers
        await asyncio.sleep(0)
