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

from sqlalchemy.exc import SQLAlchemyError

from desk.calls import Calls
from desk.commands import Commands
from desk.kiosks import Kiosks, tell_if_possible
from desk.lost import was_lost
from desk.store import Store, Told
from desk.uploads import Uploads
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

    async def run(self, messages: AsyncIterator[Incoming]) -> None:
        async for incoming in messages:
            await self.take(incoming.topic, incoming.payload)
            incoming.done()

    async def take(self, topic: str, payload: bytes) -> None:
        """
        Raises:
            StoreTrouble: the database does not take it, tried for seconds. That ends the desk, which catches up from
                what brokers and kiosks still hold when it is started again.
        """
        for n in range(TRIES):
            try:
                return await self._take(topic, payload)
            except Malformed as error:
                return self._refuse(topic, error)
            except SQLAlchemyError as error:
                log.warning("the database does not take %s (try %d of %d): %s", topic, n + 1, TRIES, error)
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
        presence = decode(payload, Presence)
        await self._store.take_presence(topic.kiosk, presence)
        if presence.online:
            self._calls.kiosk_back(topic.kiosk)
        if presence.held is not None:
            await self._held(topic.kiosk, presence)

    async def _held(self, kiosk: str, presence: Presence) -> None:
        """Sessions may be lost by it, or found again; files of lost ones are asked for where their spool still is."""
        for session_id in await self._store.take_held(kiosk, presence):
            session = await self._store.session(session_id)
            if session and was_lost(session):
                log.warning("session %s: kiosk %s has lost it", session_id, kiosk)
                await self._calls.sessions_ended([session_id])
        for session in await self._store.lost_with_files(kiosk):
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
        told = decode(payload, SessionTold).session
        if (told.kiosk, told.id) != (topic.kiosk, topic.session):
            raise Malformed("the session is not the one of the topic")
        outcome = await self._store.take_session(told)
        if outcome is Told.FOREIGN:
            raise Malformed("a session of this id belongs to another kiosk")
        if outcome is Told.OLD:
            await tell_if_possible(self._kiosks.receipt(told.kiosk, Outdated(session=told.id, epoch=told.epoch)))
            return
        if outcome is Told.DOUBTED:
            log.warning("session %s: %s", told.id, (await self._store.consent_check(told.id)).text)
        if outcome in (Told.NEW, Told.DOUBTED) and told.state not in OPEN:
            await self._calls.sessions_ended([told.id])
        await tell_if_possible(
            self._kiosks.receipt(told.kiosk, Stored(session=told.id, epoch=told.epoch, rev=told.rev))
        )
        if outcome is not Told.PAST:
            await self._uploads.ask_for(told)
            for stored in self.stored:
                await stored(told)
