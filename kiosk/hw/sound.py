"""Sound: microphones and speakers over threads.

A microphone is a `BlockSource` read by a thread, a speaker a `BlockSink` fed by one. What blocks or fails is the
device's; the loop sees bounded queues only. A lost device says so once and is over: whoever uses it opens it anew.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Protocol, Self

import numpy as np

from kiosk.errors import DeviceTrouble
from kiosk.hw.device import Openable, Opener, Stream, joined
from kiosk.hw.ports import SAMPLE_RATE_HZ, SAMPLES_PER_BLOCK, Samples
from kiosk.mailbox import Queue
from kiosk.stretch import lengthened, shortened

BLOCK_S = SAMPLES_PER_BLOCK / SAMPLE_RATE_HZ
WAITING = 10
"""Blocks: 200 ms. Older sound is of no use in a talk."""
SPARE = 2
"""Blocks that wait for the speaker for EVEN_AFTER in a row are too many: its clock is slower than the microphone's."""
EVEN_AFTER = 50
SCARCE_S = 0.02
"""Left in the speaker's own buffer: its clock is faster, and it would fall silent."""

_OPEN_S = 5.0
_LATE_S = 0.5


class BlockSource(Openable, Protocol):
    """Used by the microphone's thread; opened by another, before it."""

    live: bool
    """A device sets the pace; anything else is paced to real time."""

    def read(self) -> Samples:
        """(960,) int16. Raises DeviceTrouble."""


class BlockSink(Openable, Protocol):
    """Used by the speaker's thread."""

    def write(self, block: Samples) -> None:
        """(N,) int16, N near 960. Takes as long as the device does. Raises DeviceTrouble."""

    def left_s(self) -> float:
        """What it still has to play."""


class _Worker:
    """A device and the thread that uses it, from opening to closing."""

    def __init__(
        self, name: str, device: Openable, work: Callable[[], None], lost: Callable[[DeviceTrouble], None]
    ) -> None:
        self._name, self._device, self._work, self._lost = name, device, work, lost
        self._opener = Opener(device)
        self.stop = threading.Event()

    async def begin(self) -> None:
        """Raises DeviceTrouble."""
        self.stop = threading.Event()  # a thread that was left behind in its driver keeps the one it was given
        await self._opener.open(_OPEN_S, f"{self._name}: does not open")
        self._thread = threading.Thread(target=self._run, args=(self.stop,), name=self._name, daemon=True)
        self._thread.start()

    async def end(self) -> None:
        """After `stop` was set, and what the thread waits for has come."""
        await joined(self._thread)

    def _run(self, stop: threading.Event) -> None:
        try:
            while not stop.is_set():
                self._work()
        except DeviceTrouble as trouble:
            self._lost(trouble)
        finally:
            self._device.close()


class ThreadMicrophone:
    """ports.Microphone."""

    def __init__(self, source: BlockSource, *, now: Callable[[], float] = time.monotonic) -> None:
        self._source, self._now = source, now
        self._worker = _Worker("microphone", source, self._listen, self._lost)

    async def __aenter__(self) -> Self:
        """Raises DeviceTrouble."""
        self._blocks: Queue[Samples | DeviceTrouble] = Queue(WAITING)
        self._due_s: float | None = None
        await self._worker.begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._worker.stop.set()
        await self._worker.end()
        self._blocks.close()

    def blocks(self) -> AsyncIterator[Samples]:
        return Stream(self._blocks)

    def _listen(self) -> None:
        block = self._source.read()
        if not self._source.live:
            now_s = self._now()
            self._due_s = now_s if self._due_s is None else max(self._due_s + BLOCK_S, now_s - _LATE_S)
            self._worker.stop.wait(max(0.0, self._due_s - now_s))
        self._blocks.put(block)

    def _lost(self, trouble: DeviceTrouble) -> None:
        self._blocks.put(trouble)


class ThreadSpeaker:
    """ports.Speaker. What comes faster or slower than its own clock is evened out by a few milliseconds at a time."""

    def __init__(self, sink: BlockSink, volume: float = 1.0) -> None:
        """volume: of the amplitude, 0 to 1. An echo canceller behind it knows what is played, and at which volume."""
        self._sink, self._volume = sink, volume
        self._waiting: queue.Queue[Samples | None] = queue.Queue(WAITING)
        self._worker = _Worker("speaker", sink, self._sound, self._fail)
        self._spared = 0
        self.dropped = 0

    async def __aenter__(self) -> Self:
        """Raises DeviceTrouble."""
        self._troubles: Queue[DeviceTrouble] = Queue(1)
        with contextlib.suppress(queue.Empty):  # what waited for a device that was lost is old by now
            while True:
                self._waiting.get_nowait()
        await self._worker.begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._worker.stop.set()
        self._put(None)
        await self._worker.end()
        self._troubles.close()

    def play(self, block: Samples) -> None:
        self._put(block)

    async def lost(self) -> None:
        try:
            raise await self._troubles.get()
        except StopAsyncIteration:
            return

    def _put(self, item: Samples | None) -> None:
        while True:
            try:
                self._waiting.put_nowait(item)
            except queue.Full:
                with contextlib.suppress(queue.Empty):
                    self._waiting.get_nowait()
                    self.dropped += 1
            else:
                return

    def _sound(self) -> None:
        block = self._waiting.get()
        if block is not None:
            self._sink.write(self._evened(block if self._volume == 1.0 else quieter(block, self._volume)))

    def _fail(self, trouble: DeviceTrouble) -> None:
        self._troubles.put(trouble)

    def _evened(self, block: Samples) -> Samples:
        waiting = self._waiting.qsize()
        self._spared = self._spared + 1 if waiting >= SPARE else 0
        if self._spared > EVEN_AFTER:
            self._spared = EVEN_AFTER // 2
            return shortened(block)
        if not waiting and 0 < self._sink.left_s() < SCARCE_S:
            return lengthened(block)
        return block


def quieter(block: Samples, volume: float) -> Samples:
    """volume: 0 to 1."""
    softer: Samples = np.round(block * volume).astype(np.int16)
    return softer


class Silence:
    """BlockSource of "none"."""

    live = False

    def open(self) -> None:
        """Nothing to open."""

    def read(self) -> Samples:
        return np.zeros(SAMPLES_PER_BLOCK, np.int16)

    def close(self) -> None:
        """Nothing is held."""


class Discard:
    """BlockSink of "none"."""

    def open(self) -> None:
        """Nothing to open."""

    def write(self, block: Samples) -> None:
        """Heard by nobody."""

    def left_s(self) -> float:
        return 0.0

    def close(self) -> None:
        """Nothing is held."""
