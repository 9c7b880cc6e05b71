"""A frozen picture that both sides draw on: its edits in the kiosk's order, what goes over the wire, what is saved.

The original is never touched; edits are layers over it. Points are 0..1 of the still.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from kiosk import disk
from kiosk.errors import StoreTrouble
from kiosk.hw.ports import Still
from kiosk.session.record import Artifact, ArtifactKind
from kiosk.wire.channel import Edit, SnapshotOpen

MOST_EDITS = 500
MOST_SNAPSHOTS = 50
CHUNK_BYTES = 12_000
ID_BYTES, INDEX_BYTES = 16, 4
PEN_SHARE = 0.004
"""The pen's width as a share of the still's width."""
OUTLINE_SHARE = 0.0018
"""Dark rim on either side of a line: colours stay visible on a ground of the same colour."""


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
    groups = "\n".join(_group(edit, width, height) for edit in state.edits)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">\n'
        f'<image href="snapshot-{state.number}.jpg" width="{width}" height="{height}"/>\n'
        f"{groups}\n</svg>\n"
    )


def _group(edit: Edit, width: int, height: int) -> str:
    points = " ".join(f"{x * width:.1f},{y * height:.1f}" for x, y in _drawable(edit))
    pen, rim = PEN_SHARE * width, OUTLINE_SHARE * width
    line = f'<polyline points="{points}" stroke-linecap="round" stroke-linejoin="round" fill="none" '
    author = escape(edit.by, quote=True)
    return (
        f'<g id="{edit.id}" data-author="{author}"><title>{author}</title>'
        f'{line}stroke="#101418" stroke-opacity="0.75" stroke-width="{pen + 2 * rim:.1f}"/>'
        f'{line}stroke="{edit.colour}" stroke-width="{pen:.1f}"/></g>'
    )


def _drawable(edit: Edit) -> tuple[tuple[float, float], ...]:
    """A single point is drawn as a dot: a line to itself."""
    return edit.points if len(edit.points) > 1 else edit.points * 2


def flatten(state: SnapshotState) -> bytes | None:
    """Original and edits in one JPEG; None where the still is no JPEG that OpenCV reads."""
    data = np.frombuffer(state.still.jpeg, np.uint8)
    try:
        picture = cv2.imdecode(data, cv2.IMREAD_COLOR)
    except cv2.error:  # empty, or larger than OpenCV takes
        return None
    if picture is None:
        return None
    canvas = cast(NDArray[np.uint8], picture)
    width = canvas.shape[1]
    pen, rim = max(2, round(PEN_SHARE * width)), max(1, round(OUTLINE_SHARE * width))
    for edit in state.edits:
        _draw(canvas, edit, (20, 24, 16), pen + 2 * rim)
        _draw(canvas, edit, _bgr(edit.colour), pen)
    written, jpeg = cv2.imencode(".jpg", canvas, (cv2.IMWRITE_JPEG_QUALITY, 90))
    return jpeg.tobytes() if written else None


_SUBPIXEL_BITS = 4


def _draw(canvas: NDArray[np.uint8], edit: Edit, colour: tuple[int, int, int], thickness: int) -> None:
    height, width = canvas.shape[:2]
    points = np.array(_drawable(edit)) * (width, height) - 0.5
    fixed = np.round(points * (1 << _SUBPIXEL_BITS)).astype(np.int32)
    cv2.polylines(canvas, [fixed], False, colour, thickness, cv2.LINE_AA, _SUBPIXEL_BITS)


def _bgr(colour: str) -> tuple[int, int, int]:
    return int(colour[5:7], 16), int(colour[3:5], 16), int(colour[1:3], 16)
