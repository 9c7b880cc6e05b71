"""Strokes and pointers: whose they are, how long they stay, what a late joiner sees."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.call.author import Author, code_user
from kiosk.call.strokes import MOST_POINTS, MOST_STROKES, Strokes, WireIds
from kiosk.errors import Full, Malformed
from kiosk.wire.channel import MAX_POINTS, Point, Pointer, StrokeBegin, StrokeEnd, StrokePoints
from kiosk.wire.overlay import carried

ANNA = Author("peer-a", "Anna", "#e69f00")
BEN = Author("peer-b", "Ben", "#0db9ff")


def begun(strokes: Strokes, author: Author, own: str = "s-1", now_s: float = 0.0) -> str:
    return strokes.begin(author, StrokeBegin(id=own, at=(0.1, 0.2)), now_s).id


def line(count: int) -> tuple[Point, ...]:
    return tuple((0.1, k / 10_000) for k in range(count))


def test_a_stroke_is_told_with_its_authors_name_and_colour_whatever_the_message_claims() -> None:
    claimed = StrokeBegin(id="s-1", at=(0.1, 0.2), by="Ben", colour="#000000")
    told = Strokes(4.0).begin(ANNA, claimed, 0.0)
    assert (told.by, told.colour, told.at) == ("Anna", "#e69f00", (0.1, 0.2))


def test_points_are_drawn_on_while_they_come_in() -> None:
    strokes = Strokes(4.0)
    wire = begun(strokes, ANNA)
    assert strokes.extend(ANNA, StrokePoints(id="s-1", points=((0.2, 0.3),))) == StrokePoints(
        id=wire, points=((0.2, 0.3),)
    )
    assert strokes.shapes()[0].points == ((0.1, 0.2), (0.2, 0.3))


def test_a_stroke_stays_while_it_is_drawn_and_is_gone_its_fading_time_after_pen_up() -> None:
    strokes = Strokes(4.0)
    begun(strokes, ANNA)
    strokes.forget_faded(1000.0)
    assert strokes.shapes()[0].opacity(1000.0) == 1.0
    assert strokes.end(ANNA, "s-1", 1000.0) == StrokeEnd(id="s-1", fade_s=4.0)
    assert strokes.shapes()[0].opacity(1003.0) == pytest.approx(0.5)
    strokes.forget_faded(1003.99)
    assert len(strokes.shapes()) == 1
    assert strokes.forget_faded(1004.0)
    assert strokes.shapes() == ()


def test_a_finger_draws_where_a_pinned_stroke_lies_now_and_its_points_count_in_the_frame_it_began_on() -> None:
    strokes, finger = Strokes(4.0), code_user()
    wire = strokes.begin(finger, StrokeBegin(id="k-1", at=(0.3, 0.3), pinned=True), 0.0).id
    drawn = StrokePoints(id="k-1", points=((0.6, 0.5),))
    assert strokes.as_begun(finger, drawn) == drawn, "not held yet: it lies where it was drawn"
    strokes.pin(wire, 1, (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0))
    strokes.scene(1, (1.0, 0.0, 0.2, 0.0, 1.0, 0.1, 0.0, 0.0, 1.0), 0.1)  # the camera has moved meanwhile
    meant = strokes.as_begun(finger, drawn).points
    assert meant[0] == pytest.approx((0.4, 0.4))
    strokes.extend(finger, StrokePoints(id="k-1", points=meant))
    (shape,) = strokes.shapes()
    first, last = carried(shape.points, shape.carried)
    assert first == pytest.approx((0.5, 0.4))
    assert last == pytest.approx((0.6, 0.5))


def test_two_authors_with_the_same_id_draw_two_strokes_and_neither_draws_on_the_others() -> None:
    strokes = Strokes(4.0)
    annas, bens = begun(strokes, ANNA), begun(strokes, BEN)
    assert annas != bens
    strokes.extend(BEN, StrokePoints(id="s-1", points=((0.9, 0.9),)))
    by_id = {s.id: s for s in strokes.shapes()}
    assert len(by_id[annas].points) == 1
    assert by_id[bens].points[-1] == (0.9, 0.9)
    assert strokes.end(BEN, "s-1", 1.0) == StrokeEnd(id=bens, fade_s=4.0)
    assert by_id[annas].ended_s is None


def test_a_strangers_wire_id_opens_nothing() -> None:
    strokes = Strokes(4.0)
    wire = begun(strokes, ANNA)
    assert strokes.extend(BEN, StrokePoints(id=wire, points=((0.9, 0.9),))) is None
    assert strokes.end(BEN, wire, 1.0) is None
    assert strokes.shapes()[0].ended_s is None


def test_an_id_may_be_used_again_while_its_first_stroke_fades_but_not_while_it_is_drawn() -> None:
    strokes = Strokes(4.0)
    first = begun(strokes, ANNA)
    with pytest.raises(Malformed):
        begun(strokes, ANNA)
    strokes.end(ANNA, "s-1", 1.0)
    second = begun(strokes, ANNA, now_s=2.0)
    assert second != first
    strokes.forget_faded(5.5)
    assert [s.id for s in strokes.shapes()] == [second]
    assert strokes.end(ANNA, "s-1", 6.0) == StrokeEnd(id=second, fade_s=4.0)


def test_the_thirty_third_stroke_is_refused_until_one_has_faded() -> None:
    strokes = Strokes(4.0)
    for k in range(MOST_STROKES):
        begun(strokes, ANNA, f"s-{k}")
    with pytest.raises(Full):
        begun(strokes, BEN)
    strokes.end(ANNA, "s-0", 10.0)
    begun(strokes, BEN, now_s=14.0)


def test_a_stroke_that_grows_too_long_is_refused_and_keeps_what_it_has() -> None:
    strokes = Strokes(4.0)
    begun(strokes, ANNA)
    for _ in range(MOST_POINTS // MAX_POINTS - 1):
        strokes.extend(ANNA, StrokePoints(id="s-1", points=line(MAX_POINTS)))
    with pytest.raises(Full):
        strokes.extend(ANNA, StrokePoints(id="s-1", points=line(MAX_POINTS)))
    assert len(strokes.shapes()[0].points) == MOST_POINTS - MAX_POINTS + 1


def test_pen_up_and_no_pointer_for_an_author_who_leaves() -> None:
    strokes = Strokes(4.0)
    begun(strokes, ANNA)
    begun(strokes, BEN)
    strokes.point(ANNA, Pointer(at=(0.5, 0.5)))
    assert strokes.leave(ANNA, 3.0) == (StrokeEnd(id="s-1", fade_s=4.0),)
    assert strokes.pointers() == ()
    assert [s.ended_s for s in strokes.shapes()] == [3.0, None]


def test_a_pointer_moves_and_goes() -> None:
    strokes = Strokes(4.0)
    assert strokes.point(ANNA, Pointer(at=(0.5, 0.5))).by == "Anna"
    strokes.point(ANNA, Pointer(at=(0.6, 0.5)))
    assert [p.at for p in strokes.pointers()] == [(0.6, 0.5)]
    strokes.point(ANNA, Pointer())
    assert strokes.pointers() == ()


def test_a_late_joiner_gets_long_strokes_in_messages_of_lawful_size_and_the_fading_time_that_is_left() -> None:
    strokes = Strokes(4.0)
    begun(strokes, ANNA)
    for _ in range(3):
        strokes.extend(ANNA, StrokePoints(id="s-1", points=line(MAX_POINTS)))
    strokes.end(ANNA, "s-1", 10.0)
    begin, *rest, end = strokes.replay(13.0)
    assert isinstance(begin, StrokeBegin)
    points = [e.points for e in rest if isinstance(e, StrokePoints)]
    assert [len(p) for p in points] == [MAX_POINTS] * 3
    assert sum(points, (begin.at,)) == strokes.shapes()[0].points
    assert end == StrokeEnd(id="s-1", fade_s=1.0)


def test_an_unchanged_stroke_is_described_by_the_same_object() -> None:
    strokes = Strokes(4.0)
    begun(strokes, ANNA)
    shape = strokes.shapes()[0]
    assert strokes.shapes()[0] is shape
    strokes.extend(ANNA, StrokePoints(id="s-1", points=((0.2, 0.3),)))
    assert strokes.shapes()[0] is not shape


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["x" * 40, "x-2", "x"]), st.booleans())))
def test_ids_on_the_wire_are_never_shared(steps: list[tuple[str, str, bool]]) -> None:
    ids, live = WireIds(), list[str]()
    for author, own, free in steps:
        if free and live:
            ids.free(live.pop())
        live.append(ids.give(author, own))
        assert len(set(live)) == len(live)
        assert all(len(wire) <= 40 for wire in live)
        assert ids.find(author, own) == live[-1]
