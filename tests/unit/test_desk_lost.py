"""Which sessions a kiosk has lost is a function of its newest words, in whatever order the desk hears them."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import select

from desk.sessions.lost import as_lost, is_lost, was_lost
from desk.sessions.store import Store, open_store
from desk.sessions.wanted import Wanted
from desk.tables import SessionRow
from kiosk.session.record import Artifact, ArtifactKind, Session
from kiosk.session.states import ENDED, OPEN, State
from kiosk.wire.messages import Presence
from tests.contract.desk_site import DEVICE, KIOSK, a_session

RUNS = 25
FILE = Artifact("a-1", ArtifactKind.SNAPSHOT, "snapshot-1.jpg", "image/jpeg", 5, "a" * 64)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = await open_store(f"sqlite+aiosqlite:///{tmp_path}/desk.sqlite", now=lambda: 1_772_000_000.0)
    yield store
    await store.close()


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("waits", [False, True])
def test_what_is_not_over_or_still_has_files_to_give_is_lost_when_it_is_not_held(state: State, waits: bool) -> None:
    told = a_session(state=state, artifacts=(replace(FILE, uploaded=not waits),))
    assert not is_lost(told, None), "the kiosk has never said what it holds"
    assert not is_lost(told, {"s-1", "s-2"})
    assert is_lost(told, {"s-2"}) == (state not in ENDED or waits)


@pytest.mark.parametrize("state", State)
def test_a_lost_session_is_shown_as_over_with_the_reason_and_all_else_as_it_was(state: State) -> None:
    told = a_session(state=state, reason="noise", artifacts=(FILE,))
    shown = as_lost(told, 1_772_000_000.0)
    assert was_lost(shown)
    assert not was_lost(told)
    assert shown.state in ENDED
    assert (shown.id, shown.rev, shown.reason, shown.artifacts) == (told.id, told.rev, told.reason, told.artifacts)
    if state in OPEN:
        last = shown.history[-1]
        assert (last.cause, last.source, last.target) == ("kiosk_lost", state, shown.state)
        assert last.at.startswith("2026-02-25T")


@dataclass
class Life:
    """A kiosk's, as the wire sees it: its boots, what it told, and what the broker retains of that."""

    luck: random.Random
    boot: int = 0
    n: int = 0
    connection: int = 0
    sessions: dict[str, Session] = field(default_factory=dict)
    on_disk: dict[str, Session] = field(default_factory=dict)
    told: list[list[Presence | Session]] = field(default_factory=list)
    """By topic, in order: the first is presence."""

    def live(self, steps: int) -> None:
        self.told = [[]]
        self.power_cut()
        for number in range(steps):
            self.luck.choice((self.power_cut, self.connect, lambda n=number: self.begin(n), self.goes_on))()
        self.connect()

    def power_cut(self) -> None:
        """What was on disk is what there is; now and then the card is another one."""
        self.boot, self.n, self.connection = self.boot + 1, 0, 0
        self.sessions = {} if self.luck.random() < 0.2 else dict(self.on_disk)
        self.connect()

    def connect(self) -> None:
        self.connection += 1
        self.say_presence()
        for session in self.sessions.values():
            self.tell(session)

    def begin(self, number: int) -> None:
        session = a_session(f"s-{self.boot}-{number}", epoch=f"e{self.boot}")
        self.sessions[session.id] = session
        if self.luck.random() < 0.7:
            self.on_disk[session.id] = session
        self.say_presence()
        self.tell(session)

    def goes_on(self) -> None:
        for session in list(self.sessions.values())[:1]:
            state = self.luck.choice((State.CONFIRMED, State.COMPLETED, State.CLOSED))
            self.sessions[session.id] = changed = replace(session, rev=session.rev + 1, state=state)
            if session.id in self.on_disk:
                self.on_disk[session.id] = changed
            self.tell(changed)

    def say_presence(self) -> None:
        self.n += 1
        self.told[0].append(Presence(True, f"b-{self.boot}", self.connection, self.n, tuple(self.sessions)))

    def tell(self, session: Session) -> None:
        of_it = next((t for t in self.told[1:] if isinstance(t[0], Session) and t[0].id == session.id), None)
        if of_it is None:
            self.told.append(of_it := [])
        of_it.append(session)


async def hear(store: Store, what: Presence | Session) -> None:
    if isinstance(what, Session):
        await store.take_session(what)
    else:
        await store.take_presence(KIOSK, what)
        await store.take_held(KIOSK, what)


@pytest.mark.parametrize("seed", range(RUNS))
async def test_topics_in_any_order_with_drops_and_copies_end_in_the_same_truth(store: Store, seed: int) -> None:
    luck = random.Random(seed)
    life = Life(luck)
    life.live(8)
    left = [list(topic) for topic in life.told]
    heard: list[Presence | Session] = []
    while any(left):
        topic = luck.choice([t for t in left if t])
        what = topic.pop(0)
        if topic and luck.random() < 0.3:
            continue  # dropped; the newest of each topic is retained
        heard.append(what)
        await hear(store, what)
        if luck.random() < 0.3:
            await hear(store, luck.choice(heard))
    newest = {t[-1].id: t[-1] for t in life.told[1:] if isinstance(t[-1], Session)}
    for session_id, told in newest.items():
        shown = await store.session(session_id)
        assert shown is not None, "nothing that was told is ever gone"
        assert was_lost(shown) == is_lost(told, set(life.sessions)), session_id
    open_here = {s.id for s in (await store.sessions(Wanted(states=tuple(s.value for s in OPEN)))).sessions}
    assert open_here == {s.id for s in life.sessions.values() if s.state in OPEN}


async def test_the_document_as_it_was_told_is_never_touched(store: Store) -> None:
    told = a_session(state=State.RUNNING)
    await store.take_session(told)
    await hear(store, Presence(True, "b-1", 1, 1, ()))
    shown = await store.session("s-1")
    assert shown is not None
    assert shown.state is State.CLOSED
    async with store._read() as db:
        row = (await db.scalars(select(SessionRow))).one()
        assert (row.epoch, row.rev, row.state) == (told.epoch, told.rev, "CLOSED")
        assert b"kiosk_lost" not in row.document
    await hear(store, Presence(True, "b-2", 1, 1, ("s-1",)))
    assert await store.session("s-1") == told


async def test_a_kiosk_says_nothing_about_another_s_sessions(store: Store) -> None:
    await store.take_session(a_session(device=DEVICE))
    other = Presence(True, "b-1", 1, 1, ())
    await store.take_presence("kiosk-2", other)
    assert await store.take_held("kiosk-2", other) == []
    assert await store.lost_with_files("kiosk-2") == []
