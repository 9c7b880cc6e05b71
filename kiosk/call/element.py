"""The element around a tap: which box somebody means who points at a place in the picture."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from kiosk.call import poses, vision
from kiosk.call.poses import Points
from kiosk.call.vision import Grey

SMALLEST_SHARE, LARGEST_SHARE = 24 / 1280, 220 / 1280
"""Sides of an element, as shares of the picture's width."""
SMALLEST_BOX_SHARE = 14 / 1280
"""What somebody draws is taken as drawn, down to what a finger cannot draw on purpose."""
FALLBACK_SHARE = 80 / 1280
PAD_PX = 2.0

Box = tuple[int, int, int, int]
"""x, y, width, height in px."""


def around(grey: Grey, x: float, y: float) -> Points:
    """(4, 2) px: the element's box, or a square around (x, y) where no outline encloses it."""
    height, width = grey.shape
    side = LARGEST_SHARE * width
    left, top = max(0, int(x - side)), max(0, int(y - side))
    near = vision.smooth(grey[top : min(height, int(y + side)), left : min(width, int(x + side))], 1.0)
    boxes = list(_enclosing(near, x - left, y - top, SMALLEST_SHARE * width, side))
    if not boxes:
        return square(grey, x, y)
    bx, by, bw, bh = max(boxes, key=lambda b: b[0])[1]
    return _inside(grey, left + bx - PAD_PX, top + by - PAD_PX, left + bx + bw + PAD_PX, top + by + bh + PAD_PX)


def square(grey: Grey, x: float, y: float) -> Points:
    half = FALLBACK_SHARE * grey.shape[1] / 2
    return _inside(grey, x - half, y - half, x + half, y + half)


def boxed(grey: Grey, a: tuple[float, float], b: tuple[float, float]) -> Points:
    """The box between two corners, made as large as the smallest one where it is smaller."""
    least = SMALLEST_BOX_SHARE * grey.shape[1] / 2
    (x0, x1), (y0, y1) = sorted((a[0], b[0])), sorted((a[1], b[1]))
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    half_w, half_h = max(least, (x1 - x0) / 2), max(least, (y1 - y0) / 2)
    return _inside(grey, x - half_w, y - half_h, x + half_w, y + half_h)


def _inside(grey: Grey, x0: float, y0: float, x1: float, y1: float) -> Points:
    height, width = grey.shape
    return poses.box_quad(max(0.0, x0), max(0.0, y0), min(width - 1.0, x1), min(height - 1.0, y1))


def _enclosing(near: Grey, x: float, y: float, smallest: float, largest: float) -> Iterator[tuple[float, Box]]:
    """Boxes of outlines around (x, y) with how good each is: full, round the tap, and rather small than large."""
    for low in (30, 60, 120):
        edges = cv2.Canny(near, low, 2 * low)
        for gap in (3, 5):
            closed = cv2.morphologyEx(edges, cv2.MORPH_CLOSE, np.ones((gap, gap), np.uint8))
            outlines, _ = cv2.findContours(closed, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
            for outline in outlines:
                bx, by, bw, bh = (int(v) for v in cv2.boundingRect(outline))
                if not (smallest <= min(bw, bh) and max(bw, bh) <= largest and max(bw, bh) < 6 * min(bw, bh)):
                    continue
                off = max(abs(x - bx - bw / 2) / bw, abs(y - by - bh / 2) / bh)
                full = float(cv2.contourArea(outline)) / (bw * bh)
                if off < 0.45 and full > 0.5:
                    yield full - 0.5 * off - 0.6 * max(bw, bh) / largest, (bx, by, bw, bh)
