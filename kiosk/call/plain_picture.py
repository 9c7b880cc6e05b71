"""The picture for a client that has no H.264: the camera's pictures, small and few, which aiortc encodes for it alone.

Every browser has H.264 (RFC 7742, section 5); builds of libwebrtc without licensed codecs do not, nor has Firefox
before it has fetched its plugin for it. What it costs (a VP8 encoder for each, in a thread) is paid only where such a
client is in the call. It gets no stills and no repair of our own; its frames have names as the camera's own have.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from fractions import Fraction

import av
import numpy as np
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from kiosk.hw.ports import Picture
from kiosk.mailbox import Slot

WIDTH = 640
FPS = 15
CLOCK_HZ = 90_000
EXACT = 9
"""Times are multiples of that many ticks (0.1 ms): PyAV counts µs while it encodes VP8, and aiortc cuts off what is
left over on the way back, so that every other frame would bear a name one less than ours."""
REMEMBERED_FRAMES = 450
"""30 s, as with kiosk.call.tracks."""


class PlainPicture(MediaStreamTrack):
    """`put` each picture of the camera; `recv` gives the newest, at most FPS a second."""

    kind = "video"

    def __init__(self, begin_s: float) -> None:
        super().__init__()
        self._begin_s = begin_s
        self._newest: Slot[Picture] = Slot()
        self._last_s = float("-inf")
        self._captured: OrderedDict[int, float] = OrderedDict()

    def pts(self, captured_s: float) -> int:
        return EXACT * round((captured_s - self._begin_s) * CLOCK_HZ / EXACT)

    def captured_s(self, pts: int) -> float | None:
        """When the frame of this pts was captured; None where it was never sent or is forgotten."""
        return self._captured.get(pts)

    def put(self, picture: Picture) -> None:
        if picture.captured_s - self._last_s >= 0.9 / FPS:
            self._last_s = picture.captured_s
            self._newest.put(picture)

    async def recv(self) -> av.VideoFrame:
        if self.readyState != "live":
            raise MediaStreamError
        try:
            picture = await self._newest.get()
        except StopAsyncIteration:
            raise MediaStreamError from None
        frame = await asyncio.to_thread(small, picture)
        frame.pts = self.pts(picture.captured_s)
        frame.time_base = Fraction(1, CLOCK_HZ)
        self._captured[frame.pts] = picture.captured_s
        if len(self._captured) > REMEMBERED_FRAMES:
            self._captured.popitem(last=False)
        return frame

    def stop(self) -> None:
        super().stop()
        self._newest.close()


def small(picture: Picture) -> av.VideoFrame:
    """At most WIDTH wide, both sides even."""
    width, height = picture.size
    planes = np.concatenate([np.asarray(plane).reshape(-1) for plane in (picture.y, picture.u, picture.v)])
    frame = av.VideoFrame.from_ndarray(planes.reshape(height * 3 // 2, width), "yuv420p")
    if width <= WIDTH:
        return frame
    return frame.reformat(width=WIDTH, height=round(height * WIDTH / width / 2) * 2)
