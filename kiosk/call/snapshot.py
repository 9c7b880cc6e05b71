"""A frozen picture that both sides draw on: its edits in the kiosk's order, what goes over the wire, what is saved.

The original is never touched; edits are layers over it. Points are 0..1 of the still.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import cv2

from kiosk import disk
from kiosk.call import layers
from kiosk.errors import StoreTrouble
from kiosk.hw.ports import Still
from kiosk.session.record import Artifact, ArtifactKind
from kiosk.wire.channel import Edit, SnapshotOpen

MOST_EDITS = 500
MOST_SNAPSHOTS = 50
CHUNK_BYTES = 12_000
ID_BYTES, INDEX_BYTES = 16, 4


@dataclass(frozen=True, slots=True)
class SnapshotState:
    """An open picture. `edits` in the order that the kiosk gave them; `number` is 1 for the first of the folder."""

    id: str
    number: int
    by: str
    still: Still
    edits: tuple[Edit, ...] = ()

    def with_edit(self, edit: Edit) -> SnapshotState:
        return replace(self, edits=(*self.edits, edit))

    def without(self, edit_id: str) -> SnapshotState:
        return replace(self, edits=tuple(e for e in self.edits if e.id != edit_id))


def messages(state: SnapshotState) -> tuple[SnapshotOpen | bytes | Edit, ...]:
    """The whole picture for one participant: opening, chunks of the JPEG, edits."""
    still = state.still
    chunks = _chunks(state.id, still.jpeg)
    opening = SnapshotOpen(
        id=state.id, by=state.by, width=still.width, height=still.height, bytes=len(still.jpeg), chunks=len(chunks)
    )
    return (opening, *chunks, *state.edits)


def _chunks(snapshot: str, jpeg: bytes) -> tuple[bytes, ...]:
    head = snapshot.encode().ljust(ID_BYTES)
    return tuple(
        head + index.to_bytes(INDEX_BYTES, "big") + jpeg[start : start + CHUNK_BYTES]
        for index, start in enumerate(range(0, len(jpeg), CHUNK_BYTES))
    )


# --- files ------------------------------------------------------------------------------------------------------------


def next_number(folder: Path) -> int:
    """The first number that no snapshot in `folder` has: an earlier call of the session may have left some."""
    taken = {p.stem.removeprefix("snapshot-") for p in folder.glob("snapshot-*.jpg")}
    return next(n for n in range(1, len(taken) + 2) if str(n) not in taken)


def save_original(folder: Path, state: SnapshotState, call: str) -> Artifact:
    """Blocks; for a thread. Raises StoreTrouble."""
    name = f"snapshot-{state.number}.jpg"
    return _save(folder, name, state.still.jpeg, ArtifactKind.SNAPSHOT, state, call)


def save_layers(folder: Path, state: SnapshotState, call: str) -> tuple[Artifact, ...]:
    """The edits as SVG over the original, and both in one JPEG. Blocks; for a thread. Raises StoreTrouble."""
    name = f"snapshot-{state.number}"
    layers = _save(folder, f"{name}.svg", to_svg(state).encode(), ArtifactKind.LAYERS, state, call)
    flat = flatten(state)
    if flat is None:
        return (layers,)
    return layers, _save(folder, f"{name}-flat.jpg", flat, ArtifactKind.FLATTENED, state, call)


_CONTENT_TYPES = {".jpg": "image/jpeg", ".svg": "image/svg+xml"}


def _save(folder: Path, name: str, data: bytes, kind: ArtifactKind, state: SnapshotState, call: str) -> Artifact:
    write_whole(folder / name, data)
    return Artifact(
        id=f"{state.id}-{kind.value}",
        kind=kind,
        name=name,
        content_type=_CONTENT_TYPES[Path(name).suffix],
        bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        call=call,
        group=state.id,
    )


def write_whole(path: Path, data: bytes) -> None:
    """The old content or the new one, whatever happens. Blocks. Raises StoreTrouble."""
    try:
        disk.make_folder(path.parent)
        disk.demand_spare(path.parent, len(data))
        disk.write_whole(path, data)
    except OSError as error:
        raise StoreTrouble(f"The picture could not be saved: {error.strerror}.") from error


# --- pictures ---------------------------------------------------------------------------------------------------------


def to_svg(state: SnapshotState) -> str:
    """One group per edit, in order, over the original that lies beside it; the viewBox counts px of the original."""
    width, height = state.still.width, state.still.height
    groups = "\n".join(layers.group(edit, width, height) for edit in state.edits)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">\n'
        f'<image href="snapshot-{state.number}.jpg" width="{width}" height="{height}"/>\n'
        f"{groups}\n</svg>\n"
    )


def flatten(state: SnapshotState) -> bytes | None:
    """Original and edits in one JPEG; None where the still is no JPEG that OpenCV reads."""
    canvas = layers.decoded(state.still.jpeg)
    if canvas is None:
        return None
    written, jpeg = cv2.imencode(".jpg", layers.draw(canvas, state.edits), (cv2.IMWRITE_JPEG_QUALITY, 90))
    return jpeg.tobytes() if written else None
