"""The rate over simulated links: what a person in the call would want of it."""

from __future__ import annotations

from statistics import median

import pytest

from benchmarks.links import LINKS, Link
from tests.unit.simulated_link import Sample, Simulation, simulated


def delays_ms(samples: list[Sample], link: Link) -> list[float]:
    """Beyond the link's own."""
    return sorted(1000 * (s.delay_s - link.round_trip_s / 2) for s in samples)


def targets(samples: list[Sample]) -> list[float]:
    return [s.target_bps for s in samples]


def narrow(bps: int, **more: float) -> Link:
    return Link("narrow", "narrow", steps=((0, bps),), **more)


def after_start(link: Link, seconds: float, begin_s: float = 3.0) -> tuple[Simulation, list[Sample]]:
    simulation = simulated(link)
    simulation.run(begin_s)
    return simulation, simulation.run(seconds)


def test_a_clean_link_has_its_full_rate_within_seconds_and_keeps_it() -> None:
    simulation = simulated(LINKS["clean"])
    simulation.run(4)
    assert min(targets(simulation.run(30))) > 2_500_000


@pytest.mark.parametrize("name", ["1_50", "5_50", "5_150"])
def test_loss_without_a_queue_does_not_bring_the_rate_down(name: str) -> None:
    _, samples = after_start(LINKS[name], 30, begin_s=6)
    assert min(targets(samples)) > 2_400_000


@pytest.mark.parametrize("bps", [300_000, 600_000, 1_000_000, 2_000_000])
@pytest.mark.parametrize("round_trip_s", [0.0, 0.1])
def test_a_bottleneck_is_filled_but_no_queue_stands_before_it(bps: int, round_trip_s: float) -> None:
    link = narrow(bps, round_trip_s=round_trip_s)
    _, samples = after_start(link, 30)
    assert 0.7 * bps < median(targets(samples)) < bps
    delays = delays_ms(samples, link)
    frame_ms = 33 + 1000 * 9000 / bps  # a frame takes that long to pass, and the last packet of sound
    assert delays[int(0.95 * len(delays))] < frame_ms + 30
    assert samples[-1].lost - samples[0].lost <= 5


def test_a_drop_is_followed_within_half_a_second_and_the_queue_is_gone_soon() -> None:
    simulation = simulated(LINKS["steps"])
    simulation.run(10.0)
    dropped = simulation.run(10.5)
    assert dropped[-1].target_bps < 800_000
    simulation.run(12.0)
    calm = simulation.run(20.0)
    assert max(delays_ms(calm, LINKS["steps"])) < 60
    assert median(targets(calm)) > 550_000


def test_after_the_bottleneck_has_gone_the_rate_is_back_within_seconds() -> None:
    simulation = simulated(LINKS["steps"])
    simulation.run(24.0)
    assert min(targets(simulation.run(25.0))) > 1_900_000


def test_it_is_back_also_from_a_rate_too_small_for_bursts() -> None:
    simulation = simulated(Link("up", "up", 0.0, 0.05, steps=((0, 400_000), (10, 3_000_000))))
    simulation.run(18.0)
    assert min(targets(simulation.run(19.0))) > 1_500_000


def test_a_keyframe_larger_than_the_link_carries_in_a_quarter_second_shows_its_rate_at_once() -> None:
    simulation = simulated(narrow(1_000_000))
    simulation.keyframe_bits = 400_000
    first = simulation.run(1.0)
    assert min(targets(first)) < 900_000
    assert max(delays_ms(simulation.run(4.0)[-10:], simulation.link)) < 60


def test_a_path_that_becomes_longer_is_no_queue_for_ever() -> None:
    simulation = simulated(LINKS["clean"])
    simulation.run(6)
    simulation.clock_offset_s += 0.2  # everything arrives later from now on
    simulation.run(14)
    assert min(targets(simulation.run(20))) > 2_000_000


def test_lost_reports_do_not_bring_the_rate_down() -> None:
    link = Link("lossy back", "lossy back", loss=0.09, round_trip_s=0.08)
    _, samples = after_start(link, 30, begin_s=8)
    assert min(targets(samples)) > 1_500_000


def test_a_machine_that_stalls_now_and_then_keeps_its_rate() -> None:
    simulation = simulated(LINKS["clean"])
    simulation.run(5)
    for second in range(6, 20):
        simulation.stall(0.15)
        simulation.run(second)
    assert simulation.samples[-1].target_bps > 2_000_000


@pytest.mark.parametrize("jitter_s", [0.005, 0.02, 0.05])
def test_jitter_is_no_queue(jitter_s: float) -> None:
    simulation = simulated(LINKS["clean"])
    simulation.jitter_s = jitter_s
    simulation.run(6)
    found = targets(simulation.run(25))
    assert median(found) > 2_500_000
    assert min(found) > 1_800_000


def test_a_busy_radio_channel_costs_no_rate() -> None:
    simulation = simulated(LINKS["clean"])
    simulation.jitter_s, simulation.spikes = 0.005, 0.1
    simulation.run(6)
    assert min(targets(simulation.run(25))) > 2_000_000


def test_loss_of_a_queue_too_short_to_be_felt_is_taken_for_what_it_is() -> None:
    link = narrow(1_000_000, round_trip_s=0.05, queue_s=0.02)
    _, samples = after_start(link, 20, begin_s=6)
    assert median(targets(samples)) < 950_000
    assert samples[-1].lost - samples[0].lost < 100


def test_a_queue_that_was_full_from_the_beginning_is_found_by_sending_less() -> None:
    link = narrow(160_000, round_trip_s=0.05)
    _, samples = after_start(link, 25, begin_s=15)
    assert median(delays_ms(samples, link)) < 120
    assert 80_000 < median(targets(samples)) < 160_000


def test_much_loss_of_the_air_does_not_take_the_rate_below_what_a_picture_needs() -> None:
    _, samples = after_start(Link("bad", "bad", loss=0.3, round_trip_s=0.05), 40, begin_s=20)
    assert median(targets(samples)) >= 190_000


def test_an_outage_is_over_when_it_is_over() -> None:
    simulation = simulated(Link("out", "out", 0.0, 0.05, steps=((0, 2_500_000), (10, 500), (15, 2_500_000))))
    simulation.run(20)
    assert min(targets(simulation.run(25))) > 1_800_000


def test_a_link_below_any_picture_is_hopeless_and_is_tried_again_later() -> None:
    simulation = simulated(narrow(60_000))
    simulation.run(11)
    assert simulation.rate.figures.hopeless
    simulation.run(20)
    assert not simulation.rate.figures.hopeless
    good = simulated(narrow(500_000))
    good.run(20)
    assert not good.rate.figures.hopeless
