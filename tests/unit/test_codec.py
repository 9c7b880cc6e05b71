"""What comes from outside is decoded strictly, or refused."""

from __future__ import annotations

import json

import pytest

from kiosk.errors import Malformed, TooLarge, UnknownVersion
from kiosk.session import inputs
from kiosk.session.record import Actor
from kiosk.session.states import Role
from kiosk.wire import topics
from kiosk.wire.channel import FromParticipant, StrokeBegin
from kiosk.wire.codec import decode, encode
from kiosk.wire.messages import Command, Receipt, Stored
from kiosk.wire.topics import Topic

COMMAND = Command("cmd-1", Actor(Role.STAFF, "anna", "Anna"), inputs.Cancel("no time"), "s-12345678")


def test_a_command_comes_back_as_it_was_sent() -> None:
    assert decode(encode(COMMAND), Command) == COMMAND


def test_unknown_fields_are_ignored() -> None:
    body = json.loads(encode(COMMAND)) | {"colour": "blue"}
    assert decode(json.dumps(body), Command) == COMMAND


def test_another_version_is_refused_as_such() -> None:
    body = json.loads(encode(COMMAND)) | {"v": 2, "do": {"kind": "teleport"}}
    with pytest.raises(UnknownVersion):
        decode(json.dumps(body), Command)


def test_consent_cannot_be_given_by_a_command() -> None:
    consent = {"given": True, "at": "", "wording": "", "language": "en", "way": "call"}
    body = json.loads(encode(COMMAND)) | {"do": {"kind": "give-consent", "consent": consent}}
    with pytest.raises(Malformed):
        decode(json.dumps(body), Command)


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"\xff\xfe", b'{"kind":"stored"}', b"[" * 5000, b'{"kind":"x"}'])
def test_what_is_no_receipt_is_refused(raw: bytes) -> None:
    with pytest.raises(Malformed):
        decode(raw, Receipt)


def test_what_is_too_large_is_refused_unread() -> None:
    with pytest.raises(TooLarge):
        decode(encode(Stored(session="s-1", epoch="e", rev=1)), Receipt, limit=10)


@pytest.mark.parametrize("at", [[0.5], [0.5, 0.5, 0.5], [9, 0], ["a", 0], [None, 0], [1e999, 0]])
def test_points_outside_the_picture_are_refused(at: object) -> None:
    with pytest.raises(Malformed):
        decode(json.dumps({"kind": "stroke-begin", "id": "abc", "at": at}), FromParticipant)


def test_a_stroke_is_understood() -> None:
    told = decode('{"kind":"stroke-begin","id":"abc","at":[0.25,0.5],"t":4294967295}', FromParticipant)
    assert told == StrokeBegin(id="abc", at=(0.25, 0.5), t=2**32 - 1)


@pytest.mark.parametrize(
    "topic",
    [
        Topic("kiosk-1", topics.PRESENCE),
        Topic("kiosk-1", topics.COMMAND),
        Topic("kiosk-1", topics.SESSION, "s-12345678"),
        Topic("kiosk-1", topics.SIGNAL_DOWN, "s-12345678"),
    ],
)
def test_a_topic_comes_back_as_it_was(topic: Topic) -> None:
    assert topics.parse(str(topic)) == topic


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "kiosk/1",
        "kiosk/2/kiosk-1/presence",
        "kiosk/1/K1/presence",
        "kiosk/1/kiosk-1/up/session",
        "kiosk/1/kiosk-1/up/session/S!",
        "kiosk/1/kiosk-1/up/session/s-1/more",
        "kiosk/1/kiosk-1/presence/x/y",
        "kiosk/1/+/presence",
    ],
)
def test_what_is_no_topic_of_ours_is_refused(topic: str) -> None:
    with pytest.raises(Malformed):
        topics.parse(topic)
