"""What is pinned to the scene: strokes that lie still on the machine while the camera moves.

The motions from frame to frame are chained from an anchor frame on. Where the scene is lost for longer than a moment,
the chain begins anew under another anchor, and what was pinned to the former one is let go of: nothing is drawn on a
place that is not known. Used by the tracker's thread.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from kiosk.call import poses
from kiosk.call.frames import GreyFrame
from kiosk.call.poses import Pose
from kiosk.call.scene_motion import Motion, SceneMotion
from kiosk.wire.channel import Matrix

LOST_S = 0.5
KEPT_S = 3.0
SAME_S = 0.004
"""Two times name the same frame when they are no further apart."""


@dataclass(frozen=True, slots=True)
class Pinned:
    """A pin's matrix (channel.StrokePin): from the frame it was made on to the anchor's."""

    id: str
    anchor: int
    matrix: Matrix


class ScenePins:
    def __init__(self) -> None:
        self._ids: set[str] = set()
        self._anchor = 0
        self._chain: deque[tuple[float, Pose]] = deque()  # (captured_s, anchor -> that frame), newest last
        self._good: GreyFrame | None = None
        self._linked = False

    def __bool__(self) -> bool:
        """Whether anything is pinned."""
        return bool(self._ids)

    @property
    def anchor(self) -> int:
        """What is pinned to another one is lost."""
        return self._anchor

    def drop(self, id_: str) -> None:
        self._ids.discard(id_)

    def step(self, frame: GreyFrame, motion: Motion | None) -> None:
        """The next frame, and how the scene moved since the one before (None: not known, or not looked)."""
        if not self._chain or self._good is None:
            self._begin(frame)
            return
        here = motion.pose if motion is not None and self._linked else self._across(self._good, frame)
        self._linked = here is not None
        if here is not None:
            self._chain.append((frame.captured_s, poses.chain(self._chain[-1][1], here)))
            self._good = frame
        elif not self._ids or frame.captured_s - self._good.captured_s > LOST_S:
            self._begin(frame)
        while frame.captured_s - self._chain[0][0] > KEPT_S:
            self._chain.popleft()

    def ready(self, frame: GreyFrame) -> None:
        """Begins with `frame` where nothing is followed yet."""
        if not self._chain:
            self._begin(frame)

    def stop(self) -> None:
        """The scene is not followed any more: whoever comes next begins anew."""
        self._chain.clear()
        self._good = None

    def pin(self, id_: str, frames: list[GreyFrame]) -> Pinned | None:
        """Pins `id_`, made on the first of `frames`, of which the newest was stepped to; None: not possible."""
        first = frames[0]
        there = self._at(first.captured_s)
        if there is None:
            there = self._back(frames)
        if there is None or not self._chain:
            return None
        self._ids.add(id_)
        return Pinned(id_, self._anchor, unit(poses.inverse(there), first))

    def motion(self, frame: GreyFrame) -> Matrix | None:
        """From the anchor to this frame, in 0..1 of the picture; None where it is not known for this frame."""
        pose = self._at(frame.captured_s)
        return None if pose is None else unit(pose, frame)

    def _begin(self, frame: GreyFrame) -> None:
        self._anchor += 1
        self._chain = deque([(frame.captured_s, poses.STAY)])
        self._good, self._linked = frame, True

    def _at(self, captured_s: float) -> Pose | None:
        near = min(self._chain, key=lambda one: abs(one[0] - captured_s), default=None)
        return near[1] if near is not None and abs(near[0] - captured_s) <= SAME_S else None

    def _back(self, frames: list[GreyFrame]) -> Pose | None:
        """Of a frame from before the chain: by the way from it to the newest."""
        scene, way = SceneMotion(), poses.STAY
        scene.step(frames[0])
        for frame in frames[1:]:
            motion = scene.step(frame)
            if motion is None:
                return None
            way = poses.chain(way, motion.pose)
        newest = self._at(frames[-1].captured_s)
        return None if newest is None else poses.chain(poses.inverse(way), newest)

    @staticmethod
    def _across(good: GreyFrame, frame: GreyFrame) -> Pose | None:
        """Over a gap: straight from the last frame that was known."""
        scene = SceneMotion()
        scene.step(good)
        motion = scene.step(frame)
        return None if motion is None else motion.pose


def unit(pose: Pose, frame: GreyFrame) -> Matrix:
    """px of the grey frames as 0..1 of the picture."""
    width, height = frame.width, frame.height
    to_px = np.array([[width, 0, -0.5], [0, height, -0.5], [0, 0, 1.0]])
    a, b, c, d, e, f, g, h, i = (round(v, 7) for v in poses.chain(to_px, pose, np.linalg.inv(to_px)).ravel().tolist())
    return a, b, c, d, e, f, g, h, i
