"""An element that was moved by itself: a drawer, a lever, a cover. Looked for around the place where it was."""

from __future__ import annotations

import cv2
import numpy as np

from kiosk.call import poses, vision
from kiosk.call.frames import GreyFrame
from kiosk.call.poses import Pose
from kiosk.call.template import Template

REACH_PX = 110
"""Of the template, on each side of the mark."""
LEAST, CLEARLY = 0.6, 0.12
"""How much it must look like the mark, and by how much more than any other place there."""


def look_around(view: Template, frame: GreyFrame, pose: Pose) -> Pose | None:
    """The pose at which the mark may be found, turned and scaled as in `pose`; None where no place stands out.

    pose: px of the mark's first frame -> px of `frame`, as the scene has moved.
    """
    x0, y0, x1, y1 = view.inner
    mark = cv2.resize(view.plain[y0:y1, x0:x1], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    if min(mark.shape) < 6 or float(mark.std()) < 2:
        return None
    corner = poses.shift(x0 - REACH_PX, y0 - REACH_PX)
    through = poses.chain(poses.scaling(2.0), corner, view.to_first, pose)
    width, height = (x1 - x0 + 2 * REACH_PX) // 2, (y1 - y0 + 2 * REACH_PX) // 2
    field = vision.blurred(vision.warp(frame.grey, through, width, height))
    found = _clear_peak(np.asarray(cv2.matchTemplate(field, np.asarray(mark, np.float32), cv2.TM_CCOEFF_NORMED)))
    if found is None:
        return None
    dx, dy = 2.0 * found[0] - REACH_PX, 2.0 * found[1] - REACH_PX
    return poses.chain(view.from_first, poses.shift(dx, dy), view.to_first, pose)


def _clear_peak(alike: np.ndarray) -> tuple[int, int] | None:
    """Where the highest value is, if it is high and no other place comes near it."""
    _, best, _, (x, y) = cv2.minMaxLoc(alike)
    if best < LEAST:
        return None
    apart = 8
    alike[max(0, y - apart) : y + apart + 1, max(0, x - apart) : x + apart + 1] = -1
    _, second, _, _ = cv2.minMaxLoc(alike)
    return (x, y) if best > second + CLEARLY else None
