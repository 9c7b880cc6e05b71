"""A session as one ZIP: everything of it that is here, made while it is sent, so that hours of recordings need neither
memory nor disk.

It can be read without the desk, in years: `index.html` has no script and refers to nothing outside of the ZIP; the rest
is JSON, JPEG, SVG and MP4. Names are made here, of ids whose patterns were checked, so that no reader's folder is left
by them. A ZIP that breaks off (a file was deleted meanwhile, the link is gone) has no directory at its end, and every
reader says so.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from gettext import NullTranslations
from typing import Any

import jinja2
import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Stream
from litestar.types import ControllerRouterHandler

from desk.config import Member
from desk.files.store import Files
from desk.keeping.deletions import DeletionReceipt, Deletions
from desk.people.guard import People
from desk.sessions.store import Store, StoredFile
from desk.sessions.visible import visible_session
from desk.texts import WEB, texts
from kiosk.session.record import Artifact, ArtifactKind, Session

FOLDERS: dict[ArtifactKind, str] = {
    ArtifactKind.RECORDING: "recordings",
    ArtifactKind.TIMELINE: "recordings",
    ArtifactKind.SNAPSHOT: "snapshots",
    ArtifactKind.LAYERS: "snapshots",
    ArtifactKind.FLATTENED: "snapshots",
    ArtifactKind.SESSION_DATA: "data",
}
EARLIEST = (1980, 1, 1, 0, 0, 0)
"""ZIP knows no time before."""


@dataclass(frozen=True, slots=True)
class Item:
    """A file of the session. `name`: in the ZIP; empty where it is not here."""

    artifact: Artifact
    name: str
    file: StoredFile | None
    deleted: bool = False


class Zip:
    """A ZIP that is written bit by bit: what `text`, `begin` and `put` have made is taken by `made`."""

    def __init__(self, at: datetime) -> None:
        self._out = _Pipe()
        self._zip = zipfile.ZipFile(self._out, "w", zipfile.ZIP_STORED)
        self._at = max(EARLIEST, at.timetuple()[:6])

    def text(self, name: str, content: bytes) -> bytes:
        self._zip.writestr(self._entry(name, zipfile.ZIP_DEFLATED), content)
        return self._out.take()

    def file(self, name: str) -> zipfile._ZipWriteFile:  # type: ignore[name-defined]  # what ZipFile.open gives
        """To be written to and closed; `taken` gives what came of it. Of any length: ZIP64."""
        return self._zip.open(self._entry(name, zipfile.ZIP_STORED), "w", force_zip64=True)

    def taken(self) -> bytes:
        return self._out.take()

    def end(self) -> bytes:
        self._zip.close()
        return self._out.take()

    def _entry(self, name: str, way: int) -> zipfile.ZipInfo:
        entry = zipfile.ZipInfo(name, self._at)
        entry.compress_type, entry.external_attr = way, 0o644 << 16
        return entry


class _Pipe(io.RawIOBase):
    """What ZipFile writes to: it cannot be sought in, so sizes follow the data."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, piece: Any) -> int:
        self._pieces.append(bytes(piece))
        return len(piece)

    def take(self) -> bytes:
        made = b"".join(self._pieces)
        self._pieces.clear()
        return made


class Exports:
    """Templates and catalogues are read once."""

    def __init__(self, store: Store, files: Files, deletions: Deletions, now: Callable[[], float]) -> None:
        self._store, self._files, self._deletions, self._now = store, files, deletions, now
        loader = jinja2.FileSystemLoader(WEB / "templates")
        self._page = jinja2.Environment(loader=loader, autoescape=True).get_template("export.html")
        self._style = (WEB / "static" / "css" / "export.css").read_bytes()
        self._texts: dict[str, NullTranslations] = {}

    async def stream(self, session: Session, language: str) -> AsyncIterator[bytes]:
        """The ZIP in pieces.

        Raises:
            StoreTrouble: a file cannot be had (any more): the ZIP breaks off.
        """
        made = Zip(datetime.fromtimestamp(self._now(), UTC))
        items, receipts = await self._items(session), await self._deletions.receipts(session.id)
        for name, content in self._documents(session, items, receipts, language):
            yield made.text(name, content)
        for item in items:
            if item.file:
                async for piece in self._copied(made, item.name, item.file):
                    yield piece
        yield made.end()

    async def _items(self, session: Session) -> list[Item]:
        here, deleted = await self._store.files(session.id), await self._store.deleted(session.id)
        found = []
        for artifact in session.artifacts:
            key = (artifact.id, artifact.sha256)
            name = f"{FOLDERS[artifact.kind]}/{artifact.id}-{artifact.name.rstrip('.')}" if key in here else ""
            found.append(Item(artifact, name, here.get(key), key in deleted))
        return found

    def _documents(
        self, session: Session, items: list[Item], receipts: list[DeletionReceipt], language: str
    ) -> Iterable[tuple[str, bytes]]:
        yield "index.html", self._index(session, items, receipts, language)
        yield "style.css", self._style
        yield "session.json", _json(session)
        yield "history.json", _json(session.history)
        yield "consents.json", _json(session.consents)
        yield "deletions.json", _json(receipts)
        sums = [f"{item.artifact.sha256}  {item.name}\n" for item in items if item.file]
        yield "SHA256SUMS", "".join(sums).encode()

    def _index(self, session: Session, items: list[Item], receipts: list[DeletionReceipt], language: str) -> bytes:
        if language not in self._texts:
            self._texts[language] = texts(language)
        at = datetime.fromtimestamp(self._now(), UTC).isoformat(timespec="seconds")
        page = self._page.render(
            _=self._texts[language].gettext,
            language=language,
            session=session,
            items=items,
            receipts=[(r, _at(r.at_s)) for r in receipts],
            at=at,
        )
        return page.encode()

    async def _copied(self, made: Zip, name: str, file: StoredFile) -> AsyncIterator[bytes]:
        with made.file(name) as entry:
            async for piece in self._files.read(file.path, 0, file.bytes):
                entry.write(piece)
                yield made.taken()
        yield made.taken()


@get("/api/sessions/{session_id:str}/export")
async def export_session(
    store: NamedDependency[Store],
    exports: NamedDependency[Exports],
    people: NamedDependency[People],
    me: NamedDependency[Member],
    session_id: FromPath[str],
) -> Stream:
    """Everything of a session in one ZIP: its document, history and consents as JSON, recordings with timelines,
    snapshots with their layers, receipts of what was deleted, and an index.html that needs no desk to be read."""
    session = await visible_session(store, me, session_id)
    await store.audit(me.id, "export", session.id, "begun")
    headers = {"Content-Disposition": f'attachment; filename="session-{session.id}.zip"', "Cache-Control": "no-store"}
    return Stream(exports.stream(session, people.language(me)), media_type="application/zip", headers=headers)


ROUTES: tuple[ControllerRouterHandler, ...] = (export_session,)


def _json(told: Any) -> bytes:
    return json.dumps(msgspec.to_builtins(told), indent=2, ensure_ascii=False).encode() + b"\n"


def _at(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
