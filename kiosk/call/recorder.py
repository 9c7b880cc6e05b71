"""One recording: a thread that writes what the call hands over. Bounded; never holds the call up."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from kiosk.call.mp4 import Mp4
from kiosk.errors import StoreTrouble
from kiosk.hw.ports import AccessUnit, Samples
from kiosk.mailbox import Slot

log = logging.getLogger(__name__)

MAX_WAITING = 400
"""Frames and blocks: five seconds, for a card that stalls."""
GATHER_S = 0.2
"""The thread wakes so often and writes what has gathered: waking for each frame and block cost four times the CPU."""
BEGIN_S = 0.02
BREATH_EACH, BREATH_S = 50, 0.002
"""So many frames and blocks of what came before, and so long a pause: the call goes on beside it."""


@dataclass(frozen=True, slots=True)
class Written:
    """How a recording ended. `bytes` 0: no keyframe ever came, and there is no file."""

    bytes: int
    sha256: str
    trouble: StoreTrouble | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """20 ms of sound, (960,) int16 mono, whose first sample was heard at `at_s`."""

    samples: Samples
    at_s: float


Item = AccessUnit | Block


class Recorder:
    """Writes to `path` from the first keyframe on. `video` and `sound` from the loop; they never block.

    before: what the file begins with, from a keyframe on; the recorder's own from now on. It is written as fast as the
    disk takes it, while what is handed over meanwhile waits in the queue.
    """

    def __init__(
        self,
        path: Path,
        before: deque[Item] | None = None,
    ) -> None:
        self._path = path
        self._before = before or deque()
        self._queue: queue.Queue[Item] = queue.Queue(MAX_WAITING)
        self._wants_keyframe = not self._before
        self._file: Mp4 | None = None
        self._ended: Slot[Written] = Slot()
        self._began: Slot[float] = Slot()
        self._stopped = threading.Event()
        self._discarded = False
        self.dropped = 0
        self._thread = threading.Thread(target=self._work, name="recorder", daemon=True)
        self._thread.start()

    def video(self, unit: AccessUnit) -> bool:
        """Takes the unit, or leaves out all up to the next keyframe. False: a keyframe is wanted, and there is room."""
        if self._wants_keyframe and not unit.keyframe:
            return self._queue.qsize() > MAX_WAITING // 2
        self._wants_keyframe = not self._put(unit)
        return True

    def sound(self, block: Samples, at_s: float) -> None:
        self._put(Block(block, at_s))

    async def began(self) -> float:
        """When the first frame of the file was captured. Raises StopAsyncIteration: there never was one."""
        return await self._began.get()

    async def ended(self) -> Written:
        """Waits for the end: after `stop`, or by trouble with the disk."""
        return await self._ended.get()

    def stop(self) -> None:
        """What was handed over is still written."""
        self._end()

    def discard(self) -> None:
        """The same, but from now on nothing more is written: the file is to be deleted, or never begun."""
        self._discarded = True
        self._end()

    def _end(self) -> None:
        self._stopped.set()

    def _put(self, item: Item) -> bool:
        try:
            self._queue.put_nowait(item)
        except queue.Full:
            self.dropped += 1
            return False
        return True

    # --- the thread -------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        trouble: StoreTrouble | None = None
        try:
            self._write_before()
            while (item := self._next()) is not None and not self._discarded:
                self._write(item)
        except StoreTrouble as error:
            trouble = error
        except Exception as error:  # named place: a thread that dies unheard would leave the call waiting for it
            log.exception("recorder: broken")
            trouble = StoreTrouble(f"the recording broke off: {error}")
        self._before.clear()
        size, sha256 = self._file.close() if self._file is not None else (0, "")
        self._began.close()
        self._ended.put(Written(size, sha256, trouble))

    def _write_before(self) -> None:
        """Without waiting for the disk at each fragment: a slow card would need longer than the queue lasts."""
        items = 0
        while self._before and not self._discarded:
            self._write(self._before.popleft())
            if self._file is not None:
                self._file.hurry(bool(self._before))
            items += 1
            if items % BREATH_EACH == 0:
                self._stopped.wait(BREATH_S)

    def _write(self, item: Item) -> None:
        if self._file is None:
            self._begin(item)
        elif isinstance(item, AccessUnit):
            self._file.video(item)
        else:
            self._file.sound(item.samples, item.at_s)

    def _next(self) -> Item | None:
        while True:
            stopped = self._stopped.is_set()  # before the look: what was handed over until then is in the queue
            with contextlib.suppress(queue.Empty):
                return self._queue.get_nowait()
            if stopped:
                return None
            self._stopped.wait(GATHER_S if self._file is not None else BEGIN_S)

    def _begin(self, item: Item) -> None:
        """Sound before the first picture is left out."""
        if isinstance(item, AccessUnit):
            self._file = Mp4(self._path, item)
            self._began.put(item.captured_s)
