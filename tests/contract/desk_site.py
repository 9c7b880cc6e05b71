"""For the desk's contract tests: a real Mosquitto with the real accounts, the desk over real HTTP, and a kiosk's side
that does what a kiosk does on the wire and nothing more."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from msgspec.structs import replace

from desk.app import run
from desk.config import Broker, CallSettings, Config, Http, IceServer, Member, Rank, signing_secret
from desk.people.links import sign_in_link
from desk.seals import Seals
from kiosk.demo import broker
from kiosk.demo.site import free_ports
from kiosk.link.client import Client, Incoming, Settings
from kiosk.session.record import CODE_USER, Artifact, ArtifactKind, Change, Device, Person, Session
from kiosk.session.states import Event, State
from kiosk.wire import topics
from kiosk.wire.codec import decode, encode
from kiosk.wire.messages import (
    Answer,
    ArtifactStored,
    Command,
    Presence,
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

KIOSK = "kiosk-1"
DEVICE = Device("press-7", "Press 7")
ANNA, BEN = Person("anna", "Anna Berg"), Person("ben", "Ben Ott")
AT = "2026-03-01T10:00:00Z"
PEOPLE = (
    Member(id="anna", name="Anna Berg", language="de"),
    Member(id="ben", name="Ben Ott"),
    Member(id="clara", name="Clara Wolf", role=Rank.MODERATOR),
)


def a_session(session_id: str = "s-1", **more: Any) -> Session:
    values: dict[str, Any] = {
        "id": session_id,
        "epoch": "e1",
        "rev": 1,
        "kiosk": KIOSK,
        "device": DEVICE,
        "state": State.REQUESTED,
        "origin": "code_user",
        "created_at": AT,
        "asked": (ANNA,),
        "assigned": (ANNA,),
        "history": (Change(AT, CODE_USER, Event.REQUEST, None, State.REQUESTED),),
    }
    return Session(**{**values, **more})


def an_artifact(content: bytes, artifact_id: str = "a-1", **more: Any) -> Artifact:
    import hashlib

    values: dict[str, Any] = {
        "id": artifact_id,
        "kind": ArtifactKind.SNAPSHOT,
        "name": "snapshot-1.jpg",
        "content_type": "image/jpeg",
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    return Artifact(**{**values, **more})


async def until(true: Callable[[], Any], limit_s: float = 30.0) -> Any:
    """What `true()` gives as soon as it is true."""
    async with asyncio.timeout(limit_s):
        while not (found := true()):
            await asyncio.sleep(0.01)
        return found


@dataclass
class Kiosk:
    """A kiosk's side of the wire. `answers` and `signals_back` decide what it says to commands and signals."""

    client: Client
    receipts: list[Any] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    signals: list[tuple[str, Any]] = field(default_factory=list)
    staff: list[int] = field(default_factory=list)
    staff_told: list[StaffTold] = field(default_factory=list)
    answers: Callable[[Command], Answer | None] = lambda _: None
    signals_back: Callable[[Any], SignalUp | None] = lambda _: None

    async def listen(self) -> None:
        async for incoming in self.client.messages():
            await self._take(incoming)
            incoming.done()

    async def _take(self, incoming: Incoming) -> None:
        topic = topics.parse(incoming.topic)
        if topic.kind == topics.RECEIPT:
            self.receipts.append(decode(incoming.payload, Receipt))
        elif topic.kind == topics.STAFF:
            self.staff_told.append(decode(incoming.payload, StaffTold))
            self.staff.append(self.staff_told[-1].present)
        elif topic.kind == topics.COMMAND:
            command = decode(incoming.payload, Command)
            self.commands.append(command)
            if answer := self.answers(command):
                await self.say(topics.ANSWER, answer)
        elif topic.kind == topics.SIGNAL_DOWN:
            signal = decode(incoming.payload, SignalDown)
            self.signals.append((topic.session, signal))
            if back := self.signals_back(signal):
                await self.say(topics.SIGNAL_UP, back, topic.session)

    async def say(self, kind: str, body: Any, session: str = "", *, retain: bool = False, kiosk: str = KIOSK) -> None:
        payload = body if isinstance(body, bytes) else encode(body)
        await self.client.publish(str(Topic(kiosk, kind, session)), payload, retain=retain)

    async def tell(self, session: Session) -> Session:
        await self.say(topics.SESSION, SessionTold(session), session.id, retain=True)
        return session

    async def told(self, session: Session) -> Session:
        """Tells it and waits for the receipt."""
        before = len(self.receipts)
        await self.tell(session)
        wanted = Stored(session=session.id, epoch=session.epoch, rev=session.rev)
        await until(lambda: wanted in self.receipts[before:])
        return session

    async def online(self, boot: str = "boot-1", connection: int = 1) -> None:
        await self.say(topics.PRESENCE, Presence(True, boot, connection), retain=True)

    def of(self, kind: type) -> list[Any]:
        return [r for r in self.receipts if isinstance(r, kind)]

    @property
    def grants(self) -> list[UploadGrant]:
        return self.of(UploadGrant)

    @property
    def stored(self) -> list[ArtifactStored]:
        return self.of(ArtifactStored)

    @property
    def seen(self) -> list[SeenBy]:
        return self.of(SeenBy)


class Site:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, desk_port = free_ports(2)
        configuration = broker.write_configuration(folder / "broker", self.port, [KIOSK, "kiosk-2"])
        self.mosquitto_configuration = str(configuration)
        password = str(folder / "broker" / "desk.password")
        self.credential = folder / "turn.secret"
        self.credential.write_text("turn-secret\n")
        self.config = Config(
            http=Http(port=desk_port),
            broker=Broker(port=self.port, password_file=password),
            data=str(folder / "data"),
            people=PEOPLE,
            call=CallSettings(
                ice_servers=(
                    IceServer(urls=("stun:127.0.0.1:3478",)),
                    IceServer(urls=("turn:127.0.0.1:3478",), username="desk", credential_file=str(self.credential)),
                )
            ),
        )
        self.url = self.config.url
        self.broker: asyncio.subprocess.Process | None = None

    def end_broker(self) -> None:
        if self.broker and self.broker.returncode is None:
            self.broker.kill()

    def link(self, person: str, minutes: float = 5) -> str:
        return sign_in_link(self.config, Seals(signing_secret(self.config.secret_path)), person, minutes)

    @contextlib.asynccontextmanager
    async def desk(self) -> AsyncIterator[None]:
        """The desk, running; may be started again."""
        ready, stop = asyncio.Event(), asyncio.Event()
        running = asyncio.create_task(run(self.config, lambda _: ready.set(), stop))
        started = asyncio.create_task(ready.wait())
        await asyncio.wait([running, started], return_when=asyncio.FIRST_COMPLETED)
        started.cancel()
        try:
            yield
        finally:
            stop.set()
            await running

    @contextlib.asynccontextmanager
    async def person_later(self) -> AsyncIterator[Callable[[str], Awaitable[httpx.AsyncClient]]]:
        """Signs people in on call, and keeps their connections open until the end."""
        async with contextlib.AsyncExitStack() as stack:

            async def sign_in(person: str) -> httpx.AsyncClient:
                headers = {"Origin": self.url, "X-Desk": "1"}
                http = httpx.AsyncClient(base_url=self.url, headers=headers, timeout=20)
                await stack.enter_async_context(http)
                entered = await http.get(self.link(person))
                assert entered.status_code == 303, entered.text
                return http

            yield sign_in

    @contextlib.asynccontextmanager
    async def person(self, person: str) -> AsyncIterator[httpx.AsyncClient]:
        """Somebody signed in, whose requests are as our pages make them."""
        async with self.person_later() as sign_in:
            yield await sign_in(person)

    @contextlib.asynccontextmanager
    async def kiosk(self, kiosk: str = KIOSK) -> AsyncIterator[Kiosk]:
        password = (self.folder / "broker" / f"{kiosk}.password").read_text()
        settings = Settings(
            "127.0.0.1", self.port, kiosk, (topics.kiosk_filter(kiosk),), username=kiosk, password=password
        )
        async with Client(settings) as client:
            await anext(client.connections())
            body = Kiosk(client)
            listening = asyncio.create_task(body.listen())
            yield body
            listening.cancel()


@contextlib.asynccontextmanager
async def open_site(folder: Path) -> AsyncIterator[Site]:
    """A broker of its own; the desk is started by whoever wants it."""
    site = Site(folder)
    process = await asyncio.create_subprocess_exec(
        broker.find_mosquitto(), "-c", site.mosquitto_configuration, stderr=asyncio.subprocess.DEVNULL
    )
    site.broker = process
    try:
        await _listens(site.port)
        yield site
    finally:
        site.end_broker()
        await process.wait()


async def _listens(port: int) -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
                continue
            writer.close()
            await writer.wait_closed()
            return


def next_rev(session: Session, **changes: Any) -> Session:
    return replace(session, rev=session.rev + 1, **changes)
