"""Reports of what we receive, read back by our own reader."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.call.arrivals import MOST_PACKETS, REPORT_S, Arrivals, packed
from kiosk.call.feedback import split


def told(report: bytes | None) -> tuple[int, tuple[float | None, ...]]:
    assert report is not None
    assert len(report) % 4 == 0
    (found,), others = split(report)
    assert others == b""
    return found.first, found.arrived_s


@given(
    st.integers(0, 65535),
    st.lists(st.none() | st.floats(0, 3), max_size=60),
    st.floats(0, 1e6),
)
def test_what_is_written_is_what_is_read(first: int, steps_s: list[float | None], begin_s: float) -> None:
    times = [begin_s, *(None if step is None else begin_s + step for step in steps_s)]
    read_first, read = told(packed(1, 2, 3, first, times))
    assert read_first == first
    assert [at is None for at in read] == [at is None for at in times]
    wrap_s = 2**24 * 0.064
    for wanted, found in zip(times, read, strict=True):
        if wanted is not None and found is not None:
            assert found == pytest.approx(wanted % wrap_s, abs=0.001)


def test_reports_come_ten_times_a_second_and_tell_each_packet_once() -> None:
    arrivals, reports = Arrivals(), []
    for n in range(300):
        now_s = n / 100
        if n != 150:
            arrivals.add((65_500 + n) % 2**16, now_s)
        if (report := arrivals.due(now_s, 1, 2)) is not None:
            reports.append(told(report))
    assert 25 <= len(reports) <= 3 / REPORT_S
    numbers = [(first + k) % 2**16 for first, times in reports for k in range(len(times))]
    assert numbers == [(65_500 + n) % 2**16 for n in range(len(numbers))]
    assert sum(at_s is None for _, times in reports for at_s in times) == 1


def test_packets_that_come_in_another_order_are_told_in_theirs() -> None:
    arrivals = Arrivals()
    for number, at_s in ((5, 1.0), (7, 1.01), (6, 1.02)):
        arrivals.add(number, at_s)
    first, times = told(arrivals.due(2.0, 1, 2))
    assert first == 5
    assert times == pytest.approx((1.0, 1.02, 1.01), abs=0.001)


def test_a_sender_that_counts_anew_is_followed_and_no_report_grows_beyond_bounds() -> None:
    arrivals = Arrivals()
    arrivals.add(100, 1.0)
    arrivals.add(40_000, 1.01)
    assert told(arrivals.due(2.0, 1, 2))[0] == 40_000
    for n in range(0, 1900, 3):
        arrivals.add(40_001 + n, 3.0)
    _, times = told(arrivals.due(3.0, 1, 2))
    assert len(times) <= MOST_PACKETS


def test_nothing_is_said_where_nothing_came() -> None:
    assert Arrivals().due(9.0, 1, 2) is None
