"""The list of sessions, the form for a new one and the devices in a real Chromium over a real desk."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from playwright.async_api import Browser, Page, Route, expect

from desk.config import Member, Rank
from kiosk.session import inputs
from kiosk.session.record import CODE_USER, Change, Device, Person, Session, Ticket
from kiosk.session.states import Event, State
from kiosk.wire import topics
from kiosk.wire.messages import About, Answer, ArticleTold, Command, Health, InForce, Presence, SessionTold
from tests.contract.desk_site import (
    ANNA,
    BEN,
    DEVICE,
    KIOSK,
    PEOPLE,
    Kiosk,
    Site,
    a_session,
    next_rev,
    open_site,
    until,
)
from tests.contract.test_desk_account_pages import Somebody, somebody

NASTY = "<img src=x onerror=\"document.title='hacked'\"><script>document.title='hacked'</script>\"'&amp;"
LATHE = Device("lathe-1", "Drehbank Süd")


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(tmp_path) as site:
        ada = Member(id="ada", name="Ada Lind", role=Rank.ADMINISTRATOR, language="en")
        people = tuple(replace(person, language="en") for person in PEOPLE)
        site.config = replace(site.config, people=(*people, ada))
        async with site.desk():
            yield site


@pytest.fixture
async def kiosk(site: Site) -> AsyncIterator[Kiosk]:
    async with site.kiosk() as kiosk:
        await kiosk.say(topics.ABOUT, About(DEVICE, "1.2.3", "Raspberry Pi 5", "de"), retain=True)
        await kiosk.online()
        yield kiosk


def made(n: int, **more: Any) -> Session:
    at = f"2026-03-{1 + n // 24:02}T{n % 24:02}:00:00Z"
    history = (Change(at, CODE_USER, Event.REQUEST, None, State.REQUESTED),)
    return a_session(f"s-{n:03}", created_at=at, history=history, **more)


async def signed_in(site: Site, browser: Browser, person: str, width: int = 1280) -> Somebody:
    who = await somebody(browser, width)
    await who.page.goto(site.link(person))
    await ready(who.page)
    return who


async def ready(page: Page) -> None:
    await expect(page.locator("#session-list[aria-busy=false]")).to_be_attached()


async def shown(page: Page) -> list[str]:
    rows = page.locator(".session-row")
    return [str(await row.get_attribute("data-id")) for row in await rows.all()]


# --- the list ---------------------------------------------------------------------------------------------------------


async def test_filters_and_search_are_kept_in_the_address_and_on_the_way_back(
    site: Site, kiosk: Kiosk, chromium: Browser
) -> None:
    ticket = Ticket("T-77", "Öl fehlt")
    await kiosk.told(made(1, reason="Öl läuft aus", tickets=(ticket,), state=State.CLOSED))
    await kiosk.told(made(2, state=State.CLOSED, requester="Frau Öztürk"))
    await kiosk.told(made(30, assigned=(BEN,), asked=(ANNA, BEN)))
    anna = await signed_in(site, chromium, "anna")
    page = anna.page
    assert await shown(page) == ["s-030", "s-002", "s-001"]
    await page.fill("#search", "ÖL t-77")
    await expect(page.locator(".session-row")).to_have_count(1)
    await expect(page).to_have_url(re.compile(r"/\?q=%C3%96L\+t-77$"))
    await page.locator(".session-row a").click()
    await expect(page.locator("#state")).to_have_text("CLOSED")
    await page.click(".session-head .back")
    await expect(page.locator("#search")).to_have_value("ÖL t-77")
    await expect(page.locator(".session-row")).to_have_count(1)
    await page.click("#clear")
    await expect(page.locator(".session-row")).to_have_count(3)
    await page.click("#mine")
    await expect(page.locator('[data-id="s-030"]')).to_have_count(0)
    await page.click('[data-filter="CLOSED"]')
    await page.click("#more-filters summary")
    await page.fill("#since", "2026-03-01")
    await page.fill("#until", "2026-03-01")
    await page.reload()
    await ready(page)
    assert await shown(page) == ["s-002", "s-001"]
    assert page.url.endswith("/?state=CLOSED&since=2026-03-01&until=2026-03-01&mine=1")
    await page.fill("#until", "2026-02-01")
    await expect(page.locator(".empty")).to_contain_text("Nothing fits")
    anna.fine()


@pytest.mark.parametrize(
    ("path", "place"),
    [("/", '[data-id="s-001"] .pill'), (f"/devices/{KIOSK}", "#sessions .pill"), ("/sessions/s-001", "#state")],
)
async def test_rows_are_there_before_the_stream_is_and_what_changes_in_between_is_not_missed(
    site: Site, kiosk: Kiosk, chromium: Browser, path: str, place: str
) -> None:
    """The change is one that nothing else asks for: what has ended is not among what every page knows."""
    completed = made(1, state=State.COMPLETED)
    await kiosk.told(completed)
    anna = await signed_in(site, chromium, "anna")
    page = anna.page
    held: list[Route] = []

    async def hold(route: Route) -> None:
        held.append(route)

    await page.route("**/api/events", hold)
    await page.goto(site.url + path)
    await expect(page.locator(place)).to_have_text("COMPLETED")
    await kiosk.told(next_rev(completed, state=State.CLOSED))
    await until(lambda: held)
    await held[0].continue_()
    await expect(page.locator(place)).to_have_text("CLOSED")
    await expect(page.locator("[aria-busy=true]")).to_have_count(0)
    anna.fine()


async def test_where_there_are_several_providers_one_can_be_chosen(site: Site, kiosk: Kiosk, chromium: Browser) -> None:
    async with site.kiosk("kiosk-2") as other:
        await kiosk.say(topics.CONFIG_REPORTED, InForce(name="Example Ltd"), retain=True)
        await other.say(topics.ABOUT, About(LATHE, "1", "pi"), retain=True, kiosk="kiosk-2")
        await other.say(topics.CONFIG_REPORTED, InForce(name=NASTY), retain=True, kiosk="kiosk-2")
        await kiosk.told(made(1, state=State.CLOSED))
        await other.say(topics.SESSION, SessionTold(made(2, kiosk="kiosk-2", device=LATHE)), "s-002", kiosk="kiosk-2")
        anna = await signed_in(site, chromium, "anna", 360)
        page = anna.page
        await expect(page.locator(".session-row")).to_have_count(2)
        await page.click("#more-filters summary")
        await page.select_option("#provider", NASTY)
        await expect(page.locator(".session-row")).to_have_count(1)
        await page.reload()
        await ready(page)
        assert await shown(page) == ["s-002"]
        await expect(page.locator("#provider")).to_have_value(NASTY)
        await page.select_option("#provider", "")
        await expect(page.locator(".session-row")).to_have_count(2)
        await page.fill("#device", "dreh")
        await expect(page.locator("#device-names option")).to_have_count(1)
        await page.fill("#device", LATHE.name)
        await page.locator("#device").blur()
        await expect(page.locator(".session-row")).to_have_count(1)
        assert page.url.endswith("?device=lathe-1")
        await anna.fits(360)
        anna.fine()


async def test_an_address_that_makes_no_sense_shows_what_there_is(site: Site, kiosk: Kiosk, chromium: Browser) -> None:
    await kiosk.told(made(1))
    anna = await signed_in(site, chromium, "anna")
    await anna.page.goto(f"{site.url}/?state=NEVER&since=soon&until=2026-99-99&mine=yes&device=&x=1")
    await ready(anna.page)
    assert await shown(anna.page) == ["s-001"]
    assert anna.page.url == f"{site.url}/"
    await anna.page.goto(f"{site.url}/?q=%25&device=no-such-device")
    await expect(anna.page.locator(".empty")).to_be_visible()
    await expect(anna.page.locator("#device")).to_have_value("no-such-device")
    anna.fine()


async def test_what_is_older_comes_in_pages_and_what_is_new_comes_by_itself_whatever_is_filtered(
    site: Site, kiosk: Kiosk, chromium: Browser
) -> None:
    for n in range(60):
        await kiosk.tell(made(n, state=State.CLOSED))
    await kiosk.told(made(60, state=State.CLOSED))
    anna = await signed_in(site, chromium, "anna")
    page = anna.page
    await expect(page.locator(".session-row")).to_have_count(50)
    await page.click("#more")
    await expect(page.locator(".session-row")).to_have_count(61)
    await expect(page.locator("#more")).to_be_hidden()
    await page.click('[data-filter="REQUESTED"]')
    await expect(page.locator(".session-row")).to_have_count(0)
    await kiosk.told(made(70))
    await expect(page.locator('[data-id="s-070"]')).to_be_visible()
    await kiosk.told(next_rev(made(70), state=State.CANCELLED))
    await expect(page.locator(".session-row")).to_have_count(0)
    await kiosk.told(next_rev(made(3), state=State.CONFIRMED, seen_by=(ANNA,)))
    await page.click('[data-filter=""]')
    await expect(page.locator(".session-row").first).to_have_attribute("data-id", "s-003")
    anna.fine()


async def test_what_waits_for_me_comes_before_what_waits_for_others_and_only_that_is_announced(
    site: Site, kiosk: Kiosk, chromium: Browser
) -> None:
    clara = await signed_in(site, chromium, "clara")
    page = clara.page
    me = Person("clara", "Clara Wolf")
    await kiosk.told(made(1))
    await expect(page.locator('[data-id="s-001"]')).to_be_visible()
    await expect(page.locator(".toast")).to_have_count(0)
    await expect(page).to_have_title("Sessions · Desk")
    await kiosk.told(made(2, asked=(ANNA, me), assigned=(ANNA, me)))
    await expect(page.locator('.toast[data-tone="request"]')).to_have_count(1)
    await expect(page).to_have_title("(1) Sessions · Desk")
    assert await shown(page) == ["s-002", "s-001"]
    assert [await h.inner_text() for h in await page.locator(".group h2").all()] == [
        "Waiting for you",
        "Waiting for others",
    ]
    await expect(page.locator('[data-id="s-002"]')).to_have_class(re.compile("unread"))
    await expect(page.locator('[data-id="s-001"]')).not_to_have_class(re.compile("unread"))
    clara.fine()


async def test_the_sound_can_be_switched_off_and_stays_off(site: Site, kiosk: Kiosk, chromium: Browser) -> None:
    anna = await signed_in(site, chromium, "anna")
    page = anna.page
    await expect(page.locator("#sound")).to_have_text("Sound is on")
    await page.click("#sound")
    await page.reload()
    await ready(page)
    await expect(page.locator("#sound")).to_have_attribute("aria-pressed", "false")
    await kiosk.told(made(1))
    await expect(page.locator(".toast")).to_have_count(1)
    assert await page.locator("html").get_attribute("data-chimes") is None
    await page.click(".toast .close")
    await page.click("#sound")
    await kiosk.told(made(2))
    await expect(page.locator(".toast")).to_have_count(1)
    assert await page.locator("html").get_attribute("data-chimes") == "1"
    anna.fine()


async def test_words_from_outside_stay_words_in_list_form_and_details(
    site: Site, kiosk: Kiosk, chromium: Browser
) -> None:
    ticket = Ticket(NASTY, NASTY, "https://tickets.example/?a=<b>\"'")
    nasty = Device("nasty-1", NASTY)
    await kiosk.say(topics.ABOUT, About(nasty, NASTY, NASTY), retain=True)
    await kiosk.told(made(1, reason=NASTY, requester=NASTY, note=NASTY, tickets=(ticket,), device=nasty))
    anna = await signed_in(site, chromium, "anna", 360)
    page = anna.page
    row = page.locator('[data-id="s-001"]')
    await expect(row.locator(".row-text")).to_have_text(NASTY)
    await expect(row.locator(".row-title")).to_contain_text(NASTY)
    await anna.fits(360)
    await page.fill("#search", NASTY[:40])
    await expect(row).to_be_visible()
    await page.goto(f"{site.url}/sessions/s-001")
    await expect(page.locator("#reason")).to_have_text(NASTY)
    await expect(page.locator("#tickets strong")).to_have_text(NASTY)
    await anna.fits(360)
    query = "&".join(
        f"{name}={NASTY.replace('&', '%26').replace('#', '%23')}" for name in ("device", "ticket", "reason")
    )
    await page.goto(f"{site.url}/sessions/new?{query}&ticket_link=javascript:alert(1)")
    await expect(page.locator("#new-session-told")).to_contain_text(NASTY[:60])
    await expect(page.locator("#new-session-reason")).to_have_value(NASTY)
    await expect(page.locator("#new-session-devices")).to_contain_text(NASTY)
    await anna.fits(360)
    assert "hacked" not in await page.title()
    anna.fine()


# --- a new session ----------------------------------------------------------------------------------------------------


def creates(kiosk: Kiosk) -> None:
    """The kiosk takes what staff create."""

    def answer(command: Command) -> Answer | None:
        if isinstance(command.do, inputs.Create):
            return Answer(command.id, ok=True, session="s-new", rev=1, state=State.CONFIRMED)
        return None

    kiosk.answers = answer


async def test_a_ticket_leads_to_a_form_that_is_filled_in_and_creates_only_when_told(
    site: Site, kiosk: Kiosk, chromium: Browser
) -> None:
    creates(kiosk)
    anna = await signed_in(site, chromium, "anna")
    page = anna.page
    address = (
        f"/sessions/new?device={DEVICE.id}&ticket=T-5&ticket_title=Leak&ticket_link=https://t.example/5&reason=Leak"
    )
    await page.goto(site.url + address)
    await expect(page.locator("#new-session-form[aria-busy=false]")).to_be_visible()
    await expect(page.locator(f'#new-session-devices input[value="{KIOSK}"]')).to_be_checked()
    await expect(page.locator("#new-session-ticket-title")).to_have_value("Leak")
    assert kiosk.commands == []
    await kiosk.told(made(9, state=State.CONFIRMED, assigned=(BEN,), asked=(ANNA,)))
    await expect(page.locator("#new-session-devices .pill")).to_have_text("CONFIRMED")
    await kiosk.told(replace(made(1), id="s-new", state=State.CONFIRMED, seen_by=(ANNA,)))
    await page.click("#new-session-create")
    await page.wait_for_url(f"{site.url}/sessions/s-new")
    (command,) = [c for c in kiosk.commands if isinstance(c.do, inputs.Create)]
    assert command.do == inputs.Create("Leak", (Ticket("T-5", "Leak", "https://t.example/5"),))
    assert (command.actor.id, command.actor.name) == ("anna", "Anna Berg")
    anna.fine()


async def test_a_link_to_a_device_that_is_away_or_unknown_says_so_and_keeps_what_it_brought(
    site: Site, kiosk: Kiosk, chromium: Browser
) -> None:
    async with site.kiosk("kiosk-2") as other:
        await other.say(topics.ABOUT, About(LATHE, "1", "pi"), retain=True, kiosk="kiosk-2")
        anna = await signed_in(site, chromium, "anna", 360)
        page = anna.page
        await page.goto(f"{site.url}/sessions/new?device={LATHE.id}&ticket=T-5")
        await expect(page.locator("#new-session-told")).to_contain_text("Drehbank Süd has no network at the moment")
        await expect(page.locator("#new-session-create")).to_be_disabled()
        await anna.fits(360)
        await other.say(
            topics.PRESENCE, {"online": True, "boot": "boot-1", "connection": 1, "v": 1}, retain=True, kiosk="kiosk-2"
        )
        await expect(page.locator("#new-session-create")).to_be_enabled()
        await page.goto(f"{site.url}/sessions/new?device=nobody-knows&ticket=T-5")
        await expect(page.locator("#new-session-told")).to_contain_text("There is no device nobody-knows here")
        await expect(page.locator("#new-session-create")).to_be_disabled()
        await expect(page.locator("#new-session-ticket")).to_have_value("T-5")
        anna.fine()


async def test_what_the_kiosk_refuses_is_said_in_the_form_and_what_was_typed_stays(
    site: Site, kiosk: Kiosk, chromium: Browser
) -> None:
    kiosk.answers = lambda command: Answer(command.id, ok=False, code="busy", text="another session is in progress")
    anna = await signed_in(site, chromium, "anna")
    page = anna.page
    await page.click(".top [data-new-session]")
    await page.fill("#new-session-reason", "Wartung")
    await page.click("#new-session-create")
    await expect(page.locator("#new-session-error")).to_contain_text("Another session is in progress at this machine")
    await expect(page.locator("#new-session-reason")).to_have_value("Wartung")
    await page.click("#new-session summary")
    await page.fill("#new-session-ticket", "T-1")
    await page.fill("#new-session-ticket-link", "javascript:alert(1)")
    sent = len(kiosk.commands)
    await page.click("#new-session-create")
    assert await page.locator("#new-session-ticket-link:invalid").count() == 1
    assert len(kiosk.commands) == sent
    anna.fine()


# --- devices ----------------------------------------------------------------------------------------------------------


IN_FORCE = InForce(
    name="Example Ltd",
    recording_allowed=True,
    reasons=("It leaks", NASTY),
    staff=(ANNA, Person("eve", NASTY)),
    moderators=(Person("clara", "Clara Wolf"),),
    articles=(ArticleTold("oil", NASTY, f"1. Switch it off.\n2. {NASTY}"),),
)


async def test_a_devices_page_shows_what_is_known_of_it_and_follows(
    site: Site, kiosk: Kiosk, chromium: Browser
) -> None:
    await kiosk.say(topics.CONFIG_REPORTED, IN_FORCE, retain=True)
    await kiosk.say(topics.HEALTH, Health(90_000, {"camera": "ok", "speaker": NASTY, "new-part": "ok"}))
    await kiosk.told(made(1, state=State.CLOSED, reason=NASTY))
    anna = await signed_in(site, chromium, "anna", 360)
    page = anna.page
    await page.goto(f"{site.url}/devices/{KIOSK}")
    await expect(page.locator("#device[aria-busy=false]")).to_be_attached()
    await expect(page.locator("#device-name")).to_have_text(DEVICE.name)
    await expect(page.locator("#parts li").first).to_have_attribute("data-part", "speaker")
    await expect(page.locator("#parts li").first.locator("small .said")).to_have_text(NASTY)
    await expect(page.locator("#staff li")).to_have_count(3)
    await expect(page.locator('#settings [data-name="provider"]')).to_have_text("Example Ltd")
    await expect(page.locator('#facts [data-name="hardware"]')).to_have_text("Raspberry Pi 5")
    await page.locator("#articles summary").click()
    await expect(page.locator("#articles .article")).to_contain_text(NASTY)
    await expect(page.locator("#sessions a")).to_have_count(1)
    await anna.fits(360)
    await kiosk.told(made(2))
    await expect(page.locator("#sessions a")).to_have_count(2)
    await expect(page.locator("#status-title")).to_have_text("A session is in progress")
    await kiosk.say(topics.HEALTH, Health(90_060, {"camera": "ok", "speaker": "ok"}))
    await expect(page.locator('#parts [data-ok="false"]')).to_have_count(0)
    await kiosk.say(topics.PRESENCE, Presence(False, "boot-1", 1), retain=True)
    await expect(page.locator("#kiosk-online")).to_have_text("Offline")
    await page.click("#all-sessions")
    await expect(page.locator(".session-row")).to_have_count(2)
    await expect(page.locator("#device")).to_have_value(DEVICE.name)
    assert "hacked" not in await page.title()
    anna.fine()


async def test_a_device_that_nobody_knows_is_said(site: Site, kiosk: Kiosk, chromium: Browser) -> None:
    anna = await signed_in(site, chromium, "anna")
    await anna.page.goto(f"{site.url}/devices/no-such-kiosk")
    await expect(anna.page.locator("main")).to_contain_text("There is nothing here")
    anna.fine()


async def test_devices_are_found_by_words_and_presence_and_say_what_is_wrong(
    site: Site, kiosk: Kiosk, chromium: Browser
) -> None:
    async with site.kiosk("kiosk-2") as other:
        await other.say(topics.ABOUT, About(LATHE, "1", "pi"), retain=True, kiosk="kiosk-2")
        await other.say(topics.HEALTH, Health(1, {"camera": "does not answer"}), kiosk="kiosk-2")
        anna = await signed_in(site, chromium, "anna", 360)
        page = anna.page
        await page.goto(f"{site.url}/devices")
        await expect(page.locator(".device")).to_have_count(2)
        await expect(page.locator('.device[data-id="kiosk-2"] .trouble')).to_have_text("1 part has a problem")
        await page.fill("#search", "SÜD dreh")
        await expect(page.locator(".device")).to_have_count(1)
        await page.fill("#search", "")
        await page.click('[data-online="true"].chip')
        await expect(page.locator(".device")).to_have_count(1)
        await expect(page.locator(f'.device[data-id="{KIOSK}"]')).to_be_visible()
        await page.reload()
        await expect(page.locator(".device")).to_have_count(1)
        await page.fill("#search", "<b>")
        await expect(page.locator(".empty")).to_contain_text("No device fits")
        await anna.fits(360)
        anna.fine()


# --- webhooks ---------------------------------------------------------------------------------------------------------


async def test_an_administrator_adds_a_webhook_sees_its_secret_once_and_what_came_of_it(
    site: Site, kiosk: Kiosk, chromium: Browser
) -> None:
    ada = await signed_in(site, chromium, "ada", 360)
    page = ada.page
    await page.goto(f"{site.url}/people")
    await page.click('a[href="/webhooks"]')
    await expect(page.locator(".empty")).to_contain_text("Nobody is told yet")
    await page.click("#add")
    await page.fill("#webhook-name", NASTY)
    await page.fill("#webhook-url", "https://10.0.0.1/hook")
    await page.click("#webhook-go")
    await expect(page.locator("#webhook-problem")).to_contain_text("it is private")
    await page.fill("#webhook-url", "javascript:alert(1)")
    await page.click("#webhook-go")
    assert await page.locator("#webhook-url:invalid").count() == 1
    await page.fill("#webhook-url", "https://hooks.invalid/x")
    for box in await page.locator("#webhook-kinds input").all():
        await box.uncheck()
    await page.click("#webhook-go")
    await expect(page.locator("#webhook-problem")).to_contain_text("Choose at least one")
    await page.check('#webhook-kinds input[value="session.requested"]')
    await ada.fits(360)
    await page.click("#webhook-go")
    await expect(page.locator("#secret-text")).to_contain_text("whsec_")
    await page.click("#secret [data-close]")
    await expect(page.locator("#secret-text")).to_have_text("")
    await expect(page.locator(".webhook h2")).to_have_text(NASTY)
    await kiosk.told(made(1))
    await expect(page.locator(".delivery")).to_contain_text("This name is not known", timeout=20_000)
    await page.click(".webhook [id^=test-]")
    await expect(page.locator(".delivery")).to_have_count(2)
    await page.locator(".webhook summary").click()
    await page.click("[data-do=off]")
    await expect(page.locator(".webhook")).to_have_attribute("data-active", "false")
    await page.locator(".webhook summary").click()
    await page.click("[data-do=remove]")
    await page.click("#answer-yes")
    await expect(page.locator(".empty")).to_be_visible()
    await ada.fits(360)
    ada.fine()
