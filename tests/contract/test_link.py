"""The link over a real Mosquitto with the real accounts and rules: state told until receipted, commands in."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kiosk.book.book import Book
from kiosk.demo import broker
from kiosk.demo.site import free_ports
from kiosk.link.client import Client, Incoming, Message, Settings
from kiosk.link.link import Link, presence_will
from kiosk.session import inputs as do
from kiosk.session.provider import Provider
from kiosk.session.record import CODE_USER, SYSTEM, Actor, Device, Person
from kiosk.session.states import Role, State
from kiosk.wire import topics
from kiosk.wire.codec import decode, encode
from kiosk.wire.messages import About, Answer, Bye, Command, Guard, Presence, SeenBy, SessionTold, StaffTold, Stored
from kiosk.wire.topics import Topic

ANNA = Person("anna", "Anna Berg")
DEVICE = Device("press-7", "Press 7")
PROVIDER = Provider(staff=(ANNA,))


class Broker:
    """A Mosquitto that can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_ports(1)[0]
        self._configuration = broker.write_configuration(folder, self.port, ["kiosk-1", "kiosk-2"])
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            broker.find_mosquitto(), "-c", str(self._configuration), stderr=asyncio.subprocess.DEVNULL
        )
        async with asyncio.timeout(30):
            while not await self._listens():
                await asyncio.sleep(0.02)

    async def _listens(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except ConnectionRefusedError:
            return False
        writer.close()
        await writer.wait_closed()
        return True

    async def kill(self) -> None:
        if self._process:
            self._process.kill()
            await self._process.wait()
            self._process = None

    def settings(self, name: str, filters: tuple[str, ...], **more: Any) -> Settings:
        password = (self.folder / f"{name}.password").read_text()
        return Settings("127.0.0.1", self.port, name, filters, username=name, password=password, **more)


@pytest.fixture
async def mosquitto(tmp_path: Path) -> AsyncIterator[Broker]:
    process = Broker(tmp_path / "broker")
    await process.start()
    yield process
    await process.kill()


class Desk:
    """Remembers the newest of each topic, and the order in which things came."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.newest: dict[str, bytes] = {}
        self.came: list[tuple[str, bytes]] = []
        self.task = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        async for incoming in self.client.messages():
            self.newest[incoming.topic] = incoming.payload
            self.came.append((incoming.topic, incoming.payload))
            incoming.done()

    async def say(self, kind: str, body: Any, session: str = "") -> None:
        await self.client.publish(str(Topic("kiosk-1", kind, session)), encode(body), expiry_s=30)

    def session(self, session_id: str) -> SessionTold | None:
        payload = self.newest.get(str(Topic("kiosk-1", topics.SESSION, session_id)))
        return decode(payload, SessionTold) if payload else None

    def answers(self) -> list[Answer]:
        wanted = str(Topic("kiosk-1", topics.ANSWER))
        return [decode(payload, Answer) for topic, payload in self.came if topic == wanted]


@pytest.fixture
async def desk(mosquitto: Broker) -> AsyncIterator[Desk]:
    async with Client(mosquitto.settings("desk", topics.DESK_FILTERS)) as client:
        desk = Desk(client)
        await until(lambda: client.connected)
        yield desk
        desk.task.cancel()


class Kiosk:
    def __init__(self, book: Book, client: Client) -> None:
        self.book, self.client = book, client
        self.changes = 0
        self.link = Link(
            client,
            book,
            kiosk="kiosk-1",
            boot="boot-1",
            about=About(DEVICE, "1", "test"),
            seen=self._seen,
            stored=self._stored,
            changed=self._changed,
        )

    async def _seen(self, session_id: str, person: Person) -> None:
        await self.book.put(session_id, do.Seen(person), SYSTEM)

    async def _stored(self, session_id: str, artifact: str, sha256: str) -> None:
        await self.book.put(session_id, do.Uploaded(artifact, sha256), SYSTEM)

    def _changed(self) -> None:
        self.changes += 1


@pytest.fixture
async def kiosk(mosquitto: Broker, tmp_path: Path) -> AsyncIterator[Kiosk]:
    book = await Book.open(tmp_path / "book.json", "kiosk-1", DEVICE, PROVIDER)
    settings = mosquitto.settings(
        "kiosk-1", (topics.kiosk_filter("kiosk-1"),), will=presence_will("kiosk-1", "boot-1"), will_delay_s=0
    )
    async with Client(settings) as client:
        kiosk = Kiosk(book, client)
        task = asyncio.create_task(kiosk.link.run())
        yield kiosk
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    await book.close()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.005)


def cut(client: Client) -> None:
    """As when the power goes: no goodbye."""
    connection = client._connection
    assert connection is not None
    sock: Any = connection._paho.socket()
    sock.shutdown(socket.SHUT_RDWR)


def confirm(command_id: str, session_id: str) -> Command:
    return Command(command_id, Actor(Role.STAFF, "anna", "Anna Berg"), do.Confirm(), session_id, Guard(State.REQUESTED))


async def test_a_request_is_told_and_counts_as_sent_when_the_desk_has_receipted_it(kiosk: Kiosk, desk: Desk) -> None:
    session = await kiosk.book.put(None, do.Request(reason="Jam"), CODE_USER)
    await until(lambda: desk.session(session.id))
    told = desk.session(session.id)
    assert told is not None
    assert told.session == session
    assert not kiosk.link.is_sent(session)
    await desk.say(topics.RECEIPT, Stored(session=session.id, epoch=session.epoch, rev=session.rev))
    await until(lambda: kiosk.link.is_sent(session))


async def test_a_command_sent_three_times_is_applied_once_and_answered_each_time(kiosk: Kiosk, desk: Desk) -> None:
    session = await kiosk.book.put(None, do.Request(), CODE_USER)
    await until(lambda: desk.session(session.id))
    for _ in range(3):
        await desk.say(topics.COMMAND, confirm("cmd-1", session.id))
    await until(lambda: len(desk.answers()) == 3)
    assert {a.ok for a in desk.answers()} == {True}
    assert kiosk.book.sessions[session.id].rev == session.rev + 1


async def test_what_is_no_command_changes_nothing_and_stops_nothing(kiosk: Kiosk, desk: Desk) -> None:
    session = await kiosk.book.put(None, do.Request(), CODE_USER)
    await until(lambda: desk.session(session.id))
    for payload in (b"", b"{", b'{"v":9}', b"x" * 20_000):
        await desk.client.publish(str(Topic("kiosk-1", topics.COMMAND)), payload)
        await desk.client.publish(str(Topic("kiosk-1", topics.RECEIPT)), payload)
        await desk.client.publish(str(Topic("kiosk-1", topics.SIGNAL_DOWN, session.id)), payload)
    await desk.say(topics.COMMAND, confirm("cmd-1", session.id))
    await until(desk.answers)
    assert desk.answers()[0].ok


async def test_a_broker_that_lost_its_memory_is_told_everything_again(
    kiosk: Kiosk, desk: Desk, mosquitto: Broker
) -> None:
    session = await kiosk.book.put(None, do.Request(), CODE_USER)
    await until(lambda: desk.session(session.id))
    await mosquitto.kill()
    (mosquitto.folder / "mosquitto.db").unlink(missing_ok=True)
    await until(lambda: not kiosk.link.online)
    confirmed = await kiosk.book.put(session.id, do.Confirm(), Actor(Role.STAFF, "anna"))
    desk.newest.clear()
    await mosquitto.start()
    await until(lambda: desk.session(session.id))
    await until(lambda: (told := desk.session(session.id)) and told.session == confirmed)


async def test_a_settled_session_is_taken_off_the_broker(kiosk: Kiosk, desk: Desk) -> None:
    session = await kiosk.book.put(None, do.Request(), CODE_USER)
    ended = await kiosk.book.put(session.id, do.Cancel(), CODE_USER)
    await until(lambda: (told := desk.session(session.id)) and told.session.rev == ended.rev)
    await desk.say(topics.RECEIPT, Stored(session=ended.id, epoch=ended.epoch, rev=ended.rev))
    await until(lambda: desk.newest[str(Topic("kiosk-1", topics.SESSION, session.id))] == b"")


async def test_staff_who_looked_are_named(kiosk: Kiosk, desk: Desk) -> None:
    session = await kiosk.book.put(None, do.Request(), CODE_USER)
    await until(lambda: desk.session(session.id))
    await desk.say(topics.RECEIPT, SeenBy(session=session.id, person=ANNA))
    await until(lambda: kiosk.book.sessions[session.id].seen_by == (ANNA,))


async def test_whether_staff_are_there_is_known_again_after_a_broken_link(kiosk: Kiosk, desk: Desk) -> None:
    assert kiosk.link.staff_online is None
    told = encode(StaffTold("desk-1", 2))
    await desk.client.publish(str(Topic("kiosk-1", topics.STAFF)), told, retain=True)
    await until(lambda: kiosk.link.staff_online)
    cut(kiosk.client)
    await until(lambda: kiosk.link.staff_online is None)
    await until(lambda: kiosk.link.staff_online)
    assert not kiosk.link.refused


async def test_signals_reach_the_session_they_are_for(kiosk: Kiosk, desk: Desk) -> None:
    session = await kiosk.book.put(None, do.Request(), CODE_USER)
    await until(lambda: desk.session(session.id))
    await desk.say(topics.SIGNAL_DOWN, Bye(peer="peer-1"), "s-unknown")
    await desk.say(topics.SIGNAL_DOWN, Bye(peer="peer-2"), session.id)
    signal = await kiosk.link.signals.get()
    assert (signal.session, signal.body.peer) == (session.id, "peer-2")


async def test_a_kiosk_that_dies_is_shown_as_such_by_its_will(mosquitto: Broker, desk: Desk, tmp_path: Path) -> None:
    filters = (topics.kiosk_filter("kiosk-1"),)
    will = presence_will("kiosk-1", "boot-1")
    client = Client(mosquitto.settings("kiosk-1", filters, will=will, will_delay_s=0))
    async with client:
        await until(lambda: client.connected)
        cut(client)
        topic = str(Topic("kiosk-1", topics.PRESENCE))
        await until(lambda: topic in desk.newest)
        assert decode(desk.newest[topic], Presence) == Presence(False, "boot-1", 1)


async def test_a_kiosk_reads_and_writes_nothing_of_another(mosquitto: Broker, desk: Desk) -> None:
    heard: list[Incoming] = []

    async def listen(client: Client) -> None:
        async for incoming in client.messages():
            heard.append(incoming)  # noqa: PERF401 - it never ends

    filters = ("#", "kiosk/1/#", "kiosk/1/kiosk-1/down/#", "$share/g/kiosk/1/kiosk-1/#", "kiosk/1/kiosk-2/down/#")
    will = Message(str(Topic("kiosk-1", topics.PRESENCE)), b"forged", retain=True)
    settings = mosquitto.settings("kiosk-2", filters, will=lambda _: will, will_delay_s=0)
    async with Client(settings) as attacker:
        task = asyncio.create_task(listen(attacker))
        await until(lambda: attacker.connected)
        for kind, session in ((topics.PRESENCE, ""), (topics.ABOUT, ""), (topics.SESSION, "s-12345678")):
            await attacker.publish(str(Topic("kiosk-1", kind, session)), b"forged", retain=True)
        await attacker.publish(str(Topic("kiosk-1", topics.COMMAND)), b"forged")
        await desk.say(topics.COMMAND, confirm("cmd-1", "s-12345678"))
        own = Topic("kiosk-2", topics.COMMAND)
        await desk.client.publish(str(own), b"for you")
        await attacker.publish(str(Topic("kiosk-2", topics.ABOUT)), b"mine")
        await until(lambda: heard and str(Topic("kiosk-2", topics.ABOUT)) in desk.newest)
        assert {i.topic for i in heard} == {str(own)}
        assert {t for t in desk.newest if "kiosk-1" in t} == set()
        cut(attacker)
        await desk.client.publish(str(own), b"after the will")
        task.cancel()
    assert not any(payload == b"forged" for payload in desk.newest.values())


async def test_a_wrong_password_is_let_in_nowhere(mosquitto: Broker) -> None:
    settings = Settings("127.0.0.1", mosquitto.port, "kiosk-1", ("#",), username="kiosk-1", password="guessed")
    async with Client(settings) as client:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await anext(client.connections())
        assert not client.connected


class Way:
    """A way to the broker that can go dead: nothing gets through any more, and nobody is told."""

    def __init__(self, port: int) -> None:
        self._port, self.dead = port, False
        self.opened = 0
        self._writers: list[asyncio.StreamWriter] = []

    async def open(self) -> int:
        self._server = await asyncio.start_server(self._pass_on, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        self._server.close()
        for writer in self._writers:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened += 1
        self._writers.append(writer)
        there, back = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers.append(back)
        await asyncio.gather(self._one_way(reader, back), self._one_way(there, writer), return_exceptions=True)

    async def _one_way(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(4096):
            if not self.dead:
                writer.write(data)
        writer.close()


async def test_a_connection_that_leads_nowhere_any_more_is_given_up_and_made_anew(mosquitto: Broker) -> None:
    way = Way(mosquitto.port)
    settings = replace(mosquitto.settings("kiosk-1", (topics.kiosk_filter("kiosk-1"),)), port=await way.open())
    async with Client(settings) as client:
        connections = client.connections()
        first = await anext(connections)
        await client.check(10)
        assert way.opened == 1, "it answers: nothing happens"
        client.hurry(True)
        way.dead = True
        await client.check(0.1)
        way.dead = False
        assert await anext(connections) > first
        await client.check(10)
        await client.publish("kiosk/1/kiosk-1/up/answer", b"{}")
    await way.close()


async def test_whoever_is_slow_to_read_loses_nothing_however_much_the_broker_sends(mosquitto: Broker) -> None:
    """QoS 0, which no receive maximum holds back; Mosquitto 2.0.11 sends more of QoS 1 as well than it may."""
    count, topic = 3000, "kiosk/1/kiosk-1/up/answer"
    desk = mosquitto.settings("desk", topics.DESK_FILTERS, receive_maximum=10)
    one = mosquitto.settings("kiosk-1", (topics.kiosk_filter("kiosk-1"),))
    async with Client(desk) as slow, Client(one) as kiosk:
        await anext(slow.connections())
        await anext(kiosk.connections())
        for n in range(count):
            await kiosk.publish(topic, b"%d" % n, qos=0)
        await until(lambda: len(slow._incoming) >= 20)
        came = [(await anext(slow.messages())).payload for _ in range(count)]
    assert came == [b"%d" % n for n in range(count)]


async def test_a_client_that_nobody_reads_from_is_closed_all_the_same(mosquitto: Broker) -> None:
    desk = mosquitto.settings("desk", topics.DESK_FILTERS, receive_maximum=10)
    one = mosquitto.settings("kiosk-1", (topics.kiosk_filter("kiosk-1"),))
    async with Client(desk) as slow, Client(one) as kiosk:
        await anext(slow.connections())
        await anext(kiosk.connections())
        for n in range(100):
            await kiosk.publish("kiosk/1/kiosk-1/up/answer", b"%d" % n, qos=0)
        await until(lambda: len(slow._incoming) >= 20)
    assert not slow.connected
