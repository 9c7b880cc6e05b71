"""Whom is told what, and when, on both kinds of database: once, however many desks there are; and the clock jumps."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec.structs import replace

from desk.config import Channel, Config, Notifications, Rank
from desk.database import database_url
from desk.notifications.alerts import BACKOFF_S, KEPT_S, MOST_TRIES, STALE_S, Alerts, Message
from desk.notifications.channels import Channels, Quiet, Subscription, Wishes
from desk.notifications.keys import PlaceBox, PushKeys, b64, unb64
from desk.notifications.told import was_told
from desk.people.accounts import Accounts, Profile
from desk.problems import Problem
from desk.sessions.store import Store, open_store
from desk.sessions.wanted import Wanted
from kiosk.session.record import Person, Ringing, Session
from kiosk.session.states import State
from kiosk.wire.messages import Presence
from tests.contract.desk_site import ANNA, BEN, KIOSK, a_session, next_rev

SECRET = b"x" * 64
MINUTE = 60.0
NIGHT = 1_772_233_200.0
"""2026-02-27 23:00 UTC."""


@dataclass
class Clock:
    now: float = NIGHT

    def __call__(self) -> float:
        return self.now


class OneDesk:
    def __init__(self, store: Store, clock: Clock, settings: Notifications, name: str) -> None:
        self.store, self.name, box = store, name, PlaceBox(SECRET)
        self.channels, self.keys = Channels(store.transactions, box, clock), PushKeys(store.transactions, box)
        self.alerts = Alerts(store.transactions, store.notices, settings, box.id, clock)

    async def hears(self, session: Session) -> Session:
        await self.store.take_session(session)
        await self.alerts.look(session.id)
        return session

    async def take(self, most: int = 50) -> list[Message]:
        return await self.alerts.take(self.name, most)

    async def sends(self) -> list[tuple[str, str, int]]:
        """Takes what there is, as if all of it arrived: (what, to whom, level)."""
        for session in await self.alerts.due():
            await self.alerts.look(session)
        sent = await self.take()
        for message in sent:
            await self.alerts.done(message, self.name)
        return sorted((message.what, message.account or message.kind, message.level) for message in sent)


SETTINGS = Notifications(escalate_minutes=5, escalate_to=("moderators", "staff"))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def settings() -> Notifications:
    return SETTINGS


@pytest.fixture
async def desks(database: str, clock: Clock, settings: Notifications) -> AsyncIterator[tuple[OneDesk, OneDesk]]:
    url = database_url(Config(database=database))
    stores = [await open_store(url, clock) for _ in range(2)]
    here, there = (OneDesk(store, clock, settings, f"desk-{n}") for n, store in enumerate(stores))
    accounts = Accounts(here.store.transactions, clock)
    for name, rank in (
        ("anna", Rank.STAFF),
        ("ben", Rank.STAFF),
        ("clara", Rank.MODERATOR),
        ("flo", Rank.FLEET_MANAGER),
    ):
        await accounts.add(Profile(name, name, email=f"{name}@site.example", roles=(rank,)))
        await here.channels.subscribe(name, subscription(name), "a browser")
    yield here, there
    for store in stores:
        await store.close()


def subscription(name: str) -> Subscription:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    point = b64(key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))
    return Subscription(f"https://push.example/{name}", point, b64(b"a" * 16))


def quiet(begin: int, end: int, *, even_then: bool = False) -> Wishes:
    return Wishes(Quiet(begin * 60, end * 60, "UTC"), even_then)


Two = tuple[OneDesk, OneDesk]


# --- once -------------------------------------------------------------------------------------------------------------


async def test_those_who_are_responsible_are_told_once_whichever_desk_heard_of_it_and_however_often(desks: Two) -> None:
    here, there = desks
    await asyncio.gather(*(desk.hears(a_session(asked=(ANNA, BEN))) for desk in (here, there) * 4))
    for _ in range(3):
        await there.alerts.look("s-1")
    taken = await asyncio.gather(*(desk.take() for desk in (here, there) * 4))
    told = [(message.what, message.account, message.level) for some in taken for message in some]
    assert sorted(told, key=str) == [("told", "anna", 0), ("told", "ben", 0)]


async def test_a_request_that_a_dead_desk_has_stored_is_told_by_another(desks: Two) -> None:
    here, there = desks
    await here.store.take_session(a_session())
    assert await there.alerts.due() == ["s-1"]
    assert await there.sends() == [("told", "anna", 0)]
    assert await here.alerts.due() == []


async def test_many_messages_are_shared_out_between_desks_and_none_is_sent_twice(desks: Two) -> None:
    here, there = desks
    people = [Person(f"p-{n:03}", "x") for n in range(40)]
    accounts = Accounts(here.store.transactions, Clock())
    for person in people:
        await accounts.add(Profile(person.id, person.name))
        await here.channels.subscribe(person.id, subscription(person.id), "")
    await here.hears(a_session(asked=tuple(people), assigned=()))
    taken = await asyncio.gather(*(desk.take(3) for desk in (here, there) * 10))
    ids = [message.id for some in taken for message in some]
    assert len(ids) == len(set(ids)) <= 60
    while more := await here.take(3) + await there.take(3):
        ids += [message.id for message in more]
    assert len(ids) == len(set(ids)) == 40


async def test_somebody_who_is_assigned_later_is_told_then(desks: Two) -> None:
    here, there = desks
    first = await here.hears(a_session())
    assert await here.sends() == [("told", "anna", 0)]
    await there.hears(next_rev(first, assigned=(ANNA, BEN)))
    assert await there.sends() == [("told", "ben", 0)]


async def test_a_session_that_staff_create_alarms_nobody(desks: Two) -> None:
    here, _ = desks
    await here.hears(a_session(state=State.CONFIRMED, origin="staff"))
    await here.alerts.look("s-none")
    assert await here.sends() == []


async def test_who_is_locked_or_gone_is_not_told(desks: Two, clock: Clock) -> None:
    here, _ = desks
    accounts = Accounts(here.store.transactions, clock)
    await accounts.add(Profile("ada", "ada", roles=(Rank.ADMINISTRATOR,)))
    await accounts.set_password("ada", "hashed")
    await accounts.lock("anna", True)
    await here.hears(a_session(asked=(ANNA, BEN)))
    assert await here.sends() == [("told", "ben", 0)]
    assert await here.alerts.member("anna") is None
    assert await here.alerts.member("ben") is not None


async def test_who_was_told_as_nobody_reacted_has_it_in_his_list_for_good(desks: Two, clock: Clock) -> None:
    here, there = desks

    async def lists(person: str) -> list[str]:
        return [s.id for s in (await there.store.sessions(Wanted(seen_by=person))).sessions]

    first = await here.hears(a_session())
    assert (await lists("anna"), await lists("clara")) == (["s-1"], [])
    clock.now += 6 * MINUTE
    await here.sends()
    assert await lists("clara") == ["s-1"]
    changed = await here.hears(next_rev(first, assigned=(ANNA, BEN)))
    await here.hears(next_rev(changed, assigned=(BEN,), state=State.CONFIRMED))
    assert [await lists(person) for person in ("anna", "ben", "clara", "flo")] == [["s-1"], ["s-1"], ["s-1"], []]
    assert (await there.store.sessions(Wanted(assigned="clara"))).sessions == []


# --- what becomes of it -----------------------------------------------------------------------------------------------


async def test_when_somebody_confirms_what_the_others_see_is_replaced_and_what_waits_is_not_sent(desks: Two) -> None:
    here, there = desks
    await here.channels.add_address("anna", "chat", "Slack", "slack://x")
    await here.channels.wish("ben", quiet(22, 6))
    first = await here.hears(a_session(asked=(ANNA, BEN)))
    assert await here.sends() == [("told", "anna", 0)] * 2, "push and chat; it is night where Ben is"
    await there.hears(next_rev(first, state=State.CONFIRMED))
    over = await there.take()
    assert [(message.what, message.account, message.kind) for message in over] == [("over", "anna", "push")]


async def test_what_replaces_never_overtakes(desks: Two, clock: Clock) -> None:
    here, there = desks
    first = await here.hears(a_session())
    (message,) = await here.take()
    await there.hears(next_rev(first, state=State.CANCELLED))
    assert await there.take() == [], "the first may just be arriving"
    await here.alerts.failed(message, here.name, wait_s=0)
    clock.now += 3600
    assert [m.what for m in await there.take()] == ["over"], "and is not sent again afterwards"


async def test_a_lost_session_is_over_too_and_alarms_again_when_the_kiosk_has_it_after_all(
    desks: Two, clock: Clock
) -> None:
    here, _ = desks
    await here.store.take_presence(KIOSK, Presence(True, "boot-1", 1))
    await here.hears(a_session())
    assert await here.sends() == [("told", "anna", 0)]
    assert await here.store.take_held(KIOSK, Presence(True, "boot-1", 1, held=(), n=1)) == ["s-1"]
    assert await here.alerts.due() == ["s-1"]
    assert await here.sends() == [("over", "anna", 0)]
    clock.now += 60 * MINUTE
    assert await here.sends() == []
    await here.store.take_held(KIOSK, Presence(True, "boot-1", 1, held=("s-1",), n=2))
    await here.alerts.look("s-1")
    clock.now += 6 * MINUTE
    assert await here.sends() == [("told", "clara", 1)]


async def test_ringing_is_told_each_time_and_goes_away(desks: Two, clock: Clock) -> None:
    here, there = desks
    first = await here.hears(a_session(state=State.CONFIRMED))
    session = await here.hears(next_rev(first, ringing=Ringing("code_user", "", "2026-03-01T10:00:00Z")))
    await there.hears(session)
    assert await there.sends() == [("told", "anna", 0)]
    session = await here.hears(next_rev(session, ringing=None))
    assert await here.sends() == [("over", "anna", 0)]
    session = await here.hears(next_rev(session, ringing=Ringing("code_user", "", "2026-03-01T10:05:00Z")))
    assert await here.sends() == [("told", "anna", 0)]
    await here.store.take_session(next_rev(session, ringing=None))  # and the desk dies before it looks
    clock.now += 2 * MINUTE
    assert await there.sends() == [("over", "anna", 0)]
    await here.hears(replace(session, rev=9, ringing=Ringing("staff", "Anna", "2026-03-01T10:09:00Z")))
    assert await here.sends() == []


# --- escalation -------------------------------------------------------------------------------------------------------


async def test_when_nobody_reacts_the_next_group_is_told_and_then_the_next_each_once(desks: Two, clock: Clock) -> None:
    here, there = desks
    await here.hears(a_session())
    assert await here.sends() == [("told", "anna", 0)]
    clock.now += 5 * MINUTE - 1
    assert await there.sends() == []
    clock.now += 1
    rounds = await asyncio.gather(*(desk.sends() for desk in (here, there) * 3))
    assert [told for some in rounds for told in some] == [("told", "clara", 1)]
    clock.now += 5 * MINUTE
    assert await there.sends() == [("told", "ben", 2)], "all who help, but for those who were told"
    clock.now += 60 * MINUTE
    assert await there.sends() == []


async def test_a_desk_that_was_off_meanwhile_goes_on_where_it_was(desks: Two, clock: Clock) -> None:
    here, there = desks
    await here.hears(a_session())
    await here.sends()
    clock.now += 12 * 60 * MINUTE
    assert await there.sends() == [("told", "clara", 1)], "not all groups at once"
    clock.now += 5 * MINUTE
    assert await there.sends() == [("told", "ben", 2)]


async def test_who_looks_has_as_long_again_to_do_something(desks: Two, clock: Clock) -> None:
    here, _ = desks
    first = await here.hears(a_session())
    await here.sends()
    clock.now += 4 * MINUTE
    seen = await here.hears(next_rev(first, seen_by=(ANNA,)))
    clock.now += 4 * MINUTE
    assert await here.sends() == []
    await here.hears(next_rev(seen, seen_by=(ANNA, BEN)))
    clock.now += 1 * MINUTE
    assert await here.sends() == [("told", "clara", 1)], "a second look is no second time"


async def test_whoever_confirms_in_time_spares_the_others(desks: Two, clock: Clock) -> None:
    here, there = desks
    first = await here.hears(a_session())
    await here.sends()
    await there.store.take_session(next_rev(first, state=State.CONFIRMED))  # and the desk dies before it looks
    clock.now += 10 * MINUTE
    assert await here.sends() == [("over", "anna", 0)]
    clock.now += 10 * MINUTE
    assert await here.sends() == []


async def test_where_nobody_is_responsible_the_next_group_is_told_at_once(desks: Two, clock: Clock) -> None:
    here, _ = desks
    nobody = (Person("nobody-here", "Has no account"),)
    await here.hears(a_session(asked=nobody, assigned=nobody))
    assert await here.sends() == [("told", "clara", 1)]
    clock.now += 5 * MINUTE
    assert await here.sends() == [("told", "anna", 2), ("told", "ben", 2)]


@pytest.mark.parametrize("settings", [Notifications(escalate_minutes=0), Notifications(escalate_to=())])
async def test_without_escalation_nobody_else_is_ever_told(desks: Two, clock: Clock) -> None:
    here, _ = desks
    await here.hears(a_session())
    assert await here.sends() == [("told", "anna", 0)]
    clock.now += 24 * 60 * MINUTE
    assert await here.sends() == []


TEAMS = (Channel(address_file="x"), Channel(address_file="y", at="escalation"))


@pytest.mark.parametrize("settings", [replace(SETTINGS, channels=TEAMS)])
async def test_the_desks_own_places_are_told_at_the_request_or_at_the_first_escalation(
    desks: Two, clock: Clock
) -> None:
    here, _ = desks
    await here.hears(a_session())
    assert await here.sends() == [("told", "anna", 0), ("told", "channel", 0)]
    clock.now += 5 * MINUTE
    assert await here.sends() == [("told", "channel", 1), ("told", "clara", 1)]
    clock.now += 5 * MINUTE
    assert await here.sends() == [("told", "ben", 2)]


# --- quiet hours ------------------------------------------------------------------------------------------------------


async def test_in_quiet_hours_it_waits_until_they_are_over(desks: Two, clock: Clock) -> None:
    here, _ = desks
    await here.channels.wish("anna", quiet(22, 6))
    await here.hears(a_session())
    assert await here.sends() == []
    clock.now = NIGHT + 7 * 3600 - 1
    assert ("told", "anna", 0) not in await here.sends()
    clock.now += 1
    assert ("told", "anna", 0) in await here.sends()


async def test_who_wants_to_be_woken_when_nobody_else_reacts_is(desks: Two, clock: Clock) -> None:
    here, _ = desks
    await here.channels.wish("anna", quiet(22, 6, even_then=True))
    await here.channels.wish("clara", quiet(22, 6, even_then=True))
    await here.channels.wish("ben", quiet(22, 6))
    await here.hears(a_session())
    assert await here.sends() == []
    clock.now += 5 * MINUTE
    assert await here.sends() == [("told", "anna", 1), ("told", "clara", 1)]
    clock.now += 5 * MINUTE
    assert await here.sends() == [], "Ben sleeps"


async def test_e_mail_goes_to_whoever_wants_it_where_the_desk_can_send_any(desks: Two, clock: Clock) -> None:
    here, _ = desks
    await here.channels.wish("anna", Wishes(mail=True))
    await here.hears(a_session())
    assert [m.kind for m in await here.take()] == ["push"]
    able = OneDesk(here.store, clock, replace(SETTINGS, mail_file="mail"), "desk-able")
    await able.hears(a_session("s-2"))
    assert sorted((m.kind, m.target) for m in await able.take() if m.kind == "mail") == [("mail", "anna")]


# --- sending ----------------------------------------------------------------------------------------------------------


async def test_what_did_not_arrive_is_tried_again_with_pauses_and_then_given_up(desks: Two, clock: Clock) -> None:
    here, there = desks
    await here.hears(a_session())
    for n in range(MOST_TRIES):
        (message,) = await here.take()
        assert message.tries == n + 1
        await here.alerts.failed(message, here.name, wait_s=0)
        assert await there.take() == []
        clock.now += BACKOFF_S[min(n, len(BACKOFF_S) - 1)]
    assert await there.take() == []


async def test_a_service_that_asks_for_a_longer_pause_gets_it(desks: Two, clock: Clock) -> None:
    here, _ = desks
    await here.hears(a_session())
    (message,) = await here.take()
    await here.alerts.failed(message, here.name, wait_s=120.0)
    clock.now += 119
    assert await here.take() == []
    clock.now += 1
    assert len(await here.take()) == 1


async def test_what_a_desk_had_in_its_hands_when_it_died_is_taken_over(desks: Two, clock: Clock) -> None:
    here, there = desks
    await here.hears(a_session())
    (message,) = await here.take()
    clock.now += STALE_S - 1
    assert await there.take() == []
    clock.now += 1
    (again,) = await there.take()
    assert (again.id, again.tries) == (message.id, 2)
    await here.alerts.done(message, here.name)  # it was only slow: what it says does not count any more
    await there.alerts.failed(again, there.name, wait_s=0)
    clock.now += BACKOFF_S[1]
    assert len(await here.take()) == 1


async def test_a_desk_that_ends_gives_back_what_it_has(desks: Two) -> None:
    here, there = desks
    await here.hears(a_session())
    (message,) = await here.take()
    await here.alerts.give_back(here.name)
    (again,) = await there.take()
    assert (again.id, again.tries) == (message.id, 1)


async def test_what_is_long_over_is_forgotten_and_not_told_again(desks: Two, clock: Clock) -> None:
    here, _ = desks
    session = a_session()
    first = await here.hears(session)
    await here.sends()
    await here.hears(next_rev(first, state=State.CANCELLED))
    await here.sends()
    clock.now += KEPT_S + 1
    await here.alerts.tidy()
    await here.alerts.look("s-1")
    assert await here.sends() == []
    assert await was_told(here.store.transactions, "s-1", "anna")
    assert not await was_told(here.store.transactions, "s-1", "ben")


# --- keys and places --------------------------------------------------------------------------------------------------


async def test_desks_on_one_database_have_one_push_key_and_another_secret_has_another(desks: Two) -> None:
    here, there = desks
    keys = await asyncio.gather(*(desk.keys.public() for desk in (here, there) * 3))
    assert len(set(keys)) == 1
    assert len(unb64(keys[0])) == 65
    foreign = PushKeys(here.store.transactions, PlaceBox(b"y" * 64))
    assert await foreign.public() != keys[0]


async def test_with_another_secret_no_address_can_be_read_and_no_browser_is_reached(desks: Two, clock: Clock) -> None:
    here, _ = desks
    added = await here.channels.add_address("anna", "chat", "Slack", "slack://x")
    assert await here.channels.address(added.id) == "slack://x"
    (browser,) = await here.channels.browsers("anna")
    foreign = Channels(here.store.transactions, PlaceBox(b"y" * 64), clock)
    assert await foreign.address(added.id) == ""
    assert await here.channels.subscription(browser.id) is not None
    assert await foreign.subscription(browser.id) is None


async def test_the_database_holds_nothing_that_could_be_used(desks: Two, postgres: Any, database: str) -> None:
    here, _ = desks
    await here.channels.add_address("anna", "chat", "Slack", "slack://TokenA/TokenB")
    from sqlalchemy import select

    from desk.notifications.tables import AddressRow, PushRow

    async with here.store.transactions.read() as db:
        rows = [*await db.scalars(select(AddressRow)), *await db.scalars(select(PushRow))]
    held = "".join(str(vars(row)) for row in rows)
    assert "Token" not in held
    assert "push.example" not in held


async def test_of_a_removed_account_no_place_is_kept(desks: Two, clock: Clock) -> None:
    here, _ = desks
    accounts = Accounts(here.store.transactions, clock)
    await accounts.add(Profile("ada", "ada", roles=(Rank.ADMINISTRATOR,)))
    await accounts.set_password("ada", "hashed")
    await here.channels.add_address("anna", "chat", "Slack", "slack://x")
    await here.channels.wish("anna", quiet(22, 6))
    await accounts.remove("anna")
    assert await here.channels.browsers("anna") == []
    assert await here.channels.addresses("anna") == []
    assert await here.channels.wishes("anna") == Wishes()


async def test_settings_with_fewer_groups_than_before_end_an_escalation(desks: Two, clock: Clock) -> None:
    here, there = desks
    await here.hears(a_session())
    await here.sends()
    fewer = OneDesk(there.store, clock, replace(SETTINGS, escalate_to=()), "desk-fewer")
    clock.now += 6 * MINUTE
    assert await fewer.sends() == []
    assert await fewer.alerts.due() == []


async def test_a_browser_is_whose_it_was_told_last(desks: Two) -> None:
    here, _ = desks
    shared = subscription("shared")
    first = await here.channels.subscribe("anna", shared, "Firefox")
    second = await here.channels.subscribe("ben", shared, "Firefox")
    assert first.id == second.id
    assert [b.id for b in await here.channels.browsers("anna")] != [b.id for b in await here.channels.browsers("ben")]
    assert second.id in {b.id for b in await here.channels.browsers("ben")}
    with pytest.raises(Problem):
        await here.channels.unsubscribe("anna", second.id)
    await here.channels.unsubscribe("ben", second.id)


async def test_of_too_many_browsers_the_oldest_goes_and_too_many_addresses_are_refused(
    desks: Two, clock: Clock
) -> None:
    here, _ = desks
    for n in range(25):
        clock.now += 1
        await here.channels.subscribe("anna", subscription(f"anna-{n}"), f"browser {n}")
    names = [b.name for b in await here.channels.browsers("anna")]
    assert names == [f"browser {n}" for n in range(5, 25)]
    for n in range(10):
        await here.channels.add_address("anna", str(n), "JSON", "jsons://x")
    with pytest.raises(Problem) as refused:
        await here.channels.add_address("anna", "11", "JSON", "jsons://x")
    assert refused.value.problem == "full"
