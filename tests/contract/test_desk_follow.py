"""What kiosks tell reaches the database, is receipted, and the order rules hold, over a real Mosquitto."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from kiosk.session import receipts
from kiosk.session.record import Consent
from kiosk.session.states import State
from kiosk.wire import topics
from kiosk.wire.messages import About, Health, Outdated, Presence, SessionTold, Stored
from tests.contract.desk_site import BEN, DEVICE, KIOSK, Kiosk, Site, a_session, an_artifact, next_rev, open_site, until

JPEG = b"\xff\xd8\xff\xe0 a picture"


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(tmp_path) as site:
        yield site


@pytest.fixture
async def running(site: Site) -> AsyncIterator[Site]:
    async with site.desk():
        yield site


@pytest.fixture
async def kiosk(running: Site) -> AsyncIterator[Kiosk]:
    async with running.kiosk() as kiosk:
        yield kiosk


@pytest.fixture
async def clara(running: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with running.person("clara") as http:
        yield http


async def listed(http: httpx.AsyncClient, **query: Any) -> list[dict[str, Any]]:
    answer = await http.get("/api/sessions", params=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["sessions"]
    return found


async def test_a_session_that_is_told_is_receipted_and_found(kiosk: Kiosk, clara: httpx.AsyncClient) -> None:
    await kiosk.told(a_session())
    (found,) = await listed(clara)
    assert (found["id"], found["rev"], found["state"]) == ("s-1", 1, "REQUESTED")


async def test_a_revision_told_again_is_receipted_again(kiosk: Kiosk) -> None:
    session = await kiosk.told(a_session())
    await kiosk.told(session)
    assert kiosk.receipts.count(Stored(session="s-1", epoch="e1", rev=1)) == 2


async def test_a_lower_revision_changes_nothing(kiosk: Kiosk, clara: httpx.AsyncClient) -> None:
    session = a_session()
    await kiosk.told(next_rev(session, state=State.CONFIRMED))
    await kiosk.told(session)
    (found,) = await listed(clara)
    assert (found["rev"], found["state"]) == (2, "CONFIRMED")


async def test_a_new_epoch_replaces_and_the_old_one_does_not_come_back(kiosk: Kiosk, clara: httpx.AsyncClient) -> None:
    await kiosk.told(a_session(rev=7, state=State.CONFIRMED))
    await kiosk.told(a_session(epoch="e2", rev=1))
    await kiosk.tell(a_session(rev=8, state=State.CANCELLED))
    await kiosk.told(a_session("s-2"))  # what was told before is dealt with by now
    found = next(s for s in await listed(clara) if s["id"] == "s-1")
    assert (found["epoch"], found["rev"]) == ("e2", 1)
    assert Outdated(session="s-1", epoch="e1") in kiosk.receipts, "a kiosk that still believes in it is told"


async def test_a_chain_of_receipts_that_was_cut_is_shown_and_logged_once_also_by_the_next_desk(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    consent = Consent(True, "2026-11-22T10:01:00.000Z", "May we record?", "en", "call")
    told = receipts.said(a_session(), consent, consent.at)
    cut = next_rev(told, consents=())
    async with site.kiosk() as kiosk:
        for sessions in ((told, cut), (next_rev(cut),)):
            async with site.desk(), site.person("clara") as clara:
                for session in sessions:
                    await kiosk.told(session)
                found = (await clara.get("/api/sessions/s-1")).json()["consents"]
                assert [fault["code"] for fault in found["faults"]] == ["other_consent"]
                assert ([r["n"] for r in found["lost"]], found["restored"]) == ([1], False)
    assert caplog.text.count("they were cut or changed") == 1


async def test_a_session_of_another_kiosk_or_topic_is_refused(
    running: Site, kiosk: Kiosk, clara: httpx.AsyncClient
) -> None:
    await kiosk.say(topics.SESSION, SessionTold(a_session("s-9", kiosk="kiosk-2")), "s-9")
    await kiosk.say(topics.SESSION, SessionTold(a_session("s-9")), "s-8")
    await kiosk.told(a_session("s-1"))
    async with running.kiosk("kiosk-2") as other:
        stolen = a_session("s-1", kiosk="kiosk-2", rev=9, state=State.CANCELLED)
        await other.say(topics.SESSION, SessionTold(stolen), "s-1", kiosk="kiosk-2")
        mine = a_session("s-3", kiosk="kiosk-2")
        await other.say(topics.SESSION, SessionTold(mine), "s-3", kiosk="kiosk-2")
        await until(lambda: other.of(Stored))
    assert {(s["id"], s["state"]) for s in await listed(clara)} == {("s-1", "REQUESTED"), ("s-3", "REQUESTED")}


async def test_nonsense_is_refused_and_nothing_stops(kiosk: Kiosk, clara: httpx.AsyncClient) -> None:
    for payload in (b"{", b"[]", b'{"v": 2}', b"\xff" * 100, b"x" * 65_000, b""):
        await kiosk.say(topics.SESSION, payload, "s-1")
        await kiosk.say(topics.ANSWER, payload)
        await kiosk.say(topics.PRESENCE, payload)
    await kiosk.told(a_session())
    assert len(await listed(clara)) == 1


async def kiosk_seen(http: httpx.AsyncClient) -> dict[str, Any]:
    kiosks = (await http.get("/api/kiosks")).json()["kiosks"]
    found: dict[str, Any] = kiosks[0] if kiosks else {}
    return found


async def test_presence_about_and_health_are_followed(kiosk: Kiosk, clara: httpx.AsyncClient) -> None:
    await kiosk.online()
    await kiosk.say(topics.ABOUT, About(DEVICE, "1.0", "simulated"), retain=True)
    await kiosk.say(topics.HEALTH, Health(12.0, {"camera": "unplugged"}))
    await kiosk.told(a_session())
    found = await kiosk_seen(clara)
    assert found["id"] == KIOSK
    assert found["online"]
    assert found["device"] == {"id": "press-7", "name": "Press 7"}
    assert found["parts"] == {"camera": "unplugged"}


async def test_a_late_will_of_an_older_connection_or_boot_is_ignored(kiosk: Kiosk, clara: httpx.AsyncClient) -> None:
    await kiosk.online("boot-1", 1)
    await kiosk.online("boot-2", 1)
    await kiosk.online("boot-2", 2)
    await kiosk.say(topics.PRESENCE, Presence(False, "boot-2", 1), retain=True)
    await kiosk.say(topics.PRESENCE, Presence(False, "boot-1", 9), retain=True)
    await kiosk.told(a_session())
    assert (await kiosk_seen(clara))["online"]
    await kiosk.say(topics.PRESENCE, Presence(False, "boot-2", 2), retain=True)
    await kiosk.told(a_session(rev=2))
    assert not (await kiosk_seen(clara))["online"]


async def test_uploads_are_asked_for_when_the_session_has_ended(kiosk: Kiosk) -> None:
    picture = an_artifact(JPEG)
    session = await kiosk.told(a_session(state=State.COMPLETED, artifacts=(picture,)))
    assert not kiosk.grants
    await kiosk.told(next_rev(session, state=State.CLOSED))
    (grant,) = await until(lambda: kiosk.grants)
    assert (grant.session, grant.artifact, grant.sha256) == ("s-1", "a-1", picture.sha256)


async def test_only_known_types_that_are_not_here_are_asked_for(kiosk: Kiosk) -> None:
    page = an_artifact(JPEG, "a-2", content_type="text/html", name="page.html")
    done = an_artifact(JPEG, "a-3", uploaded=True)
    await kiosk.told(a_session(state=State.CANCELLED, artifacts=(page, done, an_artifact(JPEG))))
    await kiosk.told(a_session("s-2"))
    assert [g.artifact for g in kiosk.grants] == ["a-1"]


async def test_a_desk_that_was_away_catches_up_from_retained_state(site: Site) -> None:
    async with site.kiosk() as kiosk:
        await kiosk.online()
        await kiosk.tell(a_session())
        await kiosk.tell(a_session("s-2", created_at="2026-03-01T11:00:00Z"))
        async with site.desk(), site.person("clara") as clara:
            await until(lambda: len(kiosk.of(Stored)) == 2)
            assert [s["id"] for s in await listed(clara)] == ["s-2", "s-1"]
        await kiosk.tell(a_session(rev=2, state=State.CONFIRMED))
        async with site.desk(), site.person("clara") as clara:
            await until(lambda: Stored(session="s-1", epoch="e1", rev=2) in kiosk.receipts)
            assert [s["state"] for s in await listed(clara)] == ["REQUESTED", "CONFIRMED"]
            assert (await kiosk_seen(clara))["online"]


async def test_staff_see_what_they_were_asked_for_and_moderators_see_all(running: Site, kiosk: Kiosk) -> None:
    await kiosk.told(a_session("s-1"))
    await kiosk.told(a_session("s-2", asked=(), assigned=(BEN,), state=State.CLOSED))
    async with running.person("anna") as anna, running.person("ben") as ben, running.person("clara") as clara:
        assert [s["id"] for s in await listed(anna)] == ["s-1"]
        assert [s["id"] for s in await listed(ben)] == ["s-2"]
        assert {s["id"] for s in await listed(clara)} == {"s-1", "s-2"}
        assert [s["id"] for s in await listed(clara, state="CLOSED")] == ["s-2"]
        assert await listed(clara, kiosk="kiosk-2") == []
        refused = await ben.get("/api/sessions/s-1")
        assert (refused.status_code, refused.json()["code"]) == (403, "not_assigned")


async def test_details_hold_the_kiosk_and_the_devices_earlier_sessions(kiosk: Kiosk, clara: httpx.AsyncClient) -> None:
    await kiosk.told(a_session("s-1", state=State.CLOSED, reason="noise"))
    await kiosk.told(a_session("s-2", created_at="2026-03-01T12:00:00Z"))
    await kiosk.told(a_session("s-3", created_at="2026-03-01T13:00:00Z"))
    details = (await clara.get("/api/sessions/s-2")).json()
    assert details["session"]["id"] == "s-2"
    assert details["kiosk"]["device"]["name"] == "Press 7"
    assert [(e["id"], e["state"], e["reason"]) for e in details["earlier"]] == [("s-1", "CLOSED", "noise")]
    assert (await clara.get("/api/sessions/s-none")).json()["code"] == "not_found"


async def test_somebody_who_looked_is_told_to_the_kiosk_once_assigned(running: Site, kiosk: Kiosk) -> None:
    await kiosk.told(a_session())
    async with running.person("anna") as anna, running.person("ben") as ben:
        assert (await ben.post("/api/sessions/s-1/seen")).status_code == 403
        assert (await anna.post("/api/sessions/s-1/seen")).status_code == 204
    (seen,) = await until(lambda: kiosk.seen)
    assert seen.person.id == "anna"
