"""Carries artifacts to the desk by tus 1.0 once their session is over; resumes where a broken link left it.

The desk grants each artifact an address of its own over MQTT (`UploadGrant`); the broker has proven who we are, so no
second credential is needed. Nothing is deleted here: the desk's `ArtifactStored` receipt goes to the book, and the file
is let go of only after that.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp

from kiosk.errors import Trouble
from kiosk.session.record import Artifact, ArtifactKind
from kiosk.wire.messages import UploadGrant

log = logging.getLogger(__name__)

CHUNK = 1024 * 1024
TUS = {"Tus-Resumable": "1.0.0"}
RETRY_S = (0.5, 60.0)
IMPORTANCE = {
    kind: n
    for n, kind in enumerate(
        (
            ArtifactKind.SESSION_DATA,
            ArtifactKind.SNAPSHOT,
            ArtifactKind.LAYERS,
            ArtifactKind.FLATTENED,
            ArtifactKind.TIMELINE,
            ArtifactKind.RECORDING,
        )
    )
}


class UploadFailed(Trouble):
    code = "upload_failed"


class Courier:
    """`find` gives the file and record of an artifact that still has to go, None for any other."""

    def __init__(
        self,
        find: Callable[[str, str], tuple[Path, Artifact] | None],
        desk_url: str,
        pause_s: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._find = find
        self._desk_url = desk_url.rstrip("/") + "/"
        self._pause_s = pause_s
        self._grants: dict[tuple[str, str], UploadGrant] = {}
        self._ready = asyncio.Event()

    async def run(self, grants: AsyncIterator[UploadGrant]) -> None:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=30)
        async with aiohttp.ClientSession(timeout=timeout) as http, asyncio.TaskGroup() as group:
            group.create_task(self._carry_all(http), name="upload carry")
            async for grant in grants:
                if grant.url.startswith(self._desk_url):
                    self._grants[grant.session, grant.artifact] = grant
                    self._ready.set()
                else:
                    log.warning("upload grant for another place than the desk refused")

    async def _carry_all(self, http: aiohttp.ClientSession) -> None:
        wait_s = RETRY_S[0]
        while True:
            todo = self._most_important()
            if todo is None:
                self._ready.clear()
                await self._ready.wait()
                continue
            key, path, artifact = todo
            try:
                await self._carry(http, self._grants[key].url, path, artifact)
                wait_s = RETRY_S[0]
                self._grants.pop(key, None)
            except (aiohttp.ClientError, TimeoutError, OSError, UploadFailed) as error:
                log.warning("upload of %s interrupted: %s", artifact.name, error)
                await asyncio.sleep(wait_s * random.uniform(0.5, 1.5))  # noqa: S311 - jitter, no secret
                wait_s = min(RETRY_S[1], 2 * wait_s)

    def _most_important(self) -> tuple[tuple[str, str], Path, Artifact] | None:
        waiting = []
        for key, grant in list(self._grants.items()):
            found = self._find(*key)
            if found is None or found[1].sha256 != grant.sha256:
                del self._grants[key]
            else:
                waiting.append((key, *found))
        return min(waiting, key=lambda w: (IMPORTANCE[w[2].kind], w[2].bytes), default=None)

    async def _carry(self, http: aiohttp.ClientSession, grant_url: str, path: Path, artifact: Artifact) -> None:
        """Raises UploadFailed where the desk does not take it now, ClientError or OSError where the way is broken."""
        url = await self._create(http, grant_url, artifact)
        offset = await self._offset(http, url)
        while offset < artifact.bytes:
            chunk = await asyncio.to_thread(_read, path, offset)
            if not chunk:
                raise UploadFailed(f"{artifact.name} is shorter than it should be")
            offset = await self._send(http, url, offset, chunk)
            await asyncio.sleep(self._pause_s())

    async def _create(self, http: aiohttp.ClientSession, grant_url: str, artifact: Artifact) -> str:
        headers = {**TUS, "Upload-Length": str(artifact.bytes)}
        async with http.post(grant_url, headers=headers, allow_redirects=False) as answer:
            location = answer.headers.get("Location", "")
            if answer.status != 201 or not location.startswith(self._desk_url):
                raise UploadFailed(f"the desk says {answer.status}")
            return location

    async def _offset(self, http: aiohttp.ClientSession, url: str) -> int:
        async with http.head(url, headers=TUS, allow_redirects=False) as answer:
            if answer.status not in (200, 204):
                raise UploadFailed(f"the desk says {answer.status}")
            return int(answer.headers["Upload-Offset"])

    async def _send(self, http: aiohttp.ClientSession, url: str, offset: int, chunk: bytes) -> int:
        digest = base64.b64encode(hashlib.sha256(chunk).digest()).decode()
        headers = {
            **TUS,
            "Content-Type": "application/offset+octet-stream",
            "Upload-Offset": str(offset),
            "Upload-Checksum": f"sha256 {digest}",
        }
        async with http.patch(url, headers=headers, data=chunk, allow_redirects=False) as answer:
            if answer.status != 204:
                raise UploadFailed(f"the desk says {answer.status}")
            return int(answer.headers["Upload-Offset"])


def _read(path: Path, offset: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(CHUNK)
