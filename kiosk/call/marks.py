"""One mark: where the element is in each frame, and how sure that is. Pure: frames in, poses out.

"tracked" is claimed only when the mark's own template has just verified; carried by the scene's motion alone it is
"unsure", and after a while, or out of the picture, "lost". All px are those of the grey frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot

import numpy as np

from kiosk.call import matching, poses, proof, template, wandered
from kiosk.call.frames import GreyFrame
from kiosk.call.keyframes import Keyframes, Sighting
from kiosk.call.look_alikes import CLEARLY, LookAlikes
from kiosk.call.matching import Match
from kiosk.call.poses import Points, Pose
from kiosk.call.scene_motion import Motion
from kiosk.call.second_look import SecondLook
from kiosk.call.surroundings import Surroundings
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
CLOSE_PX = 3.0
"""So sure of the place, a mark is not taken for its neighbour."""
PLACED_PX = 1.5
"""The scene as a whole says where the mark is as exactly as this."""
WELL_KNOWN, KNOWN_FRAMES = 0.85, 10
"""So often it has been seen clearly: then it can be told from others where it was not expected."""
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
        self._surroundings = Surroundings(frame, quad)
        self._second_look = SecondLook(quad)
        self._pose: Pose = poses.STAY.copy()
        self._chain = True  # whether scene motion has carried the pose without a break
        self._gap = False  # whether a motion was missing since the mark was last proved
        self._uncertain_px = 0.0
        self._missed = 0
        self._streak = 1
        self._steps = 0
        self._confidence = 1.0
        self._known = 0
        self._usual = 0.5  # how much it looks like itself
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
            if not proved and self._chain and self._missed % 3 == 1:
                proved = self._look_around(frame, in_view)
            if not proved and in_view and motion is not None and self._is_unknown():
                self._look_again(frame, motion)
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
        match = self._match(frame, self._pose, far=self._missed > 0 or motion is None)
        flow_px = motion.flow_px if motion else 0.0
        if match is None:
            return False
        close = match.textured and not self._gap and self._uncertain_px < CLOSE_PX
        strict = motion is None or (self._missed > 3 and not close)
        if self._is_hidden(match) or self._jumps(match.pose, flow_px) or self._strays(match, motion):
            return False
        lasting = self._missed <= 3 or match.agree >= 0.4 * match.seen
        if (
            lasting
            and proof.proves(match, strict, fast=flow_px > 12)
            and self._outdoes_look_alikes(frame, match, strict)
        ):
            self._accept(match)
            return True
        around = match.covered and match.agree >= max(12.0, 0.5 * (match.seen - match.own_seen))
        if around or match.agree >= max(15.0, 0.4 * match.seen):
            self._pose = match.pose  # the surroundings still say where it is: no drift under a hand
        return False

    def _match(self, frame: GreyFrame, pose: Pose, far: bool) -> Match | None:
        if not self._views:
            return None
        return matching.find(self._nearest_view(pose), frame, pose, far)

    def _nearest_view(self, pose: Pose) -> Template:
        return min(self._views, key=lambda v: proof.difference(v, pose))

    def _jumps(self, pose: Pose, flow_px: float) -> bool:
        """An unbroken chain does not jump: repeated patterns do."""
        off = self._distance(pose, self._pose)
        return self._uncertain_px < GATE_PX and off > 11 + 2.5 * self._uncertain_px + 0.4 * flow_px

    def _is_hidden(self, match: Match) -> bool:
        """A mark with few corners, that otherwise looks as it did: now it does not."""
        return not match.textured and match.inner < self._usual - 0.5

    def _strays(self, match: Match, motion: Motion | None) -> bool:
        """A mark with no face of its own, or a hidden one, stays where the scene puts it: around it may be a hand."""
        clear = self._known >= KNOWN_FRAMES or match.inner > 0.75 or match.own_agree >= 0.6 * match.own_seen
        if (match.textured and clear and not match.covered) or motion is None or motion.health < 0.4 or self._gap:
            return False
        return self._distance(match.pose, self._pose) > 0.8 + 0.08 * motion.flow_px + 0.5 * self._uncertain_px

    def _outdoes_look_alikes(self, frame: GreyFrame, match: Match, strict: bool) -> bool:
        """Asked when the mark is found again, and now and then. An unbroken chain is trusted over likeness."""
        if not strict and self._steps % 8 and self._streak:
            return True
        if self._chain and self._uncertain_px < CLOSE_PX and match.agree >= 0.8 * match.seen:
            return True
        by = -CLEARLY if self._chain and self._uncertain_px < LOST_PX else CLEARLY
        return self._look_alikes.outdone(self._views[0], frame, match.pose, by)

    def _accept(self, match: Match) -> None:
        self._pose = match.pose
        self._chain, self._gap = True, False
        self._streak = self._streak + 1 if self._missed == 0 else 1
        self._missed = 0
        self._uncertain_px = max(0.0, self._uncertain_px / 2 - 0.15)
        self._known += match.inner > WELL_KNOWN
        self._usual += 0.1 * (match.inner - self._usual)
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

    def _look_around(self, frame: GreyFrame, in_view: bool) -> bool:
        """Takes the place where the scene has the mark, and looks whether the mark has been moved from there."""
        placed = self._surroundings.place(frame, self._pose)
        if placed is not None and self._distance(placed, self._pose) < 8 + 2.5 * self._uncertain_px:
            self._pose, self._uncertain_px = placed, min(self._uncertain_px, PLACED_PX)
        if not in_view or self._known < KNOWN_FRAMES:
            return False
        view = self._nearest_view(self._pose)
        pose = wandered.look_around(view, frame, self._pose) if view.textured else None
        match = None if pose is None else matching.find_alone(view, frame, pose)
        if match is None or match.inner < 0.8 or match.own_agree < 0.5 * match.own_seen:
            return False
        if self._look_alikes.near(self._aside(match.pose)) or not proof.proves(match, strict=True, fast=False):
            return False
        self._accept(match)
        return True

    def _is_unknown(self) -> bool:
        """Never seen clearly, but the scene says where it is."""
        placed = self._chain and self._uncertain_px <= PLACED_PX + 1
        return placed and self._known < KNOWN_FRAMES and self._missed > 10 and self._missed % 2 == 0

    def _look_again(self, frame: GreyFrame, motion: Motion) -> None:
        view = self._second_look.look(frame, self._pose, 2 * motion.flow_px)
        if view is not None:
            self._views, self._look_alikes = [view], LookAlikes(frame, self._first_quad, self._pose)

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
        if not proof.proves(match, strict=True, fast=False) or not self._outdoes_look_alikes(frame, match, strict=True):
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
        if self._views and min(proof.difference(view, self._pose) for view in self._views) > NEW_VIEW:
            self._add_view(frame)
        if self._steps % 5 == 0:
            self._keyframes.add_if_new(frame, self._pose)
        if self._steps % 10 == 3 and self._confidence > 0.85:
            self._surroundings.learn(frame, self._pose)

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
        if not proof.shown(self._quad_told, frame):
            return "lost"
        if proved:
            return "tracked"
        x, y = poses.apply_one(self._pose, *self._middle)
        if not self._chain or self._uncertain_px > LOST_PX or not frame.holds(x, y):
            return "lost"
        steady = motion is not None and motion.health > 0.6 and self._uncertain_px < 2
        return "tracked" if steady and self._missed <= GRACE_FRAMES else "unsure"

    def _aside(self, pose: Pose) -> tuple[float, float]:
        """How far beside the place that is held for the mark's, in px of its first frame."""
        x, y = poses.apply_one(poses.chain(pose, poses.inverse(self._pose)), *self._middle)
        return x - self._middle[0], y - self._middle[1]

    def _distance(self, a: Pose, b: Pose) -> float:
        (ax, ay), (bx, by) = poses.apply_one(a, *self._middle), poses.apply_one(b, *self._middle)
        return hypot(ax - bx, ay - by)
