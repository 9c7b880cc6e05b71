"""Where a mark lies in the whole scene: one wide view, made with the mark, that never drifts.

It says where the mark is while a hand lies on it or it is out of the picture; that the mark is there it does not prove.
"""

from __future__ import annotations

from kiosk.call import matching, poses, template, vision
from kiosk.call.frames import GreyFrame
from kiosk.call.poses import Points, Pose

FEW, FEW_SHARE = 5, 0.6
MANY, MANY_SHARE = 12, 0.4
AGREE_PX = 0.8
"""Of the wide view; a hand is as large in it as the mark, and takes it along where less exact corners count."""


class Surroundings:
    """Used by one thread."""

    def __init__(self, frame: GreyFrame, quad: Points) -> None:
        self._view = template.of_scene(frame, quad)
        self._middle = poses.centre(quad)
        self._aside = (0.0, 0.0)

    def learn(self, frame: GreyFrame, pose: Pose) -> None:
        """The mark has just been proved at `pose`: what stands out from the scene, or was moved in it, is beside the
        place where the scene has it."""
        found = self._find(frame, pose)
        if found is not None:
            x, y = poses.apply_one(poses.chain(pose, poses.inverse(found)), *self._middle)
            self._aside = x - self._middle[0], y - self._middle[1]

    def place(self, frame: GreyFrame, predicted: Pose) -> Pose | None:
        """The mark's pose as the scene has it; None where the scene cannot be made out."""
        found = self._find(frame, predicted)
        return None if found is None else poses.chain(poses.shift(*self._aside), found)

    def _find(self, frame: GreyFrame, predicted: Pose) -> Pose | None:
        """px of the first frame -> px of `frame`."""
        view = self._view
        if view is None:
            return None
        start = poses.chain(view.to_first, predicted)
        seen = matching.in_picture(poses.apply(start, view.points), frame)
        if int(seen.sum()) < FEW:
            return None
        a = view.points[seen]
        even = vision.even_light(matching.look(view, frame, start), 21, template.GAINS)
        b, followed = vision.flow(view.even, even, a, window_px=13, levels=3)
        correction = _agreed(a[followed], b[followed], len(a))
        if correction is None:
            return None
        shape = poses.shape_at(correction, view.around.x, view.around.y)
        if not shape.upright or not 0.7 < shape.scale < 1.4 or shape.stretch > 1.3:
            return None
        return poses.chain(view.from_first, correction, start)


def _agreed(a: Points, b: Points, of: int) -> Pose | None:
    """What enough of the corners agree on; few can carry a similarity only, and most of them must agree."""
    if len(a) >= MANY:
        found = vision.ransac_homography(a, b, AGREE_PX, tries=300)
        if found is not None and int(found[1].sum()) >= max(MANY, MANY_SHARE * of):
            return found[0]
    if len(a) >= FEW:
        found = vision.ransac_similarity(a, b, AGREE_PX, tries=200)
        if found is not None and int(found[1].sum()) >= max(FEW, FEW_SHARE * of):
            return found[0]
    return None
