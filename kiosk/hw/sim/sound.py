"""Simulated sound: a microphone that hears a machine, and a speaker that plays nowhere but can be read."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from kiosk.hw.ports import SAMPLE_RATE_HZ, SAMPLES_PER_BLOCK, Samples
from kiosk.hw.sound import BLOCK_S, ThreadMicrophone, ThreadSpeaker

SILENCE_DBFS = -96.0

_LOOP_S = 8
_CHIME_HZ = (440.0, 550.0, 660.0, 587.5)
_METER_S = 0.1


class ToneSource:
    """BlockSource: a running machine, and a soft chime each 2 s by which one hears that sound arrives."""

    live = False

    def open(self) -> None:
        self._sound = machine_sound()
        self._at = 0

    def read(self) -> Samples:
        block = self._sound[self._at : self._at + SAMPLES_PER_BLOCK]
        self._at = (self._at + SAMPLES_PER_BLOCK) % len(self._sound)
        return block

    def close(self) -> None:
        """Nothing is held."""


class MeterSink:
    """BlockSink: takes as long as real playing, and remembers the last `keep_s` of what it played."""

    def __init__(self, keep_s: float = 10.0, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._played: deque[tuple[float, Samples]] = deque(maxlen=max(1, round(keep_s / BLOCK_S)))
        self._due_s = 0.0

    def open(self) -> None:
        self._due_s = self._now()

    def write(self, block: Samples) -> None:
        now = self._now()
        self._due_s = max(self._due_s, now) + BLOCK_S
        with self._lock:
            self._played.append((now, block.copy()))
        time.sleep(max(0.0, self._due_s - now))

    def left_s(self) -> float:
        return max(0.0, self._due_s - self._now())

    def close(self) -> None:
        """What was played can still be read."""

    def level_dbfs(self) -> float:
        """Root mean square of what was played in the last 100 ms, in dB below full scale; -96 for silence."""
        since_s = self._now() - _METER_S
        with self._lock:
            blocks = [block for at_s, block in self._played if at_s >= since_s]
        return dbfs(np.concatenate(blocks)) if blocks else SILENCE_DBFS

    def recent(self) -> Samples:
        """(n,) int16: what was played last, oldest first, without its pauses."""
        with self._lock:
            blocks = [block for _, block in self._played]
        return np.concatenate(blocks) if blocks else np.zeros(0, np.int16)


class ToneMicrophone(ThreadMicrophone):
    def __init__(self) -> None:
        super().__init__(ToneSource())


class MeterSpeaker(ThreadSpeaker):
    """Any thread may read level and samples."""

    def __init__(self, keep_s: float = 10.0) -> None:
        self._meter = MeterSink(keep_s)
        super().__init__(self._meter)

    def level_dbfs(self) -> float:
        return self._meter.level_dbfs()

    def recent(self) -> Samples:
        return self._meter.recent()


def dbfs(samples: Samples) -> float:
    if not len(samples):
        return SILENCE_DBFS
    rms = float(np.sqrt(np.mean(samples.astype(np.float64) ** 2))) / 32768
    return max(SILENCE_DBFS, 20 * float(np.log10(rms))) if rms > 0 else SILENCE_DBFS


def machine_sound() -> Samples:
    """(384000,) int16: 8 s that can be looped: every partial has a whole number of periods in it."""
    t = np.arange(_LOOP_S * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    breath = 1 + 0.25 * np.sin(2 * np.pi * 0.5 * t)
    hum = sum(np.sin(2 * np.pi * 50 * k * t + k) / k**1.2 for k in (1, 2, 3, 4, 6, 9))
    sound = 0.03 * breath * hum + 0.05 * _ticks(t) + 0.11 * _chimes(t)
    return np.round(np.clip(sound, -1, 1) * 32767).astype(np.int16)


def _ticks(t: NDArray[np.float64]) -> NDArray[np.float64]:
    """A valve that clicks three times a second, each time a little differently."""
    phase = t * 3 % 1
    ring = np.sin(2 * np.pi * 1875 * t) + 0.6 * np.sin(2 * np.pi * 3125 * t)
    loudness = 0.7 + 0.3 * np.sin(2 * np.pi * 0.375 * t)
    return np.asarray(loudness * ring * np.exp(-phase / 3 * 180), np.float64)


def _chimes(t: NDArray[np.float64]) -> NDArray[np.float64]:
    """One note each 2 s, of half a second, faded in and out."""
    at = t % 2
    envelope = np.sin(np.pi * np.clip(at / 0.6, 0, 1)) ** 2
    hz = np.array(_CHIME_HZ)[(t / 2).astype(int) % len(_CHIME_HZ)]
    tone = np.sin(2 * np.pi * hz * at) + 0.3 * np.sin(4 * np.pi * hz * at)
    return np.asarray(envelope * tone, np.float64)
