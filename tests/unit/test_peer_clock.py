"""Two clocks compared over a link that delays."""

from __future__ import annotations

import random

import pytest

from kiosk.call.peer_clock import PeerClock
from kiosk.wire.channel import Heartbeat

AHEAD_S = 500.0
"""The participant's clock began so much earlier than ours."""


def a_beat(sent_s: float, there_s: float, back_s: float, held_s: float = 0.3) -> tuple[Heartbeat, float]:
    """(the participant's heartbeat that echoes ours of `sent_s`, when we hear it)."""
    answered_s = sent_s + there_s + held_s
    beat = Heartbeat(n=1, sent_ms=1000 * (answered_s + AHEAD_S), echo_ms=1000 * sent_s, held_ms=1000 * held_s)
    return beat, answered_s + back_s


def test_nothing_is_known_before_one_of_ours_is_echoed() -> None:
    clock = PeerClock()
    clock.heard(Heartbeat(n=1, sent_ms=1.0), 10.0)
    assert clock.ours_s(1000.0) is None


def test_their_time_becomes_ours() -> None:
    clock = PeerClock()
    clock.heard(*a_beat(20.0, there_s=0.04, back_s=0.04))
    assert clock.ours_s(1000 * (25.0 + AHEAD_S)) == pytest.approx(25.0)
    assert clock.uncertain_s == pytest.approx(0.04)


def test_the_quickest_exchange_counts_and_the_truth_lies_within_the_doubt() -> None:
    clock, chance = PeerClock(), random.Random(7)
    for second in range(30):
        clock.heard(*a_beat(100.0 + second, 0.02 + chance.expovariate(20), 0.02 + chance.expovariate(20)))
    found_s = clock.ours_s(1000 * (200.0 + AHEAD_S))
    assert found_s is not None
    assert abs(found_s - 200.0) <= clock.uncertain_s < 0.06


@pytest.mark.parametrize("echo_ms", [-1e9, 1e300, 30_001.0])
def test_an_echo_that_cannot_be_ours_is_not_believed(echo_ms: float) -> None:
    clock = PeerClock()
    clock.heard(Heartbeat(n=1, sent_ms=5.0, echo_ms=echo_ms), 30.0)
    assert clock.ours_s(5.0) is None
