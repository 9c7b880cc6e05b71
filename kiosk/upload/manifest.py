"""What a session's folder in the spool holds: a file beside the files, so that the folder can be emptied by itself.

One writer (`Spool.follow`), after each change of the session's artifacts in the book, whole or not at all. Its rules
towards the book:

1. The book is the truth. The manifest is written from it, so it may be behind; while the kiosk runs nobody reads it.
2. It is read at the start. Only a book that has lost its newest generation (a damaged card) can know less than it: what
   the manifest knows and the book does not is given back as inputs, which the book judges like any other: artifacts
   whose files are whole, and receipts. It takes nothing away from the book and changes nothing that the book knows.
3. It is written before a receipted file is deleted, so that a file is never gone without a word about why.
4. A folder whose session the book does not hold is deleted only if its manifest says that nothing in it waits. Until
   then the manifest stands in for the book: the desk, which knows the session, is given what it asks for, and each
   receipt is noted here before the file goes.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from kiosk.disk import write_whole
from kiosk.session.inputs import AddArtifact, Uploaded
from kiosk.session.record import Artifact, ArtifactKind, Session

log = logging.getLogger(__name__)

NAME = "manifest.json"
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


class Manifest(Struct, frozen=True):
    """`artifacts` in the order in which they go: the most important first, then the smallest."""

    session: str
    rev: int
    artifacts: tuple[Artifact, ...]
    sha256: str = ""  # of the rest
    v: Literal[1] = 1


def manifest_of(session: Session) -> Manifest:
    order = sorted(session.artifacts, key=lambda a: (IMPORTANCE[a.kind], a.bytes, a.id))
    return sealed(Manifest(session.id, session.rev, tuple(order)))


def sealed(manifest: Manifest) -> Manifest:
    """With the checksum of what it says."""
    return msgspec.structs.replace(manifest, sha256=_checksum(manifest))


def write(folder: Path, manifest: Manifest) -> None:
    """Blocks. Raises OSError."""
    write_whole(folder / NAME, msgspec.json.encode(manifest))


def read(folder: Path) -> Manifest | None:
    """None where there is none, or none that is whole. Blocks."""
    try:
        found = msgspec.json.decode((folder / NAME).read_bytes(), type=Manifest)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        log.warning("manifest of %s cannot be read: %s", folder.name, error)
        return None
    return found if found.sha256 == _checksum(found) else None


def forgotten(manifest: Manifest, session: Session, folder: Path) -> tuple[AddArtifact | Uploaded, ...]:
    """What a book that lost its newest generation has to hear (rule 2). Blocks: reads the files."""
    known = {(a.id, a.sha256): a for a in session.artifacts}
    told = {a.id for a in session.artifacts}
    inputs: list[AddArtifact | Uploaded] = []
    for artifact in manifest.artifacts:
        own = known.get((artifact.id, artifact.sha256))
        if own is None and artifact.id not in told and (artifact.uploaded or _is_whole(folder, artifact)):
            inputs.append(AddArtifact(msgspec.structs.replace(artifact, uploaded=False, lost="")))
        elif own is None:
            continue
        if artifact.uploaded and not (own and own.uploaded):
            inputs.append(Uploaded(artifact.id, artifact.sha256))
    return tuple(inputs)


def nothing_waits(artifacts: Iterable[Artifact]) -> bool:
    return not any(a.waits for a in artifacts)


def _is_whole(folder: Path, artifact: Artifact) -> bool:
    try:
        with (folder / artifact.call / artifact.name).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == artifact.sha256
    except OSError:
        return False


def _checksum(manifest: Manifest) -> str:
    return hashlib.sha256(msgspec.json.encode((manifest.session, manifest.rev, manifest.artifacts))).hexdigest()
