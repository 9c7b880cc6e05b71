"""How a description of what is drawn looks: the curve, the widths, the arrows. Pure."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.wire.overlay import EditShape, arrow, carried, dashes, edge_arrow, edit_lines, ink_on, pen_px, smooth

share = st.floats(0, 1)
points = st.lists(st.tuples(share, share), min_size=1, max_size=40).map(tuple)


@given(points)
def test_the_curve_begins_and_ends_where_the_pen_did_and_stays_within_its_points(
    line: tuple[tuple[float, float], ...],
) -> None:
    curve = smooth(line)
    assert (curve[0], curve[-1]) == (line[0], line[-1])
    for axis in (0, 1):
        assert min(p[axis] for p in line) - 1e-9 <= min(p[axis] for p in curve)
        assert max(p[axis] for p in curve) <= max(p[axis] for p in line) + 1e-9


@given(points, share, share)
def test_what_is_drawn_already_does_not_change_while_the_line_grows(
    line: tuple[tuple[float, float], ...], x: float, y: float
) -> None:
    before, after = smooth(line), smooth((*line, (x, y)))
    assert after[: len(before) - 1] == before[:-1]


def test_a_homography_carries_points_and_leaves_out_what_lies_behind_the_camera() -> None:
    assert carried(((0.5, 0.5),), None) == ((0.5, 0.5),)
    assert carried(((0.5, 0.25),), (2, 0, 0.1, 0, 2, 0, 0, 0, 1)) == ((1.1, 0.5),)
    (left,) = carried(((0.5, 0.5), (0.1, 0.1)), (1, 0, 0, 0, 1, 0, -4, 0, 1))
    assert left == pytest.approx((0.1 / 0.6, 0.1 / 0.6))


def test_an_arrow_has_its_head_at_the_tip_and_a_short_one_a_short_head() -> None:
    shaft, head = arrow((100, 100), (300, 100), 8.0)
    assert shaft == ((100, 100), (300, 100))
    assert head[1] == (300, 100)
    assert all(x < 300 for x, _ in (head[0], head[2]))
    _, short = arrow((100, 100), (110, 100), 8.0)
    assert math.dist(short[0], short[1]) <= 6.01


def test_lines_are_as_wide_as_the_picture_asks_for_and_never_too_thin_to_be_seen() -> None:
    assert pen_px(320) == 3.0
    assert pen_px(4000) == 4 * pen_px(1000)


def test_an_edit_lies_in_px_of_its_picture() -> None:
    box = EditShape("box", "#ffffff", ((0.1, 0.2), (0.5, 0.6)))
    assert edit_lines(box, 1000, 500) == (((100, 100), (500, 100), (500, 300), (100, 300), (100, 100)),)
    assert edit_lines(EditShape("step", "#ffffff", ((0.1, 0.2),), n=1), 1000, 500) == ()


def test_an_unsure_outline_has_gaps_and_keeps_to_its_sides() -> None:
    lines = dashes(((0, 0), (100, 0), (100, 50), (0, 50)), 5.0)
    assert len(lines) == 3 + 2 + 3 + 2
    drawn = sum(math.dist(*line) for line in lines)
    assert drawn == pytest.approx(0.55 * 300)


@pytest.mark.parametrize("at", [(2000.0, 100.0), (-500.0, -500.0), (640.0, 4000.0), (640.0, 360.0)])
def test_the_arrow_to_a_lost_element_stays_in_the_picture_and_points_there(at: tuple[float, float]) -> None:
    left, tip, right = edge_arrow(at, 1280, 720)
    assert all(0 <= x <= 1280 and 0 <= y <= 720 for x, y in (left, tip, right))
    wings = ((left[0] + right[0]) / 2, (left[1] + right[1]) / 2)
    towards = (at[0] - 640, at[1] - 360) if at != (640.0, 360.0) else (0.0, -1.0)
    assert (tip[0] - wings[0]) * towards[0] + (tip[1] - wings[1]) * towards[1] > 0


def test_letters_are_dark_on_bright_colours_and_bright_on_dark_ones() -> None:
    assert ink_on("#ffff00") == "#101418"
    assert ink_on("#202080") == "#ffffff"
