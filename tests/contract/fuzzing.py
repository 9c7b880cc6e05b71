"""Messages that are almost right, and some that are not at all: for tests, and for a coverage-guided fuzzer.

python -m tests.contract.fuzzing -max_total_time=60        with the package `atheris`
"""

from __future__ import annotations

import copy
import importlib
import json
import random
import sys
from typing import Any

import msgspec
from msgspec import Struct

from kiosk.errors import Malformed
from kiosk.wire import channel, examples, messages, topics
from kiosk.wire.codec import MAX_COMMAND, MAX_EVENT, MAX_MESSAGE, decode, encode

KINDS: dict[str, tuple[Any, int]] = {
    topics.PRESENCE: (messages.Presence, MAX_MESSAGE),
    topics.ABOUT: (messages.About, MAX_MESSAGE),
    topics.HEALTH: (messages.Health, MAX_MESSAGE),
    topics.SESSION: (messages.SessionTold, MAX_MESSAGE),
    topics.ANSWER: (messages.Answer, MAX_COMMAND),
    topics.SIGNAL_UP: (messages.SignalUp, MAX_MESSAGE),
    topics.COMMAND: (messages.Command, MAX_COMMAND),
    topics.SIGNAL_DOWN: (messages.SignalDown, MAX_MESSAGE),
    topics.RECEIPT: (messages.Receipt, MAX_COMMAND),
    topics.STAFF: (messages.StaffTold, MAX_COMMAND),
    "events up": (channel.FromParticipant, MAX_EVENT),
    "events down": (channel.FromKiosk, MAX_EVENT),
    "poses": (channel.Poses, MAX_EVENT),
}
"""What is decoded where, and how large it may be."""

STARTS: dict[str, tuple[Struct, ...]] = {
    **examples.BY_TOPIC,
    "events up": examples.FROM_PARTICIPANT,
    "events down": examples.FROM_KIOSK,
    "poses": (examples.POSES,),
}

ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**53, 2**63, 2**64, -(2**63) - 1, 10**40, 1e308, -0.0, 0.1),
    *("", " ", "\0", "\n", "\x1b[31m", "\ud800", "💥" * 60, "../../etc/passwd", "%s%n", "'; DROP TABLE x", "x" * 5000),
    *([], {}, [[]], [None] * 300, {"": ""}, {"kind": "create"}, {"v": 2}, "NaN", "kiosk/1/+/#", "create", "anna"),
)


def mutated(rng: random.Random, message: Struct) -> bytes:
    """`message` with something wrong: in a value, in a key, in its bytes, or in everything."""
    how = rng.random()
    if how < 0.05:
        return rng.randbytes(rng.randrange(300))
    body = msgspec.to_builtins(message, builtin_types=())
    body = json.loads(json.dumps(body))
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        body = _changed(rng, body)
    raw = json.dumps(body, ensure_ascii=rng.random() < 0.8).encode("utf-8", "surrogatepass")
    return _torn(rng, raw) if how < 0.3 else raw


def _changed(rng: random.Random, body: Any) -> Any:
    places: list[tuple[Any, Any]] = []
    _walk(body, places)
    if not places or rng.random() < 0.02:
        return _odd(rng)
    holder, key = rng.choice(places)
    what = rng.random()
    if what < 0.15:
        del holder[key]
    elif what < 0.25 and isinstance(holder, dict):
        holder[rng.choice(("v", "kind", "id", "x", ""))] = _odd(rng)
    elif what < 0.35:
        holder[key] = [holder[key]] * rng.choice((0, 1, 2, 30))
    else:
        holder[key] = _odd(rng)
    return body


def _odd(rng: random.Random) -> Any:
    return copy.deepcopy(rng.choice(ODD))  # what is put in may be changed in the next round


def _walk(body: Any, places: list[tuple[Any, Any]]) -> None:
    keys = list(body) if isinstance(body, dict) else range(len(body)) if isinstance(body, list) else ()
    for key in keys:
        places.append((body, key))
        _walk(body[key], places)


def _torn(rng: random.Random, raw: bytes) -> bytes:
    at, length = rng.randrange(len(raw) + 1), rng.randrange(1, 20)
    match rng.randrange(5):
        case 0:
            return raw[:at]
        case 1:
            return raw[:at] + rng.randbytes(length) + raw[at:]
        case 2:
            return raw[:at] + raw[at + length :]
        case 3:
            return raw[:at] + b"[" * rng.choice((10, 2000)) + raw[at:]
        case _:
            return raw + raw[at:]


def one_input(kind: str, raw: bytes) -> bool:
    """Whether `raw` is a message of this kind. Fails where it is neither that nor refused, or does not come back."""
    union, limit = KINDS[kind]
    try:
        message = decode(raw, union, limit)
    except Malformed:
        return False
    assert decode(encode(message), union, 10 * limit) == message
    return True


def _guided() -> None:
    atheris: Any = importlib.import_module("atheris")  # for whoever wants to fuzz for long
    names = list(KINDS)
    atheris.instrument_all()
    atheris.Setup(sys.argv, lambda data: one_input(names[data[0] % len(names)], data[1:]) if data else None)
    atheris.Fuzz()


if __name__ == "__main__":
    _guided()
