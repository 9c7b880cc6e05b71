"""In which order and how fast packets leave."""

from __future__ import annotations

from kiosk.call.pacer import BURST_S, COPY, COPY_LIFE_S, PACE, PICTURE, REPAIR, Pacer


def a_pacer(bps: float = 1_000_000) -> Pacer[bytes]:
    pacer: Pacer[bytes] = Pacer(len)
    pacer.follow(bps)
    return pacer


def drain(pacer: Pacer[bytes], now_s: float) -> list[tuple[float, bytes]]:
    """(time, packet) of all, taken as soon as they may leave."""
    left = []
    while (wait_s := pacer.wait_s(now_s)) is not None:
        now_s += wait_s
        left.append((now_s, pacer.take(now_s)))
    return left


def test_nothing_waits_where_nothing_is() -> None:
    assert a_pacer().wait_s(0.0) is None


def test_a_frame_leaves_at_a_multiple_of_the_rate_and_not_at_once() -> None:
    pacer = a_pacer()
    for _ in range(40):
        pacer.put(PICTURE, b"x" * 1000, 5.0)
    left = drain(pacer, 5.0)
    took_s = left[-1][0] - 5.0
    assert abs(took_s - (39 * 8000 / (PACE * 1_000_000) - BURST_S)) < 0.001
    assert pacer.queued_bytes == 0


def test_a_rest_is_not_saved_up() -> None:
    pacer = a_pacer()
    pacer.put(PICTURE, b"x", 0.0)
    drain(pacer, 0.0)
    for _ in range(40):
        pacer.put(PICTURE, b"x" * 1000, 60.0)
    assert drain(pacer, 60.0)[-1][0] > 60.1


def test_repairs_go_before_the_picture_and_copies_after_it() -> None:
    pacer = a_pacer()
    for lane, packet in ((COPY, b"copy"), (PICTURE, b"picture"), (REPAIR, b"repair")):
        pacer.put(lane, packet, 0.0)
    assert [packet for _, packet in drain(pacer, 0.0)] == [b"repair", b"picture", b"copy"]


def test_copies_that_come_too_late_are_left_out() -> None:
    pacer = a_pacer()
    pacer.put(COPY, b"x" * 1000, 0.0)
    assert pacer.wait_s(COPY_LIFE_S + 0.01) is None
    assert (pacer.expired, pacer.queued_bytes) == (1, 0)


def test_sound_is_counted_and_holds_the_picture_back_by_as_much() -> None:
    quiet, loud = a_pacer(), a_pacer()
    for _ in range(100):
        loud.spend(100, 0.0)
    for pacer in (quiet, loud):
        pacer.put(PICTURE, b"x", 0.0)
    assert quiet.wait_s(0.0) == 0
    wait_s = loud.wait_s(0.0)
    assert wait_s is not None
    assert abs(wait_s - (80_000 / (PACE * 1_000_000) - BURST_S)) < 0.001


def test_what_waits_is_told_in_time() -> None:
    pacer = a_pacer()
    for _ in range(10):
        pacer.put(PICTURE, b"x" * 1000, 0.0)
    assert abs(pacer.queue_s - 80_000 / (PACE * 1_000_000)) < 0.001
    assert pacer.waiting(PICTURE) == 10


def test_stills_leave_no_faster_than_the_link_carries_them() -> None:
    pacer = a_pacer()
    pacer.follow(80_000, gently=True)
    for _ in range(10):
        pacer.put(PICTURE, b"x" * 1000, 5.0)
    took_s = drain(pacer, 5.0)[-1][0] - 5.0
    assert abs(took_s - (9 * 8000 / 80_000 - BURST_S)) < 0.01
