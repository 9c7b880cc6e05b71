"""Who has a page open, for several desks on one database: the kiosk is told by each of them, and nobody is told by
e-mail or push of what their page has just told them, whichever desk it is open at."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from msgspec.structs import replace
from sqlalchemy import select

from desk.config import Config, Notifications, Rank
from desk.database import database_url
from desk.notifications.alerts import PAGE_FIRST_S
from desk.people.accounts import Accounts, Profile
from desk.sessions.open_pages import GOOD_S, RENEW_S, OpenPages
from desk.sessions.store import open_store
from desk.sessions.tables import OpenPageRow
from kiosk.demo.site import free_ports
from kiosk.link.on_hand import OnHand as Heard
from kiosk.session.record import Person, Ringing
from kiosk.session.states import State
from kiosk.wire import topics
from kiosk.wire.messages import STAFF_GOOD_S, About
from tests.contract.desk_site import ANNA, BEN, DEVICE, Kiosk, a_session, next_rev, open_site, until
from tests.contract.postgres_site import Postgres
from tests.contract.push_site import Service
from tests.contract.test_alerts import Clock, OneDesk, quiet, subscription
from tests.contract.test_desk_notify_several import desk_process, person
from tests.unit.test_on_hand import Pages

BOTH = (ANNA, BEN)
HOUR_S = 3600.0


@dataclass
class Desk:
    """What a desk knows of pages and of whom to tell."""

    one: OneDesk
    pages: Pages
    open_pages: OpenPages

    async def opens(self, *people: str) -> None:
        for name in people:
            self.pages.open(name)
        await self.open_pages.tell()

    async def shuts_all(self) -> None:
        for listener in tuple(self.pages._listeners):
            self.pages.shut(listener)
        await self.open_pages.tell()

    async def told(self) -> list[str]:
        """Who is told by this desk now, by whatever way."""
        return [who for what, who, _ in await self.one.sends() if what == "told"]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def desks(database: str, clock: Clock) -> AsyncIterator[tuple[Desk, Desk]]:
    url, settings = database_url(Config(database=database)), Notifications(escalate_minutes=5)
    stores = [await open_store(url, clock) for _ in range(2)]
    ones = [OneDesk(store, clock, settings, f"desk-{n}") for n, store in enumerate(stores)]
    hubs = (Pages(), Pages())
    here, there = (
        Desk(one, pages, OpenPages(one.store.transactions, pages, clock)) for one, pages in zip(ones, hubs, strict=True)
    )
    for name, rank in (("anna", Rank.STAFF), ("ben", Rank.STAFF), ("clara", Rank.MODERATOR)):
        await Accounts(stores[0].transactions, clock).add(Profile(name, name, roles=(rank,)))
        await ones[0].channels.subscribe(name, subscription(name), "a browser")
    yield here, there
    for store in stores:
        await store.close()


Two = tuple[Desk, Desk]


async def test_whose_page_is_open_at_another_desk_is_told_there_first(desks: Two, clock: Clock) -> None:
    here, there = desks
    await there.opens("anna")
    await here.one.hears(a_session(asked=BOTH))
    assert await here.told() == ["ben"]
    clock.now += PAGE_FIRST_S - 1
    assert await here.told() + await there.told() == []
    clock.now += 1
    assert await here.told() == ["anna"], "the page may be open where nobody sits"


async def test_who_looks_meanwhile_is_told_nothing_more_and_the_others_are(desks: Two, clock: Clock) -> None:
    here, there = desks
    await there.opens("anna")
    first = await here.one.hears(a_session(asked=BOTH))
    await here.one.hears(next_rev(first, seen_by=(ANNA,)))
    clock.now += HOUR_S
    assert sorted(await here.told() + await there.told()) == ["ben", "clara"], "nobody has confirmed it"


async def test_what_waits_for_the_end_of_quiet_hours_is_left_out_as_well(desks: Two, clock: Clock) -> None:
    here, _ = desks
    await here.one.channels.wish("anna", quiet(22, 6))
    first = await here.one.hears(a_session())
    await here.one.hears(next_rev(first, seen_by=(ANNA,)))
    clock.now += 8 * HOUR_S
    assert await here.told() == ["clara"]


async def test_whose_last_page_is_shut_is_told_at_once(desks: Two) -> None:
    here, there = desks
    await here.opens("anna")
    await there.opens("anna")
    await there.shuts_all()
    await here.one.hears(a_session("s-1"))
    assert await here.told() == [], "there is another page, at this desk"
    await here.shuts_all()
    await there.one.hears(a_session("s-2", asked=BOTH))
    assert sorted(await there.told()) == ["anna", "ben"]


async def test_a_page_that_stays_open_counts_for_as_long_as_its_desk_says_so(desks: Two, clock: Clock) -> None:
    here, there = desks
    await there.opens("anna")
    for _ in range(10):
        clock.now += RENEW_S
        await there.open_pages.tell()
    await here.one.hears(a_session("s-1"))
    assert await here.told() == []
    clock.now += GOOD_S + 1  # and the other desk was killed
    await here.one.hears(a_session("s-2", asked=(BEN, ANNA)))
    assert sorted(await here.told()) == ["anna", "anna", "ben"]


async def test_when_a_desk_is_killed_its_pages_are_soon_at_another_and_nothing_is_told_twice(
    desks: Two, clock: Clock
) -> None:
    here, there = desks
    await there.opens("anna")
    first = await here.one.hears(a_session())
    await here.opens("anna")
    clock.now += 5
    await here.one.hears(next_rev(first, seen_by=(ANNA,), state=State.CONFIRMED))
    clock.now += HOUR_S
    assert await here.told() == []


async def test_somebody_at_the_page_has_a_moment_to_answer_before_their_phone_rings_too(
    desks: Two, clock: Clock
) -> None:
    here, there = desks
    await there.opens("anna")
    first = await here.one.hears(a_session(state=State.CONFIRMED, seen_by=(ANNA,)))
    rings = await here.one.hears(next_rev(first, ringing=Ringing("code_user", "", "2026-03-01T10:00:00Z")))
    assert await here.told() == []
    await here.one.hears(next_rev(rings, ringing=None))
    clock.now += HOUR_S
    assert await there.told() == []
    await here.one.hears(replace(rings, rev=9, ringing=Ringing("code_user", "", "2026-03-01T12:00:00Z")))
    assert await here.told() == ["anna"], "that they have seen it before does not keep it from them"


async def test_while_nobody_comes_or_goes_nothing_is_written(desks: Two, clock: Clock) -> None:
    here, _ = desks
    await here.opens("anna")
    good = [until_s async for until_s in written(here)]
    clock.now += RENEW_S - 1
    await here.open_pages.tell()
    assert [until_s async for until_s in written(here)] == good
    clock.now += 1
    await here.open_pages.tell()
    assert [until_s async for until_s in written(here)] == [clock.now + GOOD_S]


async def written(desk: Desk) -> AsyncIterator[float]:
    async with desk.one.store.transactions.read() as db:
        for until_s in await db.scalars(select(OpenPageRow.until_s)):
            yield until_s


# --- two processes ----------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def open_page(http: httpx.AsyncClient) -> AsyncIterator[None]:
    """A page that follows the desk, as long as the desk lives."""
    began = asyncio.Event()

    async def follow() -> None:
        with contextlib.suppress(httpx.HTTPError):
            async with http.stream("GET", "/api/events", timeout=None) as stream:
                async for _ in stream.aiter_bytes():
                    began.set()

    following = asyncio.create_task(follow())
    await asyncio.wait_for(began.wait(), 20)
    try:
        yield
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


class AtTheKiosk:
    """What a kiosk makes of all that it is told, on a clock that jumps."""

    def __init__(self, kiosk: Kiosk) -> None:
        self._kiosk, self._taken, self.now_s = kiosk, 0, 1000.0
        self._heard = Heard(lambda: self.now_s)

    @property
    def anybody(self) -> bool | None:
        told = self._kiosk.staff_told[self._taken :]
        self._taken += len(told)
        for each in told:
            self._heard.take(each)
        return self._heard.anybody

    async def knows(self, anybody: bool) -> None:
        await until(lambda: self.anybody is anybody)


async def test_a_kiosk_knows_of_staff_at_either_desk_also_when_one_is_killed(
    tmp_path: Path, postgres: Postgres
) -> None:
    first, second = free_ports(2)
    with postgres.database("on-hand-two") as database:
        async with (
            open_site(tmp_path) as site,
            desk_process(site, database, first) as killed,
            desk_process(site, database, second),
            site.kiosk() as kiosk,
            person(site, first, "anna") as at_first,
            person(site, second, "anna") as at_second,
        ):
            told = AtTheKiosk(kiosk)
            about = About(DEVICE, "1", "test", staff=("anna",))
            await kiosk.say(topics.ABOUT, about, retain=True)
            await until(lambda: len({each.desk for each in kiosk.staff_told}) == 2)
            await told.knows(anybody=False)
            async with open_page(at_first):
                await told.knows(anybody=True)
                await kiosk.say(topics.ABOUT, about, retain=True)  # it has come back, and hears both of them again
                before = len(kiosk.staff_told)
                await until(lambda: len({each.desk for each in kiosk.staff_told[before:]}) == 2)
                assert told.anybody is True, "what the other desk says takes nobody away"
                killed.kill()
                await killed.wait()
            told.now_s += STAFF_GOOD_S
            assert told.anybody is False, "of a desk that was killed nobody is there"
            async with open_page(at_second):
                await told.knows(anybody=True)


async def test_a_process_knows_of_pages_at_the_other_and_does_not_push_at_once(
    tmp_path: Path, postgres: Postgres, service: Service
) -> None:
    asked = (Person("anna", "Anna Berg"), Person("clara", "Clara Wolf"))
    browsers = {name: service.browser(name) for name in ("anna", "clara")}
    first, second = free_ports(2)
    with postgres.database("pages-two") as database:
        async with (
            open_site(tmp_path) as site,
            desk_process(site, database, first),
            desk_process(site, database, second),
            site.kiosk() as kiosk,
            person(site, second, "anna") as anna,
            person(site, first, "clara") as clara,
        ):
            for name, http in (("anna", anna), ("clara", clara)):
                await http.post("/api/account/notifications/browsers", json=browsers[name].subscription)
            async with open_page(anna):
                await until(lambda: postgres.sql("SELECT person FROM open_pages", "pages-two") == "anna")
                await kiosk.told(a_session(asked=asked, assigned=asked))
                await until(lambda: browsers["clara"].got)
                waits = "SELECT round(m.due_s - a.begun_s) FROM alert_messages m JOIN alerts a USING (session, key)"
                waited = postgres.sql(f"{waits} WHERE m.account = 'anna' AND m.level = 0", "pages-two")
                assert waited == str(round(PAGE_FIRST_S))
