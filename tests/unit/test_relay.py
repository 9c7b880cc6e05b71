"""The relay: bounded, and always from a keyframe on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from kiosk.call.relay import Keyframes, Relay
from kiosk.hw.ports import AccessUnit


@dataclass
class _Due:
    at_s: float
    then: Callable[[], None]
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


@dataclass
class Clock:
    """Jumps; what falls due on the way is run."""

    now_s: float = 100.0
    due: list[_Due] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now_s

    def call_later(self, wait_s: float, then: Callable[[], None]) -> _Due:
        due = _Due(self.now_s + wait_s, then)
        self.due.append(due)
        return due

    def jump(self, seconds: float) -> None:
        end_s = self.now_s + seconds
        for due in sorted((d for d in self.due if d.at_s <= end_s), key=lambda d: d.at_s):
            self.due.remove(due)
            self.now_s = max(self.now_s, due.at_s)
            if not due.cancelled:
                due.then()
        self.now_s = end_s


class Encoder:
    def __init__(self) -> None:
        self.asked = 0

    def request_keyframe(self) -> None:
        self.asked += 1


def made() -> tuple[Relay, Encoder, Clock]:
    encoder, clock = Encoder(), Clock()
    return Relay(Keyframes(encoder.request_keyframe, clock, clock.call_later)), encoder, clock


def key(n: int) -> AccessUnit:
    return AccessUnit(b"key", float(n), True)


def delta(n: int) -> AccessUnit:
    return AccessUnit(b"delta", float(n), False)


async def test_a_reader_begins_at_a_keyframe_and_asks_for_one() -> None:
    relay, encoder, _ = made()
    outlet = relay.open()
    assert encoder.asked == 1
    relay.pass_on(delta(1))
    relay.pass_on(key(2))
    relay.pass_on(delta(3))
    assert [(await outlet.get()).captured_s for _ in range(2)] == [2.0, 3.0]


async def test_all_readers_get_the_very_same_units() -> None:
    relay, _, _ = made()
    one, other = relay.open(), relay.open()
    unit = key(1)
    relay.pass_on(unit)
    assert await one.get() is unit
    assert await other.get() is unit


async def test_a_slow_reader_loses_all_up_to_the_next_keyframe_and_asks_for_it() -> None:
    relay, encoder, clock = made()
    slow = relay.open(size=5)
    relay.pass_on(key(0))
    clock.jump(10)
    asked = encoder.asked
    for n in range(1, 8):
        relay.pass_on(delta(n))
    assert len(slow) == 0
    assert encoder.asked == asked + 1
    relay.pass_on(key(8))
    relay.pass_on(delta(9))
    assert [(await slow.get()).captured_s for _ in range(2)] == [8.0, 9.0]
    assert slow.dropped == 8


async def test_a_full_queue_whose_next_unit_is_a_keyframe_goes_on_with_it() -> None:
    relay, _, _ = made()
    slow = relay.open(size=3)
    for unit in (key(0), delta(1), delta(2), key(3), delta(4)):
        relay.pass_on(unit)
    assert [(await slow.get()).captured_s for _ in range(2)] == [3.0, 4.0]


async def test_a_slow_reader_does_not_slow_the_others_down() -> None:
    relay, _, _ = made()
    relay.open(size=2)
    quick = relay.open(size=2)
    relay.pass_on(key(0))
    for n in range(1, 100):
        assert (await quick.get()).captured_s == n - 1
        relay.pass_on(delta(n))
    assert quick.dropped == 0


async def test_a_closed_outlet_wakes_its_reader_and_is_forgotten() -> None:
    relay, _, _ = made()
    outlet = relay.open()
    reading = asyncio.ensure_future(outlet.get())
    await asyncio.sleep(0)
    outlet.close()
    with pytest.raises(StopAsyncIteration):
        await reading
    assert len(relay) == 0


async def test_closing_the_relay_closes_every_outlet() -> None:
    relay, _, _ = made()
    outlets = [relay.open(), relay.open()]
    relay.close()
    for outlet in outlets:
        with pytest.raises(StopAsyncIteration):
            await outlet.get()


async def test_many_requests_become_two_keyframes_a_second() -> None:
    relay, encoder, clock = made()
    for _ in range(100):
        relay.keyframes.request()
        clock.jump(0.05)
    assert 10 <= encoder.asked <= 11


async def test_a_request_within_the_gap_is_not_lost() -> None:
    relay, encoder, clock = made()
    relay.keyframes.request()
    clock.jump(0.1)
    relay.keyframes.request()
    assert encoder.asked == 1
    clock.jump(0.5)
    assert encoder.asked == 2


async def test_a_keyframe_that_passes_answers_who_still_waits_for_one() -> None:
    relay, encoder, clock = made()
    relay.keyframes.request()
    relay.keyframes.request()
    relay.pass_on(key(1))
    clock.jump(5)
    assert encoder.asked == 1


async def test_a_newcomer_does_not_wait_for_the_gap() -> None:
    relay, encoder, clock = made()
    relay.keyframes.request()
    relay.pass_on(key(1))
    clock.jump(0.15)
    relay.open()
    assert encoder.asked == 2
