"""Notifications in a real Chromium: the account page's form, the service worker with pushes as they come, and what a
desktop needs to install the page.

Subscribing itself asks Google's push service, which no test reaches: what the page says then is tested, and pushes are
dispatched to the worker by the browser's own tools.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from playwright.async_api import Browser, CDPSession, Page, expect

from desk.config import Notifications
from kiosk.session.states import State
from tests.contract.desk_site import PEOPLE, Kiosk, Site, a_session, next_rev, open_site, until
from tests.contract.push_site import Service

SENDS_MS = 25_000
"""The process that sends may just be starting."""
SIZES = [(1280, "light"), (360, "dark")]
TOLD = {
    "title": "New request: Press 7",
    "text": "It is hot",
    "tag": "asks-s-1",
    "path": "/sessions/s-1",
    "silent": False,
}
SHOWN = """navigator.serviceWorker.ready.then((worker) => worker.getNotifications()).then((all) =>
  all.map((one) => ({ title: one.title, body: one.body, tag: one.tag, silent: one.silent, path: one.data?.path })))"""


@pytest.fixture
async def site(tmp_path: Path, service: Service) -> AsyncIterator[Site]:
    (tmp_path / "mail").write_text("mailto://127.0.0.1:1?from=desk@desk.example")
    settings = Notifications(networks=("127.0.0.0/8",), mail_file=str(tmp_path / "mail"))
    async with open_site(tmp_path) as site:
        anna = replace(PEOPLE[0], email="anna@site.example", language="en")
        site.config = replace(site.config, people=(anna, *PEOPLE[1:]), notifications=settings)
        async with site.desk():
            yield site


async def opened(
    browser: Browser, site: Site, width: int = 1280, scheme: str = "light", *, allowed: bool = True
) -> Page:
    look: Any = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme, "reduced_motion": "reduce"}
    context = await browser.new_context(**look, timezone_id="Europe/Berlin")
    context.set_default_timeout(15_000)
    if allowed:
        await context.grant_permissions(["notifications"], origin=site.url)
    page = await context.new_page()
    await page.goto(site.link("anna"))
    return page


async def card(page: Page, site: Site) -> Page:
    await page.goto(f"{site.url}/account")
    await expect(page.locator("#notify-card")).to_have_attribute("aria-busy", "false")
    return page


@pytest.mark.parametrize(("width", "scheme"), SIZES)
async def test_quiet_hours_addresses_and_a_test_on_the_account_page(
    site: Site, service: Service, chromium: Browser, width: int, scheme: str
) -> None:
    page = await card(await opened(chromium, site, width, scheme), site)
    await page.check("#quiet")
    assert await page.input_value("#quiet-zone") == "Europe/Berlin"
    await page.fill("#quiet-from", "22:30")
    await page.fill("#quiet-to", "22:30")
    await page.click("#quiet-save")
    await expect(page.locator("#quiet-problem")).to_contain_text("no length")
    await page.fill("#quiet-to", "06:15")
    await page.select_option("#quiet-zone", "America/New_York")
    await page.check("#even-then")
    await page.click("#quiet-save")
    await expect(page.locator("#quiet-problem")).to_be_hidden()
    await page.check("#mail")
    await page.fill("#notify-address", "json://127.0.0.1/")
    await page.click("#notify-add")
    await expect(page.locator("#notify-address-problem")).to_contain_text("not allowed")
    await page.fill("#notify-address", "jsons://")
    await page.click("#notify-add")
    await expect(page.locator("#notify-address-problem")).to_contain_text("kind://", timeout=SENDS_MS)
    await page.fill("#notify-address", service.hook.replace("://", "://Secret77@"))
    await page.fill("#notify-name", "<b>Chat</b>")
    await page.click("#notify-add")
    await expect(page.locator("#notify-addresses li")).to_contain_text("<b>Chat</b>", timeout=SENDS_MS)
    await page.click("#notify-test")
    await expect(page.locator('#notify-results li[data-code="ok"]')).to_contain_text("<b>Chat</b>", timeout=SENDS_MS)
    await expect(page.locator('#notify-results li[data-code="later"]')).to_contain_text("anna@site.example")
    await card(page, site)
    assert [await page.input_value(f"#quiet-{one}") for one in ("from", "to", "zone")] == [
        "22:30",
        "06:15",
        "America/New_York",
    ]
    assert await page.is_checked("#even-then")
    assert await page.is_checked("#mail"), "saving quiet hours has not switched it off"
    assert "Secret77" not in await page.content()
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    await page.click("#notify-addresses button")
    await expect(page.locator("#notify-addresses li")).to_have_count(0)
    await page.uncheck("#quiet")
    await page.click("#quiet-save")
    await expect(page.locator(".toast")).to_contain_text("Saved.")
    await card(page, site)
    assert not await page.is_checked("#quiet")


async def test_without_its_push_service_a_browser_says_so_and_is_not_on(site: Site, chromium: Browser) -> None:
    page = await card(await opened(chromium, site), site)
    await page.click("#push-on")
    await expect(page.locator('.toast[data-tone="error"]')).to_contain_text("push service does not answer")
    await expect(page.locator("#push-on")).to_be_visible()
    assert (await page.evaluate("fetch('/api/account/notifications').then((answer) => answer.json())"))[
        "browsers"
    ] == []


async def test_a_browser_that_forbids_it_is_not_asked_again(site: Site, chromium: Browser) -> None:
    page = await opened(chromium, site, allowed=False)
    target = await (await page.context.new_cdp_session(page)).send("Target.getTargetInfo")
    denied: Any = {"permission": {"name": "notifications"}, "setting": "denied", "origin": site.url}
    where = {"browserContextId": target["targetInfo"]["browserContextId"]}
    await (await chromium.new_browser_cdp_session()).send("Browser.setPermission", {**denied, **where})
    await card(page, site)
    await expect(page.locator("#push")).to_contain_text("forbids")
    await expect(page.locator("#push-on")).to_have_count(0)


class Worker:
    """The page's service worker, as the browser's own tools reach it."""

    def __init__(self, site: Site, page: Page, tools: CDPSession, registration: str) -> None:
        self._site, self.page, self._tools, self._registration = site, page, tools, registration

    async def push(self, data: str) -> None:
        what = {"origin": f"{self._site.url}/", "registrationId": self._registration, "data": data}
        await self._tools.send("ServiceWorker.deliverPushMessage", what)

    async def shows(self, wanted: list[dict[str, Any]]) -> None:
        async with asyncio.timeout(10):
            while (found := await self.page.evaluate(SHOWN)) != wanted:
                await asyncio.sleep(0.05)
                assert found is not None


async def worker_of(site: Site, page: Page) -> Worker:
    registrations: list[str] = []
    tools = await page.context.new_cdp_session(page)

    def note(event: dict[str, Any]) -> None:
        registrations.extend(one["registrationId"] for one in event["registrations"])

    tools.on("ServiceWorker.workerRegistrationUpdated", note)
    await page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    await tools.send("ServiceWorker.enable")
    await until(lambda: registrations)
    return Worker(site, page, tools, registrations[-1])


def shown(**changes: Any) -> dict[str, Any]:
    plain = {"title": TOLD["title"], "body": TOLD["text"], "tag": TOLD["tag"], "silent": False, "path": TOLD["path"]}
    return {**plain, **changes}


async def test_a_push_is_shown_and_what_became_of_it_takes_its_place(site: Site, chromium: Browser) -> None:
    page = await opened(chromium, site)
    worker = await worker_of(site, page)
    await worker.push(json.dumps(TOLD))
    await worker.shows([shown()])
    await worker.push(json.dumps({**TOLD, "tag": "asks-s-2"}))
    await worker.shows([shown(), shown(tag="asks-s-2")])
    over = {**TOLD, "title": "Ben Ott has confirmed: Press 7", "silent": True}
    await worker.push(json.dumps(over))
    await worker.shows([shown(tag="asks-s-2")])


@pytest.mark.parametrize(
    "data", ["", "no JSON", "[]", "7", '{"title": 7, "path": "https://elsewhere.example/"}', "null"]
)
async def test_whatever_comes_something_is_shown_and_leads_nowhere_else(
    site: Site, chromium: Browser, data: str
) -> None:
    page = await opened(chromium, site)
    worker = await worker_of(site, page)
    await worker.push(data)
    async with asyncio.timeout(10):
        while not (found := await page.evaluate(SHOWN)):
            await asyncio.sleep(0.05)
    assert found[0]["title"] == "Desk"


async def test_the_systems_notification_goes_away_when_somebody_else_has_confirmed(
    site: Site, kiosk: Kiosk, chromium: Browser
) -> None:
    page = await opened(chromium, site)
    worker = await worker_of(site, page)
    session = await kiosk.told(a_session(reason="It is hot"))
    await worker.shows([shown()])
    await kiosk.told(next_rev(session, state=State.CONFIRMED))
    await worker.shows([])


async def test_a_push_leads_to_the_request_and_opening_it_is_told_to_the_kiosk(
    site: Site, kiosk: Kiosk, chromium: Browser
) -> None:
    await kiosk.told(a_session())
    page = await opened(chromium, site)
    assert kiosk.seen == []
    await page.goto(f"{site.url}{TOLD['path']}")
    (seen,) = await until(lambda: kiosk.seen)
    assert (seen.session, seen.person.id) == ("s-1", "anna")


async def test_the_page_can_be_installed(site: Site, chromium: Browser) -> None:
    page = await opened(chromium, site)
    tools = await page.context.new_cdp_session(page)
    errors = (await tools.send("Page.getInstallabilityErrors"))["installabilityErrors"]
    assert [e["errorId"] for e in errors if e["errorId"] != "in-incognito"] == []
