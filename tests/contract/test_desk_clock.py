"""A clock that jumps deletes nothing early, whether the desk is started with it or it is put right meanwhile."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from msgspec.structs import replace
from playwright.async_api import Browser, expect
from sqlalchemy import select

from desk.config import Config, Member, Rank, Retention
from desk.database import database_url
from desk.keeping.clock import THE_ONE, Clock
from desk.keeping.deletions import Cause
from desk.keeping.tables import ClockRow
from desk.problems import Problem
from desk.sessions.store import open_store
from desk.tables import ArtifactRow
from kiosk.session.record import ArtifactKind
from kiosk.session.states import State
from tests.contract.desk_site import PEOPLE, Site, open_site
from tests.contract.test_desk_deletions import DAY_S, NOW_S, Place
from tests.contract.test_desk_lists import signed_in

MONTH = Retention(recordings_days=30)
HOUR_S = 3600.0


@pytest.fixture
async def place(database: str, tmp_path: Path) -> AsyncIterator[Place]:
    """With a recording that is here since NOW_S, and a first look."""
    store = await open_store(database_url(Config(database=database)), now=lambda: found.now_s)
    found = Place(store, tmp_path)
    await found.put("s-1", rec=ArtifactKind.RECORDING)
    await found.keeper(MONTH).look()
    yield found
    await store.close()


async def look(place: Place, at_s: float) -> int:
    """By a desk that is started at that time."""
    place.now_s = at_s
    return await place.keeper(MONTH).look()


async def since(place: Place, session: str) -> float:
    async with place.store.transactions.read() as db:
        found = await db.scalar(select(ArtifactRow.verified_s).where(ArtifactRow.session == session))
    assert found is not None
    return found


async def test_a_desk_that_is_started_years_ahead_deletes_nothing_and_says_so_once(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    ahead_s = NOW_S + 3650 * DAY_S
    with caplog.at_level(logging.ERROR):
        for n in range(200):
            assert await look(place, ahead_s + n * HOUR_S) == 0
    assert await place.left() == {"rec"}
    assert len(caplog.records) == 1
    assert [line[1:] for line in await place.store.audited()] == [("clock_doubted", "", "+3650.0 days")]
    assert await look(place, NOW_S + 9 * HOUR_S) == 0, "put right"
    assert [line[1] for line in await place.store.audited()] == ["clock_doubted", "clock_believed"]


async def test_also_where_no_desk_has_looked_before(place: Place) -> None:
    async with place.store.transactions.begin() as db:
        await db.delete(await db.get_one(ClockRow, THE_ONE))
    assert await look(place, NOW_S + 3650 * DAY_S) == 0
    assert await place.left() == {"rec"}


async def test_a_jump_while_a_desk_runs_is_noticed_at_its_next_look(place: Place) -> None:
    keeper = place.keeper(MONTH)
    for n in range(5):
        place.now_s = NOW_S + n * HOUR_S
        assert await keeper.look() == 0
    place.now_s = NOW_S + 100 * DAY_S
    assert await keeper.look() == 0
    assert await place.left() == {"rec"}


async def test_what_is_old_in_truth_goes_when_its_time_has_come(place: Place) -> None:
    gone = 0
    for hour in range(31 * 24 + 1):
        gone += await look(place, NOW_S + hour * HOUR_S) if hour % 12 == 0 else 0
    assert gone == 1
    assert await place.left() == set()


async def test_after_a_weekend_a_day_later(place: Place) -> None:
    await place.later(29)
    monday_s = place.now_s + 2.5 * DAY_S
    assert await look(place, monday_s) == 0, "it is due, and the clock is in doubt"
    assert await look(place, monday_s + 20 * HOUR_S) == 0
    assert await look(place, monday_s + 24 * HOUR_S) == 1


async def test_what_comes_while_the_clock_is_wrong_counts_from_when_it_is_right(place: Place) -> None:
    for name, wrong_s in (("s-back", NOW_S - 9000 * DAY_S), ("s-ahead", NOW_S + 9000 * DAY_S)):
        assert await look(place, wrong_s) == 0
        place.now_s = wrong_s + 60
        await place.put(name, State.CLOSED, **{name: ArtifactKind.RECORDING})
        assert await look(place, NOW_S + HOUR_S) == 0
        assert await since(place, name) == NOW_S + HOUR_S
    assert await since(place, "s-1") == NOW_S
    await place.later(20)
    assert await place.keeper(MONTH).look() == 0


async def test_desks_that_look_at_once_agree(place: Place) -> None:
    place.now_s = NOW_S + 3650 * DAY_S
    assert await asyncio.gather(*(place.keeper(MONTH).look() for _ in range(4))) == [0] * 4
    assert len(await place.store.audited()) == 1


async def test_by_hand_is_deleted_whatever_the_clock_says(place: Place) -> None:
    session = await place.store.session("s-1")
    assert session is not None
    assert await look(place, NOW_S + 3650 * DAY_S) == 0
    await place.deletions().by_hand(session, (), Cause("by wish", "clara"))
    assert await place.keeper(MONTH).look() == 1


async def test_an_administrators_word_is_believed_for_the_time_that_they_saw(place: Place) -> None:
    clock = Clock(place.store, lambda: place.now_s)
    assert await look(place, NOW_S + 100 * DAY_S) == 0
    seen = await clock.view()
    assert (seen.believed, seen.now_s, seen.good_s, seen.believed_from_s) == (False, place.now_s, NOW_S + 1, 0.0)
    place.now_s = NOW_S + 5000 * DAY_S
    with pytest.raises(Problem) as refused:
        await clock.believe("ada", seen.now_s)
    assert refused.value.problem == "other_time"
    place.now_s = seen.now_s + 60
    await clock.believe("ada", seen.now_s)
    assert (await clock.view()).believed
    assert (await place.store.audited())[-1] == ("ada", "clock_believed", "", "+100.0 days")
    assert await place.keeper(MONTH).look() == 1


# --- of a running desk ------------------------------------------------------------------------------------------------


@pytest.fixture
async def jumped(tmp_path: Path) -> AsyncIterator[Site]:
    """A desk that was off for years, as far as it knows."""
    async with open_site(tmp_path) as site:
        ada = Member(id="ada", name="Ada Lind", role=Rank.ADMINISTRATOR)
        site.config = replace(site.config, people=(*PEOPLE, ada), retention=(MONTH,))
        store = await open_store(database_url(site.config))
        async with store.transactions.begin() as db:
            db.add(ClockRow(id=THE_ONE, good_s=1_600_000_000.0, since_s=None, seen_s=0.0))
        await store.close()
        async with site.desk():
            yield site


async def in_doubt(http: httpx.AsyncClient) -> dict[str, float]:
    """As the API says it, once the desk has looked."""
    async with asyncio.timeout(20):
        while (told := (await http.get("/api/retention/clock")).json())["believed"]:
            await asyncio.sleep(0.02)
    return dict(told)


async def test_administrators_alone_are_asked_over_the_api(jumped: Site) -> None:
    async with jumped.person("ada") as ada, jumped.person("clara") as clara:
        told = await in_doubt(ada)
        assert (told["good_s"], told["believed_from_s"]) == (1_600_000_000.0, 0)
        assert (await clara.post("/api/retention/clock", json={"now_s": told["now_s"]})).status_code == 403
        wrong = await ada.post("/api/retention/clock", json={"now_s": 0})
        assert (wrong.status_code, wrong.json()["code"]) == (409, "other_time")
        assert (await ada.post("/api/retention/clock", json={"now_s": told["now_s"]})).json()["believed"]
        assert "clock_believed" in [entry["what"] for entry in (await ada.get("/api/audit")).json()["entries"]]


async def test_administrators_are_told_on_every_page_and_one_of_them_says_that_it_is_right(
    jumped: Site, chromium: Browser
) -> None:
    async with jumped.person("ada") as http:
        await in_doubt(http)
    clara = await signed_in(jumped, chromium, "clara", 360)
    await clara.page.goto(jumped.url)
    await expect(clara.page.locator("#clock")).to_have_count(0)
    ada = await signed_in(jumped, chromium, "ada", 360)
    for path in ("/devices", "/"):
        await ada.page.goto(jumped.url + path)
        await expect(ada.page.locator("#clock")).to_contain_text("Files are not deleted by rule")
        await ada.fits(360)
    await ada.page.click("#clock-right")
    await expect(ada.page.locator("#clock")).to_be_hidden()
    await ada.page.reload()
    await expect(ada.page.locator("#clock")).to_be_hidden()
    ada.fine()
