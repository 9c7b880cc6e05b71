"""Quiet hours, over midnight, over changes of the clock, and anywhere."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.notifications.quiet import QuietHours, quiet_until, zone_of

BERLIN = "Europe/Berlin"


def at(text: str, zone: str = BERLIN, fold: int = 0) -> float:
    """Wall seconds of a moment as the clock there shows it."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


def hours(begin: str, end: str, zone: str = BERLIN) -> QuietHours:
    def minute(text: str) -> int:
        hour, _, rest = text.partition(":")
        return int(hour) * 60 + int(rest)

    return QuietHours(minute(begin), minute(end), zone)


NIGHT = hours("22:00", "06:30")


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-03-02T21:59:59", "2026-03-02T21:59:59"),
        ("2026-03-02T22:00:00", "2026-03-03T06:30:00"),
        ("2026-03-02T23:59:59", "2026-03-03T06:30:00"),
        ("2026-03-03T00:00:00", "2026-03-03T06:30:00"),
        ("2026-03-03T06:29:59", "2026-03-03T06:30:00"),
        ("2026-03-03T06:30:00", "2026-03-03T06:30:00"),
        ("2026-12-31T23:00:00", "2027-01-01T06:30:00"),
    ],
)
def test_a_night_goes_over_midnight(now: str, until: str) -> None:
    assert quiet_until(NIGHT, at(now)) == at(until)


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-03-02T11:59:59", "2026-03-02T11:59:59"),
        ("2026-03-02T12:00:00", "2026-03-02T13:00:00"),
        ("2026-03-02T13:00:00", "2026-03-02T13:00:00"),
    ],
)
def test_a_lunch_does_not(now: str, until: str) -> None:
    assert quiet_until(hours("12:00", "13:00"), at(now)) == at(until)


def test_hours_may_end_or_begin_at_midnight() -> None:
    assert quiet_until(hours("22:00", "00:00"), at("2026-03-02T23:30:00")) == at("2026-03-03T00:00:00")
    assert quiet_until(hours("22:00", "00:00"), at("2026-03-03T00:00:00")) == at("2026-03-03T00:00:00")
    assert quiet_until(hours("00:00", "05:00"), at("2026-03-03T00:00:00")) == at("2026-03-03T05:00:00")


def test_it_is_night_where_the_person_is() -> None:
    now = datetime(2026, 3, 2, 22, 30, tzinfo=UTC).timestamp()
    assert quiet_until(hours("22:00", "06:00", "UTC"), now) > now
    assert quiet_until(hours("22:00", "06:00", "America/New_York"), now) == now
    assert quiet_until(hours("22:00", "06:00", "Asia/Kathmandu"), now) == at("2026-03-03T06:00:00", "Asia/Kathmandu")
    assert quiet_until(hours("00:00", "06:00", "Pacific/Kiritimati"), now) == now


def test_in_spring_the_night_is_an_hour_shorter() -> None:
    """On 29 March 2026 the clock in Berlin goes from 2:00 to 3:00."""
    began = at("2026-03-28T22:00:00")
    assert quiet_until(NIGHT, began) - began == 7.5 * 3600


def test_in_autumn_it_is_an_hour_longer() -> None:
    """On 25 October 2026 it goes from 3:00 back to 2:00."""
    began = at("2026-10-24T22:00:00")
    assert quiet_until(NIGHT, began) - began == 9.5 * 3600


def test_an_end_that_the_clock_leaps_over_is_where_the_clock_is_after_it() -> None:
    until = quiet_until(hours("22:00", "02:30"), at("2026-03-29T01:30:00"))
    assert at("2026-03-29T03:00:00") <= until <= at("2026-03-29T03:30:00")
    assert quiet_until(hours("22:00", "02:30"), until) == until


def test_an_hour_that_comes_twice_is_quiet_twice() -> None:
    early = hours("01:00", "02:30")
    first, second = at("2026-10-25T02:15:00"), at("2026-10-25T02:15:00", fold=1)
    assert second - first == 3600
    assert quiet_until(early, first) == at("2026-10-25T02:30:00")
    between = at("2026-10-25T02:45:00")
    assert quiet_until(early, between) == between
    assert quiet_until(early, second) == at("2026-10-25T02:30:00", fold=1)


@given(
    st.integers(0, 1439),
    st.integers(0, 1439),
    st.sampled_from(
        [BERLIN, "UTC", "Australia/Lord_Howe", "America/St_Johns", "Africa/Casablanca", "Antarctica/Troll"]
    ),
    st.integers(1_700_000_000, 1_900_000_000),
)
def test_quiet_hours_always_end_within_a_day_and_an_hour_and_it_is_not_quiet_after_them(
    begin: int, end: int, zone: str, now_s: int
) -> None:
    if begin == end:
        return
    quiet = QuietHours(begin, end, zone)
    until = quiet_until(quiet, now_s)
    assert now_s <= until <= now_s + 27 * 3600
    again = quiet_until(quiet, until)
    assert again in (until, quiet_until(quiet, again)), "at most once more, where an hour comes twice"


@pytest.mark.parametrize("name", ["", "Mars/Phobos", "Europe", "../../etc/passwd", "/etc/localtime", "a\0b", "x" * 300])
def test_what_is_no_time_zone_is_said_to_be_none(name: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever says so
        zone_of(name)
