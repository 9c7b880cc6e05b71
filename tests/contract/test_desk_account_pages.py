"""Signing in, the own account, people and audit log in a real Chromium over a real desk, under its real policy."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pyotp
import pytest
from msgspec.structs import replace
from playwright.async_api import Browser, BrowserContext, Page, expect

from desk.config import Member, Rank
from tests.contract.desk_site import PEOPLE, Site, open_site

WORDS = "seven copper kettles"
NASTY = "<img src=x onerror=\"document.title='hacked'\"><script>document.title='hacked'</script>"
EXPECTED = "Failed to load resource"  # said by the browser itself of refusals that a test asks for


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(tmp_path) as site:
        ada = Member(id="ada", name="Ada Lind", role=Rank.ADMINISTRATOR, language="en")
        site.config = replace(site.config, people=(*PEOPLE, ada))
        async with site.desk():
            yield site


class Somebody:
    """A browser of a person's own; whatever its console complains about is kept."""

    def __init__(self, context: BrowserContext, page: Page) -> None:
        self.context, self.page = context, page
        self.complaints: list[str] = []
        page.on("console", lambda m: self.complaints.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    async def fits(self, width: int) -> None:
        assert await self.page.evaluate("document.documentElement.scrollWidth") <= width, self.page.url

    def fine(self) -> None:
        assert [c for c in self.complaints if EXPECTED not in c] == []


async def somebody(browser: Browser, width: int = 1280) -> Somebody:
    context = await browser.new_context(viewport={"width": width, "height": 800}, reduced_motion="reduce")
    context.set_default_timeout(20_000)
    return Somebody(context, await context.new_page())


async def invite(page: Page, url: str, name: str) -> str:
    """The link that the administrator sees."""
    await page.goto(f"{url}/people")
    await page.click("#invite")
    await page.fill("#person-name", name)
    await page.locator("#person-name").blur()
    if name == NASTY:
        await page.fill("#person-id", "nasty")
    await page.fill("#person-email", "max@site.example")
    await page.click("#person-go")
    await expect(page.locator("#link-address")).to_contain_text("/welcome/")
    link = await page.locator("#link-address").inner_text()
    await page.click("#link [data-close]")
    return link


async def test_an_invitation_a_password_a_second_factor_and_the_next_sign_in(site: Site, chromium: Browser) -> None:
    ada, max_h = await somebody(chromium), await somebody(chromium, 360)
    await ada.page.goto(site.link("ada"))
    link = await invite(ada.page, site.url, "Max Hübner")
    await expect(ada.page.locator(".accounts li[data-id=max-hubner]")).to_contain_text("has not set a password yet")

    page = max_h.page
    await page.goto(link)
    await max_h.fits(360)
    await page.fill("#password", WORDS)
    await page.fill("#again", "something else entirely")
    await page.click("#go")
    await expect(page.locator("#problem")).to_contain_text("not the same")
    await page.fill("#again", WORDS)
    await page.click("#go")
    await page.wait_for_url(f"{site.url}/")

    await page.goto(f"{site.url}/account")
    await page.click("#factor-begin")
    await page.locator("#factor img").wait_for()
    await page.click("#factor-cancel")
    await page.click("#factor-begin")
    secret = await page.locator("#factor .secret").inner_text()
    await page.fill("#token-name", "meanwhile")
    await page.click("#make-token")
    await expect(page.locator("#tokens li")).to_have_count(1)
    assert await page.locator("#factor .secret").inner_text() == secret, "what was scanned is what counts"
    await page.fill("#factor-code", "000000")
    await page.click("#factor-on")
    await expect(page.locator("#factor-problem")).to_be_visible()
    await page.fill("#factor-code", pyotp.TOTP(secret).at(time.time() - 30))
    await page.click("#factor-on")
    await expect(page.locator(".codes li")).to_have_count(10)
    recovery = await page.locator(".codes li").first.inner_text()
    await max_h.fits(360)
    await page.click("#factor-done")
    await expect(page.locator("#factor")).to_contain_text("Recovery codes left: 10")
    await page.click("#leave")
    await page.wait_for_url(f"{site.url}/sign-in")

    await page.goto(f"{site.url}/devices")
    await page.fill("#name", "max@site.example")
    await page.fill("#password", "not this one at all")
    await page.click("#go")
    await expect(page.locator("#problem")).to_have_text("Name or password is wrong.")
    await page.fill("#password", WORDS)
    await page.click("#go")
    await page.fill("#code", recovery)
    await page.click("#go")
    await expect(page).to_have_title("Devices · Desk")
    await page.goto(f"{site.url}/people", wait_until="domcontentloaded")
    await expect(page.locator("main")).to_contain_text("Your roles do not include this")
    for one in (ada, max_h):
        one.fine()


async def test_the_first_administrators_short_name_is_made_of_the_name(tmp_path: Path, chromium: Browser) -> None:
    async with open_site(tmp_path) as site, site.desk():
        page = (await somebody(chromium, 360)).page
        await page.goto((tmp_path / "data" / "first-administrator.link").read_text().strip())
        await page.fill("#full-name", "Jörg Weiß-Müller")
        await page.locator("#full-name").blur()
        await expect(page.locator("#id")).to_have_value("jorg-weiss-muller")


async def test_names_from_outside_stay_text_and_the_administrators_pages_fit_a_phone(
    site: Site, chromium: Browser
) -> None:
    ada = await somebody(chromium, 360)
    page = ada.page
    await page.goto(site.link("ada"))
    await invite(page, site.url, NASTY)
    row = page.locator(".accounts li[data-id=nasty]")
    await expect(row.locator("strong")).to_have_text(NASTY)
    await ada.fits(360)
    await row.locator("summary").click()
    await row.locator("[data-do=change]").click()
    await expect(page.locator("#person-title")).to_have_text(NASTY)
    await page.check("#person-roles input[value=moderator]")
    await page.click("#person-go")
    await expect(row.locator(".roles")).to_contain_text("Moderator")
    await row.locator("summary").click()
    await row.locator("[data-do=lock]").click()
    await expect(row).to_have_attribute("data-locked", "true")
    await row.locator("summary").click()
    await row.locator("[data-do=remove]").click()
    await page.click("#answer-yes")
    await expect(row).to_have_count(0)
    await page.goto(f"{site.url}/audit")
    await expect(page.locator("#entries tr").first).to_contain_text("Removed")
    await ada.fits(360)
    assert "hacked" not in await page.title()
    ada.fine()


async def test_a_token_is_shown_once_and_a_browser_is_signed_out_from_another(site: Site, chromium: Browser) -> None:
    here, there = await somebody(chromium), await somebody(chromium)
    await there.page.goto(site.link("ada"))
    await here.page.goto(site.link("ada"))
    page = here.page
    await page.goto(f"{site.url}/account")
    await page.fill("#token-name", NASTY)
    await page.click("#make-token")
    await expect(page.locator("#token-secret")).to_contain_text("desk_")
    await expect(page.locator("#tokens strong")).to_have_text(NASTY)
    await page.reload()
    await expect(page.locator("#tokens li")).to_have_count(1)
    await expect(page.locator("#token-secret")).to_be_hidden()
    await expect(page.locator("#browsers li")).to_have_count(2)
    await page.click("#end-others")
    await expect(page.locator("#browsers li")).to_have_count(1)
    await there.page.goto(f"{site.url}/account")
    await expect(there.page.locator("#sign-in")).to_be_visible()
    here.fine()


async def test_a_fleet_manager_sees_devices_and_no_button_that_would_be_refused(
    tmp_path: Path, chromium: Browser
) -> None:
    async with open_site(tmp_path) as site:
        flo = Member(id="flo", name="Flo Brandt", role=Rank.FLEET_MANAGER, language="en")
        site.config = replace(site.config, people=(*PEOPLE, flo))
        async with site.desk(), site.kiosk() as kiosk:
            await kiosk.online()
            one = await somebody(chromium, 360)
            await one.page.goto(site.link("flo") + "?to=/devices")
            await expect(one.page.locator(".device[data-id=kiosk-1]")).to_be_visible()
            await expect(one.page.locator("[data-new-session]")).to_have_count(0)
            await one.page.goto(site.url)
            await expect(one.page.locator(".empty")).to_contain_text("under Devices")
            await expect(one.page.locator("main")).not_to_contain_text("VIDEO SESSION")
            await one.fits(360)
            one.fine()
