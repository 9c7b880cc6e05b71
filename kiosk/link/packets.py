"""MQTT packets as bytes (MQTT 5.0, OASIS standard; sections in brackets): what arrives taken apart, what leaves put
together. Only what comes and goes in great numbers; everything else is left to paho (kiosk.link.paho_hooks). Pure.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from kiosk.errors import Malformed

PUBLISH, PUBACK = 0x30, 0x40
_MORE = 0x80
_LENGTH_BYTES = 4


class Published(Struct, frozen=True, gc=False):
    """A PUBLISH without properties. `packet_id`: what it is acknowledged by; 0 at QoS 0."""

    topic: str
    payload: bytes
    retained: bool
    packet_id: int


class Splitter:
    """Bytes as they come, into whole packets of at most `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """(first byte, all that follows the length) of each packet that is whole now. To be read to its end, or never
        fed again.

        Raises:
            Malformed: the length is none, or more than allowed (2.1.4); what came before it has been given.
        """
        data = self._rest + data if self._rest else data
        at, end = 0, len(data)
        while (place := _body(data, at, self._limit)) and place[1] <= end:
            start, stop = place
            yield data[at], data[start:stop]
            at = stop
        self._rest = data[at:]


def _body(data: bytes, at: int, limit: int) -> tuple[int, int] | None:
    """From where to where the packet at `at` has what follows its length; None: its length is not all there yet."""
    length = 0
    for n, byte in enumerate(data[at + 1 : at + 1 + _LENGTH_BYTES]):
        length |= (byte & ~_MORE) << 7 * n
        if not byte & _MORE:
            start = at + n + 2
            if start - at + length > limit:
                raise Malformed(f"a packet of {length} bytes")
            return start, start + length
    if len(data) - at > _LENGTH_BYTES:
        raise Malformed("the length of a packet has no end")
    return None


def read_plain(first: int, body: bytes) -> Published | None:
    """The PUBLISH (3.3); None where it is something else, has properties, or is of QoS 2.

    Raises:
        Malformed: it is cut, its topic is no text, or it has no number to be acknowledged by.
    """
    qos = first >> 1 & 3
    if first & 0xF0 != PUBLISH or qos > 1:
        return None
    try:
        end = 2 + (body[0] << 8 | body[1])
        topic, packet_id = str(body[2:end], "utf-8"), 0
        if qos:
            packet_id = body[end] << 8 | body[end + 1]
            end += 2
        if body[end]:
            return None
    except (IndexError, UnicodeDecodeError) as error:
        raise Malformed("a PUBLISH that is cut, or whose topic is no text") from error
    if qos and not packet_id:
        raise Malformed("a PUBLISH without a number")
    return Published(topic, body[end + 1 :], bool(first & 1), packet_id)


def puback(packet_id: int) -> bytes:
    """Success, in its short form (3.4)."""
    return bytes((PUBACK, 2, packet_id >> 8, packet_id & 0xFF))


def publish_0(topic: str, payload: bytes, retain: bool) -> bytes:
    """A PUBLISH of QoS 0 without properties (3.3)."""
    name = topic.encode()
    body = b"".join((len(name).to_bytes(2, "big"), name, b"\0", payload))
    return bytes((PUBLISH | retain,)) + _length(len(body)) + body


def _length(n: int) -> bytes:
    """As a variable byte integer (1.5.5)."""
    digits = bytearray()
    while n > 0x7F:
        digits.append(n & 0x7F | _MORE)
        n >>= 7
    digits.append(n)
    return bytes(digits)
