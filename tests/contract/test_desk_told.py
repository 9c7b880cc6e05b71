"""Who is told of a request because nobody else reacted: it is in his list, live in his page, and waits for him."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec.structs import replace
from playwright.async_api import Browser, expect

from desk.config import Notifications
from kiosk.session.record import Person
from kiosk.session.states import State
from tests.contract.desk_site import Kiosk, Site, a_session, next_rev, open_site
from tests.contract.test_desk_account_pages import somebody
from tests.contract.test_desk_live import open_page

NOBODY = Person("left-us", "Somebody who has no account")
"""Responsible, but not to be told: the next group is told at once."""


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(tmp_path) as site:
        site.config = replace(site.config, notifications=Notifications(escalate_to=("staff",)))
        async with site.desk():
            yield site


@pytest.fixture
async def ben(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with site.person("ben") as http:
        yield http


def asked_in_vain() -> dict[str, Any]:
    return {"asked": (NOBODY,), "assigned": (NOBODY,)}


async def listed(http: httpx.AsyncClient, **query: str) -> list[str]:
    return [session["id"] for session in (await http.get("/api/sessions", params=query)).json()["sessions"]]


async def test_it_is_in_his_list_and_his_search_and_live_as_long_as_it_lives(
    kiosk: Kiosk, ben: httpx.AsyncClient
) -> None:
    async with open_page(ben) as page:
        told = await kiosk.told(a_session(**asked_in_vain(), reason="Leak"))
        name, body = await page.next()
        assert (name, body["session"]["id"]) == ("session", "s-1")
        assert "ben" in body["told"]
        found = (await ben.get("/api/sessions")).json()
        assert ([s["id"] for s in found["sessions"]], found["told"]) == (["s-1"], ["s-1"])
        assert await listed(ben, q="leak") == ["s-1"]
        assert await listed(ben, mine="true") == [], "he is not responsible"
        await kiosk.told(next_rev(told, state=State.CONFIRMED))
        while (await page.next())[1]["session"]["state"] != "CONFIRMED":  # each group that was told is news, too
            pass
        found = (await ben.get("/api/sessions")).json()
        assert ([s["id"] for s in found["sessions"]], found["told"]) == (["s-1"], []), "it waits for nobody any more"


async def test_a_moderators_request_waits_for_him_as_soon_as_it_is_his_turn_and_not_before(
    site: Site, kiosk: Kiosk, chromium: Browser
) -> None:
    clara = await somebody(chromium)
    await clara.page.goto(site.link("clara"))
    await expect(clara.page.locator(".empty")).to_be_visible()
    await kiosk.told(a_session("s-annas"))
    row = clara.page.locator('.session-row[data-id="s-annas"]')
    await expect(row).to_be_visible()
    await expect(row).not_to_contain_class("unread")
    await kiosk.told(a_session("s-2", **asked_in_vain()))
    groups, toasts = clara.page.locator(".group h2"), clara.page.locator(".toast")
    for _ in range(2):
        await expect(groups).to_have_text(["Waiting for you", "Waiting for others"])
        await expect(clara.page.locator('.session-row[data-id="s-2"]')).to_contain_class("unread")
        await expect(row).not_to_contain_class("unread")
        await expect(clara.page).to_have_title("(1) Sessions · Desk")
        if not await clara.page.evaluate("performance.getEntriesByType('navigation')[0].type == 'reload'"):
            await expect(toasts).to_have_count(1)
            await expect(toasts).to_contain_text("Nobody has reacted yet: Press 7")
            await clara.page.reload()
    clara.fine()


@pytest.mark.parametrize(
    ("reader", "words"),
    [("clara", "told, as nobody had reacted"), ("anna", "benachrichtigt, weil niemand reagiert hatte")],
)
async def test_the_sessions_page_names_who_was_told_beside_the_responsible(
    site: Site, kiosk: Kiosk, chromium: Browser, reader: str, words: str
) -> None:
    responsible = Person("nora", "Nora Vale")
    who = await somebody(chromium)
    await who.page.goto(site.link(reader))
    told = await kiosk.told(a_session(asked=(NOBODY,), assigned=(NOBODY, responsible)))
    await expect(who.page.locator('.session-row[data-id="s-1"]')).to_be_visible()  # as soon as it is this reader's turn
    await who.page.goto(f"{site.url}/sessions/s-1")
    people = who.page.locator("#people li")
    for name in ("anna", "ben", "clara"):
        await expect(people.and_(who.page.locator(f"[data-person={name}]"))).to_contain_text(words)
    await expect(people.and_(who.page.locator("[data-person=nora]"))).not_to_contain_text(words)
    await kiosk.told(next_rev(told, assigned=(NOBODY, responsible, Person("ben", "Ben Ott"))))
    await expect(people.and_(who.page.locator("[data-person=ben]"))).not_to_contain_text(words)
    await expect(people.and_(who.page.locator("[data-person=clara]"))).to_contain_text(words)
