"""The files' side of the book: what a power cut left is adopted, session data is written, the spool follows the book.

Wiring: the book does not know the spool, nor the spool the book.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from kiosk.book.book import Book
from kiosk.call.left_behind import left_behind
from kiosk.call.recording import discard, leftovers
from kiosk.errors import Refused, StoreTrouble
from kiosk.fleet.board import Board
from kiosk.session import inputs as do
from kiosk.session import receipts
from kiosk.session.record import SYSTEM, Artifact, ArtifactKind, Session
from kiosk.session.states import ENDED
from kiosk.upload.courier import Reason
from kiosk.upload.manifest import Manifest
from kiosk.upload.spool import Spool
from kiosk.wire.codec import encode
from kiosk.wire.messages import SessionTold

log = logging.getLogger(__name__)

AGAIN_S = 10.0
NAMED = 5


class Calls(Protocol):
    async def over(self) -> None: ...


class Spooling:
    """Runs as one task (`run`); `adopt` comes first, once, before any call."""

    def __init__(
        self,
        book: Book,
        spool: Spool,
        board: Board,
        calls: Calls,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._book, self._spool, self._board, self._calls = book, spool, board, calls
        self._sleep = sleep
        self._left: dict[str, Manifest | None] = {}
        self._adopted = asyncio.Event()

    async def run(self) -> None:
        await self._adopted.wait()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._write_session_data(), name="session data")
            group.create_task(self._follow(), name="spool")

    # --- for the courier ----------------------------------------------------------------------------------------------

    def find(self, session_id: str, artifact_id: str) -> tuple[Path, Artifact] | None:
        """File and record of an artifact that still has to go; also of a session that the book does not know."""
        holder = self._book.sessions.get(session_id) or self._left.get(session_id)
        for artifact in holder.artifacts if holder else ():
            if artifact.id == artifact_id and artifact.waits:
                return self._spool.path(session_id, artifact), artifact
        return None

    @property
    def waits_for_desk(self) -> bool:
        """Whether files are left of sessions that the book does not know, which nobody but the desk can ask for."""
        return any(self._left.values())

    async def stored(self, session_id: str, artifact_id: str, sha256: str) -> None:
        """The desk has this file. Raises Refused."""
        left = self._left.get(session_id)
        if left is None:
            await self._book.put(session_id, do.Uploaded(artifact_id, sha256), SYSTEM)
            return
        try:
            left = await asyncio.to_thread(self._spool.stored, left, artifact_id, sha256)
        except OSError as error:
            log.warning("manifest of session %s cannot be written: %s", session_id, error.strerror)
            return
        if any(a.waits for a in left.artifacts):
            self._left[session_id] = left
        else:
            del self._left[session_id]
        self._say_left()

    async def lost(self, session_id: str, artifact: Artifact, reason: Reason) -> None:
        """Into the session's record; not where the whole spool is away, which a restart may mend."""
        if not await asyncio.to_thread(self._spool.is_there):
            self._board.fails("disk", "the folder of the files cannot be read")
            return
        try:
            await self._book.put(session_id, do.Lost(artifact.id, artifact.sha256, reason), SYSTEM)
        except Refused as error:  # the session was let go of meanwhile
            log.info("news of a lost file refused: %s", error.code)

    # --- the start ----------------------------------------------------------------------------------------------------

    async def adopt(self) -> None:
        """Files that were written or written on when the power went, and are not in the book as they are: kept."""
        held = self._book.sessions  # as they were before any task ran: no call of theirs is on
        for session in held.values():
            with self._board.disk():
                await self._adopt(session)
        self._left = await asyncio.to_thread(self._spool.tidy, held)
        self._say_left()
        self._adopted.set()

    def _say_left(self) -> None:
        if self._left:
            some = ", ".join(sorted(self._left)[:NAMED])
            self._board.fails("spool", f"files of {len(self._left)} sessions that the book does not know: {some}")
        else:
            self._board.works("spool")

    async def _adopt(self, session: Session) -> None:
        for what in await asyncio.to_thread(self._spool.forgotten, session):
            log.warning("session %s: the book had lost news of a file, its manifest had not", session.id)
            session = await self._book.put(session.id, what, SYSTEM)
        known = [a.name for a in session.artifacts]
        for call in session.calls:
            folder = self._spool.folder_of(session.id, call.id)
            withdrawn = call is session.calls[-1] and session.recording.deletes
            if withdrawn or session.recording.consent is None:  # a consent that never reached the disk is none
                await self._delete_recordings(session, call.id, folder)
            else:
                for artifact in await asyncio.to_thread(leftovers, folder, known, call.id):
                    session = await self._book.put(session.id, do.AddArtifact(artifact), SYSTEM)
            for artifact in await asyncio.to_thread(left_behind, folder, session.artifacts, call.id):
                await self._book.put(session.id, do.AddArtifact(artifact), SYSTEM)

    async def _delete_recordings(self, session: Session, call_id: str, folder: Path) -> None:
        """Consent was withdrawn just before the power went: what should have been deleted then is deleted now."""
        try:
            names = {*await asyncio.to_thread(discard, folder), *receipts.names(session, call_id)}
        except StoreTrouble as error:
            log.warning("%s", error.text)
            return
        if names:
            await self._book.put(session.id, do.RecordingDeleted(call_id, tuple(sorted(names))), SYSTEM)

    # --- all the time -------------------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        """The one who writes manifests, and deletes what the desk has receipted."""
        async for session in self._book.follow():
            await asyncio.to_thread(self._spool.follow, session)

    async def _write_session_data(self) -> None:
        """The record itself becomes a file each time a session ends, once the call's last file is there."""
        async for session in self._book.follow():
            while not await self._has_session_data(session.id):
                await self._sleep(AGAIN_S)  # the disk takes it for no session; tried until it does

    async def _has_session_data(self, session_id: str) -> bool:
        """Whether nothing (more) is to be written. An ended session gets its file, one for each time it ends."""
        session = self._book.sessions.get(session_id)
        if session is None or session.state not in ENDED:
            return True
        artifact_id = f"data-{len(session.history)}"
        if any(a.id == artifact_id for a in session.artifacts):
            return True
        await self._calls.over()
        session = self._book.sessions.get(session_id, session)
        name = f"session-data-{len(session.history)}.json"
        artifact_id, kind = f"data-{len(session.history)}", ArtifactKind.SESSION_DATA
        with self._board.disk():
            data = encode(SessionTold(session))
            artifact = await asyncio.to_thread(
                self._spool.keep, session.id, artifact_id, kind, name, "application/json", data
            )
            await self._book.put(session.id, do.AddArtifact(artifact), SYSTEM)
            return True
        return False
