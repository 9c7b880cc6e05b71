"""Carries artifacts to the desk by tus 1.0 once their session is over; resumes where a broken link left it.

The desk grants each artifact an address of its own over MQTT (`UploadGrant`); the broker has proven who we are, so no
second credential is needed. Nothing is deleted here: the desk's `ArtifactStored` receipt goes to the book, and the file
is let go of only after that. Nothing is remembered on disk either: which bytes have arrived is asked of the desk, and
grants come anew for as long as the book says that something waits. So days and reboots need no code of their own.

What can happen to a file:

- the way or the desk fails: again after a pause of its own (with jitter), while other files go on;
- the address is good for nothing (expired, unknown, refused): it is forgotten, and the next grant waited for;
- it is wanted no longer (receipted, or its content is another one by now): dropped;
- it is missing, cannot be read (TRIES_READ times), is not what its SHA-256 says, or the desk has found it wrong as a
  whole TRIES_WHOLE times: it is *lost*. That is told, so that the session's record says so, and it is left alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import aiohttp

from kiosk.errors import Trouble
from kiosk.session.record import Artifact
from kiosk.upload.manifest import IMPORTANCE
from kiosk.upload.pace import Pace
from kiosk.upload.tus import Damaged, GrantSpent, Tus, UploadFailed, open_http
from kiosk.wire.messages import UploadGrant

log = logging.getLogger(__name__)

CHUNK = (64 * 1024, 1024 * 1024)
"""Least and most bytes in one request. What is lost when a link is cut is what was under way."""
CHUNK_S = 0.15
"""A chunk is made so long that it takes about this long: 3 % of the 5 s that bad links live, of which half is lost on
average; yet long enough that the answer's way (some 50 ms) does not cost more."""
RETRY_S = (0.5, 60.0)
PARALLEL = 3
TRIES_WHOLE = 3
"""So often is a file that is whole here sent from the start because it is not whole there."""
LOOK_S = 0.5
"""How often waiting files look whether the call is over. It is a question, not an event, so that no one need tell."""
TRIES_READ = 5

Find = Callable[[str, str], tuple[Path, Artifact] | None]

Reason = Literal["missing", "damaged", "unreadable"]
TellLost = Callable[[str, Artifact, Reason], Awaitable[None]]


class Unreadable(Trouble):
    """The disk does not give the file back."""

    code = "unreadable"


async def tell_nobody(_session: str, _artifact: Artifact, _reason: Reason) -> None:
    """Of an artifact that is lost: only the log says so."""


@dataclass(slots=True, eq=False)
class _Parcel:
    """One artifact that has to go. `url` is empty between a spent grant and the next one."""

    session: str
    path: Path
    artifact: Artifact
    url: str
    failures: int = 0
    wrong: int = 0
    unread: int = 0
    not_before_s: float = 0.0
    going: bool = False

    @property
    def key(self) -> tuple[str, str, str]:
        return self.session, self.artifact.id, self.artifact.sha256

    @property
    def weight(self) -> tuple[int, int]:
        """The least goes first."""
        return IMPORTANCE[self.artifact.kind], self.artifact.bytes


class Courier:
    """`find` gives the file and record of an artifact that still has to go, None for any other. `busy`: a call has the
    line, so one file at a time, and no more than `call_bps` (bits per second)."""

    def __init__(
        self,
        find: Find,
        desk_url: str,
        busy: Callable[[], bool] = lambda: False,
        call_bps: int = 500_000,
        tell_lost: TellLost = tell_nobody,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._find = find
        self._desk_url = desk_url.rstrip("/") + "/"
        self._busy = busy
        self._pace = Pace(call_bps)
        self._tell_lost = tell_lost
        self._now = now
        self._parcels: dict[tuple[str, str, str], _Parcel] = {}
        self._lost: set[tuple[str, str, str]] = set()
        self._changed = asyncio.Event()

    async def run(self, grants: AsyncIterator[UploadGrant]) -> None:
        async with open_http() as http, asyncio.TaskGroup() as group:
            tus = Tus(http, self._desk_url)
            for number in range(PARALLEL):
                group.create_task(self._work(tus), name=f"upload {number}")
            async for grant in grants:
                self._take(grant)

    def _take(self, grant: UploadGrant) -> None:
        if not grant.url.startswith(self._desk_url):
            log.warning("upload grant for another place than the desk refused")
            return
        found = self._find(grant.session, grant.artifact)
        key = (grant.session, grant.artifact, grant.sha256)
        if found is None or found[1].sha256 != grant.sha256 or key in self._lost:
            return
        parcel = self._parcels.setdefault(key, _Parcel(grant.session, *found, grant.url))
        parcel.url = grant.url
        self._changed.set()

    # --- whose turn it is ---------------------------------------------------------------------------------------------

    async def _work(self, tus: Tus) -> None:
        """One of several who carry: the next parcel, again and again."""
        while True:
            parcel = self._next()
            if parcel is None:
                await self._news()
                continue
            parcel.going = True
            await self._try(tus, parcel)
            parcel.going = False
            self._changed.set()

    async def _news(self) -> None:
        self._changed.clear()
        waiting = any(p.url and not p.going for p in self._parcels.values())
        try:
            async with asyncio.timeout(min(LOOK_S, RETRY_S[0]) if waiting else None):
                await self._changed.wait()
        except TimeoutError:
            pass  # a pause may be over, or the call

    def _next(self) -> _Parcel | None:
        for parcel in [p for p in self._parcels.values() if not self._wanted(p) and not p.going]:
            del self._parcels[parcel.key]
        ready = [p for p in self._parcels.values() if p.url and not p.going and p.not_before_s <= self._now()]
        if self._busy() and any(p.going for p in self._parcels.values()):
            return None
        return min(ready, key=lambda p: p.weight, default=None)

    def _wanted(self, parcel: _Parcel) -> bool:
        found = self._find(parcel.session, parcel.artifact.id)
        return found is not None and found[1].sha256 == parcel.artifact.sha256

    async def _turn(self, parcel: _Parcel) -> None:
        """While a call runs only the most important of those under way goes on."""
        while self._busy() and self._foremost() is not parcel:  # noqa: ASYNC110 - `busy` is a question, see LOOK_S
            await asyncio.sleep(LOOK_S)

    def _foremost(self) -> _Parcel:
        return min((p for p in self._parcels.values() if p.going), key=lambda p: p.weight)

    async def _paced(self, size: int) -> None:
        if self._busy():
            await self._pace.take(size)

    # --- one try ------------------------------------------------------------------------------------------------------

    async def _try(self, tus: Tus, parcel: _Parcel) -> None:
        """Never raises: one bad file must not hold up the others."""
        try:
            await self._carry(tus, parcel)
            self._parcels.pop(parcel.key, None)
        except GrantSpent as error:
            parcel.url = ""
            self._failed(parcel, error)
        except Damaged as error:
            parcel.wrong += 1
            if parcel.wrong < TRIES_WHOLE and await asyncio.to_thread(_is_whole, parcel.path, parcel.artifact):
                self._failed(parcel, error)  # it was damaged on the way
            else:
                await self._give_up(parcel, "damaged")
        except FileNotFoundError:
            await self._give_up(parcel, "missing")
        except Unreadable as error:
            parcel.unread += 1
            if parcel.unread < TRIES_READ:
                self._failed(parcel, error)
            else:
                await self._give_up(parcel, "unreadable")
        except (aiohttp.ClientError, TimeoutError, OSError, UploadFailed) as error:
            self._failed(parcel, error)

    def _failed(self, parcel: _Parcel, error: Exception) -> None:
        """Logged once until it goes on again; the pause doubles."""
        if not parcel.failures:
            log.warning("upload of %s interrupted: %s", parcel.artifact.name, _why(error))
        pause_s = min(RETRY_S[1], RETRY_S[0] * 2 ** min(parcel.failures, 16))
        parcel.failures += 1
        parcel.not_before_s = self._now() + pause_s * random.uniform(0.5, 1.5)  # noqa: S311 - jitter, no secret

    async def _give_up(self, parcel: _Parcel, reason: Reason) -> None:
        """Unless it is simply wanted no more: the receipt came, or layers were drawn anew, while we read."""
        self._parcels.pop(parcel.key, None)
        if self._wanted(parcel):
            self._lost.add(parcel.key)
            log.error("%s of session %s is lost: %s", parcel.artifact.name, parcel.session, reason)
            await self._tell_lost(parcel.session, parcel.artifact, reason)

    async def _carry(self, tus: Tus, parcel: _Parcel) -> None:
        """Raises what Tus raises, and FileNotFoundError, Damaged or Unreadable."""
        length = parcel.artifact.bytes
        if await asyncio.to_thread(_size, parcel.path) != length:
            parcel.wrong = TRIES_WHOLE  # on our side
            raise Damaged("it has another length than it had")
        url = await tus.create(parcel.url, length)
        offset, size = await tus.offset(url, length), CHUNK[0]
        while offset < length:
            await self._turn(parcel)
            if not self._wanted(parcel):
                return
            chunk, digest = await asyncio.to_thread(_read, parcel.path, offset, size)
            if not chunk:
                raise Unreadable("it is shorter by now than it was")
            began_s = self._now()
            offset = await tus.append(url, offset, chunk, digest, length, self._paced)
            size = _next_size(size, len(chunk) / max(self._now() - began_s, 1e-6))
            parcel.failures = 0


def _why(error: Exception) -> str:
    """Never aiohttp's own words: they name the address, and with it the token."""
    if isinstance(error, Trouble):
        return error.text
    return (isinstance(error, OSError) and error.strerror) or type(error).__name__


def _next_size(size: int, bytes_per_s: float) -> int:
    """Half or double at most, so that one odd answer changes little."""
    wanted = max(size // 2, min(2 * size, int(bytes_per_s * CHUNK_S)))
    return max(CHUNK[0], min(CHUNK[1], wanted))


def _read(path: Path, offset: int, size: int) -> tuple[bytes, bytes]:
    """(bytes, their SHA-256). In a thread. Raises FileNotFoundError or Unreadable."""
    with _giving_back(), path.open("rb") as file:
        file.seek(offset)
        chunk = file.read(size)
    return chunk, hashlib.sha256(chunk).digest()


def _size(path: Path) -> int:
    with _giving_back():
        return path.stat().st_size


@contextlib.contextmanager
def _giving_back() -> Iterator[None]:
    """Tells the disk's errors from those of the network, which are OSErrors as well."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Unreadable(f"the disk does not give it back: {error.strerror}") from error


def _is_whole(path: Path, artifact: Artifact) -> bool:
    """Reads it all: in a thread."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == artifact.sha256
    except OSError:
        return False
