"""The desk's files: whole and verified ones in a store (a folder or S3, by one setting), partial ones on disk.

All names are made here, of ids and digests whose patterns were checked; nothing of a name that a client sends is used.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import math
import os
import re
import secrets
from collections.abc import AsyncIterator, Callable, Container
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, Protocol, TypeVar, cast

import obstore
from obstore.store import LocalStore, S3Store

from desk.config import FileSettings
from kiosk.errors import ConfigError, StoreTrouble
from kiosk.settings import read_secret

if TYPE_CHECKING:
    from obstore.store import RetryConfig, S3Config

P = ParamSpec("P")
T = TypeVar("T")

CHUNK = 1 << 20
RETRY_S = timedelta(seconds=30)
PATIENT: RetryConfig = {"max_retries": 3, "retry_timeout": RETRY_S}
QUICK: RetryConfig = {"max_retries": 1, "retry_timeout": timedelta(seconds=5)}

MAGIC: dict[str, tuple[int, bytes]] = {
    "image/jpeg": (0, b"\xff\xd8"),
    "video/mp4": (4, b"ftyp"),
}
"""content type -> (offset, bytes) that a file of this type has there."""

CONTENT_TYPES = frozenset({*MAGIC, "image/svg+xml", "application/json", "application/x-ndjson"})


class _Found(Protocol):
    """What we use of obstore's GetResult, which is untyped for us."""

    def stream(self, min_chunk_size: int) -> AsyncIterator[bytes]: ...


class Files:
    """Where `settings` say (left out: `folder/partial` and `folder/files`); folders are made where they are missing.

    Raises:
        ConfigError: a key cannot be read, or the store cannot be had at all.
    """

    def __init__(self, folder: Path, settings: FileSettings | None = None) -> None:
        settings = settings or FileSettings()
        self._place = f"{settings.url or folder / 'files'}{' at ' if settings.endpoint else ''}{settings.endpoint}"
        self._partial = Path(settings.partial_folder) if settings.partial_folder else folder / "partial"
        self._partial.mkdir(parents=True, exist_ok=True)
        self._kept = None if settings.url.startswith("s3:") else _folder(settings, folder)
        try:
            self._store = LocalStore(self._kept, mkdir=True) if self._kept else _s3(settings)
            self._impatient = self._store if self._kept else _s3(settings, QUICK)
        except (OSError, obstore.exceptions.BaseError) as error:
            raise ConfigError(f"files: {error}") from error

    async def check(self) -> None:
        """Writes, reads a part of and deletes a small file, so that a wrong setting is known at the start and not when
        the first recording comes.

        Raises:
            ConfigError: the store refuses: no such bucket, wrong keys, a folder that takes nothing.
            StoreTrouble: it cannot be reached now; uploads wait on the desk's own disk until it can be.
        """
        name = f"check-{secrets.token_hex(8)}"
        try:
            await obstore.put_async(self._impatient, name, b"desk")
            part = await obstore.get_range_async(self._impatient, name, start=1, end=3)
            await obstore.delete_async(self._impatient, name)
        except (OSError, obstore.exceptions.BaseError) as error:
            kind = StoreTrouble if type(error) is obstore.exceptions.GenericError else ConfigError
            raise kind(f"files: {self._place}: {_why(error)}") from error
        if bytes(part) != b"es":
            raise ConfigError(f"files: {self._place}: what is read there is not what was written")

    def partial(self, session: str, artifact: str, sha256: str) -> Path:
        """Where a file grows."""
        return self._partial / f"{session}.{artifact}.{sha256}"

    def renew(self, session: str, artifact: str, sha256: str, now_s: float) -> None:
        """Somebody may go on with it from now on; nothing where it was never begun. In a thread."""
        with contextlib.suppress(FileNotFoundError):
            os.utime(self.partial(session, artifact, sha256), (now_s, now_s))

    def remove_partial(self, before_s: float, in_use: Container[str]) -> int:
        """Removes partial files that neither grew nor were renewed since `before_s` (wall time); how many. In a thread.

        Where one is gone that somebody comes for just now, its upload begins anew.
        """
        old = [p for p in self._partial.iterdir() if _changed_s(p) < before_s and p.name not in in_use]
        for path in old:
            path.unlink(missing_ok=True)
        return len(old)

    async def keep(self, partial: Path, session: str, sha256: str) -> str:
        """Copies a whole file into the store; its name there. On disk for good when this returns.

        Raises:
            StoreTrouble: the store does not take it.
        """
        name = f"{session}/{sha256}"
        try:
            await obstore.put_async(self._store, name, partial)
            await asyncio.to_thread(self._sync, name)
        except (OSError, obstore.exceptions.BaseError) as error:
            raise StoreTrouble(f"the file store does not take the file: {error}") from error
        return name

    def _sync(self, name: str) -> None:
        """obstore does not fsync; what we receipt must survive a power cut. (S3 keeps what it has answered for.) In a
        thread."""
        if self._kept is None:
            return
        place = self._kept / name
        for path in (place, place.parent, self._kept):
            sync(path)

    async def remove(self, name: str) -> None:
        """Gone for good when this returns; nothing where it is gone already.

        Raises:
            StoreTrouble: the store does not do it.
        """
        missing = [FileNotFoundError] if self._kept else []  # what S3 does not find is the bucket
        try:
            with contextlib.suppress(*missing):
                await obstore.delete_async(self._store, name)
            await asyncio.to_thread(self._tidy, name)
        except (OSError, obstore.exceptions.BaseError) as error:
            raise StoreTrouble(f"the file store does not delete a file: {type(error).__name__}") from error

    def _tidy(self, name: str) -> None:
        """The folder that is empty by it goes as well; what is gone stays gone after a power cut. In a thread."""
        if self._kept is None:
            return
        place = (self._kept / name).parent
        with contextlib.suppress(OSError):  # others are in it, or it is gone
            place.rmdir()
        sync(place if place.is_dir() else self._kept)

    async def read(self, name: str, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes start..end (end not included) in pieces.

        Raises:
            StoreTrouble: it is not there.
        """
        if start == end:
            return
        try:
            found = cast(_Found, await obstore.get_async(self._store, name, options={"range": (start, end)}))
            async for piece in found.stream(CHUNK):
                yield bytes(piece)
        except (OSError, obstore.exceptions.BaseError) as error:
            raise StoreTrouble(f"the file store does not give the file back: {error}") from error


def _folder(settings: FileSettings, folder: Path) -> Path:
    return Path(settings.url.removeprefix("file://")) if settings.url else folder / "files"


def _s3(settings: FileSettings, retry: RetryConfig = PATIENT) -> S3Store:
    """Tried again for RETRY_S at most: the kiosk comes back by itself, and its file is here until then."""
    bucket, _, prefix = settings.url.removeprefix("s3://").partition("/")
    config: S3Config = {"region": settings.region}
    if settings.endpoint:
        config["endpoint"] = settings.endpoint
    if settings.key_id_file or settings.key_file:
        config["access_key_id"] = read_secret(settings.key_id_file)
        config["secret_access_key"] = read_secret(settings.key_file)
    return S3Store(
        bucket,
        prefix=prefix.strip("/") or None,
        config=config,
        client_options={"allow_http": settings.endpoint.startswith("http:")},
        retry_config=retry,
    )


def _why(error: BaseException) -> str:
    """In words, without the store's own names of its insides and without a key."""
    text = str(error)
    code = re.search(r"<Code>(\w{1,60})</Code>", text)
    if isinstance(error, FileNotFoundError):
        known = "there is no such bucket"
    elif isinstance(error, obstore.exceptions.PermissionDeniedError | obstore.exceptions.UnauthenticatedError):
        known = "these keys may not write, read and delete there"
    elif type(error) is obstore.exceptions.GenericError:
        known = "it cannot be reached"
    else:
        known = text.splitlines()[0][:200]
    return f"{known} ({code[1]})" if code else known


def _changed_s(path: Path) -> float:
    """Wall time; now, so to speak, where it has just been finished."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return math.inf


def sync(path: Path) -> None:
    """fsync of a file or folder."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sha256_of(path: Path) -> str:
    """Reads it all: in a thread."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def looks_like(path: Path, content_type: str) -> bool:
    """Whether the first bytes fit the type, for the types that have some."""
    if content_type not in MAGIC:
        return content_type in CONTENT_TYPES
    offset, magic = MAGIC[content_type]
    with path.open("rb") as file:
        return file.read(16)[offset : offset + len(magic)] == magic


def write_at(path: Path, offset: int, data: bytes) -> None:
    """Writes into a file that exists. In a thread.

    Raises:
        OSError: the disk does not take it.
    """
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def cut_to(path: Path, length: int | None) -> None:
    """Makes the file that long (None: as it is), on disk for good. In a thread."""
    with path.open("r+b") as file:
        if length is not None:
            file.truncate(length)
        os.fsync(file.fileno())


async def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """`work` in a thread; a cancelled caller waits for its end, so that nothing is written behind somebody's back."""
    task = asyncio.ensure_future(asyncio.to_thread(work, *args, **kwargs))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
