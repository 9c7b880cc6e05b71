"""The call page by axe (WCAG 2.2 AA), light and dark, on a phone and on a large screen; what the first page weighs, and
that the desk can be installed."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Literal

import pytest
from msgspec.structs import replace
from playwright.async_api import Browser
from playwright.sync_api import Page as SyncPage
from playwright.sync_api import expect

from desk.config import Member, Rank
from tests import axe
from tests.contract import test_desk_pages as stub_pages
from tests.contract.desk_site import PEOPLE, Site, a_session, open_site
from tests.contract.desk_stub import StubDesk

browser, desk, open_page = stub_pages.browser, stub_pages.desk, stub_pages.open_page

NASTY = "<img src=x onerror=\"document.title='hacked'\"><script>document.title='hacked'</script>\"'&amp;"
FIRST_PAGE_BYTES = 100_000

Scheme = Literal["light", "dark"]


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(tmp_path) as site:
        ada = Member(id="ada", name=NASTY, role=Rank.ADMINISTRATOR, language="en")
        site.config = replace(site.config, people=(*PEOPLE, ada))
        async with site.desk():
            yield site


async def test_the_first_page_is_light(site: Site, chromium: Browser) -> None:
    """By bytes over the wire, with nothing in the browser's cache. How long it takes is told, and no test."""
    async with site.kiosk() as kiosk:
        await kiosk.told(a_session(reason="Störung E-217"))
        context = await chromium.new_context(viewport={"width": 1280, "height": 800})
        page = await context.new_page()
        await page.goto(site.link("anna"))
        network = await context.new_cdp_session(page)
        await network.send("Network.enable")
        await network.send("Network.setCacheDisabled", {"cacheDisabled": True})
        sizes: list[float] = []
        network.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
        began = time.monotonic()
        await page.goto(site.url + "/", wait_until="load")
        await page.locator('.session-row[data-id="s-1"]').wait_for()
        took_ms = 1000 * (time.monotonic() - began)
        print(f"first page: {sum(sizes):.0f} bytes in {len(sizes)} answers, its list is there after {took_ms:.0f} ms")
        assert 20_000 < sum(sizes) <= FIRST_PAGE_BYTES


async def test_the_desk_can_be_installed(site: Site, chromium: Browser) -> None:
    """By what Chromium itself asks for: a manifest with name, start, display and icons, and a worker."""
    context = await chromium.new_context()
    page = await context.new_page()
    await page.goto(site.link("anna"))
    protocol = await context.new_cdp_session(page)
    manifest = await protocol.send("Page.getAppManifest")
    assert manifest["errors"] == []
    found = (await protocol.send("Page.getInstallabilityErrors"))["installabilityErrors"]
    assert {error["errorId"] for error in found} <= {"in-incognito"}, "as a test's browser is"


# --- the call, whose kiosk is a stub --------------------------------------------------------------------------------


@pytest.mark.timeout(120)
@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_call_page_is_accessible_with_all_that_can_be_open_in_it(
    desk: StubDesk, open_page: Callable[..., SyncPage], scheme: Scheme, width: int
) -> None:
    page = stub_pages.in_call(desk, open_page, width, 740)
    page.emulate_media(color_scheme=scheme)
    page.evaluate(axe.source())
    wrong: dict[str, list[str]] = {}

    def look(what: str) -> None:
        found: list[str] = page.evaluate(axe.RUN, axe.TAGS)
        if found:
            wrong[what] = found

    desk.say({"kind": "people", "people": [[NASTY, "#ffd23f"], ["Jonas", "#4cc9f0"]]})
    desk.say({"kind": "mark", "id": "mark-1", "by": NASTY, "colour": "#ffd23f", "label": NASTY, "state": "lost"})
    expect(page.locator("#mark-list li")).to_have_count(1)
    page.keyboard.press("i")
    look("call")
    for key, dialog in (("?", "#keys"), ("g", "#gear")):
        page.keyboard.press(key)
        expect(page.locator(dialog)).to_be_visible()
        look(dialog)
        page.keyboard.press("Escape")
    page.keyboard.press("s")
    expect(page.locator('#snapshot-view[data-shown="shot-1"]')).to_be_visible()
    look("snapshot")
    assert wrong == {}
    assert page.locator("img[src=x]").count() == 0
