"""The rate of one link, and of the encoder."""

from __future__ import annotations

from kiosk.call.rate import START_BPS, Figures, LinkRate, encoder_bps, quality

MIN, MAX = 200_000, 2_500_000


def a_link() -> LinkRate:
    return LinkRate(MIN, MAX, now_s=0.0)


def run_clean(link: LinkRate, seconds: int, begin_s: float = 0.0) -> int:
    for second in range(1, seconds + 1):
        link.reported(0.0, 0.05, begin_s + second)
        link.advance(begin_s + second)
    return link.figures.target_bps


def test_a_new_link_begins_in_the_middle() -> None:
    assert a_link().figures.target_bps == START_BPS


def test_a_clean_link_rises_to_the_most_that_is_set() -> None:
    assert run_clean(a_link(), 30) == MAX


def test_a_link_never_rises_faster_than_the_clock_however_often_it_is_asked() -> None:
    link = a_link()
    for _ in range(1000):
        link.advance(1.0)
    assert link.figures.target_bps < START_BPS * 1.2


def test_heavy_loss_brings_the_rate_down_at_once_and_repeatedly_to_the_floor() -> None:
    link = a_link()
    link.reported(0.3, 0.05, 1.0)
    assert link.figures.target_bps < START_BPS * 0.9
    for second in range(2, 60):
        link.reported(0.3, 0.05, float(second))
        link.advance(float(second))
    assert link.figures.target_bps <= MIN


def test_two_reports_of_the_same_loss_in_a_round_trip_count_once() -> None:
    link = a_link()
    link.reported(0.3, 0.4, 1.0)
    once = link.figures.target_bps
    link.reported(0.3, 0.4, 1.1)
    assert link.figures.target_bps == once


def test_a_little_loss_stops_the_rise_and_takes_nothing_away() -> None:
    link = a_link()
    for second in range(1, 20):
        link.reported(0.05, 0.05, float(second))
        link.advance(float(second))
    assert START_BPS <= link.figures.target_bps < START_BPS * 1.5


def test_the_rate_stays_below_what_the_receiver_estimates() -> None:
    link = a_link()
    link.estimated(600_000, sent_bps=1_200_000)
    assert link.figures.target_bps <= 600_000
    assert run_clean(link, 10) <= 600_000


def test_the_rate_comes_back_when_the_estimate_rises() -> None:
    link = a_link()
    link.estimated(400_000, sent_bps=1_200_000)
    link.estimated(3_000_000, sent_bps=400_000)
    assert run_clean(link, 60) == MAX


def test_a_quiet_picture_whose_estimate_is_low_does_not_bring_the_rate_down() -> None:
    link = a_link()
    link.estimated(150_000, sent_bps=100_000)
    assert link.figures.target_bps == START_BPS


def test_the_encoder_follows_the_worst_link_but_not_below_the_floor() -> None:
    assert encoder_bps((2_000_000, 700_000), MIN) == 700_000
    assert encoder_bps((2_000_000, 50_000), MIN) == MIN
    assert encoder_bps((), MIN) == START_BPS


def test_quality_is_that_of_the_worst_link() -> None:
    good, fair, poor = Figures(2_000_000, 0.0, 0.05), Figures(2_000_000, 0.04, 0.05), Figures(2_000_000, 0.2, 0.05)
    assert quality([]) == ""
    assert quality([good]) == "good"
    assert quality([good, fair]) == "fair"
    assert quality([good, poor, fair]) == "poor"
    assert quality([Figures(250_000, 0.0, 0.05)]) == "poor"
    assert quality([Figures(2_000_000, 0.0, 0.4)]) == "fair"
