"""The watch over the way to the broker: close in a call, and impatient where our own addresses have changed."""

from __future__ import annotations

import pytest

from kiosk.link.watch import ANSWER_S, CHANGED_ANSWER_S, EACH_S, IDLE_ANSWER_S, IDLE_EACH_S, own_addresses, watch


class Over(Exception):
    pass


class Site:
    """A client, a call and a network, one round of the watch after the other."""

    def __init__(self, rounds: list[tuple[bool, str]]) -> None:
        self._rounds = iter(rounds)
        self.on, self.address = False, "10.0.0.1"
        self.asked: list[float] = []
        self.hurried: list[bool] = []

    async def pause(self, _seconds: float) -> None:
        try:
            self.on, self.address = next(self._rounds)
        except StopIteration:
            raise Over from None

    def hurry(self, on: bool) -> None:
        self.hurried.append(on)

    async def check(self, limit_s: float) -> None:
        self.asked.append(limit_s)

    async def watched(self) -> None:
        with pytest.raises(Over):
            await watch(self, lambda: self.on, lambda: frozenset({self.address}), self.pause)


async def test_out_of_a_call_the_keep_alive_is_enough() -> None:
    site = Site([(False, "10.0.0.1"), (False, "10.0.0.2")])
    await site.watched()
    assert (site.asked, site.hurried) == ([], [False, False])


async def test_out_of_a_call_the_broker_is_asked_now_and_then() -> None:
    site = Site([(False, "10.0.0.1")] * (2 * int(IDLE_EACH_S / EACH_S)))
    await site.watched()
    assert site.asked == [IDLE_ANSWER_S, IDLE_ANSWER_S]


async def test_in_a_call_the_broker_is_asked_and_a_new_address_is_reason_for_doubt() -> None:
    site = Site([(True, "10.0.0.1"), (True, "10.0.0.9"), (True, "10.0.0.9"), (False, "10.0.0.9")])
    await site.watched()
    assert site.asked == [ANSWER_S, CHANGED_ANSWER_S, ANSWER_S]
    assert site.hurried == [True, True, True, False]


def test_this_machine_has_addresses() -> None:
    assert "127.0.0.1" in own_addresses()
