"""All marks of a call, and what is pinned to the scene, in a thread of their own.

The loop hands over the newest picture and what is wanted, the thread hands back a `Report`; nothing else is shared.
While there is neither the thread does nothing but keep the ring of small grey frames, of several pictures at a time.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import ceil
from types import TracebackType
from typing import Self

import cv2
from numpy.linalg import LinAlgError

from kiosk.call import element
from kiosk.call.frames import GreyFrame, Ring
from kiosk.call.marks import MarkTracker, NothingToHold, Seen
from kiosk.call.poses import Points
from kiosk.call.scene_motion import SceneMotion
from kiosk.call.scene_pins import Pinned, ScenePins
from kiosk.hw.ports import Picture
from kiosk.mailbox import Slot
from kiosk.wire.channel import MarkPose, Matrix

log = logging.getLogger(__name__)

GATHERED = 6
"""Pictures (0.2 s) that wait for the thread while there is nothing to follow: to wake it for each costs more than its
work on it, 1 % of a core."""
CATCH_UP_STEPS = 12
"""A new mark is followed from the frame that was seen to now in so many steps at most: about 30 ms of work."""


@dataclass(frozen=True, slots=True)
class Make:
    """Mark the element at a point, or what is in a box (0..1), on the frame captured at `captured_s` (None: newest)."""

    id: str
    captured_s: float | None
    at: tuple[float, float] | None = None
    box: tuple[tuple[float, float], tuple[float, float]] | None = None


@dataclass(frozen=True, slots=True)
class Drop:
    id: str


@dataclass(frozen=True, slots=True)
class Pin:
    """Pin a stroke to the scene, as it lay in the frame captured at `captured_s` (None: the newest)."""

    id: str
    captured_s: float | None


@dataclass(frozen=True, slots=True)
class Unpin:
    id: str


Order = Make | Drop | Pin | Unpin


@dataclass(frozen=True, slots=True)
class Report:
    """Where the marks are in the frame captured at `captured_s`; `refused` could not be made: id and sentence.

    anchor, motion: how the scene lies in this frame, for what is pinned to it (channel.Motion); motion is None where
    that is not known, or nothing is pinned. pinned: those that are so from now on.
    """

    captured_s: float
    poses: tuple[MarkPose, ...]
    refused: tuple[tuple[str, str], ...] = ()
    anchor: int = 0
    motion: Matrix | None = None
    pinned: tuple[Pinned, ...] = ()


class Tracker:
    """The thread and its loop side. `told` and `failed` are called on the loop.

    A failure switches it off for the rest of the call and calls `failed` once; it never ends the call.
    """

    def __init__(self, told: Callable[[Report], None], failed: Callable[[], None]) -> None:
        self._told = told
        self._failed = failed
        self._orders: list[Order] = []
        self._pool: ThreadPoolExecutor | None = None
        self._pictures: deque[Picture] = deque(maxlen=GATHERED)
        self._due: Slot[None] | None = None
        self._idle = True
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        # beside a call OpenCV's own threads would take the encoder's cores
        self._pool = ThreadPoolExecutor(1, "tracker", initializer=cv2.setNumThreads, initargs=(1,))
        self._due = Slot()
        self._task = asyncio.create_task(self._run(self._due, self._pool), name="tracker")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._due is not None:
            self._due.close()
        if self._task is not None:
            await self._task
        if self._pool is not None:
            self._pool.shutdown(wait=False)  # idle by now: the task has awaited its last step

    @property
    def works(self) -> bool:
        return self._task is not None and not self._task.done()

    def feed(self, picture: Picture) -> None:
        """Every picture of the camera. On the loop; only puts it down."""
        if self._due is None or not self.works:
            return
        self._pictures.append(picture)
        if self._orders or not self._idle or len(self._pictures) == GATHERED:
            self._due.put(None)

    def order(self, order: Order) -> None:
        """Carried out with the next picture, in order."""
        self._orders.append(order)

    async def _run(self, due: Slot[None], pool: ThreadPoolExecutor) -> None:
        loop = asyncio.get_running_loop()
        bench = Bench()
        async for _ in due:
            orders, self._orders = self._orders, []
            pictures = tuple(self._pictures)
            self._pictures.clear()
            try:
                report = await loop.run_in_executor(pool, bench.work, pictures, orders)
                self._idle = bench.idle
            except Exception:  # whatever it is, a call goes on without its marks: switched off, and said so
                log.exception("the tracker failed; marks are off for the rest of the call")
                self._failed()
                return
            if report is not None:
                self._told(report)


class Bench:
    """The thread's side: the ring, the scene's motion and the marks. Used by one thread."""

    def __init__(self) -> None:
        self._ring = Ring()
        self._scene: SceneMotion | None = None
        self._marks: dict[str, MarkTracker] = {}
        self._pins = ScenePins()

    @property
    def idle(self) -> bool:
        """Whether there is nothing to follow."""
        return not self._marks and not self._pins

    def work(self, pictures: Sequence[Picture], orders: Iterable[Order] = ()) -> Report | None:
        """Keeps all of them, and makes the step to the newest; where there is something to follow the newest wins."""
        *before, newest = pictures
        if self.idle:
            for picture in before:
                self._ring.push(GreyFrame.of(picture))
        return self.step(newest, orders)

    def step(self, picture: Picture, orders: Iterable[Order] = ()) -> Report | None:
        """The report for this picture; None while there is nothing to report on."""
        frame = GreyFrame.of(picture)
        self._ring.push(frame)
        seen = self._follow(frame)
        refused: list[tuple[str, str]] = []
        pinned: list[Pinned] = []
        for order in orders:
            if isinstance(order, Pin):
                pinned += self._pin(order, frame)
            else:
                self._carry_out(order, seen, refused)
        if self.idle:
            self._scene = None
            self._pins.stop()
        if not seen and not refused and not self._pins:
            return None
        told = tuple(_told(mark, s, frame) for mark, s in seen.items() if mark in self._marks)
        motion = self._pins.motion(frame) if self._pins else None
        return Report(frame.captured_s, told, tuple(refused), self._pins.anchor, motion, tuple(pinned))

    def _follow(self, frame: GreyFrame) -> dict[str, Seen]:
        if self._scene is None:
            return {}
        motion = self._scene.step(frame)
        self._pins.step(frame, motion)
        return {id_: mark.step(frame, motion) for id_, mark in self._marks.items()}

    def _pin(self, order: Pin, frame: GreyFrame) -> list[Pinned]:
        """Empty where the scene cannot be followed: the stroke stays where it is in the picture."""
        if self._scene is None:
            self._scene = SceneMotion()
            self._scene.step(frame)
        self._pins.ready(frame)
        first, *later = self._ring.since(order.captured_s)
        pinned = self._pins.pin(order.id, [first, *_thinned(later)])
        return [pinned] if pinned else []

    def _carry_out(self, order: Make | Drop | Unpin, seen: dict[str, Seen], refused: list[tuple[str, str]]) -> None:
        match order:
            case Drop(id_):
                self._marks.pop(id_, None)
            case Unpin(id_):
                self._pins.drop(id_)
            case Make():
                try:
                    seen[order.id] = self._make(order)
                except (NothingToHold, LinAlgError):
                    refused.append((order.id, "There is nothing at this place that could be followed."))

    def _make(self, order: Make) -> Seen:
        """The mark, started on the frame that was seen and followed to the newest."""
        first, *later = self._ring.since(order.captured_s)
        quad = _quad(order, first)
        scene = SceneMotion()
        scene.step(first)
        mark = MarkTracker(first, quad)
        seen = Seen(quad, "tracked", 1.0)
        for frame in _thinned(later):
            seen = mark.step(frame, scene.step(frame))
        self._marks[order.id] = mark
        self._scene = self._scene or scene
        return seen


def _quad(order: Make, frame: GreyFrame) -> Points:
    if order.box is not None:
        return element.boxed(frame.grey, frame.to_px(*order.box[0]), frame.to_px(*order.box[1]))
    x, y = frame.to_px(*(order.at or (0.5, 0.5)))
    return element.around(frame.grey, min(max(x, 0.0), frame.width - 1), min(max(y, 0.0), frame.height - 1))


def _thinned(frames: list[GreyFrame]) -> list[GreyFrame]:
    """At most CATCH_UP_STEPS of them, evenly, the newest always."""
    stride = max(1, ceil(len(frames) / CATCH_UP_STEPS))
    return frames[::-1][::stride][::-1]


def _told(id_: str, seen: Seen, frame: GreyFrame) -> MarkPose:
    a, b, c, d = ((round(x, 5), round(y, 5)) for x, y in frame.to_unit(seen.quad).tolist())
    return MarkPose(id=id_, quad=(a, b, c, d), confidence=seen.confidence, state=seen.state)
