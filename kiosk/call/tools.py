"""The tools in a call: strokes, pointers, marks, snapshots. Everything goes through here, is put in order and told.

All of it runs on the loop; the tracker has its own thread, files are written in others.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from kiosk.call.album import SAVE_SOON_S, Album
from kiosk.call.author import KIOSK_ID, Author
from kiosk.call.mark_board import MarkBoard
from kiosk.call.snapshot import SnapshotState, messages
from kiosk.call.strokes import Strokes
from kiosk.call.timeline import Person, PosesAt, TimelineSink, What
from kiosk.call.tracker import Pin, Report, Tracker, Unpin
from kiosk.config import CallSettings
from kiosk.errors import DeviceTrouble, Full
from kiosk.hw.ports import Picture, Still
from kiosk.session.record import Artifact
from kiosk.wire import channel
from kiosk.wire.channel import (
    Edit,
    EditDelete,
    FromKiosk,
    FromParticipant,
    MarkCreate,
    MarkPose,
    MarkRemove,
    Motion,
    Pointer,
    SnapshotClose,
    SnapshotTake,
    StrokeBegin,
    StrokeEnd,
    StrokePoints,
    Undo,
)
from kiosk.wire.overlay import Overlay

Told = FromKiosk | bytes
Tell = Callable[[Told, Author | None], None]
TellPoses = Callable[[float, tuple[MarkPose, ...], Motion | None], None]


class Tools:
    """The tools of one call.

    tell: to every participant but the author given. tell_poses: capture time, poses and motion of one frame.
    changed: the display has something new to draw. artifact: a file is whole on disk, or has changed (same id).
    takes_a_snapshot: whether the session's document has room for the files of one more.
    """

    def __init__(
        self,
        *,
        call_id: str,
        tell: Tell,
        tell_poses: TellPoses,
        still: Callable[[], Awaitable[Still]],
        folder: Path,
        artifact: Callable[[Artifact], None],
        settings: CallSettings,
        changed: Callable[[], None],
        timeline: TimelineSink | None = None,
        takes_a_snapshot: Callable[[], bool] = lambda: True,
        now: Callable[[], float] = time.monotonic,
        save_soon_s: float = SAVE_SOON_S,
    ) -> None:
        self._tell = tell
        self._tell_poses = tell_poses
        self._changed = changed
        self._timeline = timeline
        self._takes_a_snapshot = takes_a_snapshot
        self._now = now
        self._newest_s = 0.0
        self._pinned: frozenset[str] = frozenset()
        self._strokes = Strokes(settings.fade_s)
        self._marks = MarkBoard()
        self._tracker = Tracker(self._tracked, self._tracker_failed)
        self._album = Album(
            still=still, folder=folder, call_id=call_id, say=self._say, artifact=artifact, save_soon_s=save_soon_s
        )
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._album)
            await stack.enter_async_context(self._tracker)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The tracker's thread stops, what is unsaved is saved."""
        await self._stack.__aexit__(kind, error, trace)

    # --- people

    def join(self, author: Author) -> None:
        self._write(Person(author.name, author.colour, "joined"), None)

    def leave(self, author: Author) -> None:
        """Pen up and pointer gone; marks and edits stay."""
        for event in self._strokes.leave(author, self._now()):
            self._say(event, but=author)
        self._say(Pointer(by=author.name, colour=author.colour), but=author)
        self._write(Person(author.name, author.colour, "left"), None)

    def greet(self) -> tuple[Told, ...]:
        """For one who comes late: all that is on the picture, as if it were just being made."""
        now_s = self._now()
        self._strokes.forget_faded(now_s)
        snapshot = messages(self._album.open) if self._album.open else ()
        return (*self._strokes.replay(now_s), *self._marks.told(), *snapshot)

    # --- what they do

    async def handle(self, author: Author, event: FromParticipant, captured_s: float | None) -> None:
        """One event of a participant or of the code user; `captured_s` is the frame that its author saw, if known.

        What is not for the tools is ignored.

        Raises:
            Trouble: Full, Malformed, WrongState or DeviceTrouble; then nothing has changed.
        """
        if captured_s is None and author.id == KIOSK_ID and self._newest_s:
            captured_s = self._newest_s  # what the display shows
        match event:
            case StrokeBegin() | StrokePoints() | StrokeEnd() | Pointer():
                self._draw(author, event, captured_s)
            case MarkCreate() | MarkRemove():
                self._mark(author, event, captured_s)
            case SnapshotTake():
                if not self._takes_a_snapshot():
                    raise Full("This session holds as many files as can be told; please begin a new one for more.")
                await self._album.take(author, captured_s)
            case Edit():
                self._album.edit(author, event)
            case Undo():
                self._album.undo(author, event)
            case EditDelete():
                self._album.delete(event)
            case SnapshotClose():
                self._album.close()
            case _:
                pass

    def _draw(
        self, author: Author, event: StrokeBegin | StrokePoints | StrokeEnd | Pointer, captured_s: float | None
    ) -> None:
        now_s = self._now()
        match event:
            case StrokeBegin():
                told = self._strokes.begin(author, event, now_s)
                self._say(told, author, captured_s)
                self._pin(told, captured_s)
            case StrokePoints():
                self._extend(author, event, captured_s)
            case StrokeEnd():
                self._end(author, event.id, captured_s)
            case Pointer():
                self._say(self._strokes.point(author, event), author, captured_s)

    def _pin(self, stroke: StrokeBegin, captured_s: float | None) -> None:
        """Where the tracker does not work the stroke lies still in the picture, as others do."""
        if stroke.pinned and self._tracker.works:
            self._pinned |= {stroke.id}
            self._tracker.order(Pin(stroke.id, captured_s))

    def _extend(self, author: Author, event: StrokePoints, captured_s: float | None) -> None:
        if author.id == KIOSK_ID:
            event = self._strokes.as_begun(author, event)
        try:
            told = self._strokes.extend(author, event)
        except Full:
            self._end(author, event.id, captured_s)
            raise
        if told is not None:
            self._say(told, author, captured_s)

    def _end(self, author: Author, own_id: str, captured_s: float | None) -> None:
        told = self._strokes.end(author, own_id, self._now())
        if told is not None:
            self._say(told, author, captured_s)

    def _mark(self, author: Author, event: MarkCreate | MarkRemove, captured_s: float | None) -> None:
        if isinstance(event, MarkRemove):
            removed = self._marks.remove(author, event.id)
            if removed is not None:
                self._tracker.order(removed[1])
                self._say(removed[0])
            return
        if not self._tracker.works:
            raise DeviceTrouble("Marks are switched off in this call: the tracker has failed.")
        mark, order = self._marks.create(author, event, captured_s)
        self._tracker.order(order)
        self._say(mark, captured_s=captured_s)

    # --- the picture

    def feed(self, picture: Picture) -> None:
        """Every picture of the camera; on the loop, cheap."""
        self._newest_s = picture.captured_s
        self._tracker.feed(picture)

    def overlay(self, now_s: float) -> Overlay:
        """What to draw over the newest frame."""
        self._strokes.forget_faded(now_s)
        return Overlay(
            captured_s=self._newest_s,
            strokes=self._strokes.shapes(),
            marks=self._marks.shapes(),
            pointers=self._strokes.pointers(),
        )

    @property
    def snapshot(self) -> SnapshotState | None:
        """The picture that is open for everybody."""
        return self._album.open

    def _tracked(self, report: Report) -> None:
        news, poses = self._marks.report(report)
        for event in news:
            self._say(event, captured_s=report.captured_s)
        motion = self._carry(report)
        if poses or motion:
            self._tell_poses(report.captured_s, poses, motion)
            self._write(PosesAt(poses, motion), report.captured_s)
        self._changed()

    def _carry(self, report: Report) -> Motion | None:
        """Pinned strokes follow the scene; what has faded need not be followed any more."""
        for pinned in report.pinned:
            told = self._strokes.pin(pinned.id, pinned.anchor, pinned.matrix)
            if told is not None:
                self._say(told, captured_s=report.captured_s)
        if self._pinned:
            for end in self._strokes.scene(report.anchor, report.motion, self._now()):
                self._say(end, captured_s=report.captured_s)
        gone, self._pinned = self._pinned - self._strokes.pinned, self._pinned & self._strokes.pinned
        for id_ in sorted(gone):
            self._tracker.order(Unpin(id_))
        return None if report.motion is None else Motion(report.anchor, report.motion)

    def _tracker_failed(self) -> None:
        for gone in self._marks.clear("The tracker has failed."):
            self._say(gone)
        text = "Marks are switched off for the rest of this call: the tracker has failed."
        self._say(channel.Trouble(code=DeviceTrouble.code, text=text))

    # --- telling

    def _say(self, event: Told, but: Author | None = None, captured_s: float | None = None) -> None:
        self._tell(event, but)
        if isinstance(event, What):
            self._write(event, captured_s)
        self._changed()

    def _write(self, what: What, captured_s: float | None) -> None:
        if self._timeline is not None:
            self._timeline.write(self._now() if captured_s is None else captured_s, what)
