"""Whether staff are at a desk: what the desk tells, and what the kiosk makes of it, on clocks that jump."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from desk.sessions.kiosks import Kiosks
from desk.sessions.live import Hub, Listener
from desk.sessions.on_hand import RENEW_S, STAYS_S, OnHand
from kiosk.link.on_hand import MAX_DESKS
from kiosk.link.on_hand import OnHand as Heard
from kiosk.session.record import Device
from kiosk.wire.codec import decode
from kiosk.wire.messages import STAFF_GOOD_S, About, StaffTold
from tests.unit.desk_link import Link


@dataclass
class Clock:
    now_s: float = 1000.0

    def __call__(self) -> float:
        return self.now_s


class Pages(Hub):
    """Pages that are opened and closed without a browser."""

    def open(self, person: str) -> Listener:
        listener = Listener(person, all_sessions=False)
        self._listeners.add(listener)
        return listener

    def shut(self, listener: Listener) -> None:
        self._listeners.discard(listener)


@dataclass
class Desk:
    link: Link = field(default_factory=Link)
    pages: Pages = field(default_factory=Pages)
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.on_hand = OnHand(self.pages, Kiosks(self.link), self.clock)

    async def hears(self, kiosk: str, *staff: str) -> None:
        await self.on_hand.about(kiosk, About(Device("press-7", "Press 7"), "1", "test", staff=staff))

    async def said(self) -> list[tuple[str, int, int | None]]:
        """Kiosk, how many are there, for how many s; since it was asked last."""
        await self.on_hand.tell()
        new, self.link.said = self.link.said, []
        assert self.link.retained >= {topic for topic, _, _ in new}
        return [(topic.split("/")[2], decode(payload, StaffTold).present, expiry) for topic, payload, expiry in new]


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_a_kiosk_is_told_how_many_of_its_own_staff_are_there(desk: Desk) -> None:
    await desk.hears("k-1", "anna", "ben")
    await desk.hears("k-2", "clara")
    desk.pages.open("anna")
    desk.pages.open("anna")  # two pages of one person
    assert await desk.said() == [("k-1", 1, STAFF_GOOD_S), ("k-2", 0, None)]
    desk.pages.open("ben")
    assert await desk.said() == [("k-1", 2, STAFF_GOOD_S)]
    assert await desk.said() == []


async def test_whoever_opens_another_page_was_never_away(desk: Desk) -> None:
    await desk.hears("k-1", "anna")
    page = desk.pages.open("anna")
    await desk.said()
    desk.pages.shut(page)
    desk.clock.now_s += STAYS_S / 2
    assert await desk.said() == []
    desk.clock.now_s += STAYS_S
    assert await desk.said() == [("k-1", 0, None)]


async def test_that_somebody_is_there_is_told_again_and_that_nobody_is_only_once(desk: Desk) -> None:
    await desk.hears("k-1", "anna")
    await desk.hears("k-2", "ben")
    desk.pages.open("anna")
    await desk.said()
    desk.clock.now_s += RENEW_S
    assert await desk.said() == [("k-1", 1, STAFF_GOOD_S)]


async def test_a_kiosk_that_comes_back_is_told_anew(desk: Desk) -> None:
    await desk.hears("k-1", "anna")
    await desk.said()
    await desk.hears("k-1", "anna")
    assert await desk.said() == [("k-1", 0, None)]


async def test_without_a_broker_it_is_told_later(desk: Desk) -> None:
    await desk.hears("k-1", "anna")
    desk.link.connected = False
    assert await desk.said() == []
    desk.link.connected = True
    assert await desk.said() == [("k-1", 0, None)]


async def test_a_kiosk_for_which_nobody_is_named_is_told_nothing(desk: Desk) -> None:
    await desk.hears("k-1")
    assert await desk.said() == []


def test_as_long_as_one_desk_has_somebody_the_service_is_there() -> None:
    clock = Clock()
    heard = Heard(clock)
    assert heard.anybody is None
    heard.take(StaffTold("desk-1", 0))
    assert heard.anybody is False
    heard.take(StaffTold("desk-2", 3))
    heard.take(StaffTold("desk-1", 0))
    assert heard.anybody is True
    heard.take(StaffTold("desk-2", 0))
    assert heard.anybody is False


def test_a_desk_that_died_has_nobody() -> None:
    clock = Clock()
    heard = Heard(clock)
    heard.take(StaffTold("desk-1", 1))
    clock.now_s += STAFF_GOOD_S
    assert heard.anybody is False


def test_desks_without_end_cost_nothing() -> None:
    heard = Heard(Clock())
    for n in range(3 * MAX_DESKS):
        heard.take(StaffTold(f"desk-{n}", 0))
    heard.take(StaffTold("desk-last", 1))
    assert heard.anybody is True
    assert len(heard._told) == MAX_DESKS
