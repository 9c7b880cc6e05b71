"""Recordings to download with their drawings burned in: made in the background, once, and kept in the file store.

One at a time in each desk, by a process of its own (desk.files.burn). What came of it, and how far one is, stands in
the database, so any desk can tell, and one that is started again goes on with what was asked of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import json
import logging
import secrets
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from litestar import Request, Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler
from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy.exc import SQLAlchemyError

from desk.config import Member
from desk.files import burn
from desk.files.films_store import Film, FilmRows
from desk.files.serve import file_response
from desk.files.store import Files, in_thread, sha256_of
from desk.problems import not_found
from desk.sessions.store import Store, StoredFile
from desk.sessions.visible import visible_session
from kiosk.errors import StoreTrouble
from kiosk.session.record import Artifact, ArtifactKind, Session

log = logging.getLogger(__name__)

VERSION = "1"
"""Changes with how films are painted: those made before are made anew when they are asked for."""
LOOK_S = 10.0
"""So long may another desk's wish wait unseen."""
BEAT_S = 2.0
STUCK_S = 180.0
"""A process that says nothing for so long is ended."""
LEFT_S = 86_400.0
BURN = (sys.executable, "-m", "desk.files.burn")
CONTENT_TYPE = "video/mp4"

AnyRequest = Request[Any, Any, Any]


class FilmTold(Struct, frozen=True):
    """error: damaged, store, gone or trouble."""

    state: Literal["none", "waiting", "running", "done", "failed"] = "none"
    percent: int = 0
    error: str = ""
    url: str = ""
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Sources:
    """What a film is made of, by the name that desk.files.burn wants."""

    recording: Artifact
    files: dict[str, StoredFile]

    @property
    def key(self) -> str:
        parts = (VERSION, *(f"{name}:{self.files[name].sha256}" for name in sorted(self.files)))
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


class Films:
    """`run` is its task. burn: the command that makes one."""

    def __init__(self, rows: FilmRows, store: Store, files: Files, folder: Path, command: Sequence[str] = BURN) -> None:
        self._rows, self._store, self._files, self._folder, self._command = rows, store, files, folder, command
        self._desk = secrets.token_hex(8)
        self._asked = asyncio.Event()

    # --- what people ask for ------------------------------------------------------------------------------------------

    async def told(self, session: Session, artifact: str) -> FilmTold:
        """Of what there is now: one that was made before the drawings were complete does not count."""
        film = await self._rows.find(session.id, artifact)
        sources = await self._sources(session, artifact) if film else None
        if film is None or sources is None or film.key != sources.key:
            return FilmTold()
        return _told(film)

    async def ask(self, session: Session, artifact: str) -> FilmTold:
        """
        Raises:
            Problem: 404, the recording or its drawings are not here.
            Full: enough others wait.
        """
        sources = await self._sources(session, artifact)
        if sources is None:
            raise not_found("recording with drawings here (yet)")
        film = await self._rows.ask(session.id, artifact, sources.key)
        self._asked.set()
        return _told(film)

    async def cancel(self, session: Session, artifact: str) -> None:
        await self._rows.drop(session.id, artifact)

    async def file(self, session: Session, artifact: str) -> tuple[StoredFile, Artifact]:
        """
        Raises:
            Problem: 404, it is not made, or was made of something else than there is now.
        """
        film, sources = await self._rows.find(session.id, artifact), await self._sources(session, artifact)
        if film is None or sources is None or film.state != "done" or film.key != sources.key:
            raise not_found("film")
        stem = sources.recording.name.rpartition(".")[0]
        file = StoredFile(film.session, film.artifact, film.sha256, film.bytes, CONTENT_TYPE, film.path)
        return file, replace(sources.recording, name=f"{stem}-drawn.mp4")

    async def _sources(self, session: Session, artifact_id: str) -> Sources | None:
        """None where the recording or its timeline is not here."""
        recording = next((a for a in session.artifacts if a.id == artifact_id), None)
        timeline = recording and timeline_of(session, recording)
        if recording is None or timeline is None or recording.kind is not ArtifactKind.RECORDING:
            return None
        here = await self._store.files(session.id)
        wanted = {burn.FILM: recording, burn.TIMELINE: timeline} | {
            f"{a.group}.jpg": a for a in session.artifacts if a.kind is ArtifactKind.SNAPSHOT and a.group
        }
        found = {name: here[a.id, a.sha256] for name, a in wanted.items() if (a.id, a.sha256) in here}
        return Sources(recording, found) if {burn.FILM, burn.TIMELINE} <= set(found) else None

    # --- making them --------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until cancelled; a database that is away for a while only makes films late."""
        down = False
        await in_thread(_tidy, self._folder)
        try:
            while True:
                try:
                    await self._next()
                    down = False
                except SQLAlchemyError as error:
                    if not down:
                        log.warning("films wait for the database: %s", type(error).__name__)
                    down = True
                    await asyncio.sleep(LOOK_S)
        finally:
            with contextlib.suppress(SQLAlchemyError):  # else it is stale in a minute
                await asyncio.shield(self._rows.give_back(self._desk))

    async def _next(self) -> None:
        self._asked.clear()
        film = await self._rows.take(self._desk)
        if film is not None:
            return await self._make(film)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_S):
                await self._asked.wait()

    async def _make(self, film: Film) -> None:
        session = await self._store.session(film.session)
        sources = await self._sources(session, film.artifact) if session else None
        if sources is None or sources.key != film.key:
            await self._rows.failed(film, self._desk, "gone")
            return
        began_s = time.monotonic()
        try:
            with _scratch(self._folder) as folder:
                for name, file in sources.files.items():
                    await self._copy(file, folder / name)
                error = await self._burn(film, folder)
                if error is None:
                    return
                if not error:
                    await self._keep(film, folder / burn.DRAWN)
        except (OSError, StoreTrouble) as trouble:
            log.warning("session %s: a film could not be made: %s", film.session, trouble)
            error = "store" if getattr(trouble, "errno", 0) == errno.ENOSPC else "trouble"
        if error:
            await self._rows.failed(film, self._desk, error)
        outcome = error or "made"
        log.info("session %s: film with drawings %s in %.0f s", film.session, outcome, time.monotonic() - began_s)

    async def _copy(self, file: StoredFile, to: Path) -> None:
        with to.open("wb") as copy:
            async for piece in self._files.read(file.path, 0, file.bytes):
                await in_thread(copy.write, piece)

    async def _burn(self, film: Film, folder: Path) -> str | None:
        """Why it failed; "" where it did not, None where nobody wants it any more."""
        process = await asyncio.create_subprocess_exec(*self._command, str(folder), stdout=asyncio.subprocess.PIPE)
        assert process.stdout is not None
        error, beat_s = "trouble", float("-inf")
        try:
            while line := await asyncio.wait_for(process.stdout.readline(), STUCK_S):
                said = json.loads(line)
                error = str(said.get("error", error))
                if time.monotonic() - beat_s < BEAT_S:
                    continue
                beat_s = time.monotonic()
                if not await self._rows.goes_on(film, self._desk, int(said.get("percent", 0))):
                    return None
            return "" if await process.wait() == 0 else error
        except (TimeoutError, ValueError):  # stuck, or it says what is no JSON
            return "trouble"
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _keep(self, film: Film, made: Path) -> None:
        sha256, size = await in_thread(sha256_of, made), await in_thread(lambda: made.stat().st_size)
        path = await self._files.keep(made, film.session, sha256)
        if not await self._rows.done(film, self._desk, path, sha256, size):
            await self._files.remove(path)  # its recording was deleted meanwhile, or nobody wants it any more


def timeline_of(session: Session, recording: Artifact) -> Artifact | None:
    """What was drawn over it. Kiosks of before told no group: then the call's."""
    timelines = [a for a in session.artifacts if a.kind is ArtifactKind.TIMELINE]
    return next((a for a in timelines if (a.group == recording.group if a.group else a.call == recording.call)), None)


def _told(film: Film) -> FilmTold:
    url = f"/api/sessions/{film.session}/artifacts/{film.artifact}/drawn/file?v={film.sha256[:12]}"
    return FilmTold(film.state, film.percent, film.error, url if film.state == "done" else "", film.bytes)


@contextlib.contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    own = folder / secrets.token_hex(8)
    own.mkdir(parents=True)
    try:
        yield own
    finally:
        shutil.rmtree(own, ignore_errors=True)


def _tidy(folder: Path) -> None:
    """What desks left behind that were killed; others may just be working beside it."""
    for left in folder.glob("*/"):
        with contextlib.suppress(OSError):  # another desk has just removed its own
            if time.time() - left.stat().st_mtime > LEFT_S:
                shutil.rmtree(left, ignore_errors=True)


# --- over HTTP --------------------------------------------------------------------------------------------------------

PATH = "/api/sessions/{session_id:str}/artifacts/{artifact_id:str}/drawn"


@get(PATH)
async def film_state(
    store: NamedDependency[Store],
    films: NamedDependency[Films],
    me: NamedDependency[Member],
    session_id: FromPath[str],
    artifact_id: FromPath[str],
) -> FilmTold:
    """How far the recording with drawings burned in is."""
    return await films.told(await visible_session(store, me, session_id), artifact_id)


@post(PATH, status_code=202)
async def ask_for_film(
    store: NamedDependency[Store],
    films: NamedDependency[Films],
    me: NamedDependency[Member],
    session_id: FromPath[str],
    artifact_id: FromPath[str],
) -> FilmTold:
    """It is made in the background; once is enough."""
    told = await films.ask(await visible_session(store, me, session_id), artifact_id)
    await store.audit(me.id, "film", session_id, told.state)
    return told


@delete(PATH)
async def cancel_film(
    store: NamedDependency[Store],
    films: NamedDependency[Films],
    me: NamedDependency[Member],
    session_id: FromPath[str],
    artifact_id: FromPath[str],
) -> None:
    """Not wanted any more; one that is made already stays."""
    await films.cancel(await visible_session(store, me, session_id), artifact_id)


@get(PATH + "/file")
async def film_file(
    request: AnyRequest,
    store: NamedDependency[Store],
    files: NamedDependency[Files],
    films: NamedDependency[Films],
    me: NamedDependency[Member],
    session_id: FromPath[str],
    artifact_id: FromPath[str],
) -> Response[Any]:
    session = await visible_session(store, me, session_id)
    file, named = await films.file(session, artifact_id)
    return file_response(request, files, file, named, download=True)


ROUTES: tuple[ControllerRouterHandler, ...] = (film_state, ask_for_film, cancel_film, film_file)
