"""Which staff camera the kiosk shows: the one switched on last, as long as pictures come from it.

Only that one is decoded.
"""

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

    def watch(self, on: bool) -> None:
        """Whether its pictures shall be decoded: those of one at most are."""


class StaffCamera:
    """Hands the newest picture of the shown camera on, and None once there is none to show."""

    def __init__(self, show: Callable[[Picture | None], None], now: Callable[[], float]) -> None:
        self._show = show
        self._now = now
        self._sources: list[Source] = []  # those that are on, the one to be shown last
        self._shown: Source | None = None
        self._has_picture = False
        self._seen_s = 0.0

    @property
    def on(self) -> bool:
        return self._has_picture

    def switched(self, source: Source, on: bool) -> None:
        source.camera_on = on
        self._sources = [s for s in self._sources if s is not source]
        if on:
            self._sources.append(source)
        self._choose()

    def sends(self, source: Source) -> None:
        """Packets come from one that is not watched."""
        if source.says_camera or source in self._sources:
            return
        self._sources.insert(0, source)  # who switches his camera on is shown, not one that just happens to send
        self._choose()

    def frame(self, source: Source, frame: av.VideoFrame) -> None:
        if self._shown is source:
            self._seen_s = self._now()
            self._has_picture = True
            self._show(picture_of(frame, self._seen_s))

    def gone(self, source: Source) -> None:
        """Its participant has left; the one that was switched on before takes its place."""
        self._sources = [s for s in self._sources if s is not source]
        self._choose()

    def tick(self) -> None:
        """Now and then: a picture that has stood still too long is taken away, and another camera has its turn."""
        if self._shown is None or self._now() - self._seen_s <= STALE_S:
            return
        self._seen_s = self._now()
        self._blank()
        self._sources.insert(0, self._sources.pop())
        if not self._shown.says_camera:
            self._sources.remove(self._shown)  # it is on again with its next packet
        self._choose()

    def close(self) -> None:
        self._sources = []
        self._choose()

    def _choose(self) -> None:
        wanted = self._sources[-1] if self._sources else None
        if wanted is self._shown:
            return
        if self._shown is not None:
            self._shown.watch(False)
        self._blank()
        self._shown, self._seen_s = wanted, self._now()
        if wanted is not None:
            wanted.watch(True)

    def _blank(self) -> None:
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
