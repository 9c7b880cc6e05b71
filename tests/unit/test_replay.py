"""A timeline played again: what lies over the picture at each moment, and lines that cannot be read."""

from __future__ import annotations

import msgspec
import pytest

from kiosk.wire.channel import (
    Edit,
    Mark,
    MarkGone,
    MarkPose,
    Motion,
    Pointer,
    SnapshotClose,
    SnapshotOpen,
    StrokeBegin,
    StrokeEnd,
    StrokePin,
    StrokePoints,
    Undo,
)
from kiosk.wire.replay import Replay
from kiosk.wire.timeline import Line, PosesAt, read

SAME = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


def shifted(dx: float) -> tuple[float, float, float, float, float, float, float, float, float]:
    return 1.0, 0.0, dx, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0


def pose(x: float, state: str = "tracked") -> PosesAt:
    quad = ((x, 0.1), (x + 0.1, 0.1), (x + 0.1, 0.2), (x, 0.2))
    return PosesAt((MarkPose(id="m-1", quad=quad, confidence=0.9, state=state),))  # type: ignore[arg-type]


def mark(state: str = "tracked") -> Mark:
    return Mark(id="m-1", by="Anna", colour="#e69f00", label="valve", state=state)  # type: ignore[arg-type]


def a_stroke(fade_s: float = 4.0) -> list[Line]:
    return [
        Line(1.0, StrokeBegin(id="s-1", at=(0.1, 0.1), by="Anna", colour="#0db9ff")),
        Line(1.5, StrokePoints(id="s-1", points=((0.2, 0.1), (0.3, 0.1)))),
        Line(2.0, StrokeEnd(id="s-1", fade_s=fade_s)),
    ]


def test_a_stroke_grows_as_it_was_drawn_fades_and_is_gone() -> None:
    replay = Replay(a_stroke())
    assert replay.overlay(0.99).strokes == ()
    assert replay.overlay(1.2).strokes[0].points == ((0.1, 0.1),)
    assert replay.overlay(1.5).strokes[0].points == ((0.1, 0.1), (0.2, 0.1), (0.3, 0.1))
    assert replay.overlay(1.9).strokes[0].opacity(1.9) == 1.0
    assert replay.overlay(5.0).strokes[0].opacity(5.0) == pytest.approx(0.5)
    assert replay.overlay(6.0).strokes == ()


def test_points_that_count_from_before_their_stroke_began_come_with_it() -> None:
    begin, points, end = a_stroke()
    replay = Replay([begin, msgspec.structs.replace(points, at_s=0.8), end])
    assert replay.overlay(0.9).strokes == ()
    assert len(replay.overlay(1.0).strokes[0].points) == 3


def test_a_stroke_whose_id_comes_again_is_another_one() -> None:
    again = [msgspec.structs.replace(line, at_s=line.at_s + 10) for line in a_stroke()]
    replay = Replay([*a_stroke(), *again])
    assert [len(replay.overlay(t).strokes) for t in (1.0, 5.9, 6.1, 10.9, 11.1)] == [1, 1, 0, 0, 1]


def test_a_stroke_that_is_let_go_of_is_gone_sooner() -> None:
    replay = Replay([*a_stroke(), Line(2.5, StrokeEnd(id="s-1", fade_s=0.5)), Line(2.6, StrokeEnd(id="s-1"))])
    assert replay.overlay(2.2).strokes[0].fade_s == 4.0
    assert replay.overlay(3.0).strokes == ()


def test_a_pinned_stroke_is_carried_by_the_scene_between_the_poses_too() -> None:
    lines = [
        *a_stroke(60.0),
        Line(1.1, StrokePin(id="s-1", anchor=7, matrix=SAME)),
        Line(2.0, PosesAt((), Motion(7, shifted(0.1)))),
        Line(2.1, PosesAt((), Motion(7, shifted(0.2)))),
        Line(9.0, PosesAt((), Motion(7, shifted(0.6)))),
        Line(2.05, PosesAt((), Motion(8, shifted(0.9)))),
    ]
    replay = Replay(lines)
    assert replay.overlay(1.9).strokes[0].carried is None
    assert replay.overlay(2.05).strokes[0].carried == pytest.approx(shifted(0.15))
    assert replay.overlay(5.0).strokes[0].carried == pytest.approx(shifted(0.2)), "as it was last, over a gap"
    assert replay.overlay(99.0).strokes == ()


def test_a_mark_lies_between_its_poses_says_its_state_and_goes() -> None:
    lines = [Line(1.0, mark()), Line(1.1, pose(0.1)), Line(1.2, pose(0.2)), Line(1.3, pose(0.2, "lost"))]
    replay = Replay([*lines, Line(1.3, mark("lost")), Line(4.0, MarkGone(id="m-1"))])
    assert replay.overlay(0.9).marks == ()
    assert replay.overlay(1.0).marks[0].quad[0] == pytest.approx((0.1, 0.1)), "where it is found a moment later"
    assert replay.overlay(1.15).marks[0].quad[0] == pytest.approx((0.15, 0.1))
    assert (replay.overlay(1.25).marks[0].state, replay.overlay(3.9).marks[0].state) == ("tracked", "lost")
    assert replay.overlay(4.0).marks == ()


def test_a_pointer_is_where_it_was_pointed_last_and_goes_by_itself() -> None:
    lines = [Line(1.0, Pointer(at=(0.5, 0.5), by="Anna")), Line(2.0, Pointer(at=(0.6, 0.5), by="Anna"))]
    replay = Replay(lines)
    assert replay.overlay(1.5).pointers[0].at == (0.5, 0.5)
    assert replay.overlay(2.0).pointers[0].at == (0.6, 0.5)
    assert replay.overlay(6.5).pointers == ()
    assert Replay([*lines, Line(3.0, Pointer(by="Anna"))]).overlay(3.0).pointers == ()


def test_a_snapshot_is_shown_with_its_edits_in_their_order_until_everybody_is_back_to_live() -> None:
    box = Edit(id="e-1", snapshot="snap-1", points=((0.1, 0.1), (0.5, 0.5)), tool="box", colour="#0db9ff")
    step = Edit(id="e-2", snapshot="snap-1", points=((0.3, 0.3),), tool="step", n=1)
    lines = [
        Line(1.0, SnapshotOpen(id="snap-1", by="Anna", width=1920, height=1080, bytes=9, chunks=1)),
        Line(2.0, box),
        Line(3.0, step),
        Line(4.0, Undo(snapshot="snap-1", id="e-1")),
        Line(5.0, SnapshotClose()),
        Line(6.0, msgspec.structs.replace(step, id="e-3")),
    ]
    replay = Replay(lines)
    assert replay.snapshot(0.5) is None
    shown = replay.snapshot(3.5)
    assert shown is not None
    assert (shown.id, [e.tool for e in shown.edits]) == ("snap-1", ["box", "step"])
    later = replay.snapshot(4.5)
    assert later is not None
    assert [(e.tool, e.n) for e in later.edits] == [("step", 1)]
    assert replay.snapshot(5.0) is None


def test_lines_that_cannot_be_read_are_counted_and_the_rest_counts() -> None:
    good = [msgspec.json.encode(line) for line in a_stroke()]
    bad = [b"{", b"\xff\xfe", b'{"at_s":1,"what":{"kind":"tomorrow"}}', b'{"at_s":-5,"what":{"kind":"snapshot-close"}}',
           b"[" * 100_000, b'{"at_s":1e99,"what":{"kind":"snapshot-close"}}', good[0][:-7],
           b"x" * 70_000]  # fmt: skip
    lines, unread = read([good[0], *bad, b"", b"\n", *good[1:]])
    assert lines == a_stroke()
    assert unread == len(bad)
