"""How the scene moved from one frame to the next: one homography, shared by all marks.

It also carries marks that are covered, out of view or poor in texture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kiosk.call import poses, vision
from kiosk.call.frames import GreyFrame
from kiosk.call.poses import Points, Pose
from kiosk.call.vision import Chosen, Grey

WIDTH_PX = 320
MOST_POINTS = 90
_GAINS = vision.gain_table(36.0)
_NONE = np.zeros((0, 2))
GUESS_PX = 2.0
"""From so many px of the small picture a frame, the same motion again is the better first guess (pans)."""
DOUBTFUL_PX = 5.0


@dataclass(frozen=True, slots=True)
class Motion:
    """pose: px of the frame before -> px of this frame, both of the grey frames; health: 0..1, how many points agree;
    flow_px: how far the middle one of them moved."""

    pose: Pose
    health: float
    flow_px: float


@dataclass(frozen=True, slots=True)
class _Found:
    """Of the small picture: the pose, where the points that agree are now, how many do, how far they moved."""

    pose: Pose
    points: Points
    health: float
    step_px: float


class SceneMotion:
    """Follows corners of the small, contrast-normalised picture. Used by one thread; steps must not leave out frames
    for long, or the motion is too large to be followed."""

    def __init__(self) -> None:
        self._before: Grey | None = None
        self._points: Points = _NONE
        self._velocity: Pose | None = None
        self._steps = 0

    def step(self, frame: GreyFrame) -> Motion | None:
        """The motion since the frame of the last step; None where it is not known."""
        factor = WIDTH_PX / frame.width
        small = vision.shrink(frame.grey, WIDTH_PX, max(1, round(frame.height * factor)))
        now = vision.even_light(small, 15, _GAINS)
        motion = self._follow(self._before, now, factor) if self._before is not None else None
        if len(self._points) < 0.65 * MOST_POINTS or self._steps % 15 == 0:
            self._points = _refill(now, self._points)
        self._before = now
        self._steps += 1
        return motion

    def _follow(self, before: Grey, now: Grey, factor: float) -> Motion | None:
        if len(self._points) < 6:
            self._lose()
            return None
        found = self._found(before, now)
        if found is None:
            self._lose()
            return None
        self._points = found.points
        self._velocity = found.pose if _speed(found.pose, now) > GUESS_PX else None
        small, large = poses.scaling(factor), poses.scaling(1 / factor)
        return Motion(poses.chain(small, found.pose, large), found.health, found.step_px / factor)

    def _found(self, before: Grey, now: Grey) -> _Found | None:
        """The same motion again is the first guess. A fast one is held against none at all: on repeated patterns a
        wrong guess confirms itself for ever."""
        if self._velocity is None:
            return _find(before, now, self._points, None)
        again = _find(before, now, self._points, self._velocity)
        if again is not None and _speed(self._velocity, now) < DOUBTFUL_PX:
            return again
        afresh = _find(before, now, self._points, None)
        if again is None or afresh is None:
            return again or afresh
        if _speed(poses.chain(poses.inverse(again.pose), afresh.pose), now) < 1.0:
            return again
        return max(again, afresh, key=lambda found: _fits(before, now, found.pose))

    def _lose(self) -> None:
        self._points, self._velocity = _NONE, None


def _find(before: Grey, now: Grey, points: Points, guess: Pose | None) -> _Found | None:
    start = None if guess is None else poses.apply(guess, points)
    there, followed = vision.flow(before, now, points, window_px=11, levels=3, guess=start)
    kept = followed & _inside(there, now)
    a, b = points[kept], there[kept]
    found = _dominant(a, b, now)
    if found is None:
        return None
    pose, agree, health = found
    step_px = float(np.median(np.abs(b[agree] - a[agree]).max(axis=1)))
    return _Found(pose, b[agree], health, step_px)


def _dominant(a: Points, b: Points, picture: Grey) -> tuple[Pose, Chosen, float] | None:
    """The pose that most points agree on: a homography, or where they are few or disagree, a similarity."""
    count = len(a)
    if count >= 10:
        found = vision.ransac_homography(a, b, reach_px=1.0, tries=250)
        if found is not None:
            pose, agree = found
            support = int(agree.sum())
            if support >= max(10.0, 0.35 * count) and _plausible(pose, picture):
                return pose, agree, min(1.0, support / max(20, count))
    if count >= 4:
        found = vision.ransac_similarity(a, b, reach_px=1.5, tries=250)
        if found is not None:
            pose, agree = found
            support = int(agree.sum())
            if support >= max(5.0, 0.4 * count) and 0.8 < poses.shape_at(pose, 0, 0).scale < 1.25:
                return pose, agree, 0.5 * support / max(20, count)
    return None


def _plausible(pose: Pose, picture: Grey) -> bool:
    """Whether a camera can have moved so within one frame."""
    height, width = picture.shape
    shape = poses.shape_at(pose, width / 2, height / 2)
    rim = poses.box_quad(0, 0, width, height)
    farthest = float(np.abs(poses.apply(pose, rim) - rim).sum(axis=1).max())
    return shape.upright and 0.6 < shape.scale < 1.6 and shape.stretch < 1.4 and farthest < 0.7 * width


def _inside(points: Points, picture: Grey) -> Chosen:
    height, width = picture.shape
    low, high = points.min(axis=1, initial=np.inf) > 2, (points < (width - 3, height - 3)).all(axis=1)
    result: Chosen = low & high
    return result


def _speed(pose: Pose, picture: Grey) -> float:
    """How far the pose moves the picture's middle, px."""
    height, width = picture.shape
    x, y = poses.apply_one(pose, width / 2, height / 2)
    return float(abs(x - width / 2) + abs(y - height / 2))


def _fits(before: Grey, now: Grey, pose: Pose) -> float:
    """How much the picture looks like the one before, moved by `pose`; what came in at the rim counts against it."""
    height, width = now.shape
    expected = vision.warp(before, poses.inverse(pose), width, height)
    return vision.likeness(vision.blurred(now), vision.blurred(expected))


def _refill(picture: Grey, points: Points) -> Points:
    """`points` and fresh corners between them."""
    wanted = MOST_POINTS - len(points)
    if wanted < 8:
        return points
    free = np.full(picture.shape, 255, np.uint8)
    for x, y in points.astype(int).tolist():
        free[max(0, y - 8) : y + 9, max(0, x - 8) : x + 9] = 0
    return np.concatenate([points, vision.corners(picture, wanted, 9, free)])
