"""What is sent again, and what is done against loss beforehand."""

from __future__ import annotations

import pytest
from aiortc.rtp import RtpPacket, unwrap_rtx

from kiosk.call.protection import Plan, Protection
from kiosk.call.repair import HISTORY_PACKETS, HISTORY_S, History, as_rtx

PACKET = b"x" * 1000


def test_a_packet_is_sent_again_and_not_twice_within_a_round_trip() -> None:
    history = History(0.0)
    history.remember(7, PACKET, 0.0)
    assert history.repair(7, 0.1, 1e6, 0.0, 0.1) == PACKET
    assert history.repair(7, 0.15, 1e6, 0.0, 0.1) == "on its way"
    assert history.repair(7, 0.25, 1e6, 0.0, 0.1) == PACKET


def test_long_round_trips_and_late_asking_find_the_packet_still_there() -> None:
    history = History(0.0)
    for n in range(600):  # 2.5 Mbit/s for two seconds
        history.remember(n, PACKET, n / 300)
    assert history.repair(300, 2.0, 2.5e6, 0.05, 0.15) == PACKET


def test_history_is_bounded_in_time_and_number() -> None:
    history = History(0.0)
    history.remember(1, PACKET, 0.0)
    history.remember(2, PACKET, HISTORY_S + 0.1)
    assert history.repair(1, HISTORY_S + 0.1, 1e6, 0.0, 0.1) == "gone"
    for n in range(3 * HISTORY_PACKETS):
        history.remember(n % 2**16, PACKET, 3.0)
    assert history.copy(0) is None
    assert history.copy(3 * HISTORY_PACKETS - 1) == PACKET


def test_numbers_begin_anew_after_65535() -> None:
    history = History(0.0)
    history.remember(65_535, PACKET, 0.0)
    history.remember(0, b"y", 0.0)
    assert history.repair(0, 0.1, 1e6, 0.0, 0.1) == b"y"
    assert history.repair(65_535, 0.1, 1e6, 0.0, 0.1) == PACKET


@pytest.mark.parametrize(("bps", "loss"), [(400_000, 0.05), (1_000_000, 0.05), (5_000_000, 0.05), (1_000_000, 0.15)])
def test_the_budget_is_always_enough_for_what_is_lost(bps: int, loss: float) -> None:
    history, refused = History(0.0), 0
    per_s = int(bps / 8 / 1000)
    for n in range(10 * per_s):
        now_s = n / per_s
        history.remember(n % 2**16, PACKET, now_s)
        if n % int(1 / loss) == 0:
            refused += history.repair(n % 2**16, now_s, bps, loss, 0.1) != PACKET
    assert refused == 0


def test_repairs_cannot_fill_a_link_that_loses_most() -> None:
    history, given = History(0.0), 0
    for n in range(1000):
        history.remember(n, PACKET, n / 100)
        given += history.repair(n, n / 100, 400_000, 0.05, 0.1) == PACKET
    assert given < 0.4 * 10 * 400_000 / 8 / 1000


def test_a_packet_is_missing_once_all_that_was_sent_of_it_is_reported_lost() -> None:
    history = History(0.0)
    history.remember(7, PACKET, 0.0)
    for _ in range(2):
        history.left(7)
    assert not history.reported(7, False)
    assert history.reported(7, False)
    history.left(7)  # its repair
    assert not history.reported(7, True)
    assert not history.reported(8, False)  # too old to be known


def test_a_copy_that_came_is_enough() -> None:
    history = History(0.0)
    history.remember(7, PACKET, 0.0)
    for _ in range(2):
        history.left(7)
    assert not history.reported(7, True)
    assert not history.reported(7, False)


def test_a_repair_is_what_its_receiver_expects() -> None:
    packet = RtpPacket(payload_type=97, marker=1, sequence_number=513, timestamp=9, ssrc=5, payload=b"picture")
    packet.extensions.mid = "0"
    wrapped = RtpPacket.parse(as_rtx(packet.serialize(), 98, 7, 6))
    assert (wrapped.payload_type, wrapped.sequence_number, wrapped.ssrc, wrapped.marker) == (98, 7, 6, 1)
    found = unwrap_rtx(wrapped, 97, 5)
    assert (found.sequence_number, found.payload, found.timestamp) == (513, b"picture", 9)


# --- beforehand -------------------------------------------------------------------------------------------------------


def settled(noise: float, round_trip_s: float, total_bps: float = 2_500_000, jitter_s: float = 0.005) -> Plan:
    protection = Protection(0.0)
    for tick in range(100):
        plan = protection.look(noise, round_trip_s, jitter_s, total_bps, tick / 10)
    return plan


def test_a_clean_link_shows_frames_at_once_and_nothing_twice() -> None:
    assert settled(0.0, 0.05) == Plan("none", 0.0)
    assert settled(0.0, 0.3) == Plan("none", 0.0)


def test_a_little_loss_is_repaired_in_the_time_that_a_repair_takes() -> None:
    plan = settled(0.01, 0.05)
    assert plan.copies == "last"
    assert 0.06 <= plan.playout_s <= 0.1


def test_where_repairs_would_take_long_everything_is_sent_twice_and_little_is_waited_for() -> None:
    plan = settled(0.05, 0.1)
    assert plan.copies == "all"
    assert plan.playout_s < 0.08


def test_where_even_a_packet_lost_with_its_copy_would_be_seen_everything_is_sent_three_times() -> None:
    plan = settled(0.05, 0.15)
    assert plan.copies == "all twice"
    assert plan.playout_s < 0.08
    assert plan.copied == pytest.approx(2 / 3)


@pytest.mark.parametrize(("noise", "total_bps"), [(0.025, 3_000_000), (0.05, 2_000_000)])
def test_with_less_loss_or_less_room_two_of_each_are_enough(noise: float, total_bps: int) -> None:
    assert settled(noise, 0.15, total_bps).copies == "all"


def test_a_rate_that_breathes_does_not_change_how_often_packets_are_sent() -> None:
    protection = Protection(0.0)
    plans = [
        protection.look(0.05, 0.15, 0.005, 2_500_000 if tick % 20 < 10 else 1_700_000, tick / 10).copies
        for tick in range(200)
    ]
    assert set(plans) == {"all twice"}


def test_a_thin_link_is_not_halved() -> None:
    assert settled(0.05, 0.15, total_bps=700_000).copies == "last"


def test_on_a_short_way_repairs_are_quick_enough() -> None:
    plan = settled(0.05, 0.01)
    assert plan.copies == "last"
    assert plan.playout_s < 0.05


def test_on_a_long_way_it_does_not_wait_for_the_first_losses() -> None:
    assert Protection(0.0).look(None, 0.15, 0.0, 1_300_000, 0.1).copies == "all"
    assert Protection(0.0).look(None, 0.03, 0.0, 1_300_000, 0.1).copies == "none"
    assert Protection(0.0).look(0.0, 0.15, 0.0, 1_300_000, 0.1).copies == "none"


def test_a_link_that_has_become_good_is_trusted_again_slowly() -> None:
    protection = Protection(0.0)
    for tick in range(100):
        protection.look(0.05, 0.15, 0.005, 3e6, tick / 10)
    soon = [protection.look(0.0, 0.15, 0.005, 3e6, 10 + tick / 10) for tick in range(20)][-1]
    later = [protection.look(0.0, 0.15, 0.005, 3e6, 12 + tick / 10) for tick in range(600)][-1]
    assert soon.copies == "all twice"
    assert later == Plan("none", 0.0)


def test_the_delay_never_jumps() -> None:
    protection, before = Protection(0.0), 0.0
    for tick in range(300):
        noise = 0.05 if tick // 50 % 2 else 0.0
        after = protection.look(noise, 0.2, 0.005, 1e6, tick / 10).playout_s
        assert abs(after - before) < 0.021
        before = after


def test_it_never_waits_longer_than_half_a_second() -> None:
    assert settled(0.05, 2.0, total_bps=500_000).playout_s <= 0.5
