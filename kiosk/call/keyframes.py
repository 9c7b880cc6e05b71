"""Finding a mark again by the whole picture: ORB keyframes of the scene, each with the mark's pose in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import cv2
import numpy as np

from kiosk.call import poses, vision
from kiosk.call.frames import Features, GreyFrame, new_orb
from kiosk.call.poses import Pose

MOST = 10
LEAST_FEATURES = 12
NEW_VIEW_SHARE = 0.2
"""A frame is worth keeping when the scene has moved by this share of the picture against all that are kept."""


@dataclass(frozen=True, slots=True)
class _Keyframe:
    features: Features
    pose: Pose


@dataclass(frozen=True, slots=True)
class Sighting:
    """Where a keyframe says the mark is (px of its first frame -> px of this one), and how many features agree."""

    pose: Pose
    agree: int


class Keyframes:
    """The first frame is always kept, the others give way in turn. Used by one thread."""

    def __init__(self) -> None:
        self._orb = new_orb()
        self._kept: list[_Keyframe] = []
        self._turn = 0

    def add(self, frame: GreyFrame, pose: Pose) -> bool:
        """Whether there was enough to see in the frame."""
        features = frame.features(self._orb)
        if len(features.points) < LEAST_FEATURES:
            return False
        self._kept.append(_Keyframe(features, pose.copy()))
        if len(self._kept) > MOST:
            del self._kept[1]
        return True

    def add_if_new(self, frame: GreyFrame, pose: Pose) -> None:
        w, h = frame.width, frame.height
        rim = poses.box_quad(w / 4, h / 4, 3 * w / 4, 3 * h / 4)
        for kept in self._kept:
            moved = poses.apply(poses.chain(poses.inverse(kept.pose), pose), rim) - rim
            if float(np.abs(moved).max()) < NEW_VIEW_SHARE * w:
                return
        self.add(frame, pose)

    def find(self, frame: GreyFrame, tries: int = 2) -> list[Sighting]:
        """What the first keyframe and some others in turn say, the best supported first."""
        features = frame.features(self._orb)
        if len(features.points) < LEAST_FEATURES:
            return []
        seen = [_sight(k, features, frame) for k in islice(self._in_turn(), tries)]
        return sorted((s for s in seen if s is not None), key=lambda s: -s.agree)

    def _in_turn(self) -> Iterator[_Keyframe]:
        if not self._kept:
            return
        yield self._kept[0]
        others = self._kept[1:]
        for k in range(len(others)):
            yield others[(self._turn + k) % len(others)]
        self._turn += 1


def _sight(keyframe: _Keyframe, features: Features, frame: GreyFrame) -> Sighting | None:
    distance, nearest = cv2.batchDistance(
        keyframe.features.descriptors, features.descriptors, cv2.CV_32S, normType=cv2.NORM_HAMMING, K=2
    )
    distance, nearest = np.asarray(distance), np.asarray(nearest)
    # Lowe's ratio test (IJCV 2004); 68 of 256 bits: beyond that ORB matches are mostly chance
    clear = (distance[:, 0] < 0.82 * distance[:, 1]) & (distance[:, 0] < 68)
    if int(clear.sum()) < 10:
        return None
    a, b = keyframe.features.points[clear], features.points[nearest[clear, 0]]
    found = vision.ransac_homography(a, b, reach_px=3.5, tries=500)
    if found is None:
        return None
    pose, agree = found
    shape = poses.shape_at(pose, frame.width / 2, frame.height / 2)
    if int(agree.sum()) < 11 or not shape.upright or not 0.25 < shape.scale < 4 or shape.stretch > 3:
        return None
    return Sighting(poses.chain(keyframe.pose, pose), int(agree.sum()))
