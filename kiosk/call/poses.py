"""Pose algebra: 3x3 homographies between pictures of one flat scene, as pure functions.

A `Pose` maps points (x, y, 1) in px of one picture to another; pixel centres lie at whole numbers. `points` are
(N, 2) float64 everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cbrt
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Pose = NDArray[np.float64]
"""(3, 3) of determinant 1: then w is positive wherever the picture is not seen from behind.

Scaled by [2, 2], a view so steep that the corner at the origin lies beyond the horizon would turn the sign of it all.
"""
Points = NDArray[np.float64]
"""(N, 2), x and y in px."""
Weights = NDArray[np.float64]
"""(N,), 0 or more."""
Model = Literal["similarity", "affine", "homography"]

STAY: Pose = np.eye(3)
STAY.setflags(write=False)

RIDGE = 0.004
"""Pull towards "no change of shape" when few points speak (share of the weights)."""
RIDGE_PERSPECTIVE = 0.02


@dataclass(frozen=True, slots=True)
class Shape:
    """What a pose does around one point: size factor, anisotropy (1: none), and whether it mirrors nothing."""

    scale: float
    stretch: float
    upright: bool


def apply(pose: Pose, points: Points) -> Points:
    moved = points @ pose[:, :2].T + pose[:, 2]
    result: Points = moved[:, :2] / moved[:, 2:]
    return result


def apply_one(pose: Pose, x: float, y: float) -> tuple[float, float]:
    """Like `apply`, ten times as fast for a single point."""
    a, b, c, d, e, f, g, h, i = pose.ravel().tolist()
    w = g * x + h * y + i
    w = w if abs(w) > 1e-12 else 1e-12
    return (a * x + b * y + c) / w, (d * x + e * y + f) / w


def normalised(pose: Pose) -> Pose:
    a, b, c, d, e, f, g, h, i = pose.ravel().tolist()
    volume = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    result: Pose = pose / (cbrt(volume) if abs(volume) > 1e-30 else max(abs(a), abs(i), 1e-10))
    return result


def chain(first: Pose, *then: Pose) -> Pose:
    """The pose that does `first` and `then` the others."""
    for pose in then:
        first = pose @ first
    return normalised(first)


def inverse(pose: Pose) -> Pose:
    """Raises numpy.linalg.LinAlgError where the pose flattens the picture."""
    return normalised(np.asarray(np.linalg.inv(pose), np.float64))


def scaling(factor: float) -> Pose:
    """From px of a picture to px of the same picture made `factor` times as large.

    Pixel areas are kept, not pixel centres: what `cv2.resize` does.
    """
    shift = (factor - 1) / 2
    return np.array([[factor, 0, shift], [0, factor, shift], [0, 0, 1.0]])


def shift(dx: float, dy: float) -> Pose:
    return np.array([[1, 0, dx], [0, 1, dy], [0, 0, 1.0]])


def shape_at(pose: Pose, x: float, y: float) -> Shape:
    """Singular values of the pose's Jacobian at (x, y), in closed form."""
    a, b, c, d, e, f, g, h, i = pose.ravel().tolist()
    w = g * x + h * y + i
    if abs(w) < 1e-9:
        return Shape(0.0, 1e9, False)
    u, v = (a * x + b * y + c) / w, (d * x + e * y + f) / w
    xx, xy, yx, yy = (a - u * g) / w, (b - u * h) / w, (d - v * g) / w, (e - v * h) / w
    area = xx * yy - xy * yx
    norm = xx * xx + xy * xy + yx * yx + yy * yy
    root = max(norm * norm - 4 * area * area, 0.0) ** 0.5
    large, small = ((norm + root) / 2) ** 0.5, max((norm - root) / 2, 1e-18) ** 0.5
    return Shape(abs(area) ** 0.5, large / small, area > 0 and w > 0)


def centre(quad: Points) -> tuple[float, float]:
    """The middle of a quad's bounding box."""
    low, high = quad.min(axis=0), quad.max(axis=0)
    return float(low[0] + high[0]) / 2, float(low[1] + high[1]) / 2


def box_quad(x0: float, y0: float, x1: float, y1: float) -> Points:
    """A box's corners, clockwise from the top left one."""
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], dtype=np.float64)


def distances(pose: Pose, a: Points, b: Points) -> Weights:
    """How far from `b` the pose puts `a`, (N,) px."""
    result: Weights = np.linalg.norm(apply(pose, a) - b, axis=1)
    return result


# --- fitting ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Around:
    """Where fitting is numerically at home: the middle and the radius of what is fitted, px."""

    x: float
    y: float
    radius: float

    def home(self, points: Points) -> Points:
        result: Points = (points - (self.x, self.y)) / self.radius
        return result

    def back(self, pose: Pose) -> Pose:
        r, x, y = self.radius, self.x, self.y
        there = np.array([[r, 0, x], [0, r, y], [0, 0, 1.0]])
        here = np.array([[1 / r, 0, -x / r], [0, 1 / r, -y / r], [0, 0, 1.0]])
        return normalised(there @ pose @ here)


def fit(a: Points, b: Points, weights: Weights, model: Model, around: Around) -> Pose | None:
    """The weighted least-squares pose that takes `a` to `b`; None where the points do not determine one."""
    p, q = around.home(a), around.home(b)
    try:
        match model:
            case "homography":
                pose = _homography(p, q, weights)
            case "affine":
                pose = _affine(p, q, weights)
            case "similarity":
                pose = _similarity(p, q, weights)
        return around.back(pose)
    except np.linalg.LinAlgError:
        return None


def robust_fit(a: Points, b: Points, weights: Weights, start: Pose, around: Around) -> Pose | None:
    """Tukey-weighted refinement of `start`; the model grows with the support that is left for it.

    None where fewer than four points agree with `start`.
    """
    pose, model = start, None
    for reach_px in (3.0, 2.2, 2.2):
        x = distances(pose, a, b) / reach_px
        kept = weights * np.where(x < 1, (1 - x * x) ** 2, 0.0)
        if int((kept > 0).sum()) < 4:
            return None
        model = model or model_for(a, kept, around)
        better = fit(a, b, kept, model, around)
        if better is None:
            break
        pose = better
    return pose


def model_for(points: Points, weights: Weights, around: Around) -> Model:
    """The richest model that points of these weights can carry: many enough, and spread in both directions."""
    count = int((weights > 0).sum())
    total = float(weights.sum())
    effective = total * total / max(1e-9, float((weights * weights).sum()))
    spread = _narrow_spread(around.home(points), weights / total)
    if effective > 25 and count >= 20 and spread > 0.08:
        return "homography"
    if effective > 7 and count >= 8 and spread > 0.015:
        return "affine"
    return "similarity"


def _narrow_spread(points: Points, weights: Weights) -> float:
    """The smaller eigenvalue of the points' covariance."""
    centred = points - weights @ points
    (xx, xy), (_, yy) = (centred * weights[:, None]).T @ centred
    return float((xx + yy) / 2 - (((xx - yy) / 2) ** 2 + xy * xy) ** 0.5)


def _similarity(a: Points, b: Points, weights: Weights) -> Pose:
    total = weights.sum()
    mean_a, mean_b = (weights @ a) / total, (weights @ b) / total
    x, u = a - mean_a, b - mean_b
    size = float((weights * (x * x).sum(axis=1)).sum()) + 1e-9
    cos = float((weights * (x * u).sum(axis=1)).sum()) / size
    sin = float((weights * (x[:, 0] * u[:, 1] - x[:, 1] * u[:, 0])).sum()) / size
    turn = np.array([[cos, -sin], [sin, cos]])
    move = mean_b - turn @ mean_a
    return np.array([[cos, -sin, move[0]], [sin, cos, move[1]], [0, 0, 1.0]])


def _affine(a: Points, b: Points, weights: Weights) -> Pose:
    rows = np.column_stack([a, np.ones(len(a))])
    weighted = rows * weights[:, None]
    normal, target = weighted.T @ rows, weighted.T @ b
    ridge = RIDGE * weights.sum()
    for k in (0, 1):
        normal[k, k] += ridge
        target[k, k] += ridge
    return np.vstack([np.linalg.solve(normal, target).T, [0, 0, 1.0]])


def _homography(a: Points, b: Points, weights: Weights) -> Pose:
    n, total = len(a), weights.sum()
    rows = np.zeros((2 * n, 8))
    rows[:n, :2] = rows[n:, 3:5] = a
    rows[:n, 2] = rows[n:, 5] = 1
    rows[:n, 6:] = -a * b[:, :1]
    rows[n:, 6:] = -a * b[:, 1:]
    both = np.concatenate([weights, weights])
    normal = (rows * both[:, None]).T @ rows
    target = rows.T @ (both * b.T.ravel())
    normal[[0, 1, 3, 4], [0, 1, 3, 4]] += RIDGE * total
    target[[0, 4]] += RIDGE * total
    normal[[6, 7], [6, 7]] += RIDGE_PERSPECTIVE * total
    return np.append(np.linalg.solve(normal, target), 1.0).reshape(3, 3)
