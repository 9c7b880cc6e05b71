"""Strict decoding of everything that comes from outside: a size cap first, then a typed schema."""

from __future__ import annotations

from types import UnionType
from typing import Any, Final, TypeVar, overload

import msgspec

from kiosk.errors import Malformed, TooLarge, UnknownVersion

T = TypeVar("T")

VERSION: Final = 1
MAX_MESSAGE = 64 * 1024
MAX_COMMAND = 16 * 1024
MAX_SDP = 48 * 1024
MAX_EVENT = 16 * 1024
"""A message on a data channel; also below what every SCTP stack takes in one piece."""


def encode(message: msgspec.Struct) -> bytes:
    return msgspec.json.encode(message)


@overload
def decode(data: bytes | str, kind: type[T], limit: int = ...) -> T: ...
@overload
def decode(data: bytes | str, kind: UnionType, limit: int = ...) -> Any: ...
def decode(data: bytes | str, kind: type[T] | UnionType, limit: int = MAX_MESSAGE) -> T | Any:
    """`data` as a `kind` (a Struct or a tagged union of them).

    Unknown fields are ignored; a field `v` other than VERSION is refused before the rest is judged.

    Raises:
        TooLarge: longer than `limit` bytes.
        UnknownVersion: of a version that we do not speak.
        Malformed: not JSON, or not of this schema.
    """
    raw = data.encode() if isinstance(data, str) else data
    if len(raw) > limit:
        raise TooLarge(f"{len(raw)} bytes, at most {limit} are allowed")
    if b"\\u0000" in raw:
        raise Malformed("a NUL is no text: not every database takes it")
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        version = _version_of(raw)
        if version not in (None, VERSION):
            raise UnknownVersion(f"version {version!r}; this program speaks {VERSION}") from error
        raise Malformed(str(error)) from error


def _version_of(raw: bytes) -> Any:
    try:
        body = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return body.get("v") if isinstance(body, dict) else None
