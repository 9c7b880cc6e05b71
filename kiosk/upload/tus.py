"""The sending side of tus 1.0 (https://tus.io/protocols/resumable-upload): creation, offset, append with a checksum.

Nothing is retried here; each call says by its error what became of it.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp

from kiosk.errors import Trouble

TUS = {"Tus-Resumable": "1.0.0"}
SLICE = 16 * 1024
"""So much is handed to the socket at once: also the grain of the pace while a call runs."""
STALL_S = 30.0
"""A desk that takes nothing and says nothing for so long is gone."""
CHECKSUM_MISMATCH = 460
AGAIN = frozenset({408, 409, 423, 425, 429, CHECKSUM_MISMATCH})
"""Of the 4xx, those that another try may mend. All others mean: not with this address."""

Paced = Callable[[int], Awaitable[None]]


class UploadFailed(Trouble):
    """Not now; another try may do it."""

    code = "upload_failed"


class GrantSpent(Trouble):
    """The desk takes nothing at this address (any more): expired, forgotten, or not what was granted."""

    code = "grant_spent"


class Damaged(Trouble):
    """All bytes are at the desk, and together they are not what the artifact's SHA-256 says."""

    code = "damaged"


class Tus:
    """`http` as made by `open_http`. Every method raises UploadFailed, GrantSpent, aiohttp.ClientError, TimeoutError or
    OSError; `append` also Damaged."""

    def __init__(self, http: aiohttp.ClientSession, desk_url: str) -> None:
        self._http = http
        self._desk_url = desk_url

    async def create(self, grant_url: str, length: int) -> str:
        """The address of the upload; the same one where it was begun before."""
        headers = {**TUS, "Upload-Length": str(length)}
        async with self._http.post(grant_url, headers=headers, allow_redirects=False) as answer:
            _demand(answer, 201)
            location = answer.headers.get("Location", "")
            if not location.startswith(self._desk_url):
                raise GrantSpent("the desk names a place that is not its own")
            return location

    async def offset(self, url: str, length: int) -> int:
        async with self._http.head(url, headers=TUS, allow_redirects=False) as answer:
            _demand(answer, 200, 204)
            return _offset(answer, length)

    async def append(self, url: str, offset: int, chunk: bytes, digest: bytes, length: int, paced: Paced) -> int:
        """Sends `chunk` (whose SHA-256 is `digest`), `paced` before each slice; the offset after it."""
        headers = {
            **TUS,
            "Content-Type": "application/offset+octet-stream",
            "Content-Length": str(len(chunk)),
            "Upload-Offset": str(offset),
            "Upload-Checksum": f"sha256 {base64.b64encode(digest).decode()}",
        }
        async with asyncio.timeout(STALL_S) as limit:
            body = _slices(chunk, paced, limit)
            async with self._http.patch(url, headers=headers, data=body, allow_redirects=False) as answer:
                if answer.status == CHECKSUM_MISMATCH and answer.headers.get("Upload-Offset") == "0":
                    raise Damaged("the desk says that the whole is not what was announced")
                _demand(answer, 204)
                after = _offset(answer, length)
                if after <= offset:
                    raise UploadFailed("the desk has taken nothing")
                return after


def open_http() -> aiohttp.ClientSession:
    """No limit for the whole of a request (a chunk may take minutes on a thin line), but for each wait in it."""
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=STALL_S)
    return aiohttp.ClientSession(timeout=timeout)


async def _slices(chunk: bytes, paced: Paced, limit: asyncio.Timeout) -> AsyncIterator[memoryview]:
    """Each slice that the socket took renews the limit: aiohttp itself has none for sending."""
    view = memoryview(chunk)
    for start in range(0, len(view), SLICE):
        await paced(len(view[start : start + SLICE]))
        limit.reschedule(asyncio.get_running_loop().time() + STALL_S)
        yield view[start : start + SLICE]


def _demand(answer: aiohttp.ClientResponse, *wanted: int) -> None:
    if answer.status in wanted:
        return
    kind = GrantSpent if 400 <= answer.status < 500 and answer.status not in AGAIN else UploadFailed
    raise kind(f"the desk says {answer.status}")


def _offset(answer: aiohttp.ClientResponse, length: int) -> int:
    """A desk that says nonsense is one that fails, nothing worse."""
    text = answer.headers.get("Upload-Offset", "")
    if not (text.isascii() and text.isdecimal() and len(text) < 16) or int(text) > length:
        raise UploadFailed("the desk says no offset that can be")
    return int(text)
