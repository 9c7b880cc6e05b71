"""Sound to and from a participant: what aiortc reads from us, and what came from it as blocks."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import av
import numpy as np
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from kiosk.hw.ports import SAMPLE_RATE_HZ, SAMPLES_PER_BLOCK, Samples
from kiosk.mailbox import Queue

SOUND_TIME_BASE = Fraction(1, SAMPLE_RATE_HZ)


class SoundTrack(MediaStreamTrack):
    """What one participant hears, 20 ms a block. At most 200 ms wait; then the oldest is dropped."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._blocks: Queue[tuple[int, Samples]] = Queue(10)
        self._count = 0
        self._begun = False

    def put(self, block: Samples) -> None:
        """(960,) int16. A dropped block leaves a gap in the timestamps, so that time goes on for the receiver."""
        self._blocks.put((self._count, block))
        self._count += 1

    async def recv(self) -> av.AudioFrame:
        if self.readyState != "live":
            raise MediaStreamError
        if not self._begun:
            self._begun = True
            self._blocks.clear()  # what gathered while connecting would be heard 200 ms late for ever
        try:
            number, block = await self._blocks.get()
        except StopAsyncIteration:
            raise MediaStreamError from None
        frame = av.AudioFrame.from_ndarray(block.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE_HZ
        frame.pts = number * SAMPLES_PER_BLOCK
        frame.time_base = SOUND_TIME_BASE
        return frame

    def stop(self) -> None:
        super().stop()
        self._blocks.close()


class SoundReader:
    """Received sound of any rate and channels as mono at 48 kHz."""

    def __init__(self, put: Callable[[Samples], None]) -> None:
        self._put = put
        self._resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE_HZ)

    def feed(self, frame: av.AudioFrame) -> None:
        frame.pts = None  # the voice's buffer keeps time; gaps in the timestamps are silence there
        for piece in self._resampler.resample(frame):
            self._put(np.asarray(piece.to_ndarray(), np.int16).reshape(-1))
