"""Webhooks: signed, told of every change, at least once and by one process, also over restarts; never to where only the
desk can reach."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web
from msgspec.structs import replace
from playwright.async_api import Browser, expect
from sqlalchemy import text

from desk.addresses import networks
from desk.config import Config, Member, Rank, Webhooks
from desk.database import database_url
from desk.problems import Problem
from desk.sessions.store import Store, open_store
from desk.webhooks import signature
from desk.webhooks.courier import MOST_S, MOST_TRIES, Courier, again_after_s, asked_s, pause_s
from desk.webhooks.events import KINDS, event_of, kind_of, news
from desk.webhooks.events import test_event as a_test_event
from desk.webhooks.outgoing import Answer, Outgoing, Unsent
from desk.webhooks.rows import KEPT, LEASE_S, Webhook, WebhookRows
from kiosk.session.record import Actor, Change, Session
from kiosk.session.states import Event, Role, State
from kiosk.wire.messages import Presence
from tests.contract.desk_site import AT, KIOSK, PEOPLE, Site, a_session, next_rev, open_site, until
from tests.contract.test_desk_lists import signed_in

DESK = "https://desk.example"
STAFF = Actor(Role.STAFF, "anna", "Anna Berg")
DOC = Path(__file__).parents[2] / "docs" / "webhooks.md"


@dataclass
class Clock:
    now_s: float = 1_772_000_000.0

    def __call__(self) -> float:
        return self.now_s


@dataclass
class Receiver:
    """What stands behind the addresses: `answer` is a status, or what is raised; `retry_after` goes with it."""

    answer: int | Unsent = 200
    retry_after: str = ""
    got: list[tuple[str, bytes, dict[str, str]]] = field(default_factory=list)

    async def __call__(self, url: str, body: bytes, headers: dict[str, str]) -> Answer:
        self.got.append((url, body, headers))
        if isinstance(self.answer, Unsent):
            raise self.answer
        return Answer(self.answer, self.retry_after)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body, _ in self.got]


@dataclass
class Bench:
    store: Store
    rows: WebhookRows
    clock: Clock
    receiver: Receiver
    courier: Courier

    async def tell_all(self) -> int:
        """All that is due now, as a courier does it; how many those were."""
        jobs = await self.rows.take(self.courier._desk, 100)
        for job in jobs:
            await self.courier.tell(job)
        return len(jobs)


@pytest.fixture
async def bench(database: str) -> AsyncIterator[Bench]:
    clock, receiver = Clock(), Receiver()
    store = await open_store(database_url(Config(database=database)), now=clock)
    rows = WebhookRows(store.transactions, signature.Sealed(b"s" * 32), DESK, clock)
    store.noted.append(rows.note)
    yield Bench(store, rows, clock, receiver, Courier(rows, receiver, clock, lambda: 0.5))
    await store.close()


def confirmed(session: Session) -> Session:
    change = Change("2026-03-01T10:02:00Z", STAFF, Event.CONFIRM, State.REQUESTED, State.CONFIRMED)
    return next_rev(session, state=State.CONFIRMED, history=(*session.history, change))


async def added(bench: Bench, kinds: tuple[str, ...] = KINDS, url: str = "https://hook.example/x") -> Webhook:
    webhook, _ = await bench.rows.add("a program", url, kinds)
    return webhook


# --- what is told -----------------------------------------------------------------------------------------------------


async def test_each_change_of_state_is_told_once_and_nothing_else_is(bench: Bench) -> None:
    await added(bench)
    await bench.store.take_session(a_session(reason="It leaks"))
    await bench.store.take_session(a_session(reason="It leaks"))
    await bench.store.take_session(next_rev(a_session(), visibility="internal"))
    await bench.store.take_session(confirmed(next_rev(a_session(), reason="It leaks")))
    assert await bench.tell_all() == 2
    first, second = bench.receiver.events
    assert (first["type"], first["n"], first["change"]["actor"]["role"]) == ("session.requested", 1, "code_user")
    assert (second["type"], second["change"]["source"], second["change"]["actor"]["id"]) == (
        "session.confirmed",
        "REQUESTED",
        "anna",
    )
    assert second["session"]["reason"] == "It leaks"
    assert second["session"]["url"] == f"{DESK}/sessions/s-1"
    assert first["id"] != second["id"]
    assert await bench.tell_all() == 0


async def test_a_kiosk_that_comes_back_tells_all_that_happened_meanwhile(bench: Bench) -> None:
    await added(bench)
    await bench.store.take_session(replace(confirmed(a_session()), rev=9))
    await bench.tell_all()
    assert [e["type"] for e in bench.receiver.events] == ["session.requested", "session.confirmed"]
    assert [e["session"]["state"] for e in bench.receiver.events] == ["CONFIRMED", "CONFIRMED"]


async def test_history_told_again_in_a_new_epoch_is_no_news(bench: Bench) -> None:
    await added(bench)
    await bench.store.take_session(confirmed(a_session()))
    await bench.store.take_session(replace(a_session(), epoch="e2"))
    await bench.store.take_session(replace(confirmed(a_session()), epoch="e3"))
    assert await bench.tell_all() == 2


async def test_only_chosen_kinds_and_active_ones_are_told(bench: Bench) -> None:
    await added(bench, ("session.cancelled",))
    other = await added(bench, ("session.requested",))
    await bench.rows.change(other.id, "x", other.url, other.kinds, active=False)
    await bench.store.take_session(a_session())
    assert await bench.tell_all() == 0


async def test_a_session_that_its_kiosk_has_lost_is_told_as_over(bench: Bench) -> None:
    await added(bench, ("session.cancelled",))
    await bench.store.take_session(a_session())
    await bench.store.take_held(KIOSK, Presence(True, "boot-1", 1, n=1, held=()))
    await bench.store.take_held(KIOSK, Presence(True, "boot-1", 1, n=2, held=()))
    assert await bench.tell_all() == 1
    (event,) = bench.receiver.events
    assert (event["change"]["cause"], event["session"]["state"]) == ("kiosk_lost", "CANCELLED")


async def test_what_is_not_committed_is_not_told(bench: Bench) -> None:
    await added(bench)

    async def fails(*_: Any) -> None:
        raise RuntimeError("the power went")

    bench.store.noted.append(fails)
    with pytest.raises(RuntimeError):
        await bench.store.take_session(a_session())
    bench.store.noted.pop()
    assert await bench.tell_all() == 0
    await bench.store.take_session(a_session())
    assert await bench.tell_all() == 1


def test_the_same_change_has_the_same_id_and_another_one_another() -> None:
    session = confirmed(a_session())
    events = [event_of(session, n, change, DESK) for n, change in news(session, None)]
    assert [kind_of(change) for _, change in news(session, a_session())] == ["session.confirmed"]
    assert events == [event_of(session, n, change, DESK) for n, change in news(session, None)]
    assert len({e.id for e in events}) == 2
    assert event_of(replace(session, id="s-2"), 1, session.history[0], DESK).id != events[0].id


# --- signed -----------------------------------------------------------------------------------------------------------


def verifier() -> Callable[..., bool]:
    """The example of docs/webhooks.md."""
    (code,) = re.findall(r"```python\n(.*?)```", DOC.read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    found: Callable[..., bool] = names["is_genuine"]
    return found


async def test_the_documented_verifier_believes_what_is_sent_and_nothing_else(bench: Bench) -> None:
    _, secret = await bench.rows.add("a program", "https://hook.example/x", KINDS)
    await bench.store.take_session(a_session(reason="Öl läuft aus"))
    await bench.tell_all()
    ((_, body, headers),) = bench.receiver.got
    given, is_genuine = {name.lower(): value for name, value in headers.items()}, verifier()
    assert is_genuine(secret, given, body, bench.clock.now_s + 10)
    assert not is_genuine(secret, given, body + b" ", bench.clock.now_s)
    assert not is_genuine(secret, given | {"webhook-id": "evt_other"}, body, bench.clock.now_s)
    assert not is_genuine(secret, given, body, bench.clock.now_s + 301), "replayed"
    assert not is_genuine(signature.new_secret(), given, body, bench.clock.now_s)
    assert headers["Desk-Event"] == "session.requested"


def test_the_documented_example_is_what_is_sent() -> None:
    (example,) = re.findall(r"```json\n(.*?)```", DOC.read_text(), re.DOTALL)
    told = event_of(confirmed(a_session()), 2, confirmed(a_session()).history[1], DESK)
    sent, documented = json.loads(json.dumps(_plain(told))), json.loads(example)
    assert sent.keys() == documented.keys()
    assert sent["session"].keys() == documented["session"].keys()
    assert sent["change"].keys() == documented["change"].keys()
    for kind in (*KINDS, "test"):
        assert f"`{kind}`" in DOC.read_text()


def _plain(told: Any) -> Any:
    import msgspec

    return msgspec.to_builtins(told)


async def test_a_signature_is_that_of_the_standards_own_example() -> None:
    """The worked example of the specification of Standard Webhooks."""
    body = b'{"test": 2432232314}'
    made = signature.signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body
    )
    assert made == "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


async def test_secrets_are_sealed_in_the_database_and_a_new_one_takes_the_others_place(bench: Bench) -> None:
    webhook, secret = await bench.rows.add("a program", "https://hook.example/x", KINDS)
    async with bench.store.transactions.read() as db:
        (row,) = (await db.execute(text("SELECT secret FROM webhooks"))).all()
    assert secret.encode() not in bytes(row[0])
    assert secret.removeprefix("whsec_").encode() not in bytes(row[0])
    _, renewed = await bench.rows.renew_secret(webhook.id)
    await bench.rows.put_test(webhook.id, a_test_event("f" * 32, AT))
    await bench.tell_all()
    ((_, body, headers),) = bench.receiver.got
    given = {name.lower(): value for name, value in headers.items()}
    assert verifier()(renewed, given, body, bench.clock.now_s)
    assert not verifier()(secret, given, body, bench.clock.now_s)


# --- at least once, by one --------------------------------------------------------------------------------------------


async def test_what_fails_is_tried_again_later_under_the_same_id_until_it_is_taken(bench: Bench) -> None:
    webhook = await added(bench)
    await bench.store.take_session(a_session())
    bench.receiver.answer = 500
    assert await bench.tell_all() == 1
    assert await bench.tell_all() == 0, "not at once"
    bench.clock.now_s += 6
    bench.receiver.answer = Unsent("connection")
    assert await bench.tell_all() == 1
    (delivery,) = await bench.rows.deliveries(webhook.id)
    assert (delivery.state, delivery.tries, delivery.status, delivery.error) == ("waiting", 2, 0, "connection")
    bench.clock.now_s += 30
    bench.receiver.answer = 204
    assert await bench.tell_all() == 1
    (delivery,) = await bench.rows.deliveries(webhook.id)
    assert (delivery.state, delivery.tries, delivery.status) == ("done", 3, 204)
    assert len({headers["Webhook-Id"] for *_, headers in bench.receiver.got}) == 1
    assert len({body for _, body, _ in bench.receiver.got}) == 1
    assert (await bench.rows.all())[0].failures == 0


async def test_it_is_given_up_after_days_and_at_once_where_the_address_is_gone(bench: Bench) -> None:
    webhook = await added(bench)
    await bench.store.take_session(a_session())
    bench.receiver.answer = 503
    for _ in range(MOST_TRIES):
        assert await bench.tell_all() == 1
        bench.clock.now_s += 86_400
    assert await bench.tell_all() == 0
    assert (await bench.rows.deliveries(webhook.id))[0].state == "failed"
    bench.receiver.answer = 410
    await bench.store.take_session(confirmed(a_session()))
    assert await bench.tell_all() == 1
    assert (await bench.rows.deliveries(webhook.id))[0].state == "failed"


def test_pauses_grow_and_the_tries_take_about_two_days() -> None:
    waits = [again_after_s(tries, 0.5) for tries in range(1, MOST_TRIES)]
    assert waits[:4] == [5, 20, 80, 320]
    assert again_after_s(MOST_TRIES, 0.5) is None
    assert 1.5 < sum(wait for wait in waits if wait) / 86_400 < 2.5
    assert [pause_s(n, 0.5) for n in (0, 1, 2, 50)] == [5, 10, 20, 300]


@pytest.mark.parametrize(
    ("status", "said", "asked"),
    [
        (429, "120", 120),
        (503, " 120 ", 120),
        (503, "Wed, 25 Feb 2026 06:14:40 GMT", 1480),
        (503, "Wednesday, 25-Feb-26 06:14:40 GMT", 1480),
        (503, "Wed Feb 25 06:14:40 2026", 1480),
        (503, "Wed, 25 Feb 2026 05:00:00 GMT", 0),
        (429, "9" * 400, MOST_S),
        (503, "Fri, 31 Dec 9999 23:59:59 GMT", MOST_S),
        (500, "120", 0),
        (200, "120", 0),
        *(
            (429, nonsense, 0)
            for nonsense in ("", "soon", "-5", "1e9", "12.5", "\u0663", "Wed, 99 Feb 2026 06:14:40 GMT")
        ),
    ],
)
def test_when_to_come_again_is_understood_and_bounded(status: int, said: str, asked: float) -> None:
    now = datetime(2026, 2, 25, 5, 50, tzinfo=UTC)
    assert asked_s(Answer(status, said), now.timestamp()) == asked


async def test_a_program_that_says_when_to_come_again_is_left_alone_until_then(bench: Bench) -> None:
    webhook = await added(bench)
    for n in range(3):
        await bench.store.take_session(a_session(f"s-{n}"))
    first, second, third = await bench.rows.take(bench.courier._desk, 100)
    bench.receiver.answer, bench.receiver.retry_after = 429, "3600"
    await bench.courier.tell(first)
    bench.receiver.answer, bench.receiver.retry_after = 500, ""
    await bench.courier.tell(second)
    bench.receiver.answer = 200
    await bench.courier.tell(third)
    (told,) = await bench.rows.all()
    assert told.pause_until_s == bench.clock.now_s + 3600, "what else happens meanwhile does not shorten it"
    bench.clock.now_s += 3599
    assert await bench.tell_all() == 0
    bench.clock.now_s += 2
    assert await bench.tell_all() == 2
    assert {d.state for d in await bench.rows.deliveries(webhook.id)} == {"done"}


async def given_up(bench: Bench, *sessions: str) -> Webhook:
    webhook = await added(bench)
    for session in sessions:
        await bench.store.take_session(a_session(session))
    bench.receiver.answer = 410
    await bench.tell_all()
    bench.receiver.answer = 200
    bench.receiver.got.clear()
    return webhook


async def test_what_was_given_up_is_sent_again_whole_under_the_same_id_and_at_once(bench: Bench) -> None:
    webhook = await given_up(bench, "s-1", "s-2")
    before = await bench.rows.deliveries(webhook.id)
    assert [(d.state, d.again) for d in before] == [("failed", True)] * 2
    assert await bench.rows.again(webhook.id, [before[0].id]) == 1
    waiting = (await bench.rows.deliveries(webhook.id))[0]
    assert (waiting.state, waiting.tries, waiting.status) == ("waiting", 0, 0), "as one that is new"
    assert await bench.tell_all() == 1
    ((_, body, headers),) = bench.receiver.got
    assert (headers["Webhook-Id"], json.loads(body)["session"]["id"]) == (before[0].event, "s-2")
    assert await bench.rows.again(webhook.id, ()) == 1, "all that are left"
    assert await bench.tell_all() == 1
    assert [(d.state, d.tries, d.again) for d in await bench.rows.deliveries(webhook.id)] == [("done", 1, False)] * 2


async def test_what_fails_again_has_all_its_tries_again(bench: Bench) -> None:
    webhook = await given_up(bench, "s-1")
    await bench.rows.again(webhook.id, ())
    bench.receiver.answer = 500
    for _ in range(MOST_TRIES):
        assert await bench.tell_all() == 1
        bench.clock.now_s += 86_400
    (delivery,) = await bench.rows.deliveries(webhook.id)
    assert (delivery.state, delivery.tries, delivery.again) == ("failed", MOST_TRIES, True)


async def test_only_what_was_given_up_is_sent_again_and_once(bench: Bench) -> None:
    webhook = await given_up(bench, "s-1")
    other = await added(bench, url="https://other.example/x")
    (delivery,) = await bench.rows.deliveries(webhook.id)
    for of, which in ((other.id, [delivery.id]), (webhook.id, [delivery.id + 1]), (other.id, [])):
        with pytest.raises(Problem) as refused:
            await bench.rows.again(of, which)
        assert refused.value.problem == "not_given_up"
    with pytest.raises(Problem) as refused:
        await bench.rows.again("wh-none", ())
    assert refused.value.status == 404
    both = await asyncio.gather(*(bench.rows.again(webhook.id, ()) for _ in range(2)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in both) == ["Problem", "int"], "two press at once"
    await bench.rows.change(webhook.id, "x", webhook.url, KINDS, active=False)
    with pytest.raises(Problem) as refused:
        await bench.rows.again(webhook.id, ())
    assert refused.value.problem == "switched_off"


async def test_a_deleted_session_is_not_sent_again(bench: Bench) -> None:
    webhook = await given_up(bench, "s-1")
    async with bench.store.transactions.begin() as db:
        await db.execute(text("DELETE FROM sessions WHERE id = 's-1'"))
    assert await bench.rows.deliveries(webhook.id) == []
    with pytest.raises(Problem):
        await bench.rows.again(webhook.id, ())


async def test_one_that_does_not_answer_keeps_the_others_from_nothing(bench: Bench) -> None:
    silent = await added(bench, url="https://silent.example/x")
    await added(bench, url="https://fine.example/x")

    async def post(url: str, body: bytes, headers: dict[str, str]) -> Answer:
        if "silent" in url:
            raise Unsent("timeout")
        return await bench.receiver(url, body, headers)

    bench.courier._post = post
    for n in range(5):
        await bench.store.take_session(a_session(f"s-{n}"))
    await bench.tell_all()
    assert len(bench.receiver.got) == 5
    bench.clock.now_s += 4
    await bench.store.take_session(a_session("s-9"))
    (job,) = await bench.rows.take("another", 100)
    assert "fine" in job.url, "the silent one pauses as a whole"
    assert len(await bench.rows.deliveries(silent.id)) == 6


async def test_of_many_processes_each_takes_its_own_and_all_are_told_once(bench: Bench) -> None:
    await added(bench)
    for n in range(30):
        await bench.store.take_session(a_session(f"s-{n}"))

    async def work(desk: str) -> list[int]:
        taken: list[int] = []
        while jobs := await bench.rows.take(desk, 3):
            taken += [job.id for job in jobs]
        return taken

    shares = await asyncio.gather(*(work(f"desk-{n}") for n in range(5)))
    everything = [job for share in shares for job in share]
    assert len(everything) == len(set(everything)) == 30


async def test_of_a_process_that_died_another_takes_it_and_the_late_one_changes_nothing(bench: Bench) -> None:
    webhook = await added(bench)
    await bench.store.take_session(a_session())
    (job,) = await bench.rows.take("dying", 10)
    assert await bench.rows.take("other", 10) == []
    bench.clock.now_s += LEASE_S + 1
    (again,) = await bench.rows.take("other", 10)
    assert (again.event, again.tries) == (job.event, 2)
    await bench.rows.ended(job, "dying", 500, "", 5, bench.clock.now_s + 5)
    assert (await bench.rows.deliveries(webhook.id))[0].status == 0
    await bench.rows.ended(again, "other", 200, "", 5, None)
    assert (await bench.rows.deliveries(webhook.id))[0].state == "done"


async def test_a_process_that_ends_gives_back_what_it_holds_and_it_counts_as_no_try(bench: Bench) -> None:
    await added(bench)
    await bench.store.take_session(a_session())
    await bench.rows.take("ending", 10)
    await bench.rows.give_back("ending")
    (job,) = await bench.rows.take("next", 10)
    assert job.tries == 1


async def test_what_is_over_is_let_go_of_and_bodies_at_once(bench: Bench) -> None:
    webhook = await added(bench)
    for n in range(KEPT + 20):
        await bench.rows.put_test(webhook.id, a_test_event(f"{n:032}", AT))
    while await bench.tell_all():
        pass
    async with bench.store.transactions.read() as db:
        bodies = (await db.execute(text("SELECT body FROM webhook_deliveries"))).all()
    assert {bytes(body) for (body,) in bodies} == {b""}
    await bench.rows.tidy()
    left = await bench.rows.deliveries(webhook.id, 1000)
    assert len(left) == KEPT
    assert left[0].event == f"evt_{KEPT + 19:032}"
    bench.clock.now_s += 31 * 86_400
    await bench.rows.tidy()
    assert await bench.rows.deliveries(webhook.id) == []


async def test_a_removed_webhook_takes_its_outbox_along_and_a_deleted_session_its_events(bench: Bench) -> None:
    webhook = await added(bench)
    await bench.store.take_session(a_session())
    await bench.store.take_session(a_session("s-2"))
    async with bench.store.transactions.begin() as db:
        await db.execute(text("DELETE FROM sessions WHERE id = 's-2'"))
    assert len(await bench.rows.deliveries(webhook.id)) == 1
    await bench.rows.remove(webhook.id)
    assert await bench.tell_all() == 0


# --- where to ---------------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def served(answer: Callable[[web.Request], Any]) -> AsyncIterator[int]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def test_private_addresses_are_refused_by_name_by_number_and_behind_public_names() -> None:
    async def lookup(host: str, port: int) -> list[str]:
        return {"rebound.example": ["10.0.0.7"], "both.example": ["127.0.0.1", "93.184.216.34"]}.get(host, [host])

    outgoing = Outgoing((), lookup=lookup)
    for url in (
        "https://127.0.0.1/",
        "https://10.1.1.1/",
        "https://[::1]/x",
        "https://rebound.example/",
        "http://1.1.1.1/",
    ):
        with pytest.raises(Unsent) as refused:
            await outgoing.post(url, b"{}", {})
        assert refused.value.code == "private", url
    assert await outgoing.place("https://both.example/") == ("both.example", ["93.184.216.34"])
    for url in ("ftp://a.example/", "https://u:p@a.example/", "nonsense", "https:///x"):
        with pytest.raises(Unsent) as refused:
            await outgoing.post(url, b"{}", {})
        assert refused.value.code == "address", url
    await outgoing.close()


async def test_numbers_in_other_spellings_lead_to_the_same_place() -> None:
    outgoing = Outgoing(())
    for host in ("2130706433", "0x7f000001", "127.1", "localhost", "[::ffff:127.0.0.1]"):
        with pytest.raises(Unsent) as refused:
            await outgoing.post(f"https://{host}:1/", b"{}", {})
        assert refused.value.code in ("private", "name"), host
    await outgoing.close()


async def test_an_opened_network_is_reached_by_its_name_and_no_redirection_is_followed() -> None:
    seen: list[tuple[str, str]] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append((request.host, request.path))
        if request.path == "/away":
            return web.Response(status=302, headers={"Location": "http://127.0.0.1/secret"})
        if request.path == "/busy":
            return web.Response(status=429, headers={"Retry-After": "120"})
        return web.Response(body=b"x" * 10_000_000)

    async def lookup(host: str, port: int) -> list[str]:
        return ["127.0.0.9", "127.0.0.1"]  # nobody is at the first

    outgoing = Outgoing(networks(["127.0.0.0/8"]), lookup=lookup)
    async with served(answer) as port:
        assert await outgoing.post(f"http://tickets.site:{port}/hook", b"{}", {"X": "y"}) == Answer(200)
        assert await outgoing.post(f"http://tickets.site:{port}/away", b"{}", {}) == Answer(302)
        assert await outgoing.post(f"http://tickets.site:{port}/busy", b"{}", {}) == Answer(429, "120")
        assert seen[:2] == [(f"tickets.site:{port}", "/hook"), (f"tickets.site:{port}", "/away")]
        with pytest.raises(Unsent) as refused:
            await outgoing.post(f"https://tickets.site:{port}/hook", b"{}", {})
        assert refused.value.code == "tls"
    with pytest.raises(Unsent) as refused:
        await outgoing.post(f"http://tickets.site:{port}/hook", b"{}", {})
    assert refused.value.code == "connection"
    await outgoing.close()


# --- over a whole desk ------------------------------------------------------------------------------------------------


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(tmp_path) as site:
        ada = Member(id="ada", name="Ada Lind", role=Rank.ADMINISTRATOR)
        opened = Webhooks(networks=("127.0.0.0/8",))
        site.config = replace(site.config, people=(*PEOPLE, ada), webhooks=opened)
        yield site


def new(url: str, **more: Any) -> dict[str, Any]:
    return {"name": "Tickets", "url": url, "kinds": list(KINDS), **more}


async def test_an_administrator_adds_one_tries_it_and_it_is_told_also_after_the_desk_was_away(site: Site) -> None:
    got: list[dict[str, Any]] = []
    up = False

    async def answer(request: web.Request) -> web.Response:
        got.append({**json.loads(await request.read()), "up": up})
        return web.Response(status=200 if up else 503)

    async with served(answer) as port, site.kiosk() as kiosk:
        url = f"http://127.0.0.1:{port}/hook"
        async with site.desk(), site.person("ada") as ada:
            made = (await ada.post("/api/webhooks", json=new(url))).json()
            assert made["secret"].startswith("whsec_")
            await kiosk.told(a_session())
            await until(lambda: [g for g in got if g["type"] == "session.requested"])
            assert "secret" not in (await ada.get("/api/webhooks")).text
        up = True
        async with site.desk(), site.person("ada") as ada:
            path = f"/api/webhooks/{made['webhook']['id']}"
            assert (await ada.post(f"{path}/test", json={})).status_code == 202
            await until(lambda: [g for g in got if g["up"] and g["type"] == "session.requested"])
            await until(lambda: [g for g in got if g["up"] and g["type"] == "test"])
            await until_told(ada, f"{path}/deliveries")
            audited = (await ada.get("/api/audit")).json()["entries"]
            assert "webhook_add" in [entry["what"] for entry in audited]
            assert (await ada.delete(path)).status_code == 204
            assert (await ada.get(f"{path}/deliveries")).status_code == 404
    assert len({g["id"] for g in got if g["type"] == "session.requested"}) == 1


async def test_by_the_api_what_was_given_up_is_sent_again_by_administrators_only(site: Site) -> None:
    status = 410

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status)

    async with served(answer) as port, site.desk(), site.person("ada") as ada, site.person("clara") as clara:
        made = (await ada.post("/api/webhooks", json=new(f"http://127.0.0.1:{port}/hook"))).json()["webhook"]["id"]
        path = f"/api/webhooks/{made}"
        await ada.post(f"{path}/test", json={})
        async with asyncio.timeout(20):
            while not (given := [d for d in (await ada.get(f"{path}/deliveries")).json()["deliveries"] if d["again"]]):
                await asyncio.sleep(0.02)
        status = 200
        assert (await clara.post(f"{path}/again", json={})).status_code == 403
        assert (await ada.post(f"{path}/again", json={"deliveries": ["x"]})).status_code == 400
        sent = await ada.post(f"{path}/again", json={"deliveries": [given[0]["id"]]})
        assert (sent.status_code, sent.json()) == (202, {"again": 1})
        await until_told(ada, f"{path}/deliveries")
        refused = await ada.post(f"{path}/again", json={})
        assert (refused.status_code, refused.json()["code"]) == (409, "not_given_up")
        assert "webhook_again" in [entry["what"] for entry in (await ada.get("/api/audit")).json()["entries"]]


async def test_on_the_page_one_or_all_that_were_given_up_are_sent_again(site: Site, chromium: Browser) -> None:
    status = 410

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status)

    async with served(answer) as port, site.desk(), site.person("ada") as http:
        made = (await http.post("/api/webhooks", json=new(f"http://127.0.0.1:{port}/hook"))).json()["webhook"]["id"]
        for _ in range(3):
            await http.post(f"/api/webhooks/{made}/test", json={})
        ada = await signed_in(site, chromium, "ada", 360)
        page = ada.page
        await page.goto(f"{site.url}/webhooks")
        failed, done = page.locator(".delivery[data-state=failed]"), page.locator(".delivery[data-state=done]")
        await expect(failed).to_have_count(3, timeout=20_000)
        await expect(page.locator("[data-again=all]")).to_contain_text("Send all 3 again")
        await ada.fits(360)
        status = 200
        await failed.first.locator("[data-again]").click()
        await expect(done).to_have_count(1, timeout=20_000)
        await page.click("[data-again=all]")
        await expect(done).to_have_count(3, timeout=20_000)
        await expect(page.locator("[data-again]")).to_have_count(0)
        ada.fine()


async def until_told(http: httpx.AsyncClient, path: str) -> None:
    async with asyncio.timeout(30):
        while {d["state"] for d in (await http.get(path)).json()["deliveries"]} != {"done"}:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (new("ftp://tickets.example/"), "no_web_address"),
        (new("https://user:word@tickets.example/"), "no_web_address"),
        (new("nonsense"), "no_web_address"),
        (new("http://10.0.0.1/"), "private_address"),
        (new("https://[::1]/"), "private_address"),
        (new("https://169.254.169.254/latest/meta-data"), "private_address"),
        (new("http://93.184.216.34/plain"), "private_address"),
        (new("https://93.184.216.34/", kinds=[]), "malformed"),
        (new("https://93.184.216.34/", kinds=["session.exploded"]), "malformed"),
        (new("https://93.184.216.34/", name=""), "malformed"),
        (new("https://93.184.216.34/" + "x" * 1000), "malformed"),
        ({"name": "x"}, "malformed"),
    ],
)
async def test_what_makes_no_sense_is_refused_with_a_reason(site: Site, body: dict[str, Any], code: str) -> None:
    async with site.desk(), site.person("ada") as ada:
        answer = await ada.post("/api/webhooks", json=body)
        assert (answer.status_code, answer.json()["code"]) == (400, code)
        assert (await ada.get("/api/webhooks")).json()["webhooks"] == []
