"""MQTT packets, taken apart and put together; tests/contract/test_paho_hooks.py holds it against paho's own reading."""

from __future__ import annotations

import random

import pytest

from kiosk.errors import Malformed
from kiosk.link.packets import PUBLISH, Published, Splitter, puback, publish_0, read_plain

LIMIT = 70_000


def split(*pieces: bytes, limit: int = LIMIT) -> list[tuple[int, bytes]]:
    splitter = Splitter(limit)
    return [packet for piece in pieces for packet in splitter.feed(piece)]


def test_packets_are_the_same_however_the_stream_is_cut() -> None:
    drawn = random.Random(3)
    sizes = (0, 1, 127, 128, 16_383, 16_384, 60_000)
    payloads = [drawn.randbytes(size) for size in sizes]
    stream = b"".join(publish_0(f"t/{n}", payload, False) + puback(n + 1) for n, payload in enumerate(payloads))
    whole = split(stream)
    assert len(whole) == 2 * len(sizes)
    assert [m.payload for first, body in whole if (m := read_plain(first, body))] == payloads
    for _ in range(20):
        cuts = sorted(drawn.sample(range(len(stream)), drawn.randint(1, 40)))
        assert split(*(stream[a:b] for a, b in zip((0, *cuts), (*cuts, len(stream)), strict=True))) == whole
    assert split(*(stream[n : n + 1] for n in range(20_000))) == split(stream[:20_000])


def test_what_came_before_a_length_that_is_none_is_given() -> None:
    given = Splitter(LIMIT).feed(puback(7) + b"\x30\xff\xff\xff\xff\x01")
    assert next(given) == (0x40, b"\0\7")
    with pytest.raises(Malformed):
        next(given)


def test_no_more_than_the_limit_is_waited_for() -> None:
    assert len(split(publish_0("t", bytes(90), False), limit=100)) == 1
    for size in (100, 200_000_000):
        with pytest.raises(Malformed):
            split(publish_0("t", b"", False)[:1] + _length(size), limit=100)


def _length(size: int) -> bytes:
    """Of a packet that is said to have `size` bytes, of which none has come."""
    digits = []
    for _ in range(4):
        digits.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([*digits[:3], digits[3] & 0x7F])


def test_a_plain_message_is_read() -> None:
    body = b"\0\4a/\xc3\xa4\x12\x34\0payload"
    assert read_plain(PUBLISH | 0x02, body) == Published("a/ä", b"payload", False, 0x1234)
    assert read_plain(PUBLISH | 0x0B, body) == Published("a/ä", b"payload", True, 0x1234), "sent once more, retained"
    assert read_plain(PUBLISH | 0x01, b"\0\1a\0") == Published("a", b"", True, 0)


@pytest.mark.parametrize(
    ("first", "body"),
    [
        (0x34, b"\0\1a\0\1\0x"),  # QoS 2
        (0x36, b"\0\1a\0\1\0x"),  # no QoS at all
        (0x40, b"\0\1"),
        (0xD0, b""),
        (0x30, b"\0\1a\5\2\0\0\0\1x"),  # expires
    ],
)
def test_all_else_is_left_to_paho(first: int, body: bytes) -> None:
    assert read_plain(first, body) is None


@pytest.mark.parametrize(
    "body",
    [b"", b"\0", b"\0\1", b"\0\1a", b"\0\1a\0", b"\0\1a\0\1", b"\0\x09a\0\1\0x", b"\0\1\xff\0\1\0x", b"\0\1a\0\0\0x"],
)
def test_a_message_that_is_cut_or_no_text_or_without_a_number_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed):
        read_plain(PUBLISH | 0x02, body)


def test_nonsense_ends_in_packets_or_a_refusal() -> None:
    drawn = random.Random(11)
    for _ in range(2000):
        data = bytearray(publish_0("kiosk/1/k-1/up/health", drawn.randbytes(20), drawn.random() < 0.5) + puback(9))
        for _ in range(drawn.randint(1, 4)):
            data[drawn.randrange(len(data))] = drawn.randrange(256)
        try:
            for first, body in Splitter(LIMIT).feed(bytes(data)):
                read_plain(first, body)
        except Malformed:
            continue
