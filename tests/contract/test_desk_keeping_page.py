"""On a session's page: everything as a ZIP, files deleted by a moderator, receipts for all who see the session."""

from __future__ import annotations

import os
import zipfile
from typing import Any

import httpx
import pytest
from playwright.async_api import Browser, Page, expect

from tests.contract.desk_site import Kiosk, Site
from tests.contract.test_desk_code_user import JPEG, over, upload

NASTY = "<img src=x onerror=\"document.title='hacked'\">"


async def opened(chromium: Browser, site: Site, person: str, width: int = 1280, **more: Any) -> Page:
    context = await chromium.new_context(viewport={"width": width, "height": 800}, reduced_motion="reduce", **more)
    context.set_default_timeout(20_000)
    page = await context.new_page()
    await page.goto(site.link(person))
    await page.goto(f"{site.url}/sessions/s-1")
    return page


async def pictured(page: Page, name: str) -> None:
    if folder := os.environ.get("PICTURES"):
        await page.locator("#keeping-panel").screenshot(path=f"{folder}/{name}.png")


@pytest.fixture
async def full(site: Site, kiosk: Kiosk) -> None:
    """A session that is over, with a picture."""
    await kiosk.told(over())
    async with httpx.AsyncClient() as courier:
        await upload(kiosk, courier, JPEG)


@pytest.mark.usefixtures("full")
async def test_a_moderator_deletes_and_all_who_look_see_the_receipt_at_once(chromium: Browser, site: Site) -> None:
    anna, clara = await opened(chromium, site, "anna", 360), await opened(chromium, site, "clara")
    await expect(anna.locator("#artifacts img")).to_be_visible()
    await expect(anna.locator("#delete-files")).to_be_hidden()
    await clara.click("#delete-files summary")
    await pictured(clara, "keeping-form-1280")
    await clara.click("#delete-go")
    await expect(clara.locator("#deletions [data-artifact]")).to_have_count(0)  # a reason is needed
    await clara.fill("#delete-reason", NASTY)
    await clara.select_option("#delete-what", "a-flat")
    await clara.click("#delete-go")
    for page in (clara, anna):
        receipt = page.locator("#deletions [data-artifact=a-flat][data-done=true]")
        await expect(receipt).to_contain_text(NASTY)
        await expect(receipt).to_contain_text("Clara Wolf")
        await expect(page.locator("#artifacts img")).to_have_count(0)
        await expect(page.locator("#artifacts [data-lost=deleted]")).to_be_visible()
        assert await page.title() != "hacked"
    assert await anna.evaluate("document.documentElement.scrollWidth") <= 360
    await pictured(anna, "keeping-de-360")
    await pictured(clara, "keeping-en-1280")


@pytest.mark.usefixtures("full")
@pytest.mark.parametrize("modules", [True, False], ids=["whole page", "before any module has run"])
async def test_the_button_gives_the_zip(chromium: Browser, site: Site, modules: bool) -> None:
    page = await opened(chromium, site, "anna", java_script_enabled=modules)
    async with page.expect_download() as download:
        await page.click("#export")
    file = await download.value
    assert file.suggested_filename == "session-s-1.zip"
    with zipfile.ZipFile(await file.path()) as made:
        assert made.testzip() is None
        assert "index.html" in made.namelist()


def test_roles_of_the_page_are_those_of_the_table() -> None:
    """The page shows the form to whom the desk would let delete."""
    from desk.people.rights import TABLE

    ranks = {rank.value for rank in TABLE["POST /api/sessions/{session_id}/deletions"].ranks}
    assert ranks == {"moderator", "administrator"}
