"""What aiortc reads from us: our encoded video as packets, and the sound a participant hears."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import av
import numpy as np
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from av.packet import Packet

from kiosk.call.relay import Outlet, Relay
from kiosk.hw.ports import SAMPLE_RATE_HZ, SAMPLES_PER_BLOCK, Samples
from kiosk.mailbox import Queue

VIDEO_CLOCK_HZ = 90_000
VIDEO_TIME_BASE = Fraction(1, VIDEO_CLOCK_HZ)
SOUND_TIME_BASE = Fraction(1, SAMPLE_RATE_HZ)
REMEMBERED_FRAMES = 900
"""30 s: what a staff member taps on has been on his screen for less."""

WAITING_FRAMES = 20
"""0.7 s: a link that is further behind sees the present sooner from the next keyframe on."""


class PacketTrack(MediaStreamTrack):
    """The camera's access units as av.Packet, passed through without another encoder.

    pts is in 90 kHz since `begin_s`, so that the RTP timestamps are the camera's clock.
    """

    kind = "video"

    def __init__(self, relay: Relay, begin_s: float) -> None:
        super().__init__()
        self._relay = relay
        self._begin_s = begin_s
        self._outlet: Outlet | None = None
        self._captured: OrderedDict[int, float] = OrderedDict()

    def pts(self, captured_s: float) -> int:
        return round((captured_s - self._begin_s) * VIDEO_CLOCK_HZ)

    def captured_s(self, pts: int) -> float | None:
        """When the frame of this pts was captured; None where it was never sent or is forgotten."""
        return self._captured.get(pts)

    @property
    def dropped(self) -> int:
        return self._outlet.dropped if self._outlet else 0

    async def recv(self) -> Packet[Any]:
        """The next access unit. The outlet opens with the first call: only then is somebody there to see."""
        if self.readyState != "live":
            raise MediaStreamError
        if self._outlet is None:
            self._outlet = self._relay.open(WAITING_FRAMES)
        try:
            unit = await self._outlet.get()
        except StopAsyncIteration:
            raise MediaStreamError from None
        packet: Packet[Any] = Packet(unit.data)
        packet.pts = packet.dts = self.pts(unit.captured_s)
        packet.time_base = VIDEO_TIME_BASE
        self._remember(packet.pts, unit.captured_s)
        return packet

    def stop(self) -> None:
        super().stop()
        if self._outlet is not None:
            self._outlet.close()

    def _remember(self, pts: int, captured_s: float) -> None:
        self._captured[pts] = captured_s
        if len(self._captured) > REMEMBERED_FRAMES:
            self._captured.popitem(last=False)


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
