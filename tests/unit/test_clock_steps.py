"""Which time is believed when files are deleted by rule."""

from __future__ import annotations

from desk.keeping.clock import AWAY_S, BACK_S, DAY_S, Known, step

NOW_S = 1_800_000_000.0
HOUR_S = 3600.0


def after(known: Known, *looks_s: float) -> Known:
    for now_s in looks_s:
        known = step(known, now_s)
    return known


def steadily(known: Known, start_s: float, hours: float) -> Known:
    """A look each hour."""
    return after(known, *(start_s + HOUR_S * n for n in range(int(hours) + 1)))


def test_a_clock_that_goes_on_is_believed_also_after_a_night() -> None:
    assert steadily(Known(NOW_S), NOW_S, 100) == Known(NOW_S + 100 * HOUR_S)
    assert after(Known(NOW_S), NOW_S + 14 * HOUR_S, NOW_S + 28 * HOUR_S) == Known(NOW_S + 28 * HOUR_S)


def test_what_drifted_is_put_right_and_nothing_is_forgotten_by_it() -> None:
    assert step(Known(NOW_S), NOW_S - BACK_S) == Known(NOW_S)


def test_a_clock_years_ahead_is_never_believed_by_itself() -> None:
    ahead_s = NOW_S + 3650 * DAY_S
    known = steadily(Known(NOW_S), ahead_s, 24 * 60)
    assert (known.good_s, known.since_s, known.believed_from_s) == (NOW_S, ahead_s, None)


def test_a_clock_years_back_neither_and_put_right_it_is_believed_at_once() -> None:
    back_s = NOW_S - 3650 * DAY_S
    known = steadily(Known(NOW_S), back_s, 48)
    assert known.since_s == back_s
    assert step(known, NOW_S + 49 * HOUR_S).since_s is not None, "two days were lost"
    assert step(known, NOW_S + 20 * HOUR_S) == Known(NOW_S + 20 * HOUR_S)


def test_the_first_second_of_1970_is_a_time_in_doubt_like_any_other() -> None:
    known = step(Known(NOW_S), 0.0)
    assert known.since_s == 0.0
    assert step(known, HOUR_S).since_s == 0.0


def test_after_a_weekend_it_is_believed_when_it_has_gone_on_for_a_day() -> None:
    monday_s = NOW_S + 2.5 * DAY_S
    known = steadily(Known(NOW_S), monday_s, 23)
    assert (known.good_s, known.believed_from_s) == (NOW_S, monday_s + DAY_S)
    assert step(known, monday_s + DAY_S) == Known(monday_s + DAY_S)
    overnight = after(Known(NOW_S), monday_s, monday_s + 9 * HOUR_S, monday_s + 24 * HOUR_S)
    assert overnight.since_s is None, "a night in which the desk is off is nothing"


def test_each_further_jump_begins_the_day_anew() -> None:
    first_s = NOW_S + 3 * DAY_S
    known = steadily(Known(NOW_S), first_s, 20)
    second_s = first_s + 4 * DAY_S
    known = step(known, second_s)
    assert (known.since_s, known.good_s) == (second_s, NOW_S)
    assert steadily(known, second_s, 23).since_s == second_s
    back = step(known, first_s + 21 * HOUR_S)
    assert back.since_s == first_s + 21 * HOUR_S


def test_two_weeks_are_the_most_that_is_believed_without_being_said() -> None:
    assert steadily(Known(NOW_S), NOW_S + AWAY_S, 24).since_s is None
    assert steadily(Known(NOW_S), NOW_S + AWAY_S + 1, 200).since_s is not None
    assert steadily(Known(NOW_S), NOW_S - AWAY_S, 24) == Known(NOW_S - AWAY_S + DAY_S)
