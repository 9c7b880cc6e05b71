"""The ladder: down at once, up with patience, and no flapping."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable

import pytest

from kiosk.call.ladder import Ladder, Step
from kiosk.hw.ports import Encoding


def a_ladder() -> Ladder:
    return Ladder(1280, 720, 30)


def steps(ladder: Ladder, bps_at: Callable[[float], float], seconds: float, begin_s: float = 0.0) -> list[Step]:
    """The rung ten times a second."""
    seen = []
    for tenth in range(round(10 * seconds)):
        at_s = begin_s + tenth / 10
        ladder.advance(int(bps_at(at_s)), at_s)
        seen.append(ladder.step)
    return seen


def changes(seen: list[Step]) -> int:
    return sum(a != b for a, b in itertools.pairwise(seen))


@pytest.mark.parametrize(
    ("bps", "asked"),
    [
        (2_500_000, Encoding(1280, 720, 30, 2_500_000)),
        (600_000, Encoding(1280, 720, 30, 600_000)),
        (500_000, Encoding(960, 540, 30, 500_000)),
        (270_000, Encoding(960, 540, 30, 270_000)),
        (250_000, Encoding(640, 360, 15, 250_000)),
        (20_000, Encoding(640, 360, 15, 20_000)),
    ],
)
def test_each_rate_has_its_rung_within_a_second(bps: int, asked: Encoding) -> None:
    ladder = a_ladder()
    first = ladder.advance(bps, 0.0)
    assert (first.width < 1280) == (asked.width < 1280)
    assert first.bps == bps
    assert ladder.advance(bps, 1.0) == asked


def test_a_dip_costs_sharpness_for_a_moment_and_no_pictures() -> None:
    ladder = a_ladder()
    ladder.advance(240_000, 0.0)
    ladder.advance(500_000, 0.8)
    ladder.advance(240_000, 1.2)
    assert ladder.advance(400_000, 2.1) == Encoding(960, 540, 30, 400_000)


def test_the_rungs_are_shares_of_whatever_the_camera_takes() -> None:
    ladder = Ladder(642, 482, 25)
    assert ladder.advance(150_000, 0.0) == Encoding(480, 360, 25, 150_000)
    ladder.advance(10_000, 0.1)
    assert ladder.advance(10_000, 1.1) == Encoding(320, 240, 12, 10_000)


def test_it_goes_up_only_after_seconds_of_room_one_rung_at_a_time() -> None:
    ladder = a_ladder()
    steps(ladder, lambda _: 200_000, 1.1, begin_s=-1.0)
    seen = steps(ladder, lambda _: 2_500_000, 9.0, begin_s=0.1)
    assert seen[39] == "small"
    assert seen[41] == "smaller"
    assert seen[81] == "smaller"
    assert seen[-1] == "full"
    assert (ladder.downs, ladder.ups) == (2, 2)


def test_room_that_does_not_last_is_no_room() -> None:
    ladder = a_ladder()
    ladder.advance(500_000, 0.0)
    seen = steps(ladder, lambda at_s: 600_000 if at_s % 3 < 0.2 else 2_500_000, 60.0)
    assert set(seen) == {"smaller"}


def test_between_leaving_a_rung_and_taking_it_up_nothing_changes() -> None:
    ladder = a_ladder()
    wave = lambda at_s: 750_000 + 130_000 * math.sin(at_s)  # noqa: E731 - a formula
    assert changes(steps(ladder, wave, 120.0)) == 0
    ladder.advance(500_000, 120.0)
    assert changes(steps(ladder, wave, 120.0, begin_s=120.1)) == 0


def test_a_link_that_takes_the_rung_away_again_and_again_is_tried_ever_more_rarely() -> None:
    ladder = a_ladder()

    def breaks_down_when_full(_: float) -> float:
        return 500_000 if ladder.step == "full" else 1_400_000

    seen = steps(ladder, breaks_down_when_full, 300.0)
    assert changes(seen) <= 14  # 4 + 8 + 16 + 32 + 64 + 64 ... seconds between the tries
    ladder.advance(1_400_000, 400.0)
    late = steps(ladder, lambda _: 1_400_000, 100.0, begin_s=400.1)
    assert late[-1] == "full"
    ladder.advance(500_000, 520.0)
    assert steps(ladder, lambda _: 1_400_000, 4.5, begin_s=520.1)[-1] == "full"  # patient no longer: it held


def test_a_rate_that_jitters_by_a_third_does_not_make_it_flap() -> None:
    for middle in range(200_000, 2_000_000, 100_000):
        chance = random.Random(middle)
        ladder = a_ladder()
        seen = steps(ladder, lambda _, m=middle, c=chance: m * c.uniform(0.83, 1.17), 120.0)  # type: ignore[misc]  # mypy cannot see through defaults
        assert changes(seen) <= 2, middle
