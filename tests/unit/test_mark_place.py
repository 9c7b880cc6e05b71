"""Where a mark is held to be while it is not seen, and what counts as having seen it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kiosk.call import poses, proof
from kiosk.call.frames import GreyFrame
from kiosk.call.keyframes import Sighting
from kiosk.call.matching import Match
from kiosk.call.place import BROKEN_PX, CLOSE_PX, LOST_PX, PLACED_PX, Place
from kiosk.call.scene_motion import Motion

QUAD = poses.box_quad(300, 150, 340, 190)
FRAME = GreyFrame(np.zeros((360, 640), np.uint8), 0.0)
RIGHT = Motion(poses.shift(5, 0), 1.0, 5.0)
SEEN = Match(poses.STAY, agree=50, seen=60, own_agree=18, own_seen=20, inner=0.95, whole=0.9, textured=True)


def test_the_scene_carries_a_mark_and_each_frame_unseen_makes_it_less_certain() -> None:
    place = Place(QUAD)
    for _ in range(4):
        place.carry(RIGHT)
        place.drift(RIGHT)
    assert place.at() == (340, 170)
    assert 0 < place.uncertain_px < CLOSE_PX
    assert not place.lost


def test_frames_without_a_motion_lose_it_soon_and_break_the_chain() -> None:
    place = Place(QUAD)
    place.carry(None)
    place.carry(None)
    assert place.uncertain_px > LOST_PX
    assert place.lost
    while place.uncertain_px <= BROKEN_PX:
        place.carry(None)
    place.drift(None)
    assert not place.may_be_seen(FRAME)


def test_the_whole_scene_settles_it_where_it_may_be_and_nowhere_else() -> None:
    place = Place(QUAD)
    place.uncertain_px = 4.0
    assert not place.settle(poses.shift(60, 0))
    assert place.settle(poses.shift(6, 0))
    assert place.at() == (326, 170)
    assert place.uncertain_px == PLACED_PX


def test_a_sighting_confirms_an_unbroken_chain_and_begins_a_new_one_where_it_broke() -> None:
    place, there = Place(QUAD), Sighting(poses.shift(100, 0), 60)
    place.take_sighting(there)
    assert place.at() == (320, 170), "the chain knows better"
    place.chain = False
    place.take_sighting(there)
    assert place.at() == (420, 170)
    assert place.lost, "until the mark itself is seen there"


def test_what_jumps_or_goes_against_the_scene_is_something_else() -> None:
    place = Place(QUAD)
    assert place.jumps(poses.shift(30, 0), flow_px=2)
    assert not place.jumps(poses.shift(6, 0), flow_px=2)
    assert place.strays(poses.shift(4, 0), RIGHT)
    assert not place.strays(poses.shift(0.5, 0), RIGHT)
    assert place.aside(poses.shift(30, 0)) == (30, 0)


def test_a_hidden_mark_proves_nothing_however_well_its_surroundings_are_seen() -> None:
    hidden = replace(SEEN, own_agree=2, inner=0.2)
    assert hidden.covered
    assert not proof.proves(hidden, strict=False, fast=False)
    assert proof.proves(SEEN, strict=True, fast=False)


def test_a_place_that_only_looks_right_by_and_large_proves_nothing() -> None:
    assert not proof.proves(replace(SEEN, own_agree=1, inner=0.75), strict=False, fast=False)
    assert not proof.proves(replace(SEEN, own_agree=9, inner=0.5), strict=True, fast=False)


def test_a_mark_of_which_a_sliver_is_left_is_not_shown() -> None:
    assert proof.shown(QUAD, FRAME)
    assert proof.shown(QUAD - (320, 0), FRAME)
    assert not proof.shown(QUAD - (336, 0), FRAME)
    assert not proof.shown(QUAD - (0, -400), FRAME)
