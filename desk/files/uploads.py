"""Uploads: what kiosks are asked for, and what becomes of a file that arrives. The HTTP side is desk/files/tus.py.

A file grows under a partial name; when it has its length it is verified as a whole (SHA-256, first bytes), copied into
the store, committed, and only then receipted: the kiosk lets go of its copy on that word. A power cut in between leaves
a partial file of full length, which is finished when somebody asks for it next.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Container
from dataclasses import dataclass, field
from pathlib import Path

from msgspec import Struct

from desk.files import store as disk
from desk.files.store import CONTENT_TYPES, Files, in_thread
from desk.seals import Grant, Seals
from desk.sessions.kiosks import Kiosks, tell_if_possible
from desk.sessions.store import Store, StoredFile
from kiosk.errors import StoreTrouble
from kiosk.session.record import Artifact, Session
from kiosk.session.states import ENDED
from kiosk.wire.messages import ArtifactStored, UploadGrant

log = logging.getLogger(__name__)

GRANT_S = 24 * 3600
MAX_BYTES = 16 << 30
TELL_S = 1.0
TIDY_S = 3600.0
MAX_NAMES = 500
"""Of so many artifacts in one document are grants made: more is no session."""


class ArtifactView(Struct, frozen=True):
    """Where an artifact is to be had; `url` is empty while it is not here. `received`: so many bytes of it are.
    `deleted_s`: since when it is deleted; it was here once."""

    url: str
    uploaded: bool
    received: int = 0
    deleted_s: float = 0.0


@dataclass(slots=True)
class Upload:
    """One artifact on its way. `lock` is held while bytes are written; `holder` is whoever writes them now.

    `finishing`: all bytes are here and are being verified and kept. That goes on when the sender is cut off meanwhile,
    or every link that breaks sooner than a large file is read would make it begin anew.
    """

    grant: Grant
    path: Path
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    holder: asyncio.Timeout | None = None
    users: int = 0
    finishing: asyncio.Task[bool] | None = None

    @property
    def offset(self) -> int | None:
        """How much is here; None before it was begun."""
        return _length(self.path)

    @property
    def whole(self) -> bool:
        return self.offset == self.grant.bytes

    def cut(self) -> None:
        """Ends whoever writes now: somebody newer is there."""
        if self.holder is not None and self.holder.when() != -1:
            with contextlib.suppress(RuntimeError):  # it is ending already
                self.holder.reschedule(-1)


class Uploads:
    def __init__(
        self,
        store: Store,
        files: Files,
        kiosks: Kiosks,
        seals: Seals,
        url: str,
        now: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        partial_days: float = 14,
    ) -> None:
        self._store = store
        self._files = files
        self._kiosks = kiosks
        self._seals = seals
        self._url = url
        self._on_way: dict[tuple[str, str, str], Upload] = {}
        self._now = now
        self._wall = wall
        self._partial_s = 86400 * partial_days
        self._told_s: OrderedDict[str, float] = OrderedDict()
        self._desk = secrets.token_hex(8)
        self.followers: list[Callable[[str], Awaitable[None]]] = []
        """Told the session's id when one of its files is here, and at most each TELL_S while they come."""

    # --- what kiosks are asked for ------------------------------------------------------------------------------------

    async def ask_for(self, session: Session) -> None:
        """Grants (or, where the file is here already, receipts) for what an ended session still holds back."""
        missing = [a for a in session.artifacts if not a.uploaded][:MAX_NAMES]
        if session.state not in ENDED or not missing:
            return
        here: Container[tuple[str, str]] = {
            *await self._store.files(session.id),
            *await self._store.deleted(session.id),  # nobody wants it any more
        }
        for artifact in missing:
            if (artifact.id, artifact.sha256) in here:
                await self._receipt(session.kiosk, session.id, artifact.id, artifact.sha256)
            elif artifact.lost:
                continue  # the kiosk cannot give it any more
            elif artifact.content_type not in CONTENT_TYPES or artifact.bytes > MAX_BYTES:
                log.warning("session %s: no upload of a %s artifact", session.id, artifact.content_type[:60])
            else:
                url = f"{self._url}/uploads/{self._token(session, artifact)}"
                grant = UploadGrant(session=session.id, artifact=artifact.id, sha256=artifact.sha256, url=url)
                await in_thread(self._files.renew, session.id, artifact.id, artifact.sha256, self._wall())
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
        here, deleted = await self._store.files(session.id), await self._store.deleted(session.id)
        coming = await in_thread(self._coming, session, here) if session.state in ENDED else {}

        def seen(a: Artifact) -> ArtifactView:
            if (a.id, a.sha256) in deleted and (a.id, a.sha256) not in here:
                return ArtifactView("", False, deleted_s=deleted[a.id, a.sha256])
            return view(session.id, a, (a.id, a.sha256) in here, coming.get(a.id, 0))

        return {a.id: seen(a) for a in session.artifacts}

    def _coming(self, session: Session, here: Container[tuple[str, str]]) -> dict[str, int]:
        """Of each artifact that is not here, how much of it is. In a thread."""
        missing = [a for a in session.artifacts if (a.id, a.sha256) not in here][:MAX_NAMES]
        return {a.id: _length(self._files.partial(session.id, a.id, a.sha256)) or 0 for a in missing}

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

    async def take_over(self, upload: Upload) -> None:
        """Ours from now on: a dead link of the same sender may still hang here, or at another desk."""
        upload.cut()
        await self._store.tell("upload", [f"{upload.path.name}@{self._desk}"])

    def taken_over(self, told: str) -> None:
        """By a sender who came back to another desk."""
        name, _, desk = told.rpartition("@")
        for upload in self._on_way.values():
            if upload.path.name == name and desk != self._desk:
                upload.cut()

    async def is_here(self, grant: Grant) -> bool:
        """Whether the file is verified and kept, or was and is deleted; then the kiosk is told once more to let go."""
        key = (grant.artifact, grant.sha256)
        if await self._store.file(grant.session, *key) is None and key not in await self._store.deleted(grant.session):
            return False
        await self._receipt(grant.kiosk, grant.session, grant.artifact, grant.sha256)
        return True

    async def begin(self, upload: Upload) -> None:
        """An empty file, unless it has grown already."""
        await in_thread(upload.path.touch)

    async def progressed(self, upload: Upload) -> None:
        """More of it is here: said at most each TELL_S for all files of a session together."""
        session, now_s = upload.grant.session, self._now()
        if now_s - self._told_s.get(session, -TELL_S) < TELL_S:
            return
        self._told_s[session] = now_s
        self._told_s.move_to_end(session)
        if len(self._told_s) > MAX_NAMES:
            self._told_s.popitem(last=False)
        await self._tell(session)

    async def finish(self, upload: Upload) -> bool:
        """Verifies and keeps a file that has its length; False (and all of it is discarded) where it is not what it
        should be. Goes on by itself where the caller is cancelled; whoever comes meanwhile waits for the same end.

        Raises:
            StoreTrouble: the store does not take it now; the partial file stays.
        """
        if upload.finishing is None:
            upload.users += 1
            upload.finishing = asyncio.create_task(self._finish(upload), name="upload finish")
            upload.finishing.add_done_callback(lambda task: self._finished(upload, task))
        return await asyncio.shield(upload.finishing)

    def _finished(self, upload: Upload, task: asyncio.Task[bool]) -> None:
        upload.finishing = None
        self.leave(upload)
        if not task.cancelled() and (error := task.exception()):
            log.warning("session %s: an upload could not be kept: %s", upload.grant.session, error)

    async def _finish(self, upload: Upload) -> bool:
        try:
            return await self._keep(upload)
        except (FileNotFoundError, StoreTrouble):
            if await self.is_here(upload.grant):  # another desk has just done the same
                return True
            raise

    async def _keep(self, upload: Upload) -> bool:
        grant = upload.grant
        if not await in_thread(_verified, upload.path, grant):
            log.warning("session %s: an upload of %d bytes is not what was granted", grant.session, grant.bytes)
            await in_thread(disk.cut_to, upload.path, 0)
            return False
        name = await self._files.keep(upload.path, grant.session, grant.sha256)
        file = StoredFile(grant.session, grant.artifact, grant.sha256, grant.bytes, grant.content_type, name)
        await self._store.add_file(file, grant.kind)
        await self.discard(upload)
        await self._receipt(grant.kiosk, grant.session, grant.artifact, grant.sha256)
        await self._tell(grant.session)
        return True

    async def tidy(self) -> int:
        """Removes partial files whose last grant was over longer ago than the settings say; how many.

        The time of a partial file is when it grew, or when its artifact was granted anew: a kiosk that is back after
        days and still has the file goes on where it was.
        """
        in_use = {upload.path.name for upload in self._on_way.values()}
        gone = await in_thread(self._files.remove_partial, self._wall() - GRANT_S - self._partial_s, in_use)
        if gone:
            log.warning("%d uploads that nobody went on with were removed", gone)
        return gone

    async def keep_tidy(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Until cancelled. Not at once: after a long time without a desk, kiosks are granted theirs anew first."""
        while True:
            await sleep(TIDY_S)
            try:
                await self.tidy()
            except OSError as error:  # uploads fail by it as well, and say so to whom it concerns
                log.warning("partial uploads cannot be tidied up: %s", error)

    async def close(self) -> None:
        """What is being verified is left as it is: all of its bytes are on disk, and it begins anew when asked for."""
        tasks = [u.finishing for u in self._on_way.values() if u.finishing]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _tell(self, session: str) -> None:
        for follower in self.followers:
            await follower(session)

    async def discard(self, upload: Upload) -> None:
        await in_thread(upload.path.unlink, missing_ok=True)

    async def _receipt(self, kiosk: str, session: str, artifact: str, sha256: str) -> None:
        told = ArtifactStored(session=session, artifact=artifact, sha256=sha256)
        await tell_if_possible(self._kiosks.receipt(kiosk, told))


def view(session_id: str, artifact: Artifact, here: bool, received: int = 0) -> ArtifactView:
    """The digest in the address lets browsers keep the picture until it is another one."""
    url = f"/api/sessions/{session_id}/artifacts/{artifact.id}?v={artifact.sha256[:12]}"
    return ArtifactView(url if here else "", here, artifact.bytes if here else received)


def _length(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def _verified(path: Path, grant: Grant) -> bool:
    return disk.sha256_of(path) == grant.sha256 and disk.looks_like(path, grant.content_type)
