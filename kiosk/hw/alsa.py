"""Microphone and speaker by ALSA ("default", "plughw:1", "pipewire"), mono at 48 kHz, over the C library.

PyAV opens ALSA as well, but its wheels bring an own libasound that finds neither the system's configuration nor the
plugins that lead to PipeWire, lets the speaker's buffer grow to seconds, and cannot tell how full it is. The system's
library is used for a dozen calls instead.
"""

from __future__ import annotations

import ctypes
import errno
import time
from functools import cache
from typing import Any

import numpy as np

from kiosk.errors import DeviceTrouble
from kiosk.hw.ports import SAMPLE_RATE_HZ, SAMPLES_PER_BLOCK, Samples

SPEAKER_BUFFER_S = 0.06
"""Three blocks: what a busy loop may be late by without a gap, and no more delay than that."""
MICROPHONE_BUFFER_S = 0.2
SILENT_S = 1.0
"""A device that gives or takes nothing for so long is lost."""
_LOOK_MS = 100

# pcm.h
_PLAYBACK, _CAPTURE = 0, 1
_NONBLOCK = 1
_S16_LE, _INTERLEAVED = 2, 3


class _Pcm:
    """One opened device. Used from one thread at a time."""

    def __init__(self, name: str, device: str, stream: int, buffer_s: float) -> None:
        """name: what messages call it. Raises DeviceTrouble."""
        self._name, self._capture = f"{name} {device}", stream == _CAPTURE
        self._library = _library()
        self._handle = ctypes.c_void_p()
        self._check(self._library.snd_pcm_open(ctypes.byref(self._handle), device.encode(), stream, _NONBLOCK))
        try:
            buffer_us = round(1e6 * buffer_s)
            format_ = (_S16_LE, _INTERLEAVED, 1, SAMPLE_RATE_HZ, 1, buffer_us)
            self._check(self._library.snd_pcm_set_params(self._handle, *format_))
            self._begin()
        except DeviceTrouble:
            self.close()
            raise

    def read(self, samples: Samples) -> int:
        """Fills (N,) int16 from its beginning; how many came. Raises DeviceTrouble."""
        return self._transfer(self._library.snd_pcm_readi, samples)

    def write(self, samples: Samples) -> int:
        """How many of (N,) int16 were taken. Raises DeviceTrouble."""
        return self._transfer(self._library.snd_pcm_writei, samples)

    def left_s(self) -> float:
        """Between what was written last and what is heard now."""
        frames = ctypes.c_long()
        if self._library.snd_pcm_delay(self._handle, ctypes.byref(frames)) < 0:
            return 0.0
        return max(0, frames.value) / SAMPLE_RATE_HZ

    def close(self) -> None:
        if self._handle:
            self._library.snd_pcm_close(self._handle)
            self._handle = ctypes.c_void_p()

    def _transfer(self, call: Any, samples: Samples) -> int:
        """Never waits in the call itself: a driver whose device has gone may not come back from it."""
        end_s = time.monotonic() + SILENT_S
        while time.monotonic() < end_s:
            done = int(call(self._handle, samples.ctypes.data, len(samples)))
            if done > 0:
                return done
            if done in (0, -errno.EAGAIN):
                self._library.snd_pcm_wait(self._handle, _LOOK_MS)
            else:  # an overrun or underrun, or a machine that slept: goes on; anything else does not
                self._check(self._library.snd_pcm_recover(self._handle, done, 1))
                self._begin()
        raise DeviceTrouble(f"{self._name}: does not go on")

    def _begin(self) -> None:
        """A speaker begins by itself, once its buffer is full."""
        if self._capture:
            self._check(self._library.snd_pcm_start(self._handle))

    def _check(self, code: int) -> None:
        if code < 0:
            raise DeviceTrouble(f"{self._name}: {self._library.snd_strerror(code).decode()}")


class AlsaSource:
    """BlockSource."""

    live = True

    def __init__(self, device: str) -> None:
        self._device = device
        self._pcm: _Pcm | None = None

    def open(self) -> None:
        """Raises DeviceTrouble."""
        self._pcm = _Pcm("microphone", self._device, _CAPTURE, MICROPHONE_BUFFER_S)

    def read(self) -> Samples:
        assert self._pcm is not None
        block: Samples = np.zeros(SAMPLES_PER_BLOCK, np.int16)
        have = 0
        while have < SAMPLES_PER_BLOCK:
            have += self._pcm.read(block[have:])
        return block

    def close(self) -> None:
        if self._pcm is not None:
            self._pcm.close()
            self._pcm = None


class AlsaSink:
    """BlockSink."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._pcm: _Pcm | None = None

    def open(self) -> None:
        """Raises DeviceTrouble."""
        self._pcm = _Pcm("speaker", self._device, _PLAYBACK, SPEAKER_BUFFER_S)

    def write(self, block: Samples) -> None:
        assert self._pcm is not None
        rest: Samples = np.ascontiguousarray(block, np.int16)
        while len(rest):
            rest = rest[self._pcm.write(rest) :]

    def left_s(self) -> float:
        return self._pcm.left_s() if self._pcm is not None else 0.0

    def close(self) -> None:
        if self._pcm is not None:
            self._pcm.close()
            self._pcm = None


@cache
def _library() -> Any:
    """Declared once: ctypes would cut pointers and long numbers off otherwise."""
    try:
        library = ctypes.CDLL("libasound.so.2")
    except OSError as error:
        raise DeviceTrouble("no ALSA library (libasound2) is installed") from error
    handle, number, count = ctypes.c_void_p, ctypes.c_int, ctypes.c_ulong
    library.snd_pcm_open.argtypes = [ctypes.POINTER(handle), ctypes.c_char_p, number, number]
    library.snd_pcm_set_params.argtypes = [handle, number, number, ctypes.c_uint, ctypes.c_uint, number, ctypes.c_uint]
    for name in ("snd_pcm_readi", "snd_pcm_writei"):
        getattr(library, name).argtypes = [handle, handle, count]
        getattr(library, name).restype = ctypes.c_long
    library.snd_pcm_delay.argtypes = [handle, ctypes.POINTER(ctypes.c_long)]
    library.snd_pcm_wait.argtypes = [handle, number]
    library.snd_pcm_recover.argtypes = [handle, number, number]
    for name in ("snd_pcm_start", "snd_pcm_close"):
        getattr(library, name).argtypes = [handle]
    library.snd_strerror.argtypes = [number]
    library.snd_strerror.restype = ctypes.c_char_p
    return library
