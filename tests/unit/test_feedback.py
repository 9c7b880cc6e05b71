"""Transport-wide feedback: what is read out of the receiver's reports, and what becomes of the packets sent."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.call.feedback import REMEMBERED, Fate, Report, SentLog, parse, split


def body(first: int, count: int, chunks: list[int], deltas: bytes, reference: int = 100) -> bytes:
    head = struct.pack("!HHI", first, count, reference << 8 | 7)
    return head + b"".join(chunk.to_bytes(2, "big") for chunk in chunks) + deltas


def rtcp(kind: int, fmt: int, content: bytes) -> bytes:
    content += b"\0" * (-len(content) % 4)
    return struct.pack("!BBH", 0x80 | fmt, kind, len(content) // 4) + content


def test_a_run_of_packets_that_all_came() -> None:
    report = parse(body(65534, 4, [1 << 13 | 4], bytes([0, 4, 4, 40])))
    assert report.first == 65534
    assert report.arrived_s == pytest.approx((6.4, 6.401, 6.402, 6.412))


def test_a_vector_of_one_bit_symbols() -> None:
    report = parse(body(7, 5, [0x8000 | 0b10100 << 9], bytes([4, 8])))
    assert report.arrived_s == pytest.approx((6.401, None, 6.403, None, None))


def test_a_vector_of_two_bit_symbols_with_a_time_that_goes_back() -> None:
    report = parse(body(7, 4, [0xC000 | 0b01001000 << 6], bytes([4]) + struct.pack("!h", -8)))
    assert report.arrived_s == pytest.approx((6.401, None, 6.399, None))


def test_several_chunks_follow_one_another() -> None:
    report = parse(body(0, 22, [20, 0x8000 | 0b11 << 12], bytes([4, 4])))
    assert report.arrived_s[:20] == (None,) * 20
    assert report.arrived_s[20:] == pytest.approx((6.401, 6.402))


@pytest.mark.parametrize(
    "broken", [b"", b"\0" * 7, body(0, 9, [], b""), body(0, 3, [1 << 13 | 3], b"\1"), body(0, 9, [0], b"")]
)
def test_what_is_cut_off_is_refused(broken: bytes) -> None:
    with pytest.raises(ValueError, match="transport feedback"):
        parse(broken)


@given(st.binary(max_size=200))
def test_no_garbage_does_anything_but_be_refused(garbage: bytes) -> None:
    with contextlib.suppress(ValueError):
        parse(garbage)
    split(garbage)


def test_reports_are_taken_out_of_a_compound_and_the_rest_is_left_as_it_was() -> None:
    ssrcs = struct.pack("!II", 1, 2)
    report = rtcp(205, 15, ssrcs + body(3, 1, [1 << 13 | 1], b"\4"))
    nack, receiver = rtcp(205, 1, ssrcs + b"\0\7\0\0"), rtcp(201, 0, struct.pack("!I", 1))
    reports, others = split(receiver + report + nack)
    assert [r.first for r in reports] == [3]
    assert others == receiver + nack


def test_a_garbled_report_is_as_good_as_lost() -> None:
    assert split(rtcp(205, 15, struct.pack("!II", 1, 2) + body(0, 9, [], b""))) == ([], b"")


def sent(log: SentLog, count: int, begin_s: float = 0.0) -> list[int]:
    return [log.sent(100, begin_s + 0.01 * n) for n in range(count)]


def test_each_packet_s_fate_is_told_once() -> None:
    log = SentLog()
    assert sent(log, 3) == [0, 1, 2]
    assert log.outstanding_bytes == 300
    report = Report(0, (5.0, None))
    assert log.reported(report) == [Fate(0.0, 100, 5.0), Fate(0.01, 100, None)]
    assert log.outstanding_bytes == 100
    assert log.reported(report) == []


def test_it_is_told_what_the_packet_carried() -> None:
    log = SentLog()
    log.sent(100, 1.0, carried=65_535)
    assert log.reported(Report(0, (None,))) == [Fate(1.0, 100, None, 65_535)]


def test_numbers_go_on_beyond_16_bits() -> None:
    log = SentLog()
    for n in range(70_000):
        number = log.sent(100, float(n))
    assert number == 69_999 - 65_536
    assert log.reported(Report(number, (5.0,))) == [Fate(69_999.0, 100, 5.0)]


def test_what_a_lost_report_told_of_is_let_go_of() -> None:
    log = SentLog()
    sent(log, 10)
    assert len(log.reported(Report(8, (5.0, 5.1)))) == 2
    assert log.outstanding_bytes == 0


def test_a_receiver_that_reports_nothing_costs_no_memory() -> None:
    log = SentLog()
    sent(log, 3 * REMEMBERED)
    assert log.outstanding_bytes == 100 * REMEMBERED
    log.forget_before(1e9)
    assert log.outstanding_bytes == 0


def test_reports_of_packets_never_sent_are_nothing() -> None:
    log = SentLog()
    sent(log, 3)
    assert log.reported(Report(60_000, (5.0,) * 9)) == []


def test_the_receiver_s_clock_goes_on_when_its_24_bits_begin_anew() -> None:
    log = SentLog()
    sent(log, 2)
    wrap_s = 2**24 * 0.064
    (before,) = log.reported(Report(0, (wrap_s - 1,)))
    (after,) = log.reported(Report(1, (1.0,)))
    assert before.arrived_s is not None
    assert after.arrived_s == pytest.approx(before.arrived_s + 2)
