"""What we rely on inside paho-mqtt. A failure here means: paho has changed, read kiosk/link/paho_hooks.py anew."""

from __future__ import annotations

import asyncio
import inspect
import random
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt._packet import decode_publish
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from kiosk.link.client import Client, Incoming, Settings
from kiosk.link.connection import MAX_PACKET
from kiosk.link.packets import Published, puback, publish_0, read_plain
from kiosk.link.paho_hooks import LeanClient
from kiosk.wire import topics
from kiosk.wire.topics import Topic
from tests.contract.broker_site import Mosquitto, until

CONNACK, SUBACK = b"\x20\x03\0\0\0", b"\x90\x04%b\0\1"
SOURCES = {  # function -> what of it we take the place of, or rely on
    "_loop": ("self.loop_read()", "select.select(", "self._sockpairR.recv(", "self.loop_write()"),
    "_packet_read": ("self._packet_handle()", "except MalformedPacket", "self._last_bytes_received = time_func()"),
    "_packet_write": ("packet['packet'][packet['pos']:]", "== PUBLISH and packet['qos'] == 0", "== DISCONNECT"),
    "_packet_queue": ("self._out_packet.append(mpkt)", "self._sockpairW.send("),
    "_send_command_with_mid": ("self._packet_queue(command, packet, mid, 1)",),
    "_handle_publish": ("self._handle_on_message(message)", "if self._manual_ack:"),
    "_loop_rc_handle": ("self._sock_close()", "self._do_on_disconnect("),
    "_sock_recv": ("raise BlockingIOError()", "raise ConnectionError("),
}


def test_paho_is_the_version_that_was_read() -> None:
    assert version("paho-mqtt").split(".")[:2] == ["2", "2"]


@pytest.mark.parametrize("name", SOURCES)
def test_paho_still_does_what_we_take_the_place_of(name: str) -> None:
    source = inspect.getsource(getattr(paho.Client, name))
    for part in SOURCES[name]:
        assert part in source, f"{name} has become another"


def test_a_packet_that_is_handed_over_is_described_as_paho_describes_its_own() -> None:
    client = LeanClient(lambda _: None, MAX_PACKET)
    before = dict(client._in_packet)
    client._handle(0xD0, b"")  # an answer to a ping
    after: dict[str, Any] = dict(client._in_packet)
    assert after.keys() == before.keys()
    assert {type(value) for value in after.values()} == {type(value) for value in before.values()}


def test_a_plain_message_is_what_paho_reads_in_it() -> None:
    drawn = random.Random(5)
    for _ in range(300):
        qos, retain, mid = drawn.randint(0, 1), drawn.random() < 0.5, drawn.randint(1, 65_535)
        topic = "".join(drawn.choice("aä/€1") for _ in range(drawn.randint(1, 40))).encode()
        number = struct.pack("!H", mid) if qos else b""
        body = struct.pack("!H", len(topic)) + topic + number + b"\0" + drawn.randbytes(drawn.randint(0, 300))
        first = 0x30 | qos << 1 | retain
        theirs = decode_publish(first, body, paho.MQTTv5)
        ours = read_plain(first, body)
        assert ours == Published(theirs.topic.decode(), bytes(theirs.payload), theirs.retain, theirs.mid)


def test_what_we_put_together_is_what_paho_would() -> None:
    client = LeanClient(lambda _: None, MAX_PACKET)
    here, there = socket.socketpair()
    client._sock = here
    for size in (0, 100, 128, 20_000):
        payload = bytes(size)
        client._out_packet.clear()
        client._thread = object()  # type: ignore[assignment]  # or it would write at once
        client._send_publish(1, b"a/b", payload, 0, True, False, None, None)
        client._send_puback(77)
        theirs = [bytes(packet["packet"]) for packet in client._out_packet]
        assert theirs == [publish_0("a/b", payload, True), puback(77)]
    client._thread = client._sock = None
    for end in (here, there):
        end.close()


# --- over a connection to a broker that says what it is told to ------------------------------------------------------


@dataclass
class Broker:
    """One connection at a time; keeps what the client writes after its subscription."""

    port: int = 0
    heard: bytearray = field(default_factory=bytearray)
    connections: int = 0
    _writer: asyncio.StreamWriter | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self.connections += 1
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await self._packet(reader)
            writer.write(CONNACK)
            _, body = await self._packet(reader)
            writer.write(SUBACK.replace(b"%b", body[:2]))
            while data := await reader.read(1 << 16):
                self.heard += data
        writer.close()

    async def _packet(self, reader: asyncio.StreamReader) -> tuple[int, bytes]:
        first, length = await reader.readexactly(2)
        if length & 0x80:
            length = length & 0x7F | (await reader.readexactly(1))[0] << 7
        return first, await reader.readexactly(length)

    def say(self, data: bytes) -> None:
        assert self._writer
        self._writer.write(data)


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[Broker, Client]]:
    broker = Broker()
    server = await asyncio.start_server(broker.serve, "127.0.0.1", 0)
    broker.port = server.sockets[0].getsockname()[1]
    async with Client(Settings("127.0.0.1", broker.port, "k", ("a/#",), receive_maximum=10)) as client:
        await anext(client.connections())
        yield broker, client
    server.close()
    await server.wait_closed()


def a_message(packet_id: int, payload: bytes, properties: bytes = b"\0", topic: bytes = b"a/b") -> bytes:
    """By QoS 1; below 128 bytes."""
    body = struct.pack("!H", len(topic)) + topic + struct.pack("!H", packet_id) + properties + payload
    return bytes((0x32, len(body))) + body


def with_properties() -> bytes:
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    properties.ResponseTopic, properties.CorrelationData = "a/answer", b"c-1"
    return bytes(properties.pack())  # type: ignore[no-untyped-call]  # paho leaves both untyped


async def next_ones(client: Client, count: int) -> list[Incoming]:
    came: list[Incoming] = []
    async with asyncio.timeout(20):
        async for batch in client.batches(count):
            came += batch
            if len(came) >= count:
                break
    return came


async def test_messages_with_and_without_properties_come_in_their_order() -> None:
    async with connected() as (broker, client):
        broker.say(a_message(1, b"1") + a_message(2, b"2", with_properties()) + a_message(3, b"3") + b"\xd0\0")
        came = await next_ones(client, 3)
        assert [(m.payload, m.response_topic, m.correlation) for m in came] == [
            (b"1", "", b""),
            (b"2", "a/answer", b"c-1"),
            (b"3", "", b""),
        ]


async def test_what_is_acknowledged_in_one_turn_goes_out_as_one_and_before_what_is_said_later() -> None:
    async with connected() as (broker, client):
        broker.say(b"".join(a_message(n, b"x", topic=b"a/b") for n in range(1, 9)))
        came = await next_ones(client, 8)
        await client.publish("a/early", b"early", qos=0)
        for incoming in came:
            incoming.done()
        assert not broker.heard
        await client.publish("a/late", b"late")
        await until(lambda: broker.heard.endswith(b"late"))
        expected = publish_0("a/early", b"early", False) + b"".join(puback(n) for n in range(1, 9))
        assert broker.heard.startswith(expected)


async def test_a_message_of_qos_0_wants_no_acknowledgement() -> None:
    async with connected() as (broker, client):
        broker.say(publish_0("a/b", b"x", False))
        (incoming,) = await next_ones(client, 1)
        incoming.done()
        await client.publish("a/after", b"after", qos=0)
        await until(lambda: broker.heard)
        assert bytes(broker.heard) == publish_0("a/after", b"after", False)


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\x30\xff\xff\xff\xff\x01",
        b"\x32\x02\0\x09",
        a_message(2, b"x", topic=b"\xff\xfe"),
        a_message(2, b"x", with_properties(), topic=b"\xff\xfe"),
        a_message(2, b"x", b"\x05\x99\0\0\0\0"),
        a_message(0, b"x"),
        b"\x36\x08\0\x03a/b\0\1\0",
        b"\0\0",
        b"\x30\xff\xff\x7f",
    ],
)
async def test_nonsense_ends_the_connection_and_the_next_one_works(nonsense: bytes) -> None:
    async with connected() as (broker, client):
        broker.say(a_message(1, b"before") + nonsense)
        assert [m.payload for m in await next_ones(client, 1)] == [b"before"]
        await asyncio.wait_for(anext(client.connections()), 20)
        assert broker.connections == 2
        broker.say(a_message(1, b"after"))
        assert [m.payload for m in await next_ones(client, 1)] == [b"after"]


async def test_an_acknowledgement_after_the_connection_is_lost_is_said_to_nobody() -> None:
    async with connected() as (broker, client):
        broker.say(a_message(1, b"x"))
        (incoming,) = await next_ones(client, 1)
        broker.say(b"\xe0\x02\x8b\0")  # the broker is being shut down
        await asyncio.wait_for(anext(client.connections()), 20)
        incoming.done()
        await client.publish("a/b", b"new", qos=0)
        await until(lambda: broker.heard)
        assert bytes(broker.heard) == publish_0("a/b", b"new", False)


async def test_a_burst_over_tls_comes_whole_and_in_its_order(tmp_path: Path) -> None:
    """What TLS gives at once is less than what is there: the rest must not wait for the next packet."""
    drawn, topic = random.Random(9), str(Topic("kiosk-1", topics.HEALTH))
    payloads = [drawn.randbytes(drawn.choice((0, 10, 1000, 60_000))) for _ in range(300)]
    mosquitto = Mosquitto(tmp_path / "broker", tls=True)
    await mosquitto.start()
    try:
        own = mosquitto.settings("kiosk-1", (topics.kiosk_filter("kiosk-1"),))
        async with mosquitto.heard_by("desk", *topics.DESK_FILTERS) as ear, Client(own) as kiosk:
            await asyncio.wait_for(anext(kiosk.connections()), 20)
            for payload in payloads:
                await kiosk.publish(topic, payload)
            await until(lambda: len(ear.heard) >= len(payloads))
            assert ear.payloads(topic) == payloads
    finally:
        await mosquitto.kill()
