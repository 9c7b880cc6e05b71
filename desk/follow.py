"""The follower: takes what kiosks tell over MQTT into the database and receipts it. Pages are told by desk.teller.

Several desks on one database hear the same messages, each for itself: what one of them has stored is nothing new to the
others. So any of them may die at any moment, and none needs to know of another.

A message is acknowledged when what it means is committed, so a desk that dies in between hears it again. What does not
fit is refused with a reason, logged once for each kiosk and kind of message, and acknowledged: nobody can mend it by
sending it again.
"""

from __future__ import annotations

import asyncio
import logging
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Generic, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from desk.calls.bridge import Calls
from desk.files.uploads import Uploads
from desk.sessions.commands import Commands
from desk.sessions.kiosks import Kiosks, tell_if_possible
from desk.sessions.lost import was_lost
from desk.sessions.store import Store, Told
from kiosk.errors import Malformed, StoreTrouble
from kiosk.link.client import Incoming
from kiosk.session.record import Session
from kiosk.session.states import OPEN
from kiosk.wire import topics
from kiosk.wire.codec import MAX_COMMAND, decode
from kiosk.wire.messages import About, Answer, Health, InForce, Outdated, Presence, SessionTold, SignalUp, Stored
from kiosk.wire.topics import Topic

log = logging.getLogger(__name__)

T = TypeVar("T")

LANES = 2
TRIES = 5
URGENT = (topics.ANSWER, topics.SIGNAL_UP)
"""Somebody waits for them."""
STORED = (Told.NEW, Told.DOUBTED, Told.KNOWN)
MAX_REFUSALS = 1000
"""Of so many (kiosk, kind) pairs we remember that they were logged: bounds what nonsense can cost us."""


class Follower:
    def __init__(
        self,
        store: Store,
        kiosks: Kiosks,
        commands: Commands,
        calls: Calls,
        uploads: Uploads,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._kiosks = kiosks
        self._commands = commands
        self._calls = calls
        self._uploads = uploads
        self._sleep = sleep
        self.stored: list[Callable[[Session], Awaitable[None]]] = []
        """Told each session once it is in the database."""
        self.introduced: list[Callable[[str, About], Awaitable[None]]] = []
        """Told what each kiosk says about itself."""
        self.refused: Counter[tuple[str, str]] = Counter()
        """How many messages were refused, by kiosk and kind."""
        self._takers: dict[str, Callable[[Topic, bytes], Awaitable[None]]] = {
            topics.PRESENCE: self._presence,
            topics.ABOUT: self._about,
            topics.HEALTH: self._health,
            topics.CONFIG_REPORTED: self._in_force,
            topics.SESSION: self._session,
            topics.ANSWER: self._answer,
            topics.SIGNAL_UP: self._signal,
        }

    async def run(self, batches: AsyncIterator[list[Incoming]]) -> None:
        """In lanes beside each other, because much of it is waiting for the database; what one kiosk tells stays in one
        lane, and so in its order. A lane that is behind makes the broker wait.

        Raises:
            StoreTrouble: (in an ExceptionGroup) as `take`.
        """
        lanes = [asyncio.Queue[list[Incoming]](1) for _ in range(LANES)]
        async with asyncio.TaskGroup() as tasks:
            for n, lane in enumerate(lanes):
                tasks.create_task(self._follow(lane), name=f"follower {n}")
            async for batch in batches:
                for n, lane in enumerate(lanes):
                    if part := [incoming for incoming in batch if _lane_of(incoming) == n]:
                        await lane.put(part)

    async def _follow(self, lane: asyncio.Queue[list[Incoming]]) -> None:
        while True:
            await self.take_all(await lane.get())

    async def take_all(self, batch: list[Incoming]) -> None:
        """Each is acknowledged when what it means is committed. What comes in great numbers is taken together; in
        rounds, where a session or a kiosk is there more than once. What a kiosk tells of itself comes before its
        sessions.

        Raises:
            StoreTrouble: as `take`.
        """
        presences, sessions, healths, rest = Rounds[Presence](), Rounds[Session](), Rounds[Health](), list[Incoming]()
        for incoming in batch:
            name, payload = incoming.topic, incoming.payload
            try:
                topic = topics.parse(name)
                if topic.kind == topics.SESSION and payload:
                    sessions.add(topic.session, incoming, _session_of(topic, payload))
                elif topic.kind == topics.PRESENCE and payload:
                    presences.add(topic.kiosk, incoming, decode(payload, Presence))
                elif topic.kind == topics.HEALTH and payload:
                    healths.add(topic.kiosk, incoming, decode(payload, Health))
                elif topic.kind in URGENT:
                    await self._take_one(incoming)
                else:
                    rest.append(incoming)
            except Malformed as error:
                self._refuse(name, error)
                incoming.done()
        for took, came in presences:
            await self._insist("presences", lambda came=came: self._take_presences(came))  # type: ignore[misc]
            done(took)
        for incoming in rest:
            await self._take_one(incoming)
        for took, parts in healths:
            await self._insist("health", lambda parts=parts: self._store.take_healths(parts))  # type: ignore[misc]
            done(took)
        for took, told in sessions:
            await self._insist("sessions", lambda told=told: self._take_sessions(list(told.values())))  # type: ignore[misc]
            done(took)

    async def _take_one(self, incoming: Incoming) -> None:
        await self.take(incoming.topic, incoming.payload)
        incoming.done()

    async def take(self, topic: str, payload: bytes) -> None:
        """
        Raises:
            StoreTrouble: the database does not take it, tried for seconds. That ends the desk, which catches up from
                what brokers and kiosks still hold when it is started again.
        """
        try:
            await self._insist(topic, lambda: self._take(topic, payload))
        except Malformed as error:
            self._refuse(topic, error)

    async def _insist(self, what: str, work: Callable[[], Awaitable[None]]) -> None:
        for n in range(TRIES):
            try:
                return await work()
            except SQLAlchemyError as error:
                log.warning("the database does not take %s (try %d of %d): %s", what, n + 1, TRIES, error)
                await self._sleep(0.2 * 2**n)
        raise StoreTrouble("the database takes nothing any more")

    async def _take(self, name: str, payload: bytes) -> None:
        topic = topics.parse(name)
        taker = self._takers.get(topic.kind)
        if taker and payload:  # an empty payload is a retained message being let go
            await taker(topic, payload)

    def _refuse(self, name: str, error: Malformed) -> None:
        parts = name.split("/")
        key = (parts[2][:40], "/".join(parts[3:5])[:40]) if len(parts) > 3 else ("", "")
        if key not in self.refused and len(self.refused) >= MAX_REFUSALS:
            return
        self.refused[key] += 1
        if self.refused[key] == 1:
            log.warning("refused a message on %r: %s (%s)", name[:120], error.code, error.text[:200])

    # --- what kiosks tell ---------------------------------------------------------------------------------------------

    async def _presence(self, topic: Topic, payload: bytes) -> None:
        await self._take_presences({topic.kiosk: decode(payload, Presence)})

    async def _take_presences(self, told: dict[str, Presence]) -> None:
        """Sessions may be lost by them, or found again; files of lost ones are asked for where their spool still is."""
        came = await self._store.take_presences(told)
        for kiosk, presence in told.items():
            if presence.online:
                self._calls.kiosk_back(kiosk)
        if lost := [session for session in came.sessions if was_lost(session)]:
            for session in lost:
                log.warning("session %s: kiosk %s has lost it", session.id, session.kiosk)
            await self._calls.sessions_ended([session.id for session in lost])
        if holders := [kiosk for kiosk, presence in told.items() if presence.held is not None]:
            for session in await self._store.lost_with_files(*holders):
                await self._uploads.ask_for(session)

    async def _about(self, topic: Topic, payload: bytes) -> None:
        about = decode(payload, About)
        await self._store.take_about(topic.kiosk, about)
        for introduced in self.introduced:
            await introduced(topic.kiosk, about)

    async def _health(self, topic: Topic, payload: bytes) -> None:
        await self._store.take_health(topic.kiosk, decode(payload, Health))

    async def _in_force(self, topic: Topic, payload: bytes) -> None:
        await self._store.take_in_force(topic.kiosk, decode(payload, InForce))

    async def _answer(self, topic: Topic, payload: bytes) -> None:
        self._commands.answered(topic.kiosk, decode(payload, Answer, MAX_COMMAND))

    async def _signal(self, topic: Topic, payload: bytes) -> None:
        await self._calls.signalled(topic.kiosk, topic.session, decode(payload, SignalUp))

    async def _session(self, topic: Topic, payload: bytes) -> None:
        await self._take_sessions([_session_of(topic, payload)])

    async def _take_sessions(self, told: list[Session]) -> None:
        outcomes = await self._store.take_sessions(told)
        stored = [t for t, outcome in zip(told, outcomes, strict=True) if outcome in STORED]
        if over := [t.id for t in stored if t.state not in OPEN]:
            await self._calls.sessions_ended(over)
        for one, outcome in zip(told, outcomes, strict=True):
            await self._receipt(one, outcome)
        for one in stored:
            await self._uploads.ask_for(one)
            for tell in self.stored:
                await tell(one)

    async def _receipt(self, told: Session, outcome: Told) -> None:
        if outcome is Told.FOREIGN:
            error = Malformed("a session of this id belongs to another kiosk")
            return self._refuse(str(Topic(told.kiosk, topics.SESSION, told.id)), error)
        if outcome is Told.DOUBTED:
            log.warning("session %s: %s", told.id, (await self._store.consent_check(told.id)).text)
        outdated = Outdated(session=told.id, epoch=told.epoch)
        here = Stored(session=told.id, epoch=told.epoch, rev=told.rev)
        await tell_if_possible(self._kiosks.took(told.kiosk, outdated if outcome is Told.OLD else here))


class Rounds(Generic[T]):
    """What a batch brings, by key: the second of a key waits for the next round, so their order stays."""

    def __init__(self) -> None:
        self._rounds: list[tuple[list[Incoming], dict[str, T]]] = []
        self._count: Counter[str] = Counter()

    def add(self, key: str, incoming: Incoming, told: T) -> None:
        n = self._count[key]
        self._count[key] += 1
        if n == len(self._rounds):
            self._rounds.append(([], {}))
        took, here = self._rounds[n]
        took.append(incoming)
        here[key] = told

    def __iter__(self) -> Iterator[tuple[list[Incoming], dict[str, T]]]:
        return iter(self._rounds)


def _lane_of(incoming: Incoming) -> int:
    """The same for all that one kiosk tells."""
    kiosk = incoming.topic.split("/", 3)[2:3]
    return zlib.crc32("".join(kiosk).encode()) % LANES


def done(took: list[Incoming]) -> None:
    for incoming in took:
        incoming.done()


def _session_of(topic: Topic, payload: bytes) -> Session:
    told = decode(payload, SessionTold).session
    if (told.kiosk, told.id) != (topic.kiosk, topic.session):
        raise Malformed("the session is not the one of the topic")
    return told
