"""Where a session's files lie until the desk has them: one folder a call, written whole or not at all."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

from kiosk.disk import make_folder, write_whole
from kiosk.errors import StoreTrouble
from kiosk.session.record import Artifact, ArtifactKind

log = logging.getLogger(__name__)


class Spool:
    """Blocking: called in a thread."""

    def __init__(self, root: Path) -> None:
        self._root = root

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
