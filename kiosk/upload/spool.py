"""Where a session's files lie until the desk has them: one folder a call, written whole or not at all.

What lies there stands in a manifest beside it (manifest.py).
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
from collections.abc import Collection
from pathlib import Path

from msgspec.structs import replace

from kiosk.disk import make_folder, write_whole
from kiosk.errors import StoreTrouble
from kiosk.session.inputs import AddArtifact, Uploaded
from kiosk.session.record import Artifact, ArtifactKind, Session
from kiosk.session.states import ENDED
from kiosk.upload import manifest
from kiosk.upload.manifest import Manifest

log = logging.getLogger(__name__)


class Spool:
    """Blocking: called in a thread."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._noted: dict[str, tuple[Artifact, ...]] = {}

    def folder_of(self, session_id: str, call_id: str = "") -> Path:
        """Of one call, so that a second call under the same session begins its numbers anew."""
        return self._root / session_id / call_id

    def folder(self, session_id: str, call_id: str = "") -> Path:
        """The same, made if need be; then it is on disk. Raises StoreTrouble."""
        folder = self.folder_of(session_id, call_id)
        try:
            make_folder(folder)
        except OSError as error:
            raise StoreTrouble(f"the spool cannot be written: {error.strerror}") from error
        return folder

    def path(self, session_id: str, artifact: Artifact) -> Path:
        return self._root / session_id / artifact.call / artifact.name

    def keep(
        self, session_id: str, artifact_id: str, kind: ArtifactKind, name: str, content_type: str, data: bytes
    ) -> Artifact:
        """Writes a small file: it is there whole, and on disk, when this returns. Raises StoreTrouble."""
        path = self.folder(session_id) / name
        try:
            write_whole(path, data)  # the book will say that it is there
        except OSError as error:
            raise StoreTrouble(f"{name} cannot be written: {error.strerror}") from error
        return Artifact(artifact_id, kind, name, content_type, len(data), hashlib.sha256(data).hexdigest())

    def follow(self, session: Session) -> None:
        """Keeps the folder as the book says: manifest, and without what the desk has receipted.

        One call at a time. What cannot be written or deleted now (a full or read-only disk) is at the next change, or
        at the next start.
        """
        folder = self._root / session.id
        if not folder.is_dir():
            return
        if session.artifacts and self._noted.get(session.id) != session.artifacts:
            self._note(folder, session)
        for artifact in session.artifacts:
            if artifact.uploaded:
                self.let_go(session.id, artifact)
        if session.state in ENDED and manifest.nothing_waits(session.artifacts):
            self._clear(folder)

    def _note(self, folder: Path, session: Session) -> None:
        try:
            manifest.write(folder, manifest.manifest_of(session))
            self._noted[session.id] = session.artifacts
        except OSError as error:
            log.warning("manifest of session %s cannot be written: %s", session.id, error.strerror)

    def _clear(self, folder: Path) -> None:
        """A manifest of nothing goes with its folder; files that are lost keep theirs."""
        try:
            if {p.name for p in folder.iterdir()} <= {manifest.NAME}:
                (folder / manifest.NAME).unlink(missing_ok=True)
                folder.rmdir()
                self._noted.pop(folder.name, None)
        except OSError as error:
            log.warning("%s cannot be deleted: %s", folder.name, error.strerror)

    def forgotten(self, session: Session) -> tuple[AddArtifact | Uploaded, ...]:
        """What the manifest knows and the book does not; for the start."""
        folder = self._root / session.id
        found = manifest.read(folder)
        return manifest.forgotten(found, session, folder) if found else ()

    def tidy(self, held: Collection[str]) -> dict[str, Manifest | None]:
        """For the start: lets go of folders of sessions that left the book, unless something in them waits.

        What stays, by session: None where the folder holds no manifest that can be read.
        """
        stays: dict[str, Manifest | None] = {}
        for folder in self._root.glob("*"):
            if folder.name in held:
                continue
            found = manifest.read(folder)
            if found is not None and manifest.nothing_waits(found.artifacts):
                shutil.rmtree(folder, ignore_errors=True)
            else:
                stays[folder.name] = found
        return stays

    def stored(self, found: Manifest, artifact_id: str, sha256: str) -> Manifest:
        """The desk has a file of a session that left the book: the manifest says so, then the file goes.

        Raises OSError where the manifest cannot be written: the desk says it again.
        """
        done = [a for a in found.artifacts if a.waits and (a.id, a.sha256) == (artifact_id, sha256)]
        if not done:
            return found
        artifacts = tuple(replace(a, uploaded=True) if a in done else a for a in found.artifacts)
        found = manifest.sealed(replace(found, artifacts=artifacts))
        folder = self._root / found.session
        manifest.write(folder, found)
        for artifact in done:
            self.let_go(found.session, artifact)
        if manifest.nothing_waits(artifacts):
            self._clear(folder)
        return found

    def is_there(self) -> bool:
        """Whether the spool itself can be read: else a file that is missing says nothing."""
        return os.access(self._root, os.R_OK | os.X_OK)

    def let_go(self, session_id: str, artifact: Artifact) -> None:
        """Deletes the copy of what the desk has receipted; folders go with their last file.

        What cannot be deleted now (a read-only disk) is deleted at a later start.
        """
        path = self.path(session_id, artifact)
        try:
            path.unlink(missing_ok=True)
            for folder in (path.parent, self._root / session_id):
                if folder.exists() and not any(folder.iterdir()):
                    folder.rmdir()
        except OSError as error:
            log.warning("%s cannot be deleted: %s", artifact.name, error.strerror)
