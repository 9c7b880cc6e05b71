"""One connection of paho-mqtt, from CONNECT to its end: what client.py makes anew each time."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import paho.mqtt.client as paho
from msgspec import Struct
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from kiosk.errors import ConfigError, Unreachable
from kiosk.link.packets import Published, puback, publish_0
from kiosk.link.paho_hooks import LeanClient
from kiosk.mailbox import Backlog
from kiosk.wire.codec import MAX_MESSAGE

RECEIVE_MAXIMUM = 100

MAX_PACKET = MAX_MESSAGE + 1024
NO_ANSWER = "the broker does not answer"
_NO_ANSWER_TLS = f"{NO_ANSWER}, or is not the one that ca_file vouches for under this host name"
_CERTIFICATE = " (our certificate is missing, revoked, out of date, or of another authority?)"
BROKER_TAKES_S = 6
"""Beyond the one and a half keep-alives of MQTT until a dead client is noticed: Mosquitto looks every 5 s."""


@dataclass(frozen=True, slots=True)
class Message:
    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False


@dataclass(frozen=True, slots=True)
class Settings:
    """`will` is asked at each connection with its number; the broker sends it `will_delay_s` after a broken link, or
    sooner where a dead client could not be known within two keep-alives otherwise (see the function)."""

    host: str
    port: int
    client_id: str
    filters: tuple[str, ...]
    username: str = ""
    password: str = field(default="", repr=False)
    ca_file: str = ""
    certificate_file: str = ""
    key_file: str = ""
    keepalive_s: int = 30
    receive_maximum: int = RECEIVE_MAXIMUM
    """Messages of QoS 1 that the broker may send before we acknowledge. Mosquitto 2.0.11 sends more to a client that is
    slow (3000 where 1000 were allowed): what waits here is bounded all the same, by reading no further."""
    will: Callable[[int], Message] | None = None
    will_delay_s: int = 10


class Incoming(Struct, frozen=True):
    topic: str
    payload: bytes
    retained: bool
    response_topic: str
    correlation: bytes
    _acknowledge: Callable[[], None]

    def done(self) -> None:
        """Acknowledges; call it from the loop, after what the message means is on disk. The others come again."""
        self._acknowledge()


def _properties(kind: int, **values: Any) -> Properties:
    """MQTT 5 properties of a packet."""
    properties = Properties(kind)  # type: ignore[no-untyped-call]  # paho leaves this constructor untyped
    for name, value in values.items():
        setattr(properties, name, value)
    return properties


def will_delay_s(settings: Settings) -> int:
    """So long may a client be away without being called dead, and be called so within two keep-alives all the same.

    With keep-alives under 12 s the broker alone needs longer than that; then the will is not delayed at all.
    """
    return max(0, min(settings.will_delay_s, settings.keepalive_s // 2 - BROKER_TAKES_S))


def tls(settings: Settings) -> ssl.SSLContext | None:
    """What TLS takes, read anew for each connection, so that a certificate can be replaced. None without TLS.

    Raises:
        ConfigError: a file is not there, or is no certificate or key; it is named.
    """
    if not settings.ca_file:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    place = settings.ca_file
    try:
        context.load_verify_locations(place)
        if settings.certificate_file:
            place = f"{settings.certificate_file} and {settings.key_file or 'its key'}"
            context.load_cert_chain(settings.certificate_file, settings.key_file or None)
    except OSError as error:  # ssl.SSLError is one
        raise ConfigError(f"{place}: {error.strerror or error}") from error
    return context


def _at_once(sock: Any) -> None:
    """Small packets do not wait for an acknowledgement (Nagle): 40 ms of each message there and back were that."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class Connection:
    """One paho client from CONNECT to the end of its connection. Callbacks run in paho's thread."""

    def __init__(self, settings: Settings, number: int, incoming: Backlog[Incoming]) -> None:
        self._settings = settings
        self._number = number
        self._incoming = incoming
        self._loop = asyncio.get_running_loop()
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self.closed: asyncio.Future[str] = self._loop.create_future()
        self._asked: asyncio.Future[None] = self._loop.create_future()
        self._gathered: list[bytes] = []
        self._paho = self._make()

    def _make(self) -> LeanClient:
        s = self._settings
        client = LeanClient(
            self._on_plain_messages, MAX_PACKET, client_id=s.client_id, manual_ack=True, reconnect_on_failure=False
        )
        if s.username:
            client.username_pw_set(s.username, s.password)
        if context := tls(s):
            client.tls_set_context(context)
        if s.will:
            will = s.will(self._number)
            properties = _properties(PacketTypes.WILLMESSAGE, WillDelayInterval=will_delay_s(s))
            client.will_set(will.topic, will.payload, will.qos, will.retain, properties)
        client.on_socket_open = lambda _client, _data, sock: _at_once(sock)
        client.on_connect = self._on_connect
        client.on_connect_fail = lambda *_: self._fail(_NO_ANSWER_TLS if s.ca_file else NO_ANSWER)
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_disconnect = self._on_disconnect
        return client

    async def open(self, limit_s: float) -> None:
        """Raises Unreachable where the broker does not answer, refuses us, or takes longer than that."""
        s = self._settings
        properties = _properties(PacketTypes.CONNECT, ReceiveMaximum=s.receive_maximum, MaximumPacketSize=MAX_PACKET)
        self._paho.connect_timeout = limit_s
        self._paho.connect_async(s.host, s.port, s.keepalive_s, clean_start=True, properties=properties)
        self._paho.loop_start()
        try:
            async with asyncio.timeout(limit_s):
                await self._opened
        except TimeoutError:
            raise Unreachable(NO_ANSWER) from None

    async def answers(self, limit_s: float) -> bool:
        """Whether the broker does, in time. It is asked for the subscriptions that are in force anyway."""
        self._asked = self._loop.create_future()
        again = SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_DO_NOT_SEND)
        self._paho.subscribe([(f, again) for f in self._settings.filters])
        either: set[asyncio.Future[Any]] = {self._asked, self.closed}
        await asyncio.wait(either, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
        return self._asked.done()

    def give_up(self, reason: str) -> None:
        """Ends a connection that nobody is at the other end of: no goodbye would get through."""
        self._fail(reason)
        sock: Any = self._paho.socket()
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def stop(self) -> None:
        """Says goodbye where there is somebody to say it to, and ends the thread. May block: not in the loop."""
        self._paho.disconnect()
        self._paho.loop_stop()

    def publish(self, topic: str, payload: bytes, qos: int, retain: bool, **properties: Any) -> None:
        """properties: by MQTT 5's names; those that are None are left out."""
        given = {name: value for name, value in properties.items() if value is not None}
        if not qos and not given:
            self._gather(publish_0(topic, payload, retain))
            return
        self._send()
        self._paho.publish(topic, payload, qos, retain, _properties(PacketTypes.PUBLISH, **given) if given else None)

    def acknowledge(self, packet_id: int) -> None:
        if packet_id:
            self._gather(puback(packet_id))

    def _gather(self, packet: bytes) -> None:
        """What is said within one turn of the loop goes out as one: writing costs more than saying."""
        if not self._gathered:
            self._loop.call_soon(self._send)
        self._gathered.append(packet)

    def _send(self) -> None:
        if self._gathered and not self.closed.done():
            self._paho.send(b"".join(self._gathered))
        self._gathered.clear()

    # --- paho's thread ------------------------------------------------------------------------------------------------

    def _on_connect(self, client: paho.Client, _data: Any, _flags: Any, code: ReasonCode, _properties: Any) -> None:
        if code.is_failure:
            self._fail(f"the broker refuses us: {code}")
            return
        client.subscribe([(f, SubscribeOptions(qos=1)) for f in self._settings.filters])

    def _on_subscribe(self, *_: Any) -> None:
        self._call(self._opened, None)
        self._call(self._asked, None)

    def _on_plain_messages(self, came: list[Published]) -> None:
        self._incoming.put_all(
            [Incoming(m.topic, m.payload, m.retained, "", b"", partial(self.acknowledge, m.packet_id)) for m in came]
        )

    def _on_message(self, _client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        """One with properties."""
        properties = message.properties
        self._incoming.put(
            Incoming(
                message.topic,
                bytes(message.payload),
                bool(message.retain),
                getattr(properties, "ResponseTopic", ""),
                getattr(properties, "CorrelationData", b""),
                partial(self.acknowledge, message.mid if message.qos else 0),
            )
        )

    def _on_disconnect(self, _client: Any, _data: Any, _flags: Any, code: ReasonCode, _properties: Any) -> None:
        secured = self._settings.ca_file and not self._opened.done()
        self._fail(f"{code}{_CERTIFICATE if secured else ''}")

    def _fail(self, reason: str) -> None:
        self._call(self._opened, Unreachable(reason))
        self._call(self.closed, reason)

    def _call(self, future: asyncio.Future[Any], result: Any) -> None:
        def resolve() -> None:
            if future.done():
                return
            if isinstance(result, Exception):
                future.set_exception(result)
                future.exception()  # read here: nobody may be waiting any more
            else:
                future.set_result(result)

        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(resolve)
