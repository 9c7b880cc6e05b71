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
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from desk.calls.bridge import Calls
from desk.files.uploads import Uploads
from desk.lanes import LANES, Heard, Lane, Rounds, lane_of
from desk.sessions.commands import Commands
from desk.sessions.kiosks import Kiosks, tell_if_possible
from desk.sessions.lost import was_lost
from desk.sessions.store import Store, Told
from desk.sessions.words import Words
from kiosk.errors import Malformed, StoreTrouble
from kiosk.link.client import Incoming
from kiosk.session.record import Session
from kiosk.session.states import OPEN
from kiosk.wire import topics
from kiosk.wire.codec import MAX_COMMAND, decode
from kiosk.wire.messages import About, Answer, Health, InForce, Outdated, Presence, SessionTold, SignalUp, Stored
from kiosk.wire.topics import Topic

log = logging.getLogger(__name__)

TRIES = 5
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
        self._together: tuple[tuple[dict[str, type[Any]], Callable[[Heard], Awaitable[None]]], ...] = (
            ({topics.PRESENCE: Presence}, self._take_presences),
            ({topics.ABOUT: About, topics.HEALTH: Health, topics.CONFIG_REPORTED: InForce}, self._take_words),
            ({topics.SESSION: SessionTold}, self._take_sessions),
        )
        """Taken many at once, in this order: what a kiosk tells of itself comes before its sessions."""
        self._at_once = {topics.ANSWER: self._answer, topics.SIGNAL_UP: self._signal}
        """Somebody waits for them."""

    async def run(self, batches: AsyncIterator[list[Incoming]]) -> None:
        """In lanes beside each other, because much of it is waiting for the database; what one kiosk tells stays in one
        lane, and so in its order. A lane that is behind makes the broker wait.

        Raises:
            StoreTrouble: (in an ExceptionGroup) as `take`.
        """
        lanes = [Lane() for _ in range(LANES)]
        async with asyncio.TaskGroup() as tasks:
            for n, lane in enumerate(lanes):
                tasks.create_task(self._follow(lane), name=f"follower {n}")
            async for batch in batches:
                parts: list[list[Incoming]] = [[] for _ in lanes]
                for incoming in batch:
                    parts[lane_of(incoming)].append(incoming)
                for lane, part in zip(lanes, parts, strict=True):
                    if part:
                        await lane.put(part)

    async def _follow(self, lane: Lane) -> None:
        while True:
            await self.take_all(await lane.take())

    async def take_all(self, batch: list[Incoming]) -> None:
        """Each is acknowledged when what it means is committed. What comes in great numbers is taken together; in
        rounds, where a session, or the same word of a kiosk, is there more than once.

        Raises:
            StoreTrouble: the database does not take it, tried for seconds. That ends the desk, which catches up from
                what brokers and kiosks still hold when it is started again.
        """
        kinds = [(take, Rounds(), schemas) for schemas, take in self._together]
        gathered = {kind: (schema, rounds) for _, rounds, schemas in kinds for kind, schema in schemas.items()}
        for incoming in batch:
            try:
                topic = topics.parse(incoming.topic)
                schema, rounds = gathered.get(topic.kind, (None, None))
                if schema and rounds and incoming.payload:
                    rounds.add(topic, incoming, _read(topic, incoming.payload, schema))
                    continue
                await self._take_at_once(topic, incoming.payload)
                incoming.done()
            except Malformed as error:
                self._refuse(incoming.topic, error)
                incoming.done()
        for take, rounds, _ in kinds:
            for took, heard in rounds:
                await self._insist(f"{len(took)} messages", partial(take, heard))
                for incoming in took:
                    incoming.done()

    async def take(self, topic: str, payload: bytes) -> None:
        """
        Raises:
            StoreTrouble: as `take_all`.
        """
        await self.take_all([Incoming(topic, payload, False, "", b"", lambda: None)])

    async def _take_at_once(self, topic: Topic, payload: bytes) -> None:
        if payload and (taker := self._at_once.get(topic.kind)):
            await self._insist(topic.kind, partial(taker, topic, payload))

    async def _insist(self, what: str, work: Callable[[], Awaitable[None]]) -> None:
        for n in range(TRIES):
            try:
                return await work()
            except SQLAlchemyError as error:
                log.warning("the database does not take %s (try %d of %d): %s", what, n + 1, TRIES, error)
                await self._sleep(0.2 * 2**n)
        raise StoreTrouble("the database takes nothing any more")

    def _refuse(self, name: str, error: Malformed) -> None:
        parts = name.split("/")
        key = (parts[2][:40], "/".join(parts[3:5])[:40]) if len(parts) > 3 else ("", "")
        if key not in self.refused and len(self.refused) >= MAX_REFUSALS:
            return
        self.refused[key] += 1
        if self.refused[key] == 1:
            log.warning("refused a message on %r: %s (%s)", name[:120], error.code, error.text[:200])

    # --- what kiosks tell ---------------------------------------------------------------------------------------------

    async def _take_presences(self, heard: Heard) -> None:
        """Sessions may be lost by them, or found again; files of lost ones are asked for where their spool still is."""
        told: dict[str, Presence] = {topic.kiosk: presence for topic, presence in heard.items()}
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

    async def _take_words(self, heard: Heard) -> None:
        names = {topics.ABOUT: "about", topics.HEALTH: "health", topics.CONFIG_REPORTED: "in_force"}
        said: dict[str, dict[str, Any]] = {}
        for topic, word in heard.items():
            said.setdefault(topic.kiosk, {})[names[topic.kind]] = word
        told = {kiosk: Words(**words) for kiosk, words in said.items()}
        await self._store.take_words(told)
        for kiosk, words in told.items():
            if words.about:
                for introduced in self.introduced:
                    await introduced(kiosk, words.about)

    async def _answer(self, topic: Topic, payload: bytes) -> None:
        self._commands.answered(topic.kiosk, decode(payload, Answer, MAX_COMMAND))

    async def _signal(self, topic: Topic, payload: bytes) -> None:
        await self._calls.signalled(topic.kiosk, topic.session, decode(payload, SignalUp))

    async def _take_sessions(self, heard: Heard) -> None:
        told: list[Session] = [each.session for each in heard.values()]
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


def _read(topic: Topic, payload: bytes, schema: type[Any]) -> Any:
    told = decode(payload, schema)
    if isinstance(told, SessionTold) and (told.session.kiosk, told.session.id) != (topic.kiosk, topic.session):
        raise Malformed("the session is not the one of the topic")
    return told
