"""A view of a mark and its surroundings, made on one frame to be found again in others (matching.py)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from kiosk.call import poses, vision
from kiosk.call.frames import GreyFrame
from kiosk.call.poses import Around, Points, Pose, Weights
from kiosk.call.vision import Chosen, Grey

LARGEST_PX = 128
"""Longer side of a template: what it costs grows with its area."""
LEAST_REGION_PX = 115
"""Small elements are recognised by what is around them."""
GROWTHS = (2.4, 3.6, 5.3)
"""How much larger than the mark its template is; the first with enough to hold on to is taken."""
ENOUGH_POINTS = 24
FEW_POINTS = 12
"""Fewer than that around the mark: all of the picture becomes its template."""
OWN_POINTS, RING_POINTS = 30, 36
GAINS = vision.gain_table(40.0)
SCENE_PX = 208
"""Longer side of the view of a whole scene: a px of it is 3 px of the frame, and 0.3 of that are good enough."""
Corner = NDArray[np.float64]
"""(2,), x and y in px."""


@dataclass(frozen=True, slots=True)
class Template:
    """All coordinates in px of the template.

    even: (h, w) uint8 contrast-normalised; plain, smooth_even: what `likeness` compares, float32.
    points: (N, 2) corners, `own` of them on the mark itself, `weights` falling with their distance from it.
    to_first: px of the template -> px of the frame the mark was made on; from_first: its inverse.
    inner: x0, y0, x1, y1 of the mark; textured: enough corners on the mark to prove it by itself.
    scale_made: px of the frame it was cut from for one px of it.
    """

    even: Grey
    plain: NDArray[np.float32]
    smooth_even: NDArray[np.float32]
    points: Points
    own: Chosen
    weights: Weights
    to_first: Pose
    from_first: Pose
    quad: Points
    around: Around
    inner: tuple[int, int, int, int]
    textured: bool
    scale_made: float

    @property
    def width(self) -> int:
        return int(self.even.shape[1])

    @property
    def height(self) -> int:
        return int(self.even.shape[0])


def cut(frame: GreyFrame, pose: Pose, first_quad: Points, growths: tuple[float, ...] = GROWTHS) -> Template | None:
    """A template of the mark that `pose` puts into `frame`; None where there is nothing to hold on to.

    first_quad: the mark's corners in its first frame; pose: px of that frame -> px of `frame`.
    """
    best: Template | None = None
    for growth in growths:
        template = _cut_region(frame, pose, first_quad, growth)
        if template is not None and (best is None or len(template.points) > len(best.points)):
            best = template
        if best is not None and len(best.points) >= ENOUGH_POINTS:
            return best
    if best is None or len(best.points) < FEW_POINTS:
        return _cut_region(frame, pose, first_quad, None) or best
    return best


def of_scene(frame: GreyFrame, first_quad: Points) -> Template | None:
    """All of the frame, no place of it more important than another; None where there is nothing to hold on to."""
    view = _cut_box(frame, poses.STAY, first_quad, _all_of(frame), SCENE_PX)
    if view is None:
        return None
    middle = Around(view.width / 2, view.height / 2, (view.width + view.height) / 4)
    everywhere = np.ones(len(view.points))
    return replace(view, own=everywhere < 0, weights=everywhere, textured=False, around=middle)


def _cut_region(frame: GreyFrame, pose: Pose, first_quad: Points, growth: float | None) -> Template | None:
    quad_now = poses.apply(pose, first_quad)
    low, high = _region(frame, quad_now, growth) if growth is not None else _all_of(frame)
    return None if (high - low).min() < 12 else _cut_box(frame, pose, first_quad, (low, high), LARGEST_PX)


def _cut_box(
    frame: GreyFrame, pose: Pose, first_quad: Points, box: tuple[Corner, Corner], largest_px: int
) -> Template | None:
    low, high = box
    scale = min(1.0, largest_px / float((high - low).max()))
    width, height = (int(v) for v in np.round((high - low) * scale))
    corner = 0.5 / scale - 0.5
    to_frame = np.array([[1 / scale, 0, low[0] + corner], [0, 1 / scale, low[1] + corner], [0, 0, 1.0]])
    source = frame.grey if scale > 0.6 else vision.smooth(frame.grey, 0.4 / scale)
    patch = vision.warp(source, to_frame, width, height)
    to_first = poses.chain(to_frame, poses.inverse(pose))
    return _of_patch(patch, to_first, first_quad, 1 / scale)


def _all_of(frame: GreyFrame) -> tuple[Corner, Corner]:
    """A bare plate: what is known of the place is where it lies in the scene."""
    return np.array([1.0, 1.0]), np.array([frame.width - 2.0, frame.height - 2.0])


def _region(frame: GreyFrame, quad: Points, growth: float) -> tuple[Corner, Corner]:
    """The box around the mark that the template shows, cut off at the picture's edge."""
    low, high = quad.min(axis=0), quad.max(axis=0)
    middle, size = (low + high) / 2, np.maximum(high - low, 8)
    half = np.maximum(size * growth / 2, LEAST_REGION_PX / 2 * growth / GROWTHS[0])
    half = np.minimum(half, [210, 160])
    return np.maximum(middle - half, 1), np.minimum(middle + half, [frame.width - 2, frame.height - 2])


def _of_patch(patch: Grey, to_first: Pose, first_quad: Points, scale_made: float) -> Template | None:
    even = vision.even_light(patch, 21, GAINS)
    from_first = poses.inverse(to_first)
    quad = poses.apply(from_first, first_quad)
    on_mark = np.zeros(patch.shape, np.uint8)
    cv2.fillConvexPoly(on_mark, np.round(quad).astype(np.int32), 255.0)
    on_mark = np.asarray(cv2.dilate(on_mark, np.ones((5, 5), np.uint8)), np.uint8)
    grip = vision.textured(patch)
    own = vision.corners(even, OWN_POINTS, 4, on_mark & grip)
    ring = vision.corners(even, RING_POINTS, 6, ~on_mark & grip)
    points = np.concatenate([own, ring])
    if len(points) < 4:
        return None
    x, y = poses.centre(quad)
    radius = max(6.0, float(np.linalg.norm(np.ptp(quad, axis=0))) / 2)
    weights = _weights(points, x, y, radius)
    textured = len(own) >= 6
    return Template(
        even=even,
        plain=vision.blurred(patch),
        smooth_even=vision.blurred(even),
        points=points,
        own=(np.arange(len(points)) < len(own)) if textured else weights > 0.3,
        weights=weights,
        to_first=to_first,
        from_first=from_first,
        quad=quad,
        around=Around(x, y, radius),
        inner=_inner(quad, patch),
        textured=textured,
        scale_made=scale_made,
    )


def _weights(points: Points, x: float, y: float, radius: float) -> Weights:
    """1 on the mark, less with distance: the scene is never quite flat."""
    beyond = np.maximum(np.linalg.norm(points - (x, y), axis=1) - radius, 0)
    result: Weights = np.exp(-((beyond / (1.2 * radius)) ** 2)) + 0.04
    return result


def _inner(quad: Points, patch: Grey) -> tuple[int, int, int, int]:
    x0, y0 = np.clip(np.floor(quad.min(axis=0) - 3), 0, None).astype(int)
    x1, y1 = np.minimum(np.ceil(quad.max(axis=0) + 4), patch.shape[::-1]).astype(int)
    return int(x0), int(y0), int(x1), int(y1)
