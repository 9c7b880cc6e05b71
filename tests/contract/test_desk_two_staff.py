"""Two staff at one session, each in a browser of his own, over a real desk and the kiosk's real rules."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from playwright.async_api import Browser, Page, expect

from kiosk.errors import Refused
from kiosk.session import inputs, rules
from kiosk.session.provider import Provider
from kiosk.session.record import Actor, Person, Session, Ticket
from kiosk.session.states import OPEN, Role
from kiosk.wire import topics
from kiosk.wire.messages import About, Answer, Command
from tests.contract.desk_site import ANNA, BEN, DEVICE, KIOSK, PEOPLE, Kiosk, Site, a_session, open_site
from tests.contract.test_desk_account_pages import Somebody, somebody

CLARA = Person("clara", "Clara Wolf")


@dataclass
class Book:
    """The kiosk's side: its rules, one input at a time. `deaf`: pages are not told; `first`: done before a command that
    comes is looked at."""

    kiosk: Kiosk
    sessions: dict[str, Session] = field(default_factory=dict)
    first: list[inputs.Input] = field(default_factory=list)
    telling: set[asyncio.Task[Any]] = field(default_factory=set)
    n: int = 0

    async def put(self, session: Session) -> None:
        self.sessions[session.id] = await self.kiosk.told(session)

    def answer(self, command: Command) -> Answer | None:
        while self.first:
            self.apply(command.session, self.first.pop(0), Actor(Role.STAFF, BEN.id, BEN.name))
        session = self.sessions.get(command.session)
        guard = command.guard
        if session and (guard.state not in (None, session.state) or guard.rev not in (None, session.rev)):
            return Answer(command.id, ok=False, session=session.id, code="wrong_state", text="somebody was faster")
        try:
            changed = self.apply(command.session, command.do, command.actor)
        except Refused as refused:
            return Answer(command.id, ok=False, session=command.session, code=refused.code, text=refused.text)
        return Answer(command.id, ok=True, session=changed.id, rev=changed.rev, state=changed.state)

    def apply(self, session_id: str, what: inputs.Input, actor: Actor) -> Session:
        self.n += 1
        provider = Provider(staff=(ANNA, BEN), moderators=(CLARA,), recording_allowed=True)
        open_ = next((s.id for s in self.sessions.values() if s.state in OPEN), None)
        at = f"2026-03-01T11:{self.n // 60:02}:{self.n % 60:02}Z"
        now = rules.Now(at, True, "e1", KIOSK, DEVICE, provider, f"s-new{self.n}", f"c-{self.n}", open_)
        changed = rules.apply(self.sessions.get(session_id), what, actor, now)
        self.sessions[changed.id] = changed
        task = asyncio.ensure_future(self.kiosk.tell(changed))
        self.telling.add(task)
        task.add_done_callback(self.telling.discard)
        return changed


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(tmp_path) as site:
        site.config = replace(site.config, people=tuple(replace(person, language="en") for person in PEOPLE))
        async with site.desk():
            yield site


@pytest.fixture
async def book(site: Site) -> AsyncIterator[Book]:
    async with site.kiosk() as kiosk:
        book = Book(kiosk)
        kiosk.answers = book.answer
        await kiosk.say(topics.ABOUT, About(DEVICE, "1", "pi"), retain=True)
        await kiosk.online()
        yield book


async def at_session(site: Site, browser: Browser, person: str, width: int = 1280) -> Somebody:
    who = await somebody(browser, width)
    await who.page.goto(site.link(person))
    await who.page.goto(f"{site.url}/sessions/s-1")
    await expect(who.page.locator("#session[aria-busy=false]")).to_be_attached()
    return who


async def link(page: Page, ticket: str, title: str) -> None:
    if not await page.locator("#ticket-id").is_visible():
        await page.click("#ticket-add summary")
    await page.fill("#ticket-id", ticket)
    await page.fill("#ticket-title", title)
    await page.click("#ticket-save")


async def test_each_sees_at_once_what_the_other_changes(site: Site, book: Book, chromium: Browser) -> None:
    await book.put(a_session(asked=(ANNA, BEN), assigned=(ANNA, BEN)))
    anna, ben = await at_session(site, chromium, "anna"), await at_session(site, chromium, "ben", 360)
    await anna.page.click("#confirm")
    await expect(ben.page.locator("#state")).to_have_text("CONFIRMED")
    await expect(ben.page.locator("#history li").first).to_contain_text("Confirmed · Anna Berg")
    await link(ben.page, "T-1", "It leaks")
    await expect(anna.page.locator("#tickets strong")).to_have_text("T-1")
    await anna.page.click("#visibility")
    await expect(ben.page.locator("#facts")).to_contain_text("Internal: only staff see it")
    await anna.page.select_option("#assign-who", "clara")
    await anna.page.click("#assign-add")
    await expect(ben.page.locator("#people")).to_contain_text("Clara Wolf")
    await ben.page.click('[data-unlink="T-1"]')
    await expect(anna.page.locator("#tickets li")).to_have_count(0)
    await anna.page.click("#cancel")
    await anna.page.click("#answer-yes")
    await expect(ben.page.locator("#state")).to_have_text("CANCELLED")
    await ben.page.click("#reopen")
    await expect(anna.page.locator("#state")).to_have_text("CONFIRMED")
    await ben.fits(360)
    for one in (anna, ben):
        one.fine()


async def test_two_confirm_in_the_same_second_and_the_slower_is_told_who_was_faster(
    site: Site, book: Book, chromium: Browser
) -> None:
    await book.put(a_session(asked=(ANNA, BEN), assigned=(ANNA, BEN)))
    anna = await at_session(site, chromium, "anna")
    book.first = [inputs.Confirm()]
    await anna.page.click("#confirm")
    await expect(anna.page.locator('.toast[data-tone="error"]')).to_contain_text("Ben Ott was faster")
    await expect(anna.page.locator("#state")).to_have_text("CONFIRMED")
    anna.fine()


async def test_an_edit_of_the_same_ticket_is_said_and_overwrites_nothing(
    site: Site, book: Book, chromium: Browser
) -> None:
    await book.put(a_session(asked=(ANNA, BEN), assigned=(ANNA, BEN)))
    anna = await at_session(site, chromium, "anna")
    page = anna.page
    book.first = [inputs.LinkTicket(Ticket("T-1", "Ben's title"))]
    await link(page, "T-1", "Anna's title")
    await expect(page.locator('.toast[data-tone="error"]')).to_contain_text("Changed by somebody else")
    await expect(page.locator("#tickets")).to_contain_text("Ben's title")
    await expect(page.locator("#ticket-title")).to_have_value("Anna's title")
    await page.click("#ticket-save")
    await expect(page.locator("#ask-title")).to_have_text("T-1 is linked already")
    await expect(page.locator("#ask-text")).to_contain_text("Ben's title")
    await page.click("#answer-no")
    await expect(page.locator("#ticket-title")).to_have_value("Anna's title")
    await page.click("#ticket-save")
    await page.click("#answer-yes")
    await expect(page.locator("#tickets")).to_contain_text("Anna's title")
    assert book.sessions["s-1"].tickets == (Ticket("T-1", "Anna's title"),)
    book.first = [inputs.LinkTicket(Ticket("T-1", "Ben again"))]
    await page.click('[data-unlink="T-1"]')
    await expect(page.locator("#tickets")).to_contain_text("Ben again")
    assert book.sessions["s-1"].tickets == (Ticket("T-1", "Ben again"),)
    anna.fine()


async def test_edits_of_different_things_at_the_same_moment_are_both_done(
    site: Site, book: Book, chromium: Browser
) -> None:
    await book.put(a_session(asked=(ANNA, BEN), assigned=(ANNA, BEN)))
    anna = await at_session(site, chromium, "anna")
    book.first = [inputs.SetVisibility("internal"), inputs.LinkTicket(Ticket("T-2", "Another"))]
    await link(anna.page, "T-1", "It leaks")
    await expect(anna.page.locator("#tickets strong")).to_have_text(["T-2", "T-1"])
    assert book.sessions["s-1"].visibility == "internal"
    assert await anna.page.locator('.toast[data-tone="error"]').count() == 0
    anna.fine()


async def test_a_moderator_who_is_not_assigned_edits_and_assigns_himself_and_others_only_look(
    site: Site, book: Book, chromium: Browser
) -> None:
    await book.put(a_session(asked=(ANNA, BEN), assigned=(ANNA,)))
    ben, clara = await at_session(site, chromium, "ben"), await at_session(site, chromium, "clara")
    await expect(ben.page.locator("#status-text")).to_contain_text("You are not assigned")
    await expect(ben.page.locator("#visibility")).to_have_count(0)
    await expect(ben.page.locator("#ticket-add")).to_be_hidden()
    await clara.page.click("#visibility")
    await expect(ben.page.locator("#facts")).to_contain_text("Internal: only staff see it")
    await clara.page.click("#assign-me")
    await expect(clara.page.locator("#confirm")).to_be_visible()
    await expect(ben.page.locator("#people")).to_contain_text("Clara Wolf")
    for one in (ben, clara):
        one.fine()
