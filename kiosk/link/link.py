"""What the kiosk says and hears over MQTT: presence, session state out until receipted, commands and signals in.

Owns no state of sessions: it tells what the book says (`Book` below) and hands commands to it. Nothing that is told is
kept for later; at each connect everything that the desk has not settled is told again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

import msgspec

from kiosk.errors import Malformed, Refused, StoreTrouble, Trouble, Unreachable
from kiosk.link.client import Client, Incoming, Message
from kiosk.link.on_hand import OnHand
from kiosk.mailbox import Queue
from kiosk.session.record import Person, Session
from kiosk.wire import topics
from kiosk.wire.codec import MAX_COMMAND, MAX_MESSAGE, decode, encode
from kiosk.wire.messages import (
    MAX_HELD,
    About,
    Answer,
    ArtifactStored,
    Command,
    Health,
    InForce,
    Outdated,
    Presence,
    PublicLink,
    Receipt,
    SeenBy,
    SessionTold,
    SignalDown,
    SignalUp,
    StaffTold,
    Stored,
    UploadGrant,
)
from kiosk.wire.topics import Topic

log = logging.getLogger(__name__)

SIGNAL_EXPIRY_S = 30
MAX_RESPONSE_TOPIC = 200
MAX_REASON = 500
RETELL_S = 10.0
"""A revision that is not receipted after so long is told again, also while the connection holds."""


class Book(Protocol):
    @property
    def sessions(self) -> dict[str, Session]: ...
    def follow(self) -> AsyncIterator[Session]: ...
    async def renew(self, session_id: str, epoch: str) -> None: ...
    def is_settled(self, session: Session) -> bool: ...
    async def settle(self, session: Session) -> None: ...
    async def command(self, command: Command) -> Answer: ...


@dataclass(frozen=True, slots=True)
class Signal:
    session: str
    body: SignalDown


class Link:
    """Runs as one task (`run`). `changed` is called when `online` or what is receipted has changed. `waits`: whether
    files wait here of sessions that the book does not know."""

    def __init__(
        self,
        client: Client,
        book: Book,
        *,
        kiosk: str,
        boot: str,
        about: About,
        in_force: InForce | None = None,
        desk_url: str = "",
        seen: Callable[[str, Person], Awaitable[None]],
        stored: Callable[[str, str, str], Awaitable[None]],
        changed: Callable[[], None],
        waits: Callable[[], bool] = lambda: False,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client, self._book = client, book
        self._kiosk, self._boot, self._about, self._in_force = kiosk, boot, about, in_force
        self._seen, self._stored, self._changed, self._waits = seen, stored, changed, waits
        self._desk_url = desk_url.rstrip("/") + "/"
        self._public_links: dict[str, str] = {}
        self._on_hand = OnHand(now)
        self._receipted: dict[str, int] = {}
        self._connection = 0
        self._told_n = 0
        self._told_held: tuple[str, ...] | None = None
        self.refused: Counter[tuple[str, str]] = Counter()
        """How many messages were refused, by kind of topic and code."""
        self.signals: Queue[Signal] = Queue(200)
        self.grants: Queue[UploadGrant] = Queue(500)

    @property
    def online(self) -> bool:
        return self._client.connected and self._connection > 0

    @property
    def staff_online(self) -> bool | None:
        """Whether any of the responsible staff are at a desk; None: not known."""
        return self._on_hand.anybody if self.online else None

    def is_sent(self, session: Session) -> bool:
        """The desk has this revision."""
        return self._book.is_settled(session) or self._receipted.get(session.id, -1) >= session.rev

    def public_link(self, session: Session) -> str:
        """Where the code user finds what is public of the session; empty where nobody has said so yet."""
        return self._public_links.get(session.id, "") if session.visibility == "public" else ""

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._at_each_connect(), name="link connect")
            group.create_task(self._tell_changes(), name="link tell")
            group.create_task(self._tell_again(), name="link tell again")
            group.create_task(self._listen(), name="link listen")

    async def signal(self, session: str, body: SignalUp) -> None:
        """Raises Unreachable."""
        await self._client.publish(str(self._topic(topics.SIGNAL_UP, session)), encode(body), expiry_s=SIGNAL_EXPIRY_S)

    async def health(self, health: Health) -> None:
        if self.online:
            await self._say(topics.HEALTH, health, qos=0)

    async def goodbye(self) -> None:
        """Said before a planned stop; the will is for the other kind."""
        await self._say(topics.PRESENCE, Presence(False, self._boot, self._connection), retain=True)

    # --- out ----------------------------------------------------------------------------------------------------------

    async def _at_each_connect(self) -> None:
        async for connection in self._client.connections():
            self._connection = connection
            await self._say_presence()
            await self._say(topics.ABOUT, self._about, retain=True)
            if self._in_force:
                await self._say(topics.CONFIG_REPORTED, self._in_force, retain=True)
            for session in self._book.sessions.values():
                await self._tell(session)
            self._changed()

    async def _say_presence(self) -> None:
        """With the sessions that we hold: whatever else the desk believes to be open here is lost (wire: Presence)."""
        held = self._held()
        self._told_n, self._told_held = self._told_n + 1, held
        presence = Presence(True, self._boot, self._connection, n=self._told_n, held=held)
        await self._say(topics.PRESENCE, presence, retain=True)

    def _held(self) -> tuple[str, ...] | None:
        held = tuple(self._book.sessions)
        return held if len(held) <= MAX_HELD else None

    async def _tell_changes(self) -> None:
        async for session in self._book.follow():
            if self._connection and self._told_held is not None and session.id not in self._told_held:
                await self._say_presence()  # before the session itself: it must not look lost
            await self._tell(session)

    async def _tell_again(self) -> None:
        while True:
            await asyncio.sleep(RETELL_S)
            for session in self._book.sessions.values():
                if not self.is_sent(session) or self._waits_for_upload(session):
                    await self._tell(session)
            if self.online and self._waits():
                await self._say_presence()  # the desk asks anew
            self._changed()

    async def _tell(self, session: Session) -> None:
        """The whole document, retained; where all is settled, the retained one is taken away instead."""
        if self._book.is_settled(session):
            await self._publish(self._topic(topics.SESSION, session.id), b"", retain=True)
        else:
            await self._publish(self._topic(topics.SESSION, session.id), encode(SessionTold(session)), retain=True)

    @staticmethod
    def _waits_for_upload(session: Session) -> bool:
        return session.state in ("CLOSED", "CANCELLED") and any(a.waits for a in session.artifacts)

    async def _say(self, kind: str, body: msgspec.Struct, *, qos: int = 1, retain: bool = False) -> None:
        await self._publish(self._topic(kind), encode(body), qos=qos, retain=retain)

    async def _publish(self, topic: Topic, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        try:
            await self._client.publish(str(topic), payload, qos=qos, retain=retain)
        except Unreachable:
            return  # told again at the next connect

    def _topic(self, kind: str, session: str = "") -> Topic:
        return Topic(self._kiosk, kind, session)

    # --- in -----------------------------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        async for incoming in self._client.messages():
            try:
                await self._take(incoming)
            except (Malformed, Refused, StoreTrouble) as error:
                # refused: of a session that was let go of in this moment; not stored: the desk says it again
                self._count(incoming, error)
            incoming.done()

    def _count(self, incoming: Incoming, error: Trouble) -> None:
        """Each kind of nonsense is logged once: whoever floods us does not fill the disk as well."""
        kind = "/".join(incoming.topic.split("/")[3:5])
        self.refused[kind[:40], error.code] += 1
        if self.refused[kind[:40], error.code] == 1:
            log.warning("message refused on %r: %s (%s)", incoming.topic[:100], error.text[:200], error.code)

    async def _take(self, incoming: Incoming) -> None:
        topic = topics.parse(incoming.topic)
        if incoming.retained and topic.kind not in (topics.CONFIG_DESIRED, topics.STAFF):
            raise Malformed("retained: nothing but the desired configuration and the number of staff may be")
        match topic.kind:
            case topics.COMMAND:
                await self._take_command(incoming)
            case topics.SIGNAL_DOWN:
                body = decode(incoming.payload, SignalDown, MAX_MESSAGE)
                if topic.session not in self._book.sessions:
                    raise Malformed("a signal for a session that is not held")
                self.signals.put(Signal(topic.session, body))
            case topics.RECEIPT:
                await self._take_receipt(decode(incoming.payload, Receipt, MAX_COMMAND))
            case topics.STAFF:
                self._on_hand.take(decode(incoming.payload, StaffTold, MAX_COMMAND))
                self._changed()
            case _:
                raise Malformed("nothing is expected on this topic")

    async def _take_command(self, incoming: Incoming) -> None:
        try:
            command = decode(incoming.payload, Command, MAX_COMMAND)
        except Malformed as error:
            await self._answer_malformed(incoming, error)
            raise
        await self._answer(incoming, await self._book.command(command))

    async def _answer_malformed(self, incoming: Incoming, error: Malformed) -> None:
        """Also a command that we cannot read (of a later version, say) is answered, where its id can be known."""
        asked = incoming.correlation.decode("ascii", "replace")
        if topics.ID.match(asked):
            answer = Answer(asked, ok=False, code=error.code, text=error.text[:MAX_REASON])
            await self._answer(incoming, answer)

    async def _answer(self, incoming: Incoming, answer: Answer) -> None:
        """On `up/answer`, and where the sender asked for it below that; anywhere else is not ours to write."""
        own, asked = str(self._topic(topics.ANSWER)), incoming.response_topic
        below = asked.startswith(own + "/") and len(asked) <= MAX_RESPONSE_TOPIC and not set("+#\0") & set(asked)
        for topic in (own, asked) if below else (own,):
            try:
                await self._client.publish(topic, encode(answer), correlation=incoming.correlation)
            except Unreachable:
                return  # the command is repeated until it is answered

    async def _take_receipt(self, receipt: Receipt) -> None:
        session = self._book.sessions.get(receipt.session)
        if session is None:
            await self._take_unknown(receipt)
            return
        match receipt:
            case Stored(epoch=epoch, rev=rev):
                if epoch != session.epoch:
                    return
                self._receipted[session.id] = max(rev, self._receipted.get(session.id, -1))
                await self._settle(session, rev)
            case Outdated(epoch=epoch):
                await self._book.renew(session.id, epoch)
            case UploadGrant():
                self.grants.put(receipt)
            case ArtifactStored(artifact=artifact, sha256=sha256):
                await self._stored(session.id, artifact, sha256)
            case PublicLink(url=url) if url.startswith(self._desk_url):
                self._public_links[session.id] = url
            case PublicLink():
                raise Malformed("a public link to another place than the desk")
            case SeenBy(person=person):
                await self._seen(session.id, person)
        self._changed()

    async def _take_unknown(self, receipt: Receipt) -> None:
        """Of a session that is let go of, or lost: files of it may still be here, and what the broker retains goes."""
        match receipt:
            case UploadGrant():
                self.grants.put(receipt)
            case ArtifactStored(artifact=artifact, sha256=sha256):
                await self._stored(receipt.session, artifact, sha256)
            case Stored():
                await self._publish(self._topic(topics.SESSION, receipt.session), b"", retain=True)

    async def _settle(self, session: Session, rev: int) -> None:
        if rev != session.rev or self._book.is_settled(session):
            return
        await self._book.settle(session)
        if self._book.is_settled(session):
            await self._tell(session)


def presence_will(kiosk: str, boot: str) -> Callable[[int], Message]:
    """The will of each connection: offline, under this very connection's number."""
    topic = str(Topic(kiosk, topics.PRESENCE))
    return lambda connection: Message(topic, encode(Presence(False, boot, connection)), retain=True)
