"""How the scene moved from one frame to the next: one homography, shared by all marks.

It also carries marks that are covered, out of view or poor in texture.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
CELL_PX = 40
MOST_IN_A_CELL = 3
PROVED_FRAMES = 6
"""A corner that has moved with the scene for so long belongs to it."""


@dataclass(frozen=True, slots=True)
class Motion:
    """pose: px of the frame before -> px of this frame, both of the grey frames; health: 0..1, how many points agree;
    flow_px: how far the middle one of them moved."""

    pose: Pose
    health: float
    flow_px: float


@dataclass(frozen=True, slots=True)
class _Held:
    """Corners that are followed, (N, 2), and for how many frames each has agreed with the scene, (N,)."""

    points: Points
    ages: NDArray[np.int64]

    @classmethod
    def none(cls) -> _Held:
        return cls(_NONE, np.zeros(0, np.int64))

    def __len__(self) -> int:
        return len(self.points)


@dataclass(frozen=True, slots=True)
class _Found:
    """Of the small picture: the pose, where the points that agree are now, how many do, how far they moved."""

    pose: Pose
    held: _Held
    health: float
    step_px: float


class SceneMotion:
    """Follows corners of the small, contrast-normalised picture. Used by one thread; steps must not leave out frames
    for long, or the motion is too large to be followed."""

    def __init__(self) -> None:
        self._before: Grey | None = None
        self._held = _Held.none()
        self._velocity: Pose | None = None
        self._steps = 0

    def step(self, frame: GreyFrame) -> Motion | None:
        """The motion since the frame of the last step; None where it is not known."""
        factor = WIDTH_PX / frame.width
        small = vision.shrink(frame.grey, WIDTH_PX, max(1, round(frame.height * factor)))
        now = vision.even_light(small, 15, _GAINS)
        motion = self._follow(self._before, now, factor) if self._before is not None else None
        if len(self._held) < 0.65 * MOST_POINTS or self._steps % 15 == 0:
            self._held = _refill(now, small, self._held)
        self._before = now
        self._steps += 1
        return motion

    def _follow(self, before: Grey, now: Grey, factor: float) -> Motion | None:
        if len(self._held) < 6:
            self._lose()
            return None
        found = self._found(before, now)
        if found is None:
            self._lose()
            return None
        self._held = found.held
        self._velocity = found.pose if _speed(found.pose, now) > GUESS_PX else None
        small, large = poses.scaling(factor), poses.scaling(1 / factor)
        return Motion(poses.chain(small, found.pose, large), found.health, found.step_px / factor)

    def _found(self, before: Grey, now: Grey) -> _Found | None:
        """The same motion again is the first guess. A fast one is held against none at all: on repeated patterns a
        wrong guess confirms itself for ever."""
        if self._velocity is None:
            return _find(before, now, self._held, None)
        again = _find(before, now, self._held, self._velocity)
        if again is not None and _speed(self._velocity, now) < DOUBTFUL_PX:
            return again
        afresh = _find(before, now, self._held, None)
        if again is None or afresh is None:
            return again or afresh
        if _speed(poses.chain(poses.inverse(again.pose), afresh.pose), now) < 1.0:
            return again
        return max(again, afresh, key=lambda found: _fits(before, now, found.pose))

    def _lose(self) -> None:
        self._held, self._velocity = _Held.none(), None


def _find(before: Grey, now: Grey, held: _Held, guess: Pose | None) -> _Found | None:
    start = None if guess is None else poses.apply(guess, held.points)
    there, followed = vision.flow(before, now, held.points, window_px=11, levels=3, guess=start)
    kept = followed & _inside(there, now)
    a, b, ages = held.points[kept], there[kept], held.ages[kept]
    found = _of_the_proved(a, b, ages >= PROVED_FRAMES, now) or _dominant(a, b, now)
    if found is None:
        return None
    pose, agree, health = found
    step_px = float(np.median(np.abs(b[agree] - a[agree]).max(axis=1)))
    return _Found(pose, _Held(b[agree], ages[agree] + 1), health, step_px)


def _of_the_proved(a: Points, b: Points, proved: Chosen, picture: Grey) -> tuple[Pose, Chosen, float] | None:
    """What those say that have belonged to the scene for a while: a hand or a belt that comes in, and has more corners
    than a bare machine, does not take the scene with it. None where they are few, or do not agree."""
    count = int(proved.sum())
    if count < 8 or count == len(a):
        return None
    found = _dominant(a[proved], b[proved], picture)
    if found is None or int(found[1].sum()) < 0.6 * count:
        return None
    agree = poses.distances(found[0], a, b) < 1.0
    return found[0], agree, found[2]


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


def _refill(picture: Grey, plain: Grey, held: _Held) -> _Held:
    """`held` and fresh corners between them; plain: the same picture before its contrast was made even, which tells
    corners from noise."""
    wanted = MOST_POINTS - len(held)
    if wanted < 8:
        return held
    free = vision.textured(plain)
    for x, y in held.points.astype(int).tolist():
        free[max(0, y - 8) : y + 9, max(0, x - 8) : x + 9] = 0
    fresh = _spread(vision.corners(picture, 2 * wanted, 9, free), held.points, wanted)
    return _Held(np.concatenate([held.points, fresh]), np.append(held.ages, np.zeros(len(fresh), np.int64)))


def _spread(fresh: Points, held: Points, most: int) -> Points:
    """The best of the fresh ones, few in each part of the picture: a poster or a belt has more corners than a bare
    machine, but the scene is what most of the picture shows."""
    taken: Counter[tuple[int, int]] = Counter()
    taken.update(_cell(x, y) for x, y in held.tolist())
    chosen: list[tuple[float, float]] = []
    for x, y in fresh.tolist():
        if taken[_cell(x, y)] < MOST_IN_A_CELL and len(chosen) < most:
            taken[_cell(x, y)] += 1
            chosen.append((x, y))
    return np.array(chosen, np.float64).reshape(-1, 2)


def _cell(x: float, y: float) -> tuple[int, int]:
    return int(x) // CELL_PX, int(y) // CELL_PX
