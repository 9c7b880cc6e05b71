"""A mark that was made while a hand lay on it: what it looks like is learned when the hand has gone.

Only where the mark has never been seen clearly. Where it lies the scene says; what stays the same there while the
camera moves is the mark.
"""

from __future__ import annotations

from math import hypot

from kiosk.call import matching, poses, template
from kiosk.call.frames import GreyFrame
from kiosk.call.poses import Points, Pose
from kiosk.call.template import Template

CLEAR, OFF_PX = 0.75, 2.5
"""Seen again: it looks like this, and is no farther from where the scene puts it."""
ENOUGH_TIMES, MOST_MISSES = 6, 3
ENOUGH_FLOW_PX = 15.0
"""The camera must have moved so far meanwhile."""


class SecondLook:
    """Used by one thread."""

    def __init__(self, quad: Points) -> None:
        self._quad, self._middle = quad, poses.centre(quad)
        self._view: Template | None = None
        self._seen = self._missed = 0
        self._flow_px = 0.0

    def look(self, frame: GreyFrame, placed: Pose, flow_px: float) -> Template | None:
        """The view to know the mark by from now on, once it has proved itself. placed: where the scene has the mark."""
        if self._view is None:
            self._begin(frame, placed)
            return None
        self._flow_px += flow_px
        match = matching.find(self._view, frame, placed)
        if match is not None and match.inner > CLEAR and self._off(match.pose, placed) < OFF_PX:
            self._seen, self._missed = self._seen + 1, 0
        else:
            self._missed += 1
        if self._missed > MOST_MISSES:
            self._view = None
        return self._view if self._seen >= ENOUGH_TIMES and self._flow_px > ENOUGH_FLOW_PX else None

    def _begin(self, frame: GreyFrame, placed: Pose) -> None:
        view = template.cut(frame, placed, self._quad)
        self._view = view if view is not None and view.textured else None
        self._seen = self._missed = 0
        self._flow_px = 0.0

    def _off(self, a: Pose, b: Pose) -> float:
        (ax, ay), (bx, by) = poses.apply_one(a, *self._middle), poses.apply_one(b, *self._middle)
        return hypot(ax - bx, ay - by)
