"""What is kept of a call."""

from __future__ import annotations

from kiosk.call.rate import Figures
from kiosk.call.summary import Summary

GOOD, BAD = Figures(2_000_000, 0.0, 0.02), Figures(300_000, 0.1, 0.3)


def test_a_call_in_figures() -> None:
    summary = Summary(100.0)
    for second in range(10):
        summary.sample(2, (GOOD, BAD) if second < 4 else (GOOD,), "stills" if second < 4 else "full")
    summary.frames, summary.bytes = 300, 1_000_000
    for n in range(100):
        summary.delays.add(0.040 + n / 10_000, 0.003)
    summary.freezes, summary.frozen_s = 2, 0.55
    figures = summary.figures(110.0)
    assert figures["duration_s"] == 10.0
    assert figures["bitrate_bps"] == 800_000
    assert (figures["at_full_s"], figures["at_stills_s"]) == (6.0, 4.0)
    assert (figures["worst_loss"], figures["worst_round_trip_ms"]) == (0.1, 300.0)
    assert abs(figures["mean_loss"] - 0.4 / 14) < 0.0001
    assert 44 <= figures["glass_to_glass_ms"] <= 46
    assert 48 <= figures["glass_to_glass_p95_ms"] <= 50
    assert figures["glass_to_glass_uncertain_ms"] == 3.0
    assert (figures["freezes"], figures["frozen_s"]) == (2.0, 0.6)
    assert "glass_to_glass_ms 45" in summary.line(110.0)


def test_what_nobody_saw_is_not_claimed() -> None:
    figures = Summary(0.0).figures(5.0)
    assert "glass_to_glass_ms" not in figures
    assert "freezes" not in figures


def test_delays_that_cannot_be_are_left_out_and_small_errors_of_the_clock_are_none() -> None:
    delays = Summary(0.0).delays
    assert not delays.add(-0.02, uncertain_s=0.01)
    assert not delays.add(11.0, uncertain_s=0.01)
    assert delays.add(-0.005, uncertain_s=0.01)
    assert delays.at_ms(0.5) == 0
    assert sum(delays.counted.values()) == 1
