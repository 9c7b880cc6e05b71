"""Where a mark is held to be while it is not proved: carried from frame to frame by how the scene moves. Pure.

All px are those of the grey frames.
"""

from __future__ import annotations

from math import hypot

from kiosk.call import poses
from kiosk.call.frames import GreyFrame
from kiosk.call.keyframes import Sighting
from kiosk.call.poses import Points, Pose
from kiosk.call.scene_motion import Motion

BROKEN_PX = 30.0
"""So uncertain, the chain of scene motions says nothing any more."""
LOST_PX = 9.0
GATE_PX = 12.0
"""Below this uncertainty a pose that jumps is a look-alike, not the mark."""
CLOSE_PX = 3.0
"""So sure of the place, a mark is not taken for its neighbour."""
CONFIRMS_PX = 4.0
"""A sighting of the whole scene is as exact as this."""
PLACED_PX = 1.5
"""The wide view of the scene says where the mark is as exactly as this."""


class Place:
    """pose: px of the mark's first frame -> px of this one. chain: whether scene motion has carried it without a break.
    gap: whether a motion was missing since the mark was last proved."""

    def __init__(self, quad: Points) -> None:
        self.middle = poses.centre(quad)
        self.pose: Pose = poses.STAY.copy()
        self.chain = True
        self.gap = False
        self.uncertain_px = 0.0
        low, high = quad.min(axis=0), quad.max(axis=0)
        self._half = (high - low) / 2

    @property
    def gated(self) -> bool:
        return self.chain and self.uncertain_px < GATE_PX

    @property
    def lost(self) -> bool:
        return not self.chain or self.uncertain_px > LOST_PX

    def at(self) -> tuple[float, float]:
        """The mark's middle."""
        return poses.apply_one(self.pose, *self.middle)

    def may_be_seen(self, frame: GreyFrame) -> bool:
        (x, y), (dx, dy) = self.at(), self._half
        return self.chain and bool(-dx < x < frame.width + dx and -dy < y < frame.height + dy)

    # --- from frame to frame

    def carry(self, motion: Motion | None) -> None:
        if motion is None:
            self.gap = True
            self.uncertain_px += 7.0
            return
        self.pose = poses.chain(self.pose, motion.pose)
        shape = poses.shape_at(self.pose, *self.middle)
        if not shape.upright or not 0.02 < shape.scale < 50:  # errors have added up to nonsense
            self.chain, self.pose = False, poses.STAY

    def drift(self, motion: Motion | None) -> None:
        """The mark was not proved in this frame."""
        if motion is not None:
            flow_px = min(motion.flow_px, 20)
            self.uncertain_px += 0.12 + 0.03 * flow_px if self.gap else 0.05 + 0.015 * flow_px
            self.uncertain_px += 0 if motion.health > 0.5 else 0.4
        if self.uncertain_px > BROKEN_PX:
            self.chain = False

    # --- told by others

    def prove(self, pose: Pose) -> None:
        self.pose = pose
        self.chain, self.gap = True, False
        self.uncertain_px = max(0.0, self.uncertain_px / 2 - 0.15)

    def settle(self, pose: Pose) -> bool:
        """The wide view of the scene puts the mark here; False where that cannot be."""
        if self.distance(pose) > 8 + 2.5 * self.uncertain_px:
            return False
        self.pose, self.uncertain_px = pose, min(self.uncertain_px, PLACED_PX)
        return True

    def take_sighting(self, sighting: Sighting) -> None:
        """The scene is there, the mark is not proved: the chain is confirmed by it, or begins anew."""
        if self.chain and self.uncertain_px < LOST_PX + 2:
            if self.distance(sighting.pose) < CONFIRMS_PX:
                self.uncertain_px = min(self.uncertain_px, LOST_PX / 2)
            return
        self.pose = sighting.pose
        self.chain = True
        self.uncertain_px = max(LOST_PX + 1, 15 - 0.15 * sighting.agree)

    # --- what fits

    def jumps(self, pose: Pose, flow_px: float) -> bool:
        """An unbroken chain does not jump: repeated patterns do."""
        return self.uncertain_px < GATE_PX and self.distance(pose) > 11 + 2.5 * self.uncertain_px + 0.4 * flow_px

    def strays(self, pose: Pose, motion: Motion) -> bool:
        """Whether it moves against a healthy scene."""
        if motion.health < 0.4 or self.gap:
            return False
        return self.distance(pose) > 0.8 + 0.08 * motion.flow_px + 0.5 * self.uncertain_px

    def possible(self, pose: Pose, frame: GreyFrame) -> bool:
        """Whether the mark may have come there."""
        x, y = poses.apply_one(pose, *self.middle)
        shape = poses.shape_at(pose, *self.middle)
        near = frame.holds(x, y, -0.5 * frame.width)
        fits = not self.gated or self.distance(pose) < 15 + 2.5 * self.uncertain_px
        return near and fits and shape.upright and 0.2 < shape.scale < 5

    def distance(self, pose: Pose, other: Pose | None = None) -> float:
        """Of the mark's middle by `pose` and here (or by `other`)."""
        (ax, ay), (bx, by) = (poses.apply_one(p, *self.middle) for p in (pose, self.pose if other is None else other))
        return hypot(ax - bx, ay - by)

    def aside(self, pose: Pose) -> tuple[float, float]:
        """How far `pose` puts the mark beside here, in px of its first frame."""
        x, y = poses.apply_one(poses.chain(pose, poses.inverse(self.pose)), *self.middle)
        return x - self.middle[0], y - self.middle[1]
