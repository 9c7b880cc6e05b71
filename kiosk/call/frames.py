"""The small grey frames that marks are tracked on, and the ring of those of the last seconds."""

from __future__ import annotations

from collections import deque

import cv2
import numpy as np

from kiosk.call import vision
from kiosk.call.poses import Points
from kiosk.call.vision import Grey
from kiosk.hw.ports import Picture

WIDTH_PX = 640
"""Half of 720p: templates are about as large, more pixels cost time and give nothing."""
FEATURE_SHARE = 0.5
"""Features are looked for at half this size again: 3 ms instead of 10."""


class Features:
    """What ORB sees in one frame. points: (N, 2) px of the grey frame; descriptors: (N, 32) uint8."""

    __slots__ = ("descriptors", "points")

    def __init__(self, points: Points, descriptors: Grey) -> None:
        self.points = points
        self.descriptors = descriptors


class GreyFrame:
    """One frame as the tracker sees it: (H, 640) uint8, and when it was captured. Features are found when asked for."""

    __slots__ = ("_features", "captured_s", "grey")

    def __init__(self, grey: Grey, captured_s: float) -> None:
        self.grey = grey
        self.captured_s = captured_s
        self._features: Features | None = None

    @classmethod
    def of(cls, picture: Picture) -> GreyFrame:
        width, height = picture.size
        small = vision.shrink(picture.y, WIDTH_PX, max(1, round(height * WIDTH_PX / width)))
        return cls(small, picture.captured_s)

    @property
    def width(self) -> int:
        return int(self.grey.shape[1])

    @property
    def height(self) -> int:
        return int(self.grey.shape[0])

    def holds(self, x: float, y: float, margin: float = 0.0) -> bool:
        """Whether (x, y) px is in the picture, `margin` px from its edge at least (negative: or so far outside)."""
        return margin <= x < self.width - margin and margin <= y < self.height - margin

    def features(self, orb: cv2.ORB) -> Features:
        if self._features is None:
            self._features = _find_features(self.grey, orb)
        return self._features

    # Points of the wire are 0..1 of the picture's area; px count from the middle of the first pixel.

    def to_px(self, x: float, y: float) -> tuple[float, float]:
        return x * self.width - 0.5, y * self.height - 0.5

    def to_unit(self, points: Points) -> Points:
        result: Points = (points + 0.5) / (self.width, self.height)
        return result


class Ring:
    """The frames of the last `span_s` seconds, oldest first. Used by the tracker's thread only."""

    def __init__(self, span_s: float = 2.5, most: int = 90) -> None:
        self._span_s = span_s
        self._frames: deque[GreyFrame] = deque(maxlen=most)

    def push(self, frame: GreyFrame) -> None:
        while self._frames and self._frames[0].captured_s < frame.captured_s - self._span_s:
            self._frames.popleft()
        self._frames.append(frame)

    def since(self, captured_s: float | None) -> list[GreyFrame]:
        """From the frame captured nearest to `captured_s` (None: the newest) up to the newest."""
        frames = list(self._frames)
        if captured_s is None or not frames:
            return frames[-1:]
        nearest = min(range(len(frames)), key=lambda k: abs(frames[k].captured_s - captured_s))
        return frames[nearest:]

    def __len__(self) -> int:
        return len(self._frames)


def new_orb() -> cv2.ORB:
    return cv2.ORB.create(nfeatures=300, scaleFactor=1.25, nlevels=5, edgeThreshold=12, patchSize=25, fastThreshold=8)


def _find_features(grey: Grey, orb: cv2.ORB) -> Features:
    height, width = grey.shape
    small = vision.shrink(grey, round(width * FEATURE_SHARE), round(height * FEATURE_SHARE))
    keypoints, descriptors = orb.detectAndCompute(small, np.full(small.shape, 255, np.uint8))
    if not len(keypoints):
        return Features(np.zeros((0, 2)), np.zeros((0, 32), np.uint8))
    at = np.array([k.pt for k in keypoints], np.float64).reshape(-1, 2)
    back = (at + 0.5) / FEATURE_SHARE - 0.5
    return Features(back, np.asarray(descriptors, np.uint8))
