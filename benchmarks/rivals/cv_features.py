"""The classical combinations of OpenCV's features, built as they are usually built; run beside its trackers.

Each has `init(frame, box)` and `update(frame) -> (found, box)` like OpenCV's own. Frames (H, W, 3) uint8 BGR, boxes
x y w h.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

_opencv: Any = cv2
"""Without its stubs, which know another version than the one this runs with."""
LEAST_AGREE = 8
REACH_PX = 80


def corners_of(box: Any) -> Any:
    x, y, w, h = box
    return np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]], np.float32)


def box_of(quad: Any) -> tuple[float, float, float, float]:
    (x0, y0), (x1, y1) = quad.min(axis=0), quad.max(axis=0)
    return float(x0), float(y0), float(x1 - x0), float(y1 - y0)


def inside(shape: tuple[int, ...], quad: Any) -> Any:
    mask = np.zeros(shape, np.uint8)
    cv2.fillConvexPoly(mask, np.round(quad).astype(np.int32), 255)
    return mask


def flow(before: Any, after: Any, points: Any) -> tuple[Any, Any]:
    """Pyramidal Lucas-Kanade there and back: the points that return to within a pixel, and where they are now."""
    there, _, _ = _opencv.calcOpticalFlowPyrLK(before, after, points, None, winSize=(21, 21), maxLevel=3)
    back, found, _ = _opencv.calcOpticalFlowPyrLK(after, before, there, None, winSize=(21, 21), maxLevel=3)
    kept = (np.linalg.norm((back - points).reshape(-1, 2), axis=1) < 1) & (found.ravel() == 1)
    return points.reshape(-1, 2)[kept], there.reshape(-1, 2)[kept]


class Flow:
    """Optical flow on the element, checked backwards, and the similarity that most points agree on."""

    def init(self, frame: Any, box: Any) -> None:
        self.before = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
        self.quad: Any = corners_of(box)

    def update(self, frame: Any) -> tuple[bool, Any]:
        now = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
        if self.quad is not None:
            self.quad = self.follow(now)
        if self.quad is None:
            self.quad = self.find(now)
        self.before = now
        return self.quad is not None, None if self.quad is None else box_of(self.quad)

    def follow(self, now: Any) -> Any:
        x, y = (max(0, int(v) - REACH_PX) for v in self.quad.min(axis=0))
        right, below = (max(1, int(v) + REACH_PX) for v in self.quad.max(axis=0))
        before, after = self.before[y:below, x:right], now[y:below, x:right]
        if min(before.shape) < REACH_PX // 2:
            return None
        points = cv2.goodFeaturesToTrack(before, 60, 0.01, 4, mask=inside(before.shape, self.quad - (x, y)))
        if points is None or len(points) < LEAST_AGREE:
            return None
        a, b = (np.add(p, (x, y)) for p in flow(before, after, points))
        if len(a) < LEAST_AGREE:
            return None
        moved, agree = cv2.estimateAffinePartial2D(a, b, ransacReprojThreshold=2)
        if moved is None or int(agree.sum()) < LEAST_AGREE:
            return None
        return (self.quad @ moved[:, :2].T + moved[:, 2]).astype(np.float32)

    def find(self, now: Any) -> Any:
        return None


class Detector:
    """ORB in each frame against those of the element in the first one; a homography says where it is."""

    def init(self, frame: Any, box: Any) -> None:
        grey = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
        self.first: Any = corners_of(box)
        self.orb = _opencv.ORB_create(1000)
        self.matcher = cv2.BFMatcher(cv2.NORM_HAMMING)
        on_element = _opencv.ORB_create(300, edgeThreshold=8)
        self.points, self.known = on_element.detectAndCompute(grey, inside(grey.shape, self.first))

    def update(self, frame: Any) -> tuple[bool, Any]:
        quad = self.find(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY))
        return quad is not None, None if quad is None else box_of(quad)

    def find(self, grey: Any) -> Any:
        points, seen = self.orb.detectAndCompute(grey, None)
        if self.known is None or seen is None or len(seen) < 2:
            return None
        pairs = [p for p in self.matcher.knnMatch(self.known, seen, k=2) if len(p) == 2]
        clear = [p for p, other in pairs if p.distance < 0.8 * other.distance]
        if len(clear) < LEAST_AGREE:
            return None
        a = np.array([self.points[m.queryIdx].pt for m in clear], np.float32)
        b = np.array([points[m.trainIdx].pt for m in clear], np.float32)
        pose, agree = _opencv.findHomography(a, b, cv2.RANSAC, 3)
        if pose is None or int(agree.sum()) < LEAST_AGREE:
            return None
        quad = cv2.perspectiveTransform(self.first[None], pose)[0]
        return quad if cv2.isContourConvex(quad) and cv2.contourArea(quad) > 50 else None


class FlowAndDetector(Flow):
    """The flow, and where it has lost the element, the detector."""

    def init(self, frame: Any, box: Any) -> None:
        super().init(frame, box)
        self.detector = Detector()
        self.detector.init(frame, box)

    def find(self, now: Any) -> Any:
        return self.detector.find(now)


class WholeFrame:
    """The homography of all of the frame, from one to the next, carries the element."""

    def init(self, frame: Any, box: Any) -> None:
        self.before = self.small(frame)
        self.quad: Any = corners_of(box) / 4

    def small(self, frame: Any) -> Any:
        return cv2.resize(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)

    def update(self, frame: Any) -> tuple[bool, Any]:
        now = self.small(frame)
        points = cv2.goodFeaturesToTrack(self.before, 150, 0.01, 7)
        a, b = flow(self.before, now, points) if points is not None else (np.zeros((0, 2)), np.zeros((0, 2)))
        self.before = now
        pose, agree = _opencv.findHomography(a, b, cv2.RANSAC, 1.0) if len(a) >= LEAST_AGREE else (None, None)
        if pose is None or agree is None or int(agree.sum()) < LEAST_AGREE:
            return False, None
        self.quad = cv2.perspectiveTransform(self.quad[None], pose)[0]
        return True, box_of(4 * self.quad)


MAKERS: dict[str, Any] = {
    "LK": Flow,
    "LK+ORB": FlowAndDetector,
    "ORB": Detector,
    "whole-frame homography": WholeFrame,
}
