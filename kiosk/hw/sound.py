"""Sound: microphones and speakers over threads, by ALSA or a file through PyAV, or none.

A microphone is a `BlockSource` read by a thread, a speaker a `BlockSink` fed by one. What blocks or fails is the
device's; the loop sees bounded queues only.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, cast

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.container import InputContainer, OutputContainer

from kiosk.errors import DeviceTrouble
from kiosk.hw.device import Stream, joined, limited
from kiosk.hw.ports import SAMPLE_RATE_HZ, SAMPLES_PER_BLOCK, Samples
from kiosk.mailbox import Queue

log = logging.getLogger(__name__)

BLOCK_S = SAMPLES_PER_BLOCK / SAMPLE_RATE_HZ
WAITING = 10
"""Blocks: 200 ms. Older sound is of no use in a talk."""

_ALSA_CONFIG = Path("/usr/share/alsa/alsa.conf")
_OPEN_S = 5.0
_RETRY_S = 1.0
_LATE_S = 0.5


class BlockSource(Protocol):
    """Used by the microphone's thread, but for `open`, before it."""

    live: bool
    """A device sets the pace; anything else is paced to real time."""

    def open(self) -> None:
        """Raises DeviceTrouble."""

    def read(self) -> Samples:
        """(960,) int16. Raises DeviceTrouble."""

    def close(self) -> None: ...


class BlockSink(Protocol):
    """Used by the speaker's thread, but for `open`, before it."""

    def open(self) -> None:
        """Raises DeviceTrouble."""

    def write(self, block: Samples) -> None:
        """Takes as long as the device does. Raises DeviceTrouble."""

    def close(self) -> None: ...


class ThreadMicrophone:
    """ports.Microphone. A lost device raises DeviceTrouble once; `blocks` asked for again waits until it is back."""

    def __init__(self, source: BlockSource, *, now: Callable[[], float] = time.monotonic) -> None:
        self._source, self._now = source, now

    async def __aenter__(self) -> Self:
        """Raises DeviceTrouble."""
        self._blocks: Queue[Samples | DeviceTrouble] = Queue(WAITING)
        self._stop = threading.Event()
        await limited(self._source.open, _OPEN_S, "microphone: does not open")
        self._thread = threading.Thread(target=self._run, name="microphone", daemon=True)
        self._thread.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        await joined(self._thread)
        self._blocks.close()

    def blocks(self) -> AsyncIterator[Samples]:
        return Stream(self._blocks)

    def _run(self) -> None:
        opened = True
        while not self._stop.is_set():
            try:
                if not opened:
                    self._source.open()
                    log.warning("microphone: back")
                opened = True
                self._listen()
            except DeviceTrouble as trouble:
                if opened:
                    log.warning("%s", trouble.text)
                    self._blocks.put(trouble)
                    self._source.close()
                opened = False
                self._stop.wait(_RETRY_S)
        if opened:
            self._source.close()

    def _listen(self) -> None:
        due_s = self._now()
        while not self._stop.is_set():
            block = self._source.read()
            if not self._source.live:
                due_s = max(due_s + BLOCK_S, self._now() - _LATE_S)
                self._stop.wait(max(0.0, due_s - self._now()))
            self._blocks.put(block)


class ThreadSpeaker:
    """ports.Speaker. A lost device is tried again each second, and what is played meanwhile is lost with it."""

    def __init__(self, sink: BlockSink) -> None:
        self._sink = sink
        self._waiting: queue.Queue[Samples | None] = queue.Queue(WAITING)
        self.dropped = 0

    async def __aenter__(self) -> Self:
        """Raises DeviceTrouble."""
        await limited(self._sink.open, _OPEN_S, "speaker: does not open")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="speaker", daemon=True)
        self._thread.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._put(None)
        await joined(self._thread)

    def play(self, block: Samples) -> None:
        self._put(block)

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

    def _run(self) -> None:
        opened = True
        while not self._stop.is_set():
            try:
                if not opened:
                    self._sink.open()
                    log.warning("speaker: back")
                opened = True
                self._sound()
            except DeviceTrouble as trouble:
                if opened:
                    log.warning("%s", trouble.text)
                    self._sink.close()
                opened = False
                self._stop.wait(_RETRY_S)
        if opened:
            self._sink.close()

    def _sound(self) -> None:
        while not self._stop.is_set():
            block = self._waiting.get()
            if block is not None:
                self._sink.write(block)


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

    def close(self) -> None:
        """Nothing is held."""


class AvSource:
    """BlockSource of what PyAV opens: a file (looped), or an ALSA device (live)."""

    def __init__(self, address: str, *, live: bool = False) -> None:
        self.live = live
        self._address = address
        self._container: InputContainer | None = None

    def open(self) -> None:
        try:
            if self.live:
                find_alsa_config()
                options = {"sample_rate": str(SAMPLE_RATE_HZ), "channels": "1"}
                self._container = av.open(self._address, format="alsa", options=options)
            else:
                self._container = av.open(self._address)
            self._blocks = self._decoded(self._container)
        except (av.FFmpegError, OSError, ValueError) as error:
            raise DeviceTrouble(f"microphone {self._address}: {error}") from error

    def read(self) -> Samples:
        try:
            return next(self._blocks)
        except StopIteration as error:
            raise DeviceTrouble(f"microphone {self._address}: no sound in it") from error
        except (av.FFmpegError, OSError) as error:
            raise DeviceTrouble(f"microphone {self._address}: {error}") from error

    def close(self) -> None:
        if self._container is not None:
            self._container.close()
            self._container = None

    def _decoded(self, container: InputContainer) -> Iterator[Samples]:
        while container.streams.audio:
            resampler = AudioResampler("s16", "mono", SAMPLE_RATE_HZ, SAMPLES_PER_BLOCK)
            any_block = False
            for frame in container.decode(audio=0):
                for part in resampler.resample(frame):
                    any_block = True
                    yield cast(Samples, part.to_ndarray().reshape(-1))
            if self.live or not any_block:
                return
            container.seek(0)


class AlsaSink:
    """BlockSink of an ALSA device ("default", "plughw:1"), which paces by blocking."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._container: OutputContainer | None = None

    def open(self) -> None:
        find_alsa_config()
        try:
            self._container = av.open(self._device, "w", format="alsa")
            self._stream = self._container.add_stream("pcm_s16le", rate=SAMPLE_RATE_HZ, layout="mono")
        except (av.FFmpegError, OSError, ValueError) as error:
            raise DeviceTrouble(f"speaker {self._device}: {error}") from error
        self._pts = 0

    def write(self, block: Samples) -> None:
        frame = AudioFrame.from_ndarray(block.reshape(1, -1), "s16", "mono")
        frame.sample_rate, frame.pts = SAMPLE_RATE_HZ, self._pts
        self._pts += len(block)
        try:
            assert self._container is not None
            self._container.mux(self._stream.encode(frame))
        except (av.FFmpegError, OSError) as error:
            raise DeviceTrouble(f"speaker {self._device}: {error}") from error

    def close(self) -> None:
        if self._container is not None:
            with contextlib.suppress(av.FFmpegError, OSError):  # it may be gone already
                self._container.close()
            self._container = None


def find_alsa_config() -> None:
    """PyAV's wheels look for ALSA's configuration where their builder had it; told otherwise, they look here."""
    if _ALSA_CONFIG.exists():
        os.environ.setdefault("ALSA_CONFIG_PATH", str(_ALSA_CONFIG))
