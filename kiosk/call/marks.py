"""One mark: where the element is in each frame, and how sure that is. Pure: frames in, poses out.

"tracked" is claimed only when the mark's own template has just verified; carried by the scene's motion alone it is
"unsure", and after a while, or out of the picture, "lost". All px are those of the grey frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot, log

import numpy as np

from kiosk.call import matching, poses, template
from kiosk.call.frames import GreyFrame
from kiosk.call.keyframes import Keyframes, Sighting
from kiosk.call.look_alikes import CLEARLY, LookAlikes
from kiosk.call.matching import Match
from kiosk.call.poses import Points, Pose
from kiosk.call.scene_motion import Motion
from kiosk.call.template import Template
from kiosk.wire.channel import MarkState

MOST_VIEWS = 8
NEW_VIEW = 0.38
"""A further template is made when scale and aspect differ by so much (natural logarithm) from those there are."""
CHAIN_BROKEN_PX = 30.0
"""So uncertain, the chain of scene motions says nothing any more."""
LOST_PX = 9.0
GATE_PX = 12.0
"""Below this uncertainty a pose that jumps is a look-alike, not the mark."""
CONFIRMS_PX = 4.0
"""A sighting of the whole scene is as exact as this."""
GRACE_FRAMES = 2
"""Blurred frames in a healthy scene do not make the mark flicker."""
STRONG_SIGHTING = 22
"""So many features agree: the scene is found again even where the mark itself cannot be proved."""


@dataclass(frozen=True, slots=True)
class Seen:
    """quad: (4, 2) px, where the mark is or was last; confidence: 0..1."""

    quad: Points
    state: MarkState
    confidence: float


class NothingToHold(ValueError):
    """There is no texture at or around the mark."""


class MarkTracker:
    """Follows one mark from the frame it was made on. Used by one thread.

    Raises:
        NothingToHold: at making it.
    """

    def __init__(self, frame: GreyFrame, quad: Points) -> None:
        first = template.cut(frame, poses.STAY, quad)
        self._first_quad = quad
        self._middle = poses.centre(quad)
        self._size = np.ptp(quad, axis=0)
        self._views = [first] if first is not None else []  # none: the scene alone carries it, it stays unsure
        self._keyframes = Keyframes()
        if not self._keyframes.add(frame, poses.STAY) and first is None:
            raise NothingToHold("nothing here that could be followed")
        self._look_alikes = LookAlikes(frame, quad)
        self._pose: Pose = poses.STAY.copy()
        self._chain = True  # whether scene motion has carried the pose without a break
        self._gap = False  # whether a motion was missing since the mark was last proved
        self._uncertain_px = 0.0
        self._missed = 0
        self._streak = 1
        self._steps = 0
        self._confidence = 1.0
        self._quad_told = quad

    def step(self, frame: GreyFrame, motion: Motion | None) -> Seen:
        """Where the mark is in `frame`, given how the scene moved since the frame of the last step."""
        self._steps += 1
        self._carry(motion)
        in_view = self._chain and self._may_be_seen(frame)
        proved = in_view and self._verify(frame, motion)
        if not proved:
            self._miss(motion)
            if self._is_time_to_search():
                proved = self._find_again(frame, in_view)
        if proved and self._streak >= 3:
            self._learn(frame)
        return self._told(frame, proved, motion)

    # --- the chain of scene motions

    def _carry(self, motion: Motion | None) -> None:
        if motion is not None:
            self._pose = poses.chain(self._pose, motion.pose)
            shape = poses.shape_at(self._pose, *self._middle)
            if not shape.upright or not 0.02 < shape.scale < 50:  # errors have added up to nonsense
                self._chain, self._pose = False, poses.STAY
        else:
            self._gap = True
            self._uncertain_px += 7.0

    def _miss(self, motion: Motion | None) -> None:
        self._missed += 1
        self._streak = 0
        if motion is not None:
            drift = 0.12 + 0.03 * min(motion.flow_px, 20) if self._gap else 0.05 + 0.015 * min(motion.flow_px, 20)
            self._uncertain_px += drift + (0 if motion.health > 0.5 else 0.4)
        if self._uncertain_px > CHAIN_BROKEN_PX:
            self._chain = False

    def _may_be_seen(self, frame: GreyFrame) -> bool:
        x, y = poses.apply_one(self._pose, *self._middle)
        dx, dy = self._size / 2
        return bool(-dx < x < frame.width + dx and -dy < y < frame.height + dy)

    # --- proof by the template

    def _verify(self, frame: GreyFrame, motion: Motion | None) -> bool:
        strict = motion is None or self._missed > 3
        match = self._match(frame, self._pose, far=self._missed > 0 or motion is None)
        flow_px = motion.flow_px if motion else 0.0
        if match is None or self._jumps(match.pose, flow_px) or self._strays(match, motion):
            return False
        if _proves(match, strict, fast=flow_px > 12) and self._outdoes_look_alikes(frame, match, strict):
            self._accept(match)
            return True
        if match.covered and match.agree >= max(12.0, 0.5 * (match.seen - match.own_seen)):
            self._pose = match.pose  # the surroundings still say where it is: no drift under a hand
        return False

    def _match(self, frame: GreyFrame, pose: Pose, far: bool) -> Match | None:
        if not self._views:
            return None
        view = min(self._views, key=lambda v: _difference(v, pose))
        return matching.find(view, frame, pose, far)

    def _jumps(self, pose: Pose, flow_px: float) -> bool:
        """An unbroken chain does not jump: repeated patterns do."""
        off = self._distance(pose, self._pose)
        return self._uncertain_px < GATE_PX and off > 11 + 2.5 * self._uncertain_px + 0.4 * flow_px

    def _strays(self, match: Match, motion: Motion | None) -> bool:
        """A mark with no face of its own, or a hidden one, stays where the scene puts it: around it may be a hand."""
        if (match.textured and not match.covered) or motion is None or motion.health < 0.4 or self._gap:
            return False
        return self._distance(match.pose, self._pose) > 0.8 + 0.08 * motion.flow_px + 0.5 * self._uncertain_px

    def _outdoes_look_alikes(self, frame: GreyFrame, match: Match, strict: bool) -> bool:
        """Asked when the mark is found again, and now and then. An unbroken chain is trusted over likeness."""
        if not strict and self._steps % 8 and self._streak:
            return True
        by = -CLEARLY if self._chain and self._uncertain_px < LOST_PX else CLEARLY
        return self._look_alikes.outdone(self._views[0], frame, match.pose, by)

    def _accept(self, match: Match) -> None:
        self._pose = match.pose
        self._chain, self._gap = True, False
        self._streak = self._streak + 1 if self._missed == 0 else 1
        self._missed = 0
        self._uncertain_px = max(0.0, self._uncertain_px / 2 - 0.15)
        self._confidence = max(0.0, min(1.0, match.inner if match.textured else match.whole))

    # --- found again

    def _is_time_to_search(self) -> bool:
        """Each second frame; seldom while the chain says where it is: covered, or out of the picture."""
        every = 6 if self._chain and self._uncertain_px < GATE_PX else 2
        return self._missed > 2 and self._steps % every == 0

    def _find_again(self, frame: GreyFrame, in_view: bool) -> bool:
        for sighting in self._keyframes.find(frame):
            if not self._possible(sighting.pose, frame):
                continue
            looked_there = in_view and self._distance(sighting.pose, self._pose) < CONFIRMS_PX
            if not looked_there and self._proved_at(sighting, frame):
                return True
            if sighting.agree >= STRONG_SIGHTING:
                self._take_sighting(sighting)
                break
        return False

    def _possible(self, pose: Pose, frame: GreyFrame) -> bool:
        x, y = poses.apply_one(pose, *self._middle)
        shape = poses.shape_at(pose, *self._middle)
        near = frame.holds(x, y, -0.5 * frame.width)
        gated = self._chain and self._uncertain_px < GATE_PX
        fits = not gated or self._distance(pose, self._pose) < 15 + 2.5 * self._uncertain_px
        return near and fits and shape.upright and 0.2 < shape.scale < 5

    def _proved_at(self, sighting: Sighting, frame: GreyFrame) -> bool:
        if not frame.holds(*poses.apply_one(sighting.pose, *self._middle)):
            return False
        match = self._match(frame, sighting.pose, far=True)
        if match is None or self._distance(match.pose, sighting.pose) > 25:
            return False
        if not _proves(match, strict=True, fast=False) or not self._outdoes_look_alikes(frame, match, strict=True):
            return False
        self._accept(match)
        return True

    def _take_sighting(self, sighting: Sighting) -> None:
        """The scene is there, the mark is not proved: the chain is confirmed by it, or begins anew."""
        if self._chain and self._uncertain_px < LOST_PX + 2:
            if self._distance(sighting.pose, self._pose) < CONFIRMS_PX:
                self._uncertain_px = min(self._uncertain_px, LOST_PX / 2)
            return
        self._pose = sighting.pose
        self._chain = True
        self._uncertain_px = max(LOST_PX + 1, 15 - 0.15 * sighting.agree)

    # --- learning

    def _learn(self, frame: GreyFrame) -> None:
        quad = poses.apply(self._pose, self._first_quad)
        whole = quad.min() >= 2 and (quad <= (frame.width - 3, frame.height - 3)).all()
        if not whole or self._confidence < 0.65:
            return
        if self._views and min(_difference(view, self._pose) for view in self._views) > NEW_VIEW:
            self._add_view(frame)
        if self._steps % 5 == 0:
            self._keyframes.add_if_new(frame, self._pose)

    def _add_view(self, frame: GreyFrame) -> None:
        view = template.cut(frame, self._pose, self._first_quad)
        if view is None or len(view.points) < template.ENOUGH_POINTS:
            return
        self._views.append(view)
        if len(self._views) > MOST_VIEWS:
            del self._views[1]

    # --- telling

    def _told(self, frame: GreyFrame, proved: bool, motion: Motion | None) -> Seen:
        quad = poses.apply(self._pose, self._first_quad)
        if self._chain and np.isfinite(quad).all() and float(np.abs(quad).max()) < 4 * frame.width:
            self._quad_told = quad
        state = self._state(frame, proved, motion)
        confidence = self._confidence if state == "tracked" else max(0.0, 0.5 * (1 - self._uncertain_px / LOST_PX))
        return Seen(self._quad_told, state, 0.0 if state == "lost" else round(confidence, 2))

    def _state(self, frame: GreyFrame, proved: bool, motion: Motion | None) -> MarkState:
        if proved:
            return "tracked"
        x, y = poses.apply_one(self._pose, *self._middle)
        if not self._chain or self._uncertain_px > LOST_PX or not frame.holds(x, y):
            return "lost"
        steady = motion is not None and motion.health > 0.6 and self._uncertain_px < 2
        return "tracked" if steady and self._missed <= GRACE_FRAMES else "unsure"

    def _distance(self, a: Pose, b: Pose) -> float:
        (ax, ay), (bx, by) = poses.apply_one(a, *self._middle), poses.apply_one(b, *self._middle)
        return hypot(ax - bx, ay - by)


def _difference(view: Template, pose: Pose) -> float:
    """How differently the view was taken, as a logarithm of scale and aspect."""
    shape = poses.shape_at(poses.chain(view.to_first, pose), view.around.x, view.around.y)
    if not shape.upright:
        return 1e9
    return abs(log(max(shape.scale, 1e-3) / view.scale_made)) + 0.7 * log(max(shape.stretch, 1.0))


def _proves(match: Match, strict: bool, fast: bool) -> bool:
    """Whether the mark itself was seen. strict: it was lost before; fast: blur is to be expected."""
    if match.covered:
        return False
    if match.textured and match.own_seen >= 4:
        return _own_proof(match, strict, 0.1 if fast else 0.0)
    if strict:
        return match.whole > 0.65 and match.agree >= max(9.0, 0.45 * match.seen)
    return match.whole > (0.4 if fast else 0.5) and match.agree >= max(6.0, 0.35 * match.seen)


def _own_proof(match: Match, strict: bool, allowance: float) -> bool:
    if not strict:
        # a place that looks right by and large, but not one of the mark's own corners there: it has moved away
        some = match.own_agree >= 0.2 * match.own_seen or allowance > 0 or match.inner > 0.93
        return (match.inner > 0.7 and some) or (
            match.inner > 0.45 - allowance and match.own_agree >= 0.35 * match.own_seen
        )
    surroundings = match.whole > 0.5 and match.agree >= max(10.0, 0.35 * match.seen)
    own = match.own_agree >= max(5.0, 0.6 * match.own_seen)
    return match.inner > 0.85 or (match.inner > 0.6 and (surroundings or own))
