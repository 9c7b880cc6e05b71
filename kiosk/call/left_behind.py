"""Snapshots and timelines that lie on disk though the book has not heard of them: the power went in between.

Files are written whole, then told. So a file may be there that no record names, or be newer than its record says; never
the other way round. Recordings are adopted by `recording.leftovers`, before these.
"""

from __future__ import annotations

import hashlib
import logging
import re
import secrets
from collections.abc import Iterable
from pathlib import Path

import msgspec
from msgspec.structs import replace

from kiosk.call.snapshot import write_whole
from kiosk.errors import StoreTrouble
from kiosk.session.record import Artifact, ArtifactKind

log = logging.getLogger(__name__)

SNAPSHOT = re.compile(r"(snapshot-\d+)(\.jpg|\.svg|-flat\.jpg)\Z")
TIMELINE = re.compile(r"(recording-\d+)\.timeline\.jsonl\Z")
PARTS = {
    ".jpg": (ArtifactKind.SNAPSHOT, "image/jpeg"),
    ".svg": (ArtifactKind.LAYERS, "image/svg+xml"),
    "-flat.jpg": (ArtifactKind.FLATTENED, "image/jpeg"),
}


def left_behind(folder: Path, known: Iterable[Artifact], call: str) -> tuple[Artifact, ...]:
    """What the book should hear of, of a call that is over. For a thread: reads the files.

    known: the session's artifacts. One of them whose file is another one by now comes again, under its own id.
    """
    own = {a.name: a for a in known if a.call == call}
    found: list[Artifact] = []
    for path in sorted(folder.glob("*")):
        try:
            artifact = _look_at(path, own, call)
        except (OSError, StoreTrouble) as error:
            log.warning("%s: cannot be adopted: %s", path.name, error)
            continue
        if artifact is not None:
            own[artifact.name] = artifact
            found.append(artifact)
    return tuple(found)


def _look_at(path: Path, own: dict[str, Artifact], call: str) -> Artifact | None:
    if re.fullmatch(r"snapshot-.*\.new", path.name):
        path.unlink()  # half written
    elif snapshot := SNAPSHOT.match(path.name):
        kind, content_type = PARTS[snapshot[2]]
        group = _group(snapshot[1], own)
        fresh = Artifact(f"{group}-{kind.value}", kind, path.name, content_type, 0, "0" * 64, call, group)
        return _as_it_is(path, own.get(path.name, fresh))
    elif (timeline := TIMELINE.match(path.name)) and path.name not in own:
        recording = own.get(f"{timeline[1]}.mp4")
        if recording is not None and _mend_lines(path):
            kind, content_type, group = ArtifactKind.TIMELINE, "application/x-ndjson", recording.group
            fresh = Artifact(secrets.token_hex(8), kind, path.name, content_type, 0, "0" * 64, call, group)
            return _as_it_is(path, fresh)
    return None


def _group(stem: str, own: dict[str, Artifact]) -> str:
    """What binds a snapshot with its layers: as it is known from one of them, or a new one."""
    names = (f"{stem}{part}" for part in PARTS)
    known = next((own[name].group for name in names if name in own), "")
    return known or f"snap-{secrets.token_hex(4)}"


def _as_it_is(path: Path, artifact: Artifact) -> Artifact | None:
    """The record that fits the file; None where it did already, or where the desk has it."""
    data = path.read_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    if not data or artifact.uploaded or artifact.sha256 == sha256:
        return None
    return replace(artifact, bytes=len(data), sha256=sha256)


def _mend_lines(path: Path) -> bool:
    """Lets go of a last line that is not whole. Whether any are left."""
    data = path.read_bytes()
    whole = 0
    for line in data.splitlines(keepends=True):
        try:
            msgspec.json.decode(line)
        except msgspec.DecodeError:
            break
        if not line.endswith(b"\n"):
            break
        whole += len(line)
    if whole != len(data):
        write_whole(path, data[:whole])
    return whole > 0
