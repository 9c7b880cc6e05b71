"""Notifications of a running desk: a kiosk asks, a push service, a web hook and a mail server hear of it; and what the
account page takes and refuses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from msgspec.structs import replace

from desk.config import Channel, Notifications
from kiosk.session.record import Person
from kiosk.session.states import Event, Role, State
from tests.contract.desk_site import ANNA, AT, PEOPLE, Kiosk, Site, a_session, next_rev, open_site, until
from tests.contract.push_site import MailServer, Service, running_mail_server

PATH = "/api/account/notifications"


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with running_mail_server() as server:
        yield server


@pytest.fixture
async def site(tmp_path: Path, service: Service, mail: MailServer) -> AsyncIterator[Site]:
    (tmp_path / "team").write_text(f"{service.hook}/team\n")
    (tmp_path / "mail").write_text(mail.address)
    settings = Notifications(
        networks=("127.0.0.0/8",),
        mail_file=str(tmp_path / "mail"),
        channels=(Channel(address_file=str(tmp_path / "team"), language="de"),),
    )
    async with open_site(tmp_path) as site:
        anna = replace(PEOPLE[0], email="anna@site.example")
        site.config = replace(site.config, people=(anna, *PEOPLE[1:]), notifications=settings)
        async with site.desk():
            yield site


async def test_a_request_reaches_everybody_by_all_ways_at_once_and_a_confirmation_takes_its_place(
    site: Site, service: Service, mail: MailServer, kiosk: Kiosk
) -> None:
    browsers = {name: service.browser(name) for name in ("anna", "ben")}
    async with site.person("anna") as anna, site.person("ben") as ben:
        for name, http in (("anna", anna), ("ben", ben)):
            assert (await http.post(f"{PATH}/browsers", json=browsers[name].subscription)).status_code == 201
        assert (await anna.post(f"{PATH}/addresses", json={"address": service.hook, "name": "chat"})).status_code == 201
        assert (await anna.post(PATH, json={"mail": True})).status_code == 200
        asked = (ANNA, Person("ben", "Ben Ott"))
        session = await kiosk.told(a_session(asked=asked, reason="It @everyone <b>smokes</b>", requester="Max"))
        await until(lambda: all(b.got for b in browsers.values()) and len(service.hooked) == 2 and mail.mails)
        told = browsers["anna"].got[0].content
        assert told["title"] == "Neue Anfrage: Press 7"
        assert told["text"] == "Max: It @everyone <b>smokes</b>", "plain text, shown as such"
        assert (told["path"], told["tag"], told["silent"]) == ("/sessions/s-1", "asks-s-1", False)
        assert browsers["ben"].said == ["New request: Press 7"]
        key = (await anna.get(PATH)).json()["key"]
        assert {pushed.claims["key"] for b in browsers.values() for pushed in b.got} == {key}
        for hooked in service.hooked:
            assert hooked["message"].endswith(f"\n\n{site.url}/sessions/s-1")
            assert "@everyone" not in hooked["message"]
        ((to, written),) = mail.mails
        assert (to, written["subject"]) == (["anna@site.example"], "Neue Anfrage: Press 7")
        change = replace(session.history[0], event=Event.CONFIRM, source=State.REQUESTED, target=State.CONFIRMED)
        change = replace(change, actor=replace(change.actor, role=Role.STAFF, id="ben", name="Ben Ott"), at=AT)
        await kiosk.told(next_rev(session, state=State.CONFIRMED, history=(*session.history, change)))
        await until(lambda: all(len(b.got) == 2 for b in browsers.values()))
        assert browsers["anna"].said[1] == "Ben Ott hat bestätigt: Press 7"
        over = browsers["anna"].got[1]
        assert (over.content["tag"], over.content["silent"]) == ("asks-s-1", True)
        assert over.headers["topic"] == browsers["anna"].got[0].headers["topic"], "replaced at the push service as well"
    assert (len(service.hooked), len(mail.mails)) == (2, 1)


async def test_a_browser_that_wants_no_more_is_dropped_and_a_dead_service_delays_nothing(
    site: Site, service: Service, kiosk: Kiosk
) -> None:
    gone, slow, good = (service.browser(name) for name in ("gone", "slow", "good"))
    gone.answer, slow.stalls_s = 410, 20.0
    async with site.person("anna") as anna:
        for browser in (gone, slow, good):
            await anna.post(f"{PATH}/browsers", json=browser.subscription)
        assert len((await anna.get(PATH)).json()["browsers"]) == 3
        await kiosk.told(a_session())
        await until(lambda: good.got and gone.tried)
        async with asyncio.timeout(5):
            await kiosk.told(next_rev(a_session(), seen_by=(ANNA,)))
            assert (await anna.get("/api/sessions")).status_code == 200
        async with asyncio.timeout(10):
            while len((await anna.get(PATH)).json()["browsers"]) != 2:
                await asyncio.sleep(0.05)


async def test_whoever_opens_the_request_is_told_to_the_kiosk(site: Site, kiosk: Kiosk) -> None:
    """From whatever way the link came: the page says that it is looked at."""
    await kiosk.told(a_session())
    async with site.person("clara") as clara, site.person("ben") as ben:
        assert (await clara.post("/api/sessions/s-1/seen")).status_code == 204
        assert (await ben.post("/api/sessions/s-1/seen")).status_code == 403
    (seen,) = await until(lambda: kiosk.seen)
    assert seen.person.id == "clara"


async def test_a_test_says_how_each_place_took_it(site: Site, service: Service, mail: MailServer) -> None:
    good, gone = service.browser("good"), service.browser("gone")
    gone.answer = 404
    async with site.person("anna") as anna:
        assert (await anna.post(f"{PATH}/test")).json() == {"results": []}
        for browser in (good, gone):
            await anna.post(
                f"{PATH}/browsers", json=browser.subscription, headers={"User-Agent": browser.endpoint[-4:]}
            )
        await anna.post(f"{PATH}/addresses", json={"address": service.hook, "name": "chat"})
        await anna.post(f"{PATH}/addresses", json={"address": "jsons://127.0.0.1:1/", "name": "nobody"})
        night = {"begin": 0, "end": 1439, "zone": "UTC"}
        await anna.post(PATH, json={"mail": True, "quiet": night})
        tried = (await anna.post(f"{PATH}/test")).json()["results"]
        assert [(one["kind"], one["name"], one["code"]) for one in tried] == [
            ("push", "good", "ok"),
            ("push", "gone", "gone"),
            ("address", "chat", "ok"),
            ("address", "nobody", "later"),
            ("mail", "anna@site.example", "ok"),
        ]
        own = (await anna.get(PATH)).json()
        assert [b["name"] for b in own["browsers"]] == ["good"]
        assert [(a["name"], a["failed"]) for a in own["addresses"]] == [("chat", ""), ("nobody", "later")]
        codes = [(await anna.post(f"{PATH}/test")).status_code for _ in range(9)]
        assert codes[-1] == 429
    assert good.said[0] == "Das ist ein Test"
    assert mail.mails


BAD_SUBSCRIPTIONS = [
    {},
    {"endpoint": "https://push.example/x"},
    {"endpoint": "http://push.example/x"},
    {"endpoint": "https://user:pass@push.example/x"},
    {"endpoint": "javascript:alert(1)"},
    {"endpoint": "https://push.example/" + "x" * 2000},
    {"p256dh": "AAAA"},
    {"p256dh": "B" + "A" * 86},
    {"auth": "AAAA"},
    {"auth": "ü" * 22},
]


async def test_bad_input_is_refused_with_what_is_wrong_with_it(site: Site, service: Service) -> None:
    good = service.browser("good").subscription
    async with site.person("anna") as anna:
        for bad in BAD_SUBSCRIPTIONS[1:]:
            body = {**good, **bad} if len(bad) == 1 and "push.example/x" not in str(bad.get("endpoint")) else bad
            answer = await anna.post(f"{PATH}/browsers", json=body)
            assert answer.status_code == 400, (bad, answer.text)
        for body in ({"address": "no address"}, {"address": "jsons://"}, {"address": "mailto://"}):
            await refused(anna, "addresses", body, "bad_address")
        for body in ({"address": "file:///etc/passwd"}, {"address": "json://x"}, {"address": "syslog://"}):
            await refused(anna, "addresses", body, "kind_not_allowed")
        zone = {"quiet": {"begin": 0, "end": 60, "zone": "Mars/Phobos"}}
        assert (await anna.post(PATH, json=zone)).json()["code"] == "time_zone"
        same = {"quiet": {"begin": 60, "end": 60, "zone": "UTC"}}
        assert (await anna.post(PATH, json=same)).json()["code"] == "quiet_hours"
        for quiet in ({"begin": -1, "end": 5, "zone": "UTC"}, {"begin": 0, "end": 1440, "zone": "UTC"}, "at night"):
            assert (await anna.post(PATH, json={"quiet": quiet})).status_code == 400
        own = (await anna.get(PATH)).json()
        assert (own["browsers"], own["addresses"], own["wishes"]["quiet"]) == ([], [], None)


async def refused(http: httpx.AsyncClient, what: str, body: dict[str, str], code: str) -> None:
    answer = await http.post(f"{PATH}/{what}", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, code), body


async def test_addresses_go_in_and_never_out_and_are_ones_own(
    site: Site, service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    secret = service.hook.replace("://", "://Secret77:Secret88@")
    async with site.person("anna") as anna, site.person("ben") as ben, site.person("clara") as clara:
        added = (await anna.post(f"{PATH}/addresses", json={"address": secret, "name": "chat"})).json()
        browser = (await anna.post(f"{PATH}/browsers", json=service.browser("x").subscription)).json()
        await anna.post(f"{PATH}/test")
        assert added["service"] == "JSON"
        everything = (await anna.get(PATH)).text + (await anna.get("/account")).text
        assert (await ben.get(PATH)).json()["addresses"] == []
        for http in (ben, clara):
            assert (await http.delete(f"{PATH}/addresses/{added['id']}")).status_code == 404
            assert (await http.delete(f"{PATH}/browsers/{browser['id']}")).status_code == 404
        assert (await anna.delete(f"{PATH}/addresses/{added['id']}")).status_code == 204
        assert (await anna.delete(f"{PATH}/browsers/{browser['id']}")).status_code == 204
        own = (await anna.get(PATH)).json()
        assert (own["addresses"], own["browsers"]) == ([], [])
    for text in (everything, caplog.text):
        assert "Secret" not in text
        assert "/push/x" not in text


async def test_a_desk_that_is_started_again_tells_nothing_twice(site: Site, service: Service, kiosk: Kiosk) -> None:
    browser = service.browser("anna")
    async with site.person("anna") as anna:
        await anna.post(f"{PATH}/browsers", json=browser.subscription)
    await kiosk.told(a_session())
    await until(lambda: browser.got)
    later = replace(site.config, http=replace(site.config.http, port=0))
    site.config, before = later, site.config
    async with site.desk():  # a second one: it hears of the request by what the broker retains
        site.config = before
        await kiosk.told(a_session("s-2"))
        await until(lambda: len(browser.got) > 1)
    assert [pushed.content["tag"] for pushed in browser.got] == ["asks-s-1", "asks-s-2"]
