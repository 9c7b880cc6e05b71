"""Uploads: what kiosks are asked for, and what becomes of a file that arrives. The HTTP side is desk/tus.py.

A file grows under a partial name; when it has its length it is verified as a whole (SHA-256, first bytes), copied into
the store, committed, and only then receipted: the kiosk lets go of its copy on that word. A power cut in between leaves
a partial file of full length, which is finished when somebody asks for it next.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from msgspec import Struct

from desk import files as disk
from desk.files import CONTENT_TYPES, Files, in_thread
from desk.kiosks import Kiosks, tell_if_possible
from desk.seals import Grant, Seals
from desk.store import Store, StoredFile
from kiosk.session.record import Artifact, Session
from kiosk.session.states import ENDED
from kiosk.wire.messages import ArtifactStored, UploadGrant

log = logging.getLogger(__name__)

GRANT_S = 24 * 3600
MAX_BYTES = 16 << 30
MAX_NAMES = 500
"""Of so many artifacts in one document are grants made: more is no session."""


class ArtifactView(Struct, frozen=True):
    """Where an artifact is to be had; `url` is empty while it is not here."""

    url: str
    uploaded: bool


@dataclass(slots=True)
class Upload:
    """One artifact on its way. `lock` is held while bytes are written; `holder` is whoever writes them now."""

    grant: Grant
    path: Path
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    holder: asyncio.Timeout | None = None
    users: int = 0

    @property
    def offset(self) -> int | None:
        """How much is here; None before it was begun."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return None

    @property
    def whole(self) -> bool:
        return self.offset == self.grant.bytes


class Uploads:
    def __init__(self, store: Store, files: Files, kiosks: Kiosks, seals: Seals, url: str) -> None:
        self._store = store
        self._files = files
        self._kiosks = kiosks
        self._seals = seals
        self._url = url
        self._on_way: dict[tuple[str, str, str], Upload] = {}
        self.followers: list[Callable[[str], Awaitable[None]]] = []
        """Told the session's id when one of its files is here."""

    # --- what kiosks are asked for ------------------------------------------------------------------------------------

    async def ask_for(self, session: Session) -> None:
        """Grants (or, where the file is here already, receipts) for what an ended session still holds back."""
        missing = [a for a in session.artifacts if not a.uploaded][:MAX_NAMES]
        if session.state not in ENDED or not missing:
            return
        here = await self._store.files(session.id)
        for artifact in missing:
            if (artifact.id, artifact.sha256) in here:
                await self._receipt(session.kiosk, session.id, artifact.id, artifact.sha256)
            elif artifact.content_type not in CONTENT_TYPES or artifact.bytes > MAX_BYTES:
                log.warning("session %s: no upload of a %s artifact", session.id, artifact.content_type[:60])
            else:
                url = f"{self._url}/uploads/{self._token(session, artifact)}"
                grant = UploadGrant(session=session.id, artifact=artifact.id, sha256=artifact.sha256, url=url)
                await tell_if_possible(self._kiosks.receipt(session.kiosk, grant))

    def _token(self, session: Session, a: Artifact) -> str:
        expires_s = self._seals.until(GRANT_S)
        return self._seals.seal(
            "upload",
            Grant(session.kiosk, session.id, a.id, a.sha256, a.bytes, a.kind, a.content_type, expires_s),
        )

    async def views(self, session: Session) -> dict[str, ArtifactView]:
        """Of each artifact of the document by its id: where its present content is."""
        if not session.artifacts:
            return {}
        here = await self._store.files(session.id)
        return {a.id: view(session.id, a, (a.id, a.sha256) in here) for a in session.artifacts}

    # --- what arrives -------------------------------------------------------------------------------------------------

    def address(self, token: str) -> str:
        return f"{self._url}/uploads/{token}"

    def enter(self, token: str) -> Upload:
        """The upload that a token is good for; give it back with `leave`.

        Raises:
            BadSeal: the token is good for nothing.
        """
        grant = self._seals.open("upload", token, Grant)
        key = (grant.session, grant.artifact, grant.sha256)
        upload = self._on_way.setdefault(key, Upload(grant, self._files.partial(*key)))
        upload.users += 1
        return upload

    def leave(self, upload: Upload) -> None:
        upload.users -= 1
        if not upload.users:
            grant = upload.grant
            self._on_way.pop((grant.session, grant.artifact, grant.sha256), None)

    async def is_here(self, grant: Grant) -> bool:
        """Whether the file is verified and kept; then the kiosk is told so once more."""
        if await self._store.file(grant.session, grant.artifact, grant.sha256) is None:
            return False
        await self._receipt(grant.kiosk, grant.session, grant.artifact, grant.sha256)
        return True

    async def begin(self, upload: Upload) -> None:
        """An empty file, unless it has grown already."""
        await in_thread(upload.path.touch)

    async def finish(self, upload: Upload) -> bool:
        """Verifies and keeps a file that has its length; False (and all of it is discarded) where it is not what it
        should be. Holds `upload.lock`.

        Raises:
            StoreTrouble: the store does not take it now; the partial file stays.
        """
        grant = upload.grant
        if not await in_thread(_verified, upload.path, grant):
            log.warning("session %s: an upload of %d bytes is not what was granted", grant.session, grant.bytes)
            await in_thread(disk.cut_to, upload.path, 0)
            return False
        name = await self._files.keep(upload.path, grant.session, grant.sha256)
        file = StoredFile(grant.session, grant.artifact, grant.sha256, grant.bytes, grant.content_type, name)
        await self._store.add_file(file)
        await self.discard(upload)
        await self._receipt(grant.kiosk, grant.session, grant.artifact, grant.sha256)
        for follower in self.followers:
            await follower(grant.session)
        return True

    async def discard(self, upload: Upload) -> None:
        await in_thread(upload.path.unlink, missing_ok=True)

    async def _receipt(self, kiosk: str, session: str, artifact: str, sha256: str) -> None:
        told = ArtifactStored(session=session, artifact=artifact, sha256=sha256)
        await tell_if_possible(self._kiosks.receipt(kiosk, told))


def view(session_id: str, artifact: Artifact, here: bool) -> ArtifactView:
    """The digest in the address lets browsers keep the picture until it is another one."""
    url = f"/api/sessions/{session_id}/artifacts/{artifact.id}?v={artifact.sha256[:12]}"
    return ArtifactView(url if here else "", here)


def _verified(path: Path, grant: Grant) -> bool:
    return disk.sha256_of(path) == grant.sha256 and disk.looks_like(path, grant.content_type)
