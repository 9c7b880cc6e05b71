"""A sound file as a microphone, through PyAV."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import av
from av.audio.resampler import AudioResampler
from av.container import InputContainer

from kiosk.errors import DeviceTrouble
from kiosk.hw.ports import SAMPLE_RATE_HZ, SAMPLES_PER_BLOCK, Samples


class FileSource:
    """BlockSource of a file of any format and rate, played in a loop."""

    live = False

    def __init__(self, path: str) -> None:
        self._path = path
        self._container: InputContainer | None = None

    def open(self) -> None:
        try:
            self._container = av.open(self._path)
        except (av.FFmpegError, OSError, ValueError) as error:
            raise DeviceTrouble(f"microphone {self._path}: {error}") from error
        self._blocks = self._decoded(self._container)

    def read(self) -> Samples:
        try:
            return next(self._blocks)
        except StopIteration as error:
            raise DeviceTrouble(f"microphone {self._path}: no sound in it") from error
        except (av.FFmpegError, OSError) as error:
            raise DeviceTrouble(f"microphone {self._path}: {error}") from error

    def close(self) -> None:
        if self._container is not None:
            self._container.close()
            self._container = None

    def _decoded(self, container: InputContainer) -> Iterator[Samples]:
        any_block = True
        while container.streams.audio and any_block:
            any_block = False
            resampler = AudioResampler("s16", "mono", SAMPLE_RATE_HZ, SAMPLES_PER_BLOCK)
            for frame in container.decode(audio=0):
                for part in resampler.resample(frame):
                    any_block = True
                    yield cast(Samples, part.to_ndarray().reshape(-1))
            container.seek(0)
