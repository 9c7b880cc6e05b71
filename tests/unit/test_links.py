"""The benchmarks' link emulator: a packet's fate depends on the seed, its number and the clock that it is told."""

from __future__ import annotations

import pytest

from benchmarks.links import LINKS, UDP_AND_IP_BYTES, Capacity, Link, Way, chance, own_address, with_address

SDP = "\r\n".join(
    [
        "v=0",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111",
        "a=candidate:7 1 tcp 1518280447 192.0.2.7 9 typ host tcptype active",
        "a=candidate:1 1 udp 2113937151 2001:db8::7 40000 typ host",
        "a=candidate:2 1 udp 2113937151 192.0.2.7 40001 typ host",
        "a=candidate:3 1 udp 2113937151 127.0.0.1 40002 typ host",
        "a=mid:0",
        "m=video 9 UDP/TLS/RTP/SAVPF 96",
        "a=mid:1",
        "a=end-of-candidates",
        "",
    ]
)


def fates(link: Link, seed: int, sent_s: list[float], size: int = 1000) -> list[float | None]:
    way = Way(link, seed, 0.0, bottleneck=True)
    way.begin(0.0)
    return [way.arrives_s(at_s, size) for at_s in sent_s]


def test_the_same_packets_are_lost_whenever_they_are_sent() -> None:
    slow = fates(LINKS["5_150"], 3, [n * 0.01 for n in range(1000)])
    fast = fates(LINKS["5_150"], 3, [n * 0.001 for n in range(1000)])
    assert [at is None for at in slow] == [at is None for at in fast]
    other = fates(LINKS["5_150"], 4, [n * 0.01 for n in range(1000)])
    assert [at is None for at in slow] != [at is None for at in other]


def test_chance_is_even_and_does_not_change_between_versions() -> None:
    values = [chance(1, n) for n in range(20_000)]
    assert 0.046 < sum(v < 0.05 for v in values) / len(values) < 0.054
    assert [round(v, 6) for v in values[:3]] == [0.893475, 0.021279, 0.204305]


def test_delay_is_half_the_round_trip_on_each_way() -> None:
    kept = [at for at in fates(LINKS["1_50"], 1, [1.0] * 100) if at is not None]
    assert kept == [pytest.approx(1.025)] * len(kept)
    assert len(kept) > 90


def test_a_clean_link_does_nothing() -> None:
    assert fates(LINKS["clean"], 1, [0.0, 0.5, 0.5]) == [0.0, 0.5, 0.5]


def test_a_bottleneck_spaces_packets_and_drops_what_would_wait_too_long() -> None:
    each_s = 8 * (1000 + UDP_AND_IP_BYTES) / 1_000_000
    got = fates(LINKS["1mbit"], 1, [0.0] * 100)
    passed = [at for at in got if at is not None]
    assert passed == [pytest.approx(each_s * (n + 1)) for n in range(len(passed))]
    assert 0.25 < passed[-1] < 0.25 + 2 * each_s
    assert got[len(passed) :] == [None] * (100 - len(passed))  # the tail is dropped


def test_an_idle_bottleneck_saves_nothing_up() -> None:
    each_s = 8 * (1000 + UDP_AND_IP_BYTES) / 1_000_000
    assert fates(LINKS["1mbit"], 1, [50.0, 50.0]) == [pytest.approx(50 + each_s), pytest.approx(50 + 2 * each_s)]


def test_rate_steps_count_from_begin_and_hold_for_what_already_waits() -> None:
    line = Capacity(((0, 1_000_000), (10, 100_000), (20, 1_000_000)), now_s=5.0)
    assert line.bits(6.0) == pytest.approx(1_000_000)
    line.begin(7.0)
    assert line.bits(17.0) == pytest.approx(12_000_000)
    assert line.bits(27.0) == pytest.approx(13_000_000)
    assert line.bits(28.0) == pytest.approx(14_000_000)
    for at_s in (5.5, 16.9, 17.0, 20.0, 27.0, 99.0):
        assert line.time(line.bits(at_s)) == pytest.approx(at_s)


def test_only_the_way_from_the_sender_has_the_bottleneck() -> None:
    back = Way(LINKS["1mbit"], 1, 0.0, bottleneck=False)
    assert [back.arrives_s(1.0, 1200) for _ in range(1000)] == [1.0] * 1000


def test_what_happened_is_counted() -> None:
    way = Way(LINKS["1mbit"], 1, 0.0, bottleneck=True)
    for _ in range(100):
        way.arrives_s(0.0, 1000)
    c = way.counters
    assert (c.packets, c.bytes, c.lost) == (100, 100_000, 0)
    assert c.out_packets + c.overflowed == 100
    assert c.out_bytes == 1000 * c.out_packets
    assert 240 < c.queue_most_ms <= 250


def test_a_peer_is_told_the_relay_and_nothing_else() -> None:
    told = with_address(SDP, "127.0.0.1", 5)
    lines = told.splitlines()
    assert [line for line in lines if "candidate:" in line] == [
        "a=candidate:1 1 udp 2130706431 127.0.0.1 5 typ host"
    ] * 2
    assert lines.count("a=end-of-candidates") == 2
    assert lines.index("m=video 9 UDP/TLS/RTP/SAVPF 96") == lines.index("a=mid:0") + 3
    assert own_address(told, "192.0.2.7") == ("127.0.0.1", 5)


def test_of_a_peers_addresses_the_one_wished_for_is_taken_else_the_first_of_ipv4() -> None:
    assert own_address(SDP, "127.0.0.1") == ("127.0.0.1", 40002)
    assert own_address(SDP, "192.0.2.8") == ("192.0.2.7", 40001)
    with pytest.raises(ValueError, match="no candidate"):
        own_address("v=0\r\nm=audio 9 x 0\r\n", "127.0.0.1")
