"""Which marks there are and in which state: what is told about them."""

from __future__ import annotations

from kiosk.call.author import Author
from kiosk.call.mark_board import FOUND_S, MarkBoard
from kiosk.call.tracker import Report
from kiosk.wire.channel import Mark, MarkCreate, MarkPose, MarkState

AUTHOR = Author("p-1", "Anna", "#0db9ff")
QUAD = ((0.4, 0.4), (0.5, 0.4), (0.5, 0.5), (0.4, 0.5))
PERIOD_S = 0.1


def states(*seen: MarkState) -> list[MarkState]:
    """What is told frame by frame where the tracker has seen this, each PERIOD_S."""
    board = MarkBoard()
    _, order = board.create(AUTHOR, MarkCreate(id="a", t=1, at=(0.5, 0.5)), None)
    told: list[MarkState] = []
    for n, state in enumerate(seen):
        _, poses = board.report(Report(n * PERIOD_S, (MarkPose(order.id, QUAD, 0.9, state),)))
        told += [pose.state for pose in poses]
    return told


def test_a_mark_that_comes_back_is_found_again_for_a_moment_and_then_tracked() -> None:
    after = round(FOUND_S / PERIOD_S)
    back: list[MarkState] = ["tracked"] * (after + 2)
    told = states("tracked", "lost", *back)
    assert told == ["tracked", "lost", *["found"] * after, "tracked", "tracked"]


def test_a_mark_just_made_is_tracked_and_not_found() -> None:
    assert states("tracked", "unsure", "tracked") == ["tracked", "unsure", "tracked"]


def test_a_mark_that_is_unsure_first_is_found_when_it_is_seen() -> None:
    assert states("lost", "unsure", "tracked", "unsure", "tracked") == ["lost", "unsure", "found", "unsure", "tracked"]


def test_being_found_is_told_reliably_once_and_that_it_is_over_too() -> None:
    board = MarkBoard()
    _, order = board.create(AUTHOR, MarkCreate(id="a", t=1, at=(0.5, 0.5)), None)
    back: list[MarkState] = ["tracked"] * 30
    news = []
    for n, state in enumerate(("tracked", "lost", *back)):
        told, _ = board.report(Report(n * PERIOD_S, (MarkPose(order.id, QUAD, 0.9, state),)))
        news += [one.state for one in told if isinstance(one, Mark)]
    assert news == ["tracked", "lost", "found", "tracked"]
    assert board.shapes()[0].state == "tracked"
