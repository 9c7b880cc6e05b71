"""People and several desks on one database: what one of them does holds at the others, and once is once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from sqlalchemy.engine import URL

from desk.config import Config, Rank, SignIn
from desk.database import database_url
from desk.people.accounts import Accounts, Changes, Profile
from desk.people.links_once import OnceLinks
from desk.people.rights import Scope
from desk.people.sign_ins import SignIns
from desk.people.tries import Count, Tries
from desk.problems import Problem
from desk.sessions.store import Store, open_store

DAY_S = 86400.0


@dataclass
class Clock:
    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class OneDesk:
    """The parts of a desk that know people."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store, rows = store, store.transactions
        self.accounts, self.links = Accounts(rows, clock), OnceLinks(rows, clock)
        self.sign_ins, self.tries = SignIns(rows, SignIn(), clock), Tries(rows, clock)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def desks(database: str, clock: Clock) -> AsyncIterator[tuple[OneDesk, OneDesk]]:
    url: URL = database_url(Config(database=database))
    stores = await asyncio.gather(open_store(url, clock), open_store(url, clock))
    here, there = (OneDesk(store, clock) for store in stores)
    for account in ("ada", "eva"):
        await here.accounts.add(Profile(account, account, roles=(Rank.ADMINISTRATOR,)))
        await here.accounts.set_password(account, "hashed")
    yield here, there
    for store in stores:
        await store.close()


async def outcomes(*attempts: object) -> list[str]:
    """What each came to: "done", or the code of the refusal."""
    found = await asyncio.gather(*attempts, return_exceptions=True)  # type: ignore[call-overload]  # coroutines
    return sorted(one.problem if isinstance(one, Problem) else "done" if one is not False else "no" for one in found)


async def test_who_is_signed_in_at_one_desk_is_so_at_the_other_until_either_ends_it(
    desks: tuple[OneDesk, OneDesk],
) -> None:
    here, there = desks
    token = await here.sign_ins.begin("ada", "password", "192.0.2.1", "a browser")
    known = await there.sign_ins.who(token)
    assert known is not None
    assert known.member.id == "ada"
    assert known.member.administers
    await there.sign_ins.end_one("ada", known.id)
    assert await here.sign_ins.who(token) is None
    assert await here.sign_ins.who(token + "x") is None
    assert await here.sign_ins.who("") is None


async def test_a_sign_in_ends_by_itself_when_nothing_is_heard_or_after_a_week(
    desks: tuple[OneDesk, OneDesk], clock: Clock
) -> None:
    here, there = desks
    idle = await here.sign_ins.begin("ada", "password", "", "")
    clock.now += 11 * 3600
    assert await there.sign_ins.who(idle) is not None, "and heard of by it"
    clock.now += 11 * 3600
    assert await here.sign_ins.who(idle) is not None
    clock.now += 13 * 3600
    assert await here.sign_ins.who(idle) is None
    busy = await here.sign_ins.begin("ada", "password", "", "")
    for _ in range(27):
        clock.now += 6 * 3600
        assert await there.sign_ins.who(busy) is not None
    clock.now += 6 * 3600
    assert await there.sign_ins.who(busy) is None


async def test_a_token_of_a_program_ends_with_its_days(desks: tuple[OneDesk, OneDesk], clock: Clock) -> None:
    here, there = desks
    _, secret = await here.sign_ins.make_token("ada", "tickets", (Scope.READ,), 30)
    clock.now += 29 * DAY_S
    assert await there.sign_ins.who_has(secret) is not None
    clock.now += 2 * DAY_S
    assert await there.sign_ins.who_has(secret) is None


async def test_desks_count_tries_together_and_forget_them_in_time(desks: tuple[OneDesk, OneDesk], clock: Clock) -> None:
    here, there = desks
    count = Count("at anna", 10)
    tried = await outcomes(*(desk.tries.take(count) for desk in desks * 8))
    assert tried == ["done"] * 10 + ["too_many_tries"] * 6
    clock.now += 899
    assert await outcomes(here.tries.take(count)) == ["too_many_tries"]
    clock.now += 2
    assert await outcomes(there.tries.take(count)) == ["done"]
    await here.tries.give_back(count)
    await here.tries.give_back(count, Count("never tried", 1))
    assert await outcomes(*(desk.tries.take(count) for desk in desks * 5)) == ["done"] * 10


async def test_what_is_good_once_is_used_once_whichever_desk_is_asked(desks: tuple[OneDesk, OneDesk]) -> None:
    here, _ = desks
    for n in range(3):
        await here.accounts.set_second_factor("ada", b"sealed", 7, ["a" * 64])
        assert await outcomes(*(d.accounts.use_recovery("a" * 64) for d in desks * 2)) == ["done"] + ["no"] * 3
        assert await outcomes(*(d.accounts.use_step("ada", 8) for d in desks * 2)) == ["done"] + ["no"] * 3
        link = await here.links.make("ada" if n else None, 60)
        assert await outcomes(*(d.links.use(link) for d in desks * 2)) == ["done"] + ["link_over"] * 3


async def test_a_link_ends_with_its_time(desks: tuple[OneDesk, OneDesk], clock: Clock) -> None:
    here, there = desks
    link = await here.links.make("ada", 60)
    account = await there.links.whose(link)
    assert account is not None
    assert account.id == "ada"
    clock.now += 61
    assert await outcomes(there.links.whose(link), there.links.use(link)) == ["link_over"] * 2


async def test_administrators_who_take_each_others_role_away_at_once_leave_one(
    desks: tuple[OneDesk, OneDesk],
) -> None:
    here, there = desks
    staff = Changes(roles=(Rank.STAFF,))
    for _ in range(3):
        done = await outcomes(here.accounts.change("ada", staff), there.accounts.change("eva", staff))
        assert done == ["done", "last_administrator"]
        left = [a.id for a in await here.accounts.all() if Rank.ADMINISTRATOR in a.roles]
        assert len(left) == 1
        for account in {"ada", "eva"} - set(left):
            await here.accounts.change(account, Changes(roles=(Rank.ADMINISTRATOR,)))
        locked = await outcomes(here.accounts.lock("eva", True), there.accounts.lock("ada", True))
        assert locked == ["done", "last_administrator"]
        for account in ("ada", "eva"):
            await there.accounts.lock(account, False)


async def test_one_of_two_who_want_the_same_name_gets_it(desks: tuple[OneDesk, OneDesk]) -> None:
    same = Profile("max-h", "Max", "max@site.example")
    other = Profile("max-o", "Max", "MAX@site.example")
    here, there = desks
    assert await outcomes(here.accounts.add(same), there.accounts.add(same)) == ["done", "taken"]
    assert await outcomes(here.accounts.add(other), there.accounts.add(other)) == ["taken", "taken"]
