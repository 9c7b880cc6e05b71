"""The desk's files: whole and verified ones in a store (a folder or S3, by one setting), partial ones on disk.

All names are made here, of ids and digests whose patterns were checked; nothing of a name that a client sends is used.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import math
import os
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
    from obstore.store import S3Config

P = ParamSpec("P")
T = TypeVar("T")

CHUNK = 1 << 20
RETRY_S = timedelta(seconds=30)

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
        self._partial = Path(settings.partial_folder) if settings.partial_folder else folder / "partial"
        self._partial.mkdir(parents=True, exist_ok=True)
        self._kept = None if settings.url.startswith("s3:") else _folder(settings, folder)
        try:
            self._store = LocalStore(self._kept, mkdir=True) if self._kept else _s3(settings)
        except (OSError, obstore.exceptions.BaseError) as error:
            raise ConfigError(f"files: {error}") from error

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


def _s3(settings: FileSettings) -> S3Store:
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
        retry_config={"max_retries": 3, "retry_timeout": RETRY_S},
    )


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
