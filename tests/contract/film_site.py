"""A short recording as a kiosk makes them, with a timeline beside it: for players and for films with drawings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np

from kiosk.call.mp4 import Mp4
from kiosk.hw.encoder import X264Encoder
from kiosk.hw.ports import Picture
from kiosk.wire.channel import (
    DeviceTold,
    Edit,
    Mark,
    MarkPose,
    Pointer,
    RecordingTold,
    SnapshotClose,
    SnapshotOpen,
    StrokeBegin,
    StrokeEnd,
    StrokePoints,
)
from kiosk.wire.timeline import Line, Person, PictureStep, PosesAt
from tests.contract.fakes import tone

FPS = 15
BLOCK_S = 0.02
CYAN, ORANGE, GREEN, PINK = "#4cc9f0", "#e69f00", "#00c58a", "#ff6ec7"
STROKE = ((0.2, 0.25), (0.4, 0.25), (0.6, 0.25))
MARK_QUAD = ((0.3, 0.5), (0.5, 0.5), (0.5, 0.8), (0.3, 0.8))


def picture(size: tuple[int, int], at_s: float) -> Picture:
    """Dark grey, with a bright square at the left edge that sinks: 1/10 of the height each second."""
    width, height = size
    luma = np.full((height, width), 50, np.uint8)
    top = int(at_s * height / 10) % (height - 24)
    luma[top : top + 24, 4:28] = 200
    grey = np.full((height // 2, width // 2), 128, np.uint8)
    return Picture(luma, grey, grey, at_s)


def write_film(path: Path, seconds: float = 6.0, sizes: tuple[tuple[int, int], ...] = ((640, 360),)) -> Path:
    """`sizes` one after the other, as long each, in one file; a tone all along."""
    file: Mp4 | None = None
    frames, blocks = int(seconds * FPS), 0
    for k, size in enumerate(sizes):
        encoder = X264Encoder(*size, FPS, 600_000)
        for n in range(k * frames // len(sizes), (k + 1) * frames // len(sizes)):
            unit = encoder.encode(picture(size, n / FPS))
            assert unit is not None
            if file is None:
                file = Mp4(path, unit)
                continue
            while blocks * BLOCK_S <= unit.captured_s:
                file.sound(tone(440, blocks), blocks * BLOCK_S)
                blocks += 1
            file.video(unit)
    assert file is not None
    file.close()
    return path


def story() -> list[Line]:
    """Anna draws from 1 to 1.5 s (gone at 3); a mark from 2 s on, lost from 4 to 4.6; a pointer from 3.5 s on; a
    snapshot from 5 to 5.5 s."""
    pose: Any = {"id": "m-1", "quad": MARK_QUAD, "confidence": 0.9}
    marks = [Line(2.0 + n / 10, PosesAt((MarkPose(**pose, state="tracked"),))) for n in range(20)]
    told: dict[str, Any] = {"id": "m-1", "by": "Anna", "colour": ORANGE, "label": "Ventil"}
    edit = Edit(id="e-1", snapshot="snap-1", points=((0.2, 0.5), (0.8, 0.5)), colour=PINK, by="Anna")
    return [
        Line(0.0, PictureStep(640, 360)),
        Line(0.1, RecordingTold(state="on")),
        Line(0.5, Person("Anna", CYAN, "joined")),
        Line(1.0, StrokeBegin(id="s-1", at=STROKE[0], by="Anna", colour=CYAN)),
        Line(1.2, StrokePoints(id="s-1", points=STROKE[1:])),
        Line(1.5, StrokeEnd(id="s-1", fade_s=1.5)),
        Line(2.0, Mark(**told, state="tracked")),
        *marks,
        Line(3.5, Pointer(at=(0.8, 0.3), by="Anna", colour=GREEN)),
        Line(4.0, Mark(**told, state="lost")),
        Line(4.0, PosesAt((MarkPose(**pose, state="lost"),))),
        Line(4.2, DeviceTold(name="camera", works=False)),
        Line(4.4, DeviceTold(name="camera", works=True)),
        Line(4.6, Mark(**told, state="tracked")),
        Line(5.0, SnapshotOpen(id="snap-1", by="Anna", width=1280, height=720, bytes=1, chunks=1)),
        Line(5.2, edit),
        Line(5.5, SnapshotClose()),
        Line(5.8, Person("Anna", CYAN, "left")),
    ]


def write_timeline(path: Path, lines: list[Line] | None = None) -> Path:
    path.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in (story() if lines is None else lines)))
    return path


def write_original(path: Path) -> Path:
    """A snapshot's: evenly blue."""
    cv2.imwrite(str(path), np.full((720, 1280, 3), (150, 60, 30), np.uint8))
    return path
