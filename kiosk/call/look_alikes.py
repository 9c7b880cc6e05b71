"""Elements that look like the mark, close to it: terminals in a strip, buttons in a row."""

from __future__ import annotations

from math import hypot

import cv2
import numpy as np

from kiosk.call import matching, poses
from kiosk.call.frames import GreyFrame
from kiosk.call.poses import Points, Pose
from kiosk.call.template import Template
from kiosk.call.vision import Grey

REACH_PX = 130
MOST = 4
NEAR_PX = 12.0
ALIKE = 0.6
CLEARLY = 0.04
"""By how much the mark must look more like itself than its look-alikes do."""


class LookAlikes:
    """offsets: where they are, in px of the mark's first frame."""

    def __init__(self, frame: GreyFrame, quad: Points, pose: Pose = poses.STAY) -> None:
        """quad: the mark's in its first frame; pose: px of that frame -> px of `frame`."""
        x, y = poses.centre(quad)
        back, (here_x, here_y) = poses.inverse(pose), poses.apply_one(pose, x, y)
        there = (
            poses.apply_one(back, here_x + dx, here_y + dy) for dx, dy in _find(frame.grey, poses.apply(pose, quad))
        )
        self.offsets = tuple((u - x, v - y) for u, v in there)

    def near(self, aside: tuple[float, float]) -> bool:
        """Whether one of them, or one of theirs, lies about so far from the mark (px of its first frame)."""
        return any(hypot(aside[0] - s * dx, aside[1] - s * dy) < NEAR_PX for dx, dy in self.offsets for s in (1, -1))

    def outdone(self, view: Template, frame: GreyFrame, pose: Pose, by: float) -> bool:
        """Whether the mark at `pose` looks more like itself than any neighbour that could be taken for it.

        by: the margin; below 0 a neighbour must look clearly better to win.
        """
        if not self.offsets:
            return True
        here = _likeness(view, frame, pose)
        there = (
            _likeness(view, frame, poses.chain(poses.shift(sign * dx, sign * dy), pose))
            for dx, dy in self.offsets
            for sign in (1, -1)
        )
        return all(here > other + by for other in there)


def _likeness(view: Template, frame: GreyFrame, pose: Pose) -> float:
    through = poses.chain(view.to_first, pose)
    if not frame.holds(*poses.apply_one(through, view.around.x, view.around.y)):
        return -1.0
    inner, whole = matching.likeness(view, frame, through, matching.look(view, frame, through))
    return inner + 0.7 * whole


def _find(grey: Grey, quad: Points) -> tuple[tuple[float, float], ...]:
    height, width = grey.shape
    low, high = quad.min(axis=0), quad.max(axis=0)
    pad = np.maximum((high - low) * 0.15, 3)
    x0, y0 = np.clip(np.round(low - pad), 0, (width - 12, height - 12)).astype(int).tolist()
    x1, y1 = np.clip(np.round(high + pad), (x0 + 10, y0 + 10), (width, height)).astype(int).tolist()
    soft = np.asarray(cv2.blur(grey, (3, 3)))
    mark = soft[y0:y1, x0:x1]
    if float(mark.std()) < 2 or min(mark.shape) < 8:
        return ()
    left, top = max(0, x0 - REACH_PX), max(0, y0 - REACH_PX)
    field = soft[top : min(height, y1 + REACH_PX), left : min(width, x1 + REACH_PX)]
    alike = np.asarray(cv2.matchTemplate(field, mark, cv2.TM_CCOEFF_NORMED))
    return _peaks(alike, x0 - left, y0 - top, apart_px=max(6, min(mark.shape) // 4))


def _peaks(alike: np.ndarray, x: int, y: int, apart_px: int) -> tuple[tuple[float, float], ...]:
    """The highest values but the mark's own at (x, y), as offsets from it."""
    found: list[tuple[float, float]] = []
    _blank(alike, x, y, apart_px)
    for _ in range(MOST):
        _, value, _, (px, py) = cv2.minMaxLoc(alike)
        if value < ALIKE:
            break
        found.append((float(px - x), float(py - y)))
        _blank(alike, px, py, apart_px)
    return tuple(found)


def _blank(alike: np.ndarray, x: int, y: int, apart_px: int) -> None:
    alike[max(0, y - apart_px) : y + apart_px + 1, max(0, x - apart_px) : x + apart_px + 1] = -1
