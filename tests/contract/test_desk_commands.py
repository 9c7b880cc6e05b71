"""Commands of people to a kiosk: done, refused there, refused here, and never answered."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from kiosk.session import inputs
from kiosk.session.record import Actor
from kiosk.session.states import Role, State
from kiosk.wire import topics
from kiosk.wire.messages import Answer, Command
from tests.contract.desk_site import ANNA, BEN, Kiosk, Site, a_session, next_rev, until


def done(command: Command) -> Answer:
    return Answer(command.id, ok=True, session=command.session or "s-new", rev=1, state=State.CONFIRMED)


async def wish(http: httpx.AsyncClient, what: dict[str, Any], session: str = "s-1") -> httpx.Response:
    return await http.post(f"/api/sessions/{session}/commands", json=what)


async def test_a_command_goes_to_the_kiosk_with_its_guard_and_actor(kiosk: Kiosk, anna: httpx.AsyncClient) -> None:
    await kiosk.told(a_session())
    kiosk.answers = done
    answer = await wish(anna, {"do": {"kind": "confirm"}, "guard": {"state": "REQUESTED", "rev": 1}})
    assert (answer.status_code, answer.json()["ok"], answer.json()["state"]) == (200, True, "CONFIRMED")
    (command,) = kiosk.commands
    assert command.actor == Actor(Role.STAFF, "anna", "Anna Berg")
    assert (command.session, command.guard.state, command.guard.rev) == ("s-1", State.REQUESTED, 1)


async def test_who_reads_after_a_command_reads_what_it_did(kiosk: Kiosk, anna: httpx.AsyncClient) -> None:
    session = await kiosk.told(a_session())
    telling: list[asyncio.Task[Any]] = []

    def late(command: Command) -> Answer:
        changed = next_rev(session, state=State.CONFIRMED)
        telling.append(asyncio.get_running_loop().create_task(kiosk.tell(changed)))
        return Answer(command.id, ok=True, session="s-1", rev=2, state=State.CONFIRMED)

    kiosk.answers = late
    await wish(anna, {"kind": "confirm"})
    assert (await anna.get("/api/sessions/s-1")).json()["session"]["state"] == "CONFIRMED"


async def test_the_kiosks_refusal_is_passed_on(kiosk: Kiosk, anna: httpx.AsyncClient) -> None:
    await kiosk.told(a_session())
    kiosk.answers = lambda c: Answer(c.id, False, "s-1", 2, State.CONFIRMED, "wrong_state", "Ben Ott was faster")
    answer = await wish(anna, {"kind": "confirm"})
    body = answer.json()
    assert (answer.status_code, body["code"], body["detail"]) == (409, "wrong_state", "Ben Ott was faster")
    assert (body["answer"]["rev"], body["answer"]["state"]) == (2, "CONFIRMED")


async def test_a_command_is_repeated_until_it_is_answered(kiosk: Kiosk, anna: httpx.AsyncClient) -> None:
    await kiosk.told(a_session())
    kiosk.answers = lambda c: done(c) if len(kiosk.commands) == 2 else None
    assert (await wish(anna, {"kind": "confirm"})).status_code == 200
    first, second = kiosk.commands
    assert first == second


async def test_an_answer_of_another_kiosk_is_no_answer(site: Site, kiosk: Kiosk, anna: httpx.AsyncClient) -> None:
    await kiosk.told(a_session())
    async with site.kiosk("kiosk-2") as other:
        asking = asyncio.create_task(wish(anna, {"kind": "confirm"}))
        command = await until(lambda: kiosk.commands and kiosk.commands[0])
        lie = Answer(command.id, False, "s-1", code="busy", text="a lie")
        await other.say(topics.ANSWER, lie, kiosk="kiosk-2")
        kiosk.answers = done
        assert (await asking).json()["ok"]


async def test_only_assigned_staff_command_and_moderators_what_is_theirs(site: Site, kiosk: Kiosk) -> None:
    await kiosk.told(a_session(asked=(BEN,), state=State.CLOSED))
    kiosk.answers = done
    async with site.person("ben") as ben, site.person("clara") as clara:
        for http, what in (
            (ben, {"kind": "confirm"}),
            (ben, {"kind": "reopen"}),
            (ben, {"kind": "assign", "person": {"id": "ben", "name": "Ben"}}),
            (clara, {"kind": "confirm"}),
            (clara, {"kind": "start"}),
        ):
            refused = await wish(http, what)
            assert (refused.status_code, refused.json()["code"]) == (403, "not_assigned")
        assert not kiosk.commands
        assert (await wish(clara, {"kind": "reopen"})).status_code == 200
        assert (await wish(clara, {"kind": "assign", "person": {"id": "clara", "name": "Clara"}})).status_code == 200
    assert {c.actor.role for c in kiosk.commands} == {Role.MODERATOR}


async def test_staff_create_sessions(kiosk: Kiosk, anna: httpx.AsyncClient) -> None:
    kiosk.answers = done
    await kiosk.online()
    await kiosk.told(a_session("s-new"))
    body = {"kiosk": "kiosk-1", "reason": "check", "tickets": [{"id": "T-1", "title": "Noise"}]}
    answer = await anna.post("/api/sessions", json=body)
    assert (answer.status_code, answer.json()) == (201, {"session": "s-new"})
    (command,) = kiosk.commands
    assert command.session == ""
    assert isinstance(command.do, inputs.Create)
    assert (command.do.reason, command.do.tickets[0].id) == ("check", "T-1")


async def test_what_is_no_command_reaches_no_kiosk(kiosk: Kiosk, anna: httpx.AsyncClient) -> None:
    await kiosk.told(a_session())
    for body in (
        {"kind": "give-consent", "consent": {"given": True}},
        {"do": {"kind": "uploaded", "artifact_id": "a-1", "sha256": "0" * 64}},
        {"do": {"kind": "create"}},
        {"do": {"kind": "confirm"}, "guard": {"state": "ASLEEP"}},
        {},
    ):
        refused = await wish(anna, body)
        assert (refused.status_code, refused.json()["code"]) == (400, "malformed"), body
    assert (await wish(anna, {"kind": "cancel", "cause": "x" * 20_000})).status_code == 413
    assert (await wish(anna, {"kind": "confirm"}, "s-none")).status_code == 404
    assert not kiosk.commands


async def test_a_wish_that_is_sent_again_under_its_key_is_one_command(site: Site, kiosk: Kiosk) -> None:
    await kiosk.told(a_session(assigned=(ANNA, BEN)))
    kiosk.answers = done
    async with site.person("anna") as anna, site.person("ben") as ben:
        for http, key, kind in (
            *((anna, "k-1", "confirm"),) * 2,
            (anna, "k-2", "confirm"),
            (anna, "k-1", "cancel"),
            (ben, "k-1", "confirm"),
        ):
            wished = {"do": {"kind": kind}}
            answer = await http.post("/api/sessions/s-1/commands", json=wished, headers={"Idempotency-Key": key})
            assert answer.status_code == 200
    ids = [command.id for command in kiosk.commands]
    assert ids[0] == ids[1], "the kiosk does it once and answers both"
    assert len(set(ids)) == 4, "another key, wish or person is another command"
