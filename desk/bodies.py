"""What requests bring: JSON of a known form and a bounded length."""

from __future__ import annotations

from typing import Any, TypeVar

from litestar import Request

from desk.problems import wrong_type
from kiosk.errors import TooLarge
from kiosk.wire.codec import MAX_COMMAND, decode

T = TypeVar("T")


async def json_body(request: Request[Any, Any, Any], kind: type[T]) -> T:
    """The body as a `kind`; JSON only, so that no form of a foreign page can send one.

    Raises:
        Problem: 415, it is something else.
        TooLarge, Malformed: it does not fit.
    """
    return decode(await raw_json(request), kind, MAX_COMMAND)


async def raw_json(request: Request[Any, Any, Any]) -> bytes:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise wrong_type("application/json")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_COMMAND:
            raise TooLarge(f"at most {MAX_COMMAND} bytes are taken")
    return bytes(body)


def key_of(request: Request[Any, Any, Any]) -> str:
    """By which a request that is sent again, because the desk that had it died, is known as the same."""
    return request.headers.get("idempotency-key", "")[:100]
