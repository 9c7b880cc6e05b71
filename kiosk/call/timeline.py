"""What happened over the picture while it was recorded: strokes, marks, snapshots, people; JSON lines beside the MP4.

Each line is a `Line`: seconds since the recording's first frame, and what was told. Players draw it in time over the
clean picture.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
from pathlib import Path
from typing import BinaryIO, Protocol

import msgspec
from msgspec import Struct

from kiosk.call.held_lines import HeldLines
from kiosk.disk import sync_folder
from kiosk.errors import StoreTrouble
from kiosk.session.record import Artifact, ArtifactKind
from kiosk.wire.timeline import Line, Person, PictureStep, PosesAt, What

__all__ = ["Line", "Person", "PictureStep", "PosesAt", "Timeline", "TimelineSink", "What"]

log = logging.getLogger(__name__)

FLUSH_S = 1.0
POSES_APART_S = 0.1
MOST_WAITING = 20_000
"""Lines that wait for a disk that hangs; then new ones are left out. Some minutes of drawing."""


class TimelineSink(Protocol):
    """Where Tools tells what it has told to others."""

    def write(self, captured_s: float, what: What) -> None: ...


class Timeline:
    """Of one call; writes while a recording runs. Lines go to disk (fsync) each second, from a thread."""

    def __init__(self, call_id: str, flush_s: float = FLUSH_S) -> None:
        self._call = call_id
        self._flush_s = flush_s
        self._path: Path | None = None
        self._file: BinaryIO | None = None
        self._t0_s = 0.0
        self._poses_s = 0.0
        self._waiting: list[bytes] = []
        self._held: HeldLines | None = None
        self._task: asyncio.Task[None] | None = None

    def hold(self, seconds: float) -> None:
        """From now on the last `seconds` are held in memory: the recording that starts next may begin before it."""
        self._held = HeldLines(seconds)

    def let_go(self) -> None:
        """Nothing is held any more, and what was is forgotten."""
        self._held = None

    async def start(self, path: Path, t0_s: float, already: tuple[Struct | bytes, ...] = ()) -> None:
        """A recording begins whose first frame was captured at `t0_s`; `already` is what Tools.greet() returns: what
        is on the picture by then. Where lines are held, those since `t0_s` stand in its stead. Raises StoreTrouble."""
        self._file = await asyncio.to_thread(_open, path)
        self._path, self._t0_s, self._poses_s = path, t0_s, float("-inf")
        held, self._held = self._held, None
        now = ((t0_s, what) for what in already)
        for at_s, what in held.since(t0_s) if held is not None else now:
            if isinstance(what, What):
                self.write(at_s, what)
        self._task = asyncio.create_task(self._flush_for_ever(self._file), name="timeline")

    def write(self, captured_s: float, what: What) -> None:
        """On the loop; nothing while no recording runs and nothing is held. Poses are thinned to ten a second."""
        if (self._path is None and self._held is None) or len(self._waiting) >= MOST_WAITING:
            return
        if isinstance(what, PosesAt):
            if captured_s < self._poses_s + POSES_APART_S - 0.005:
                return
            self._poses_s = captured_s
        if self._path is None:
            self._hold(captured_s, what)
            return
        line = Line(at_s=round(max(0.0, captured_s - self._t0_s), 3), what=what)
        self._waiting.append(msgspec.json.encode(line) + b"\n")

    def _hold(self, captured_s: float, what: What) -> None:
        if self._held is not None:
            self._held.put(captured_s, what)

    async def stop(self, artifact_id: str, group: str = "") -> Artifact | None:
        """The recording is over: the finished file as an artifact; None where none was running.

        Raises:
            StoreTrouble: the rest could not be written.
        """
        path, file, task = self._path, self._file, self._task
        self._path = self._file = self._task = None
        if path is None or file is None or task is None:
            return None
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        lines, self._waiting = self._waiting, []
        return await asyncio.to_thread(_finish, file, path, lines, artifact_id, self._call, group)

    async def _flush_for_ever(self, file: BinaryIO) -> None:
        failed = False
        while True:
            await asyncio.sleep(self._flush_s)
            lines, self._waiting = self._waiting, []
            try:
                # shielded: a write under way is finished before stop() writes the rest
                await _finished(asyncio.ensure_future(asyncio.to_thread(_append, file, lines)))
                failed = False
            except OSError as error:
                self._waiting = lines + self._waiting
                if not failed:
                    log.warning("the timeline waits for the disk: %s", error.strerror)
                failed = True


async def _finished(work: asyncio.Future[None]) -> None:
    """Waits for `work` to its end even when cancelled meanwhile."""
    try:
        await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        raise


def _open(path: Path) -> BinaryIO:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
        sync_folder(path.parent)  # else its lines may be on disk, and its name not
    except OSError as error:
        raise StoreTrouble(f"The timeline cannot be written: {error.strerror}.") from error
    return file


def _append(file: BinaryIO, lines: list[bytes]) -> None:
    if lines:
        file.write(b"".join(lines))
        file.flush()
        os.fsync(file.fileno())


def _finish(file: BinaryIO, path: Path, lines: list[bytes], artifact_id: str, call: str, group: str) -> Artifact:
    try:
        with file:
            _append(file, lines)
        data = path.read_bytes()
    except OSError as error:
        raise StoreTrouble(f"The timeline could not be finished: {error.strerror}.") from error
    return Artifact(
        id=artifact_id,
        kind=ArtifactKind.TIMELINE,
        name=path.name,
        content_type="application/x-ndjson",
        bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        call=call,
        group=group,
    )
