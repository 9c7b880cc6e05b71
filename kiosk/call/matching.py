"""How a template is found in a frame.

The frame is warped into the template with the predicted pose, optical flow tells what is still wrong, a robust
weighted fit corrects the pose. It is always the template that is compared with, never the last frame: no drift.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np

from kiosk.call import poses, vision
from kiosk.call.frames import GreyFrame
from kiosk.call.poses import Points, Pose, Weights
from kiosk.call.template import GAINS, Template
from kiosk.call.vision import Chosen, Grey

AGREE_PX = 1.8
MOVED_AWAY = 0.6
"""Looking less like itself than that, a mark is hidden or not there."""


@dataclass(frozen=True, slots=True)
class Match:
    """How a template was found in a frame.

    pose: px of the mark's first frame -> px of this one. agree/seen: corners that fit and that should be in the
    picture; own_agree/own_seen: the same for those on the mark. inner, whole: likeness of the mark and of the whole
    template, -1..1. moved_px: how far the prediction was off, in the template.
    """

    pose: Pose
    agree: int
    seen: int
    own_agree: int
    own_seen: int
    inner: float
    whole: float
    textured: bool

    @property
    def covered(self) -> bool:
        """The surroundings are there, the mark itself is not to be seen."""
        return self.textured and self.own_seen >= 5 and self.own_agree < 0.3 * self.own_seen and self.inner < 0.5


def find(template: Template, frame: GreyFrame, predicted: Pose, far: bool = False) -> Match | None:
    """The template in `frame`, searched from `predicted` (px of the first frame -> px of `frame`).

    far: the prediction may be off by several px of the template. None where too little of it is in the picture, or
    what was found cannot be the same flat piece.
    """
    start = poses.chain(template.to_first, predicted)
    before = look(template, frame, start)
    pose, patch = start, before
    fitted: _Fitted | None = None
    for turn in range(2):
        fitted = _correct(template, frame, pose, patch, levels=3 if far and turn == 0 else 2)
        if fitted is None:
            return None
        pose = poses.chain(fitted.correction, pose)
        if fitted.moved_px < 0.6:  # the patch looked at shows the answer well enough
            break
        patch = look(template, frame, pose)
        if fitted.moved_px < 2.0:
            break
    if fitted is None:
        return None
    match = _verified(template, frame, fitted, (pose, patch), (start, before))
    if not template.textured or match.inner > MOVED_AWAY:
        return match
    by_itself = find_alone(template, frame, predicted)
    return by_itself if by_itself is not None and by_itself.inner > max(MOVED_AWAY, match.inner + 0.15) else match


def find_alone(template: Template, frame: GreyFrame, predicted: Pose) -> Match | None:
    """Like `find`, of a mark that moves otherwise than most around it: only its own corners are asked.

    A round button says nothing about how it is turned: the plain shift is preferred where it looks as good.
    """
    start = poses.chain(template.to_first, predicted)
    before = look(template, frame, start)
    fitted = _correct(template, frame, start, before, levels=2, alone=True)
    if fitted is None:
        return None
    x, y = poses.apply_one(fitted.correction, template.around.x, template.around.y)
    shifted = poses.shift(x - template.around.x, y - template.around.y)
    turned, plain = (
        _verified(template, frame, fitted, (pose, look(template, frame, pose)), (start, before))
        for pose in (poses.chain(c, start) for c in (fitted.correction, shifted))
    )
    return turned if turned.inner > plain.inner + 0.05 else plain


@dataclass(frozen=True, slots=True)
class _Fitted:
    correction: Pose
    agree: Chosen
    own: Chosen
    seen: int
    own_seen: int
    moved_px: float


def look(template: Template, frame: GreyFrame, pose: Pose) -> Grey:
    """What stands in the frame where the template is expected, (h, w)."""
    source, through = frame.grey, pose
    scale = poses.shape_at(pose, template.around.x, template.around.y).scale
    while scale > 1.7 and source.shape[0] > 60:  # much nearer now, or a wide template: no aliasing
        source = vision.shrink(source, source.shape[1] // 2, source.shape[0] // 2)
        through, scale = poses.chain(through, poses.scaling(0.5)), scale / 2
    return vision.warp(source, through, template.width, template.height)


def _correct(
    template: Template, frame: GreyFrame, pose: Pose, patch: Grey, levels: int, alone: bool = False
) -> _Fitted | None:
    """alone: only the mark's own corners are asked."""
    seen = in_picture(poses.apply(pose, template.points), frame)
    if alone:
        seen &= template.own
    if int(seen.sum()) < 5:
        return None
    a, weights, own = template.points[seen], template.weights[seen], template.own[seen]
    b, followed = vision.flow(template.even, vision.even_light(patch, 21, GAINS), a, window_px=13, levels=levels)
    a, b, weights, own_followed = a[followed], b[followed], weights[followed], own[followed]
    correction = (_fit_own if alone else _fit)(a, b, weights, own_followed, template)
    if correction is None:
        return None
    shape = poses.shape_at(correction, template.around.x, template.around.y)
    if not shape.upright or not 0.55 < shape.scale < 1.8 or shape.stretch > 1.8:
        return None
    agree = poses.distances(correction, a, b) < AGREE_PX
    moved = float(np.abs(poses.apply(correction, template.quad) - template.quad).max())
    return _Fitted(correction, agree, own_followed, int(seen.sum()), int(own.sum()), moved)


def _fit(a: Points, b: Points, weights: Weights, own: Chosen, template: Template) -> Pose | None:
    """What most points agree on; where those on the mark itself agree on something else, what they say."""
    if len(a) < 5:
        return None
    rough = _as_predicted(a, b) or vision.ransac_similarity(a, b, reach_px=1.6, tries=300)
    if rough is None:
        return None
    if int(own.sum()) >= 6 and float((poses.distances(rough[0], a[own], b[own]) < 1.5).mean()) < 0.7:
        by_itself = _shifted(a[own], b[own], rough[0])
        if by_itself is None:
            by_itself = _fit_own(a[own], b[own], weights[own], own[own], template)
        if by_itself is not None:
            return by_itself
    pose = poses.robust_fit(a, b, weights, rough[0], template.around)
    return None if pose is None else _own_word(a, b, weights, own, pose, template)


def _as_predicted(a: Points, b: Points) -> tuple[Pose, Chosen] | None:
    """Where enough corners stand where the scene's motion puts them, the others have moved: a hand, a belt."""
    agree: Chosen = np.linalg.norm(b - a, axis=1) < 1.2
    return (poses.STAY, agree) if int(agree.sum()) >= max(8.0, 0.3 * len(a)) else None


def _own_word(a: Points, b: Points, weights: Weights, own: Chosen, pose: Pose, template: Template) -> Pose:
    """An element that stands out a little from what is around it: where its own corners are all off to one side of what
    most say, their word counts, and the others only steady the shape."""
    off = b[own] - poses.apply(pose, a[own])
    off = off[np.linalg.norm(off, axis=1) < 4]
    if len(off) < 6:
        return pose
    middle = np.median(off, axis=0)
    spread = 1.48 * float(np.median(np.linalg.norm(off - middle, axis=1)))
    if float(np.linalg.norm(middle)) < max(0.2, 2.5 * spread / sqrt(len(off))):
        return pose
    start = poses.chain(pose, poses.shift(float(middle[0]), float(middle[1])))
    better = poses.robust_fit(a, b, np.where(own, weights, 0.1 * weights), start, template.around)
    return pose if better is None else better


def _shifted(a: Points, b: Points, rough: Pose) -> Pose | None:
    """The mark's own corners, all beside `rough` by the same: a round button does not say how it is turned."""
    off = b - poses.apply(rough, a)
    near = np.linalg.norm(off - np.median(off, axis=0), axis=1) < 0.8
    if float(near.mean()) < 0.7:
        return None
    dx, dy = off[near].mean(axis=0).tolist()
    return poses.chain(rough, poses.shift(dx, dy))


def _fit_own(a: Points, b: Points, weights: Weights, own: Chosen, template: Template) -> Pose | None:
    """A raised element, or one that moves by itself: only its own corners count, if most of them agree."""
    if len(own) < 5:
        return None
    rough = vision.ransac_similarity(a, b, reach_px=1.5, tries=200)
    if rough is None or int(rough[1].sum()) < max(5.0, 0.5 * len(a)):
        return None
    return poses.robust_fit(a, b, weights, rough[0], template.around)


def in_picture(points: Points, frame: GreyFrame) -> Chosen:
    """Which of them, px of the frame, lie in it and not at its rim."""
    x, y = points[:, 0], points[:, 1]
    result: Chosen = (x > 3) & (y > 3) & (x < frame.width - 4) & (y < frame.height - 4)
    return result


def _verified(
    template: Template, frame: GreyFrame, fitted: _Fitted, now: tuple[Pose, Grey], before: tuple[Pose, Grey]
) -> Match:
    """The answer with its likeness - or the prediction, where that looks more like the mark than the answer does."""
    pose, patch = now
    inner, whole = likeness(template, frame, pose, patch)
    agree, own_agree = int(fitted.agree.sum()), int((fitted.agree & fitted.own).sum())
    if fitted.moved_px > 1.5:
        inner_before, whole_before = likeness(template, frame, before[0], before[1])
        if whole_before > whole + 0.05 and (inner_before > inner + 0.05 or not template.textured):
            pose, inner, whole, agree, own_agree = before[0], inner_before, whole_before, 0, 0
    return Match(
        pose=poses.chain(template.from_first, pose),
        agree=agree,
        seen=fitted.seen,
        own_agree=own_agree,
        own_seen=fitted.own_seen,
        inner=inner,
        whole=whole,
        textured=template.textured,
    )


def likeness(template: Template, frame: GreyFrame, pose: Pose, patch: Grey) -> tuple[float, float]:
    """How much `patch` looks like the template: the mark itself, and all of it. What is out of the picture is left
    out: a box that is cut off at the picture's edge."""
    x0, y0, x1, y1 = _visible(template, frame, pose)
    ix0, iy0, ix1, iy1 = template.inner
    all_of_it = (slice(y0, y1), slice(x0, x1))
    mark = (slice(max(y0, iy0), min(y1, iy1)), slice(max(x0, ix0), min(x1, ix1)))
    now = vision.blurred(patch)
    inner = vision.likeness(template.plain[mark], now[mark])
    whole = vision.likeness(template.plain[all_of_it], now[all_of_it])
    if inner < 0.7 or whole < 0.5:  # uneven light: compare contrast-normalised as well
        even = vision.blurred(vision.even_light(patch, 21, GAINS))
        inner = max(inner, vision.likeness(template.smooth_even[mark], even[mark]))
        whole = max(whole, vision.likeness(template.smooth_even[all_of_it], even[all_of_it]))
    return inner, whole


def _visible(template: Template, frame: GreyFrame, pose: Pose) -> tuple[int, int, int, int]:
    """The box of the template that lies in the picture; of perspective, the middle lines only (good to a px or two)."""
    width, height = template.width, template.height
    rim = poses.apply(pose, poses.box_quad(0, 0, width, height))
    if rim.min() >= 0 and (rim <= (frame.width, frame.height)).all():
        return 0, 0, width, height
    back = poses.inverse(pose)
    sight = poses.apply(back, poses.box_quad(0, 0, frame.width - 1, frame.height - 1))
    if not poses.shape_at(back, frame.width / 2, frame.height / 2).upright:
        return 0, 0, width, height
    xs, ys = np.sort(sight[:, 0]), np.sort(sight[:, 1])
    x0, x1 = max(0, int(np.ceil(xs[1]))), min(width, int(xs[2]))
    y0, y1 = max(0, int(np.ceil(ys[1]))), min(height, int(ys[2]))
    return x0, y0, max(x0, x1), max(y0, y1)
