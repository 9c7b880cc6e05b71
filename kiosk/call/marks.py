"""One mark: where the element is in each frame, and how sure that is. Pure: frames in, poses out.

"tracked" is claimed only when the mark's own template has just verified; carried by the scene's motion alone it is
"unsure", and after a while, or out of the picture, "lost". All px are those of the grey frames.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kiosk.call import matching, poses, proof, template, wandered
from kiosk.call.frames import GreyFrame
from kiosk.call.keyframes import Keyframes, Sighting
from kiosk.call.look_alikes import CLEARLY, LookAlikes
from kiosk.call.matching import Match
from kiosk.call.place import CLOSE_PX, CONFIRMS_PX, LOST_PX, Place
from kiosk.call.poses import Points, Pose
from kiosk.call.scene_motion import Motion
from kiosk.call.second_look import SecondLook
from kiosk.call.surroundings import Surroundings
from kiosk.call.template import Template
from kiosk.wire.channel import MarkState

MOST_VIEWS = 8
NEW_VIEW = 0.38
"""A further template is made when scale and aspect differ by so much (natural logarithm) from those there are."""
GRACE_FRAMES = 2
"""Blurred frames in a healthy scene do not make the mark flicker."""
STRAIGHT_PX = 2.0
"""So near, the mark lies in the scene as it always did."""
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
        self._views = [first] if first is not None else []  # none: the scene alone carries it, it stays unsure
        self._keyframes = Keyframes()
        if not self._keyframes.add(frame, poses.STAY) and first is None:
            raise NothingToHold("nothing here that could be followed")
        self._look_alikes = LookAlikes(frame, quad)
        self._surroundings = Surroundings(frame, quad)
        self._second_look = SecondLook(quad)
        self._place = Place(quad)
        self._missed = 0
        self._streak = 1
        self._steps = 0
        self._confidence = 1.0
        self._known = 0
        self._alone = False  # what is around it was not seen with it
        self._usual = 0.5  # how much it looks like itself
        self._quad_told = quad

    def step(self, frame: GreyFrame, motion: Motion | None) -> Seen:
        """Where the mark is in `frame`, given how the scene moved since the frame of the last step."""
        self._steps += 1
        self._place.carry(motion)
        in_view = self._place.may_be_seen(frame)
        proved = in_view and self._verify(frame, motion)
        if not proved:
            self._missed, self._streak = self._missed + 1, 0
            self._place.drift(motion)
            if self._is_time_to_search():
                proved = self._find_again(frame, in_view)
            if not proved and self._place.chain and self._missed % 3 == 1:
                proved = self._look_around(frame, in_view, motion)
        if proved and self._streak >= 3:
            self._learn(frame)
        return self._told(frame, proved, motion)

    # --- proof by the template

    def _verify(self, frame: GreyFrame, motion: Motion | None) -> bool:
        match = self._match(frame, self._place.pose, far=self._missed > 0 or motion is None)
        flow_px = motion.flow_px if motion else 0.0
        if match is None:
            return False
        close = match.textured and not self._place.gap and self._place.uncertain_px < CLOSE_PX
        strict = motion is None or (self._missed > 3 and not close)
        if self._is_hidden(match) or self._place.jumps(match.pose, flow_px) or self._strays(match, motion):
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
            self._place.pose = match.pose  # the surroundings still say where it is: no drift under a hand
        return False

    def _match(self, frame: GreyFrame, pose: Pose, far: bool) -> Match | None:
        if not self._views:
            return None
        return matching.find(self._nearest_view(pose), frame, pose, far)

    def _nearest_view(self, pose: Pose) -> Template:
        return min(self._views, key=lambda v: proof.difference(v, pose))

    def _is_hidden(self, match: Match) -> bool:
        """A mark with few corners, that otherwise looks as it did: now it does not."""
        return not match.textured and match.inner < self._usual - 0.5

    def _strays(self, match: Match, motion: Motion | None) -> bool:
        """A mark with no face of its own, or a hidden one, stays where the scene puts it: around it may be a hand."""
        clear = self._known >= KNOWN_FRAMES or match.inner > 0.75 or match.own_agree >= 0.6 * match.own_seen
        if (match.textured and clear and not match.covered) or motion is None:
            return False
        return self._place.strays(match.pose, motion)

    def _outdoes_look_alikes(self, frame: GreyFrame, match: Match, strict: bool) -> bool:
        """Asked when the mark is found again, and now and then. An unbroken chain is trusted over likeness."""
        if not strict and self._steps % 8 and self._streak:
            return True
        if self._place.chain and self._place.uncertain_px < CLOSE_PX and match.agree >= 0.8 * match.seen:
            return True
        by = CLEARLY if self._place.lost else -CLEARLY
        return self._look_alikes.outdone(self._views[0], frame, match.pose, by)

    def _accept(self, match: Match) -> None:
        self._place.prove(match.pose)
        self._streak = self._streak + 1 if self._missed == 0 else 1
        self._missed = 0
        self._alone = match.agree < 0.6 * match.seen
        self._known += match.inner > WELL_KNOWN
        self._usual += 0.1 * (match.inner - self._usual)
        self._confidence = max(0.0, min(1.0, match.inner if match.textured else match.whole))

    # --- found again

    def _is_time_to_search(self) -> bool:
        """Each second frame; seldom while the chain says where it is: covered, or out of the picture."""
        every = 6 if self._place.gated else 2
        return self._missed > 2 and self._steps % every == 0

    def _find_again(self, frame: GreyFrame, in_view: bool) -> bool:
        for sighting in self._keyframes.find(frame):
            if not self._place.possible(sighting.pose, frame):
                continue
            looked_there = in_view and self._place.distance(sighting.pose) < CONFIRMS_PX
            if not looked_there and self._proved_at(sighting, frame):
                return True
            if sighting.agree >= STRONG_SIGHTING:
                self._place.take_sighting(sighting)
                break
        return False

    def _look_around(self, frame: GreyFrame, in_view: bool, motion: Motion | None) -> bool:
        """Takes the place where the scene has the mark, and looks whether the mark has been moved from there."""
        placed = self._surroundings.place(frame, self._place.pose)
        settled = placed is not None and self._place.settle(placed)
        if settled and in_view and motion is not None and self._known < KNOWN_FRAMES:
            self._look_again(frame, motion)
        if not in_view or self._known < KNOWN_FRAMES:
            return False
        view = self._nearest_view(self._place.pose)
        pose = wandered.look_around(view, frame, self._place.pose) if view.textured else None
        match = None if pose is None else matching.find_alone(view, frame, pose)
        if match is None or match.inner < 0.8 or match.own_agree < 0.5 * match.own_seen:
            return False
        if self._look_alikes.near(self._place.aside(match.pose)) or not proof.proves(match, strict=True, fast=False):
            return False
        self._accept(match)
        return True

    def _look_again(self, frame: GreyFrame, motion: Motion) -> None:
        view = self._second_look.look(frame, self._place.pose, 3 * motion.flow_px)
        if view is not None:
            self._views, self._look_alikes = [view], LookAlikes(frame, self._first_quad, self._place.pose)

    def _proved_at(self, sighting: Sighting, frame: GreyFrame) -> bool:
        if not frame.holds(*poses.apply_one(sighting.pose, *self._place.middle)):
            return False
        match = self._match(frame, sighting.pose, far=True)
        if match is None or self._place.distance(match.pose, sighting.pose) > 25:
            return False
        if not proof.proves(match, strict=True, fast=False) or not self._outdoes_look_alikes(frame, match, strict=True):
            return False
        self._accept(match)
        return True

    # --- learning

    def _learn(self, frame: GreyFrame) -> None:
        quad = poses.apply(self._place.pose, self._first_quad)
        whole = quad.min() >= 2 and (quad <= (frame.width - 3, frame.height - 3)).all()
        if not whole or self._confidence < 0.65:
            return
        if self._views and min(proof.difference(view, self._place.pose) for view in self._views) > NEW_VIEW:
            self._add_view(frame)
        if self._steps % 5 == 0:
            self._keyframes.add_if_new(frame, self._place.pose)
        if self._steps % 5 == 3 and self._alone:
            self._straighten(frame)
        elif self._steps % 10 == 3 and self._confidence > 0.85:
            self._surroundings.learn(frame, self._place.pose)

    def _straighten(self, frame: GreyFrame) -> None:
        """Held by few corners of its own, a mark's shape wanders: the scene's is taken, where it looks as good."""
        placed = self._surroundings.place(frame, self._place.pose)
        if placed is None or self._place.distance(placed) > STRAIGHT_PX:
            return
        view = self._nearest_view(placed)
        through = poses.chain(view.to_first, placed)
        inner, _ = matching.likeness(view, frame, through, matching.look(view, frame, through))
        if inner > self._confidence - 0.04:
            self._place.pose = placed

    def _add_view(self, frame: GreyFrame) -> None:
        view = template.cut(frame, self._place.pose, self._first_quad)
        if view is None or len(view.points) < template.ENOUGH_POINTS:
            return
        self._views.append(view)
        if len(self._views) > MOST_VIEWS:
            del self._views[1]

    # --- telling

    def _told(self, frame: GreyFrame, proved: bool, motion: Motion | None) -> Seen:
        quad = poses.apply(self._place.pose, self._first_quad)
        if self._place.chain and np.isfinite(quad).all() and float(np.abs(quad).max()) < 4 * frame.width:
            self._quad_told = quad
        state = self._state(frame, proved, motion)
        confidence = (
            self._confidence if state == "tracked" else max(0.0, 0.5 * (1 - self._place.uncertain_px / LOST_PX))
        )
        return Seen(self._quad_told, state, 0.0 if state == "lost" else round(confidence, 2))

    def _state(self, frame: GreyFrame, proved: bool, motion: Motion | None) -> MarkState:
        if not proof.shown(self._quad_told, frame):
            return "lost"
        if proved:
            return "tracked"
        if self._place.lost or not frame.holds(*self._place.at()):
            return "lost"
        steady = motion is not None and motion.health > 0.6 and self._place.uncertain_px < 2
        return "tracked" if steady and self._missed <= GRACE_FRAMES else "unsure"
