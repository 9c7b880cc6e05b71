"""Which staff camera the kiosk shows: the one switched on last, as long as pictures come from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import av
import numpy as np

from kiosk.hw.ports import Picture

STALE_S = 3.0


class Source(Protocol):
    """A participant, as far as its camera goes."""

    camera_on: bool

    @property
    def says_camera(self) -> bool:
        """Whether it tells of its camera; one that cannot tell is on while it sends pictures."""


class StaffCamera:
    """Hands the newest picture of the shown camera on, and None once there is none to show."""

    def __init__(self, show: Callable[[Picture | None], None], now: Callable[[], float]) -> None:
        self._show = show
        self._now = now
        self._shown: Source | None = None
        self._has_picture = False
        self._seen_s = 0.0

    @property
    def on(self) -> bool:
        return self._has_picture

    def switched(self, source: Source, on: bool) -> None:
        source.camera_on = on
        if on:
            self._shown, self._seen_s = source, self._now()
        else:
            self.gone(source)

    def frame(self, source: Source, frame: av.VideoFrame) -> None:
        if not source.camera_on and source.says_camera:
            return
        if self._shown is None:
            self._shown = source
        if self._shown is source:
            self._seen_s = self._now()
            self._has_picture = True
            self._show(picture_of(frame, self._seen_s))

    def gone(self, source: Source) -> None:
        """It is off, or its participant has left; the next one that sends takes its place."""
        if self._shown is source:
            self.close()

    def tick(self) -> None:
        """Now and then: a picture that has stood still too long is taken away."""
        if self._has_picture and self._now() - self._seen_s > STALE_S:
            self.close()

    def close(self) -> None:
        self._shown = None
        if self._has_picture:
            self._has_picture = False
            self._show(None)


def picture_of(frame: av.VideoFrame, captured_s: float) -> Picture:
    """The planes of a decoded frame, copied out of the decoder's memory; even width and height."""
    width, height = frame.width & ~1, frame.height & ~1
    if frame.format.name != "yuv420p" or (width, height) != (frame.width, frame.height):
        frame = frame.reformat(width, height, format="yuv420p")
    flat = np.asarray(frame.to_ndarray(), np.uint8).reshape(-1)
    luma, chroma = width * height, width * height // 4
    return Picture(
        flat[:luma].reshape(height, width),
        flat[luma : luma + chroma].reshape(height // 2, width // 2),
        flat[luma + chroma : luma + 2 * chroma].reshape(height // 2, width // 2),
        captured_s,
    )
