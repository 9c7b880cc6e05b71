"""The benchmark of marks judges as it says, and its sequences are what they claim to be."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.marks_camera import HEIGHT, WIDTH, Stand
from benchmarks.marks_film import Truth, share_in_view
from benchmarks.marks_scenes import film
from benchmarks.marks_score import Answer, Score, judge, overlap, together
from kiosk.call import poses

QUAD = poses.box_quad(600, 300, 700, 400)
ASIDE, FAR = np.array([60, 0]), np.array([2000, 0])
SEEN, HIDDEN, OUT = Truth(QUAD, 1.0, 0.0), Truth(QUAD, 1.0, 0.9), Truth(QUAD + FAR, 0.0, 0.0)
RIGHT, WRONG, NOTHING = Answer(QUAD, True), Answer(QUAD + ASIDE, True), Answer(None, False)


def test_an_exact_answer_gets_all_and_a_wrong_one_that_is_claimed_is_counted() -> None:
    score = judge([SEEN] * 4, [RIGHT, RIGHT, RIGHT, WRONG], 0.03)
    assert score.precision == 75
    assert score.false_percent == 25
    assert score.success == pytest.approx(100 * (0.75 * 0.99 + 0.25 * 0.25), abs=1)


def test_an_unsure_answer_at_the_wrong_place_is_not_a_lie() -> None:
    assert judge([SEEN], [Answer(QUAD + ASIDE, False)], 0.03).false_percent == 0


def test_a_claim_on_what_left_the_picture_is_wrong_and_one_on_a_hidden_element_counts_by_its_place() -> None:
    assert judge([OUT], [Answer(OUT.quad, True)], 0.03).false_percent == 100
    hidden = judge([HIDDEN, HIDDEN], [RIGHT, WRONG], 0.03)
    assert hidden.covered_percent == 50
    assert hidden.overlaps == ()


def test_time_until_found_again_runs_from_the_moment_it_can_be_seen() -> None:
    truths = [SEEN] + [HIDDEN] * 6 + [SEEN] * 20
    answers = [RIGHT] + [NOTHING] * 6 + [NOTHING] * 3 + [RIGHT] * 17
    assert judge(truths, answers, 0.1).found_ms == pytest.approx(300)
    assert judge(truths, [RIGHT] + [NOTHING] * 26, 0.1).found_percent == 0


def test_boxes_are_cut_off_at_the_edge_before_they_are_compared() -> None:
    half_out = poses.box_quad(WIDTH - 50, 300, WIDTH + 50, 400)
    cut = poses.box_quad(WIDTH - 50, 300, WIDTH, 400)
    assert overlap(Truth(half_out, 0.5, 0.0), Answer(cut, True)) == pytest.approx(1)
    assert share_in_view(half_out) == pytest.approx(0.5, abs=0.02)


def test_scores_are_put_together_frame_by_frame() -> None:
    both = together([Score(close=(True,)), Score(close=(False, True, True))])
    assert both.precision == 75


def test_the_camera_shows_what_it_looks_at_in_the_middle_and_raised_things_move_more() -> None:
    stand = Stand(900, 500, 1.2, 0.3, -0.2, 0.4)
    assert poses.apply_one(stand.pose(), 900, 500) == pytest.approx((WIDTH / 2, HEIGHT / 2))
    moved = Stand(950, 500, 1.2, 0.3, -0.2, 0.4)
    step = [np.subtract(poses.apply_one(s.pose(100), 900, 500), (0, 0)) for s in (stand, moved)]
    flat = [np.subtract(poses.apply_one(s.pose(), 900, 500), (0, 0)) for s in (stand, moved)]
    assert np.linalg.norm(step[1] - step[0]) > np.linalg.norm(flat[1] - flat[0])


def test_a_sequence_is_the_same_each_time_and_other_in_the_held_back_split() -> None:
    one, again, held = (film("sway", 1, split, 3) for split in ("dev", "dev", "held"))
    (a, truth), (b, same), (c, other) = (f.frame(1) for f in (one, again, held))
    assert (a == b).all()
    assert (truth.quad == same.quad).all()
    assert not (truth.quad == other.quad).all()
    assert a.shape == c.shape == (HEIGHT, WIDTH, 3)
