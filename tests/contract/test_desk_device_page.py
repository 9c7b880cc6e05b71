"""A device's page: its articles as they were written, and in the reader's language what a broken part means."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.async_api import Browser, Page, expect

from desk.texts import WEB
from kiosk.wire import topics
from kiosk.wire.messages import About, ArticleTold, Health, InForce
from tests.contract.desk_site import DEVICE, KIOSK, Kiosk, Site
from tests.contract.test_desk_account_pages import Somebody, somebody
from tests.contract.test_desk_lists import NASTY

TEXT = f"""# Oil **HLP 46**
The press takes it,
see the [manual](https://manual.example/press?a=1&b="2").

1. Switch it *off*
2. Fill it `to the mark`
   and close it
- [trap](javascript:alert(1)) [trap](data:text/html,x) [{NASTY}](//evil.example) ![picture](https://evil.example/x.png)

{NASTY}
"""
NEVER_ENDING = ("*a" * 9000, "[" * 19_000, "[](" * 6000, "_" * 19_000, "`" * 19_000, "\n".join(["- x"] * 3000))


async def page_of(kiosk: Kiosk, site: Site, browser: Browser, person: str = "ben") -> tuple[Somebody, Page]:
    await kiosk.say(topics.ABOUT, About(DEVICE, "1.0", "pi"), retain=True)
    await kiosk.online()
    reader = await somebody(browser)
    await reader.page.goto(site.link(person))
    await reader.page.goto(f"{site.url}/devices/{KIOSK}")
    await expect(reader.page.locator("#device[aria-busy=false]")).to_be_attached()
    return reader, reader.page


async def test_an_article_reads_as_it_was_written_and_nothing_else_in_it_becomes_markup(
    site: Site, kiosk: Kiosk, chromium: Browser
) -> None:
    told = InForce(articles=(ArticleTold("oil", "Oil", TEXT, NASTY), ArticleTold("long", "Long", "")))
    await kiosk.say(topics.CONFIG_REPORTED, told, retain=True)
    reader, page = await page_of(kiosk, site, chromium)
    oil, long = page.locator("#articles details").first, page.locator("#articles details").last
    await oil.locator("summary").click()
    article = oil.locator(".article")
    await expect(article.locator("h3")).to_have_text("Oil HLP 46")
    await expect(article.locator("p").first).to_have_text("The press takes it, see the manual.")
    await expect(article.locator("ol li")).to_have_text(["Switch it off", "Fill it to the mark and close it"])
    await expect(article.locator("strong, em, code")).to_have_text(["HLP 46", "off", "to the mark"])
    link = article.locator("a")
    await expect(link).to_have_count(1)
    await expect(link).to_have_attribute("href", "https://manual.example/press?a=1&b=%222%22")
    await expect(link).to_have_attribute("rel", "noopener noreferrer")
    await expect(article.locator("ul li")).to_contain_text("trap trap")
    await expect(article.locator("p").nth(1)).to_have_text(NASTY)
    await expect(article.locator("p").last).to_have_text(f"Button under it: {NASTY}")
    assert await article.locator("img, script, svg").count() == 0
    await long.locator("summary").click()
    await expect(long.locator(".article")).to_contain_text("too long to be told")
    assert "hacked" not in await page.title()
    reader.fine()


async def test_no_article_keeps_the_page_busy(site: Site, kiosk: Kiosk, chromium: Browser) -> None:
    for text in NEVER_ENDING:
        await kiosk.say(topics.CONFIG_REPORTED, InForce(articles=(ArticleTold("x", "x", text),)), retain=True)
        reader, _ = await page_of(kiosk, site, chromium)
        reader.fine()
        await reader.context.close()


async def test_what_a_broken_part_means_is_said_in_the_readers_language_and_what_the_kiosk_says_stands_beneath(
    site: Site, kiosk: Kiosk, chromium: Browser
) -> None:
    await kiosk.say(topics.HEALTH, Health(90_000, {"camera": "camera: none is found", "new-part": NASTY}))
    _, page = await page_of(kiosk, site, chromium, "anna")
    camera = page.locator('#parts [data-part="camera"] small')
    await expect(camera).to_have_text("Liefert kein Bild. Bitte ihr Kabel prüfen. camera: none is found")
    await expect(camera.locator("[lang=en]")).to_have_text("camera: none is found")
    await expect(page.locator('#parts [data-part="new-part"] small')).to_have_text(NASTY)
    await expect(page.locator("#health-when")).to_contain_text("Laufzeit 1 Tag")


def test_every_part_that_a_kiosk_tells_of_has_a_name_and_words() -> None:
    parts = (WEB / "static" / "js" / "parts.js").read_text()
    names, troubles = parts.split("export function partTrouble")
    kiosk = "".join(path.read_text() for path in Path("kiosk").glob("*.py"))
    told = set(re.findall(r'_board\.(?:works|fails)\("(\w+)"', kiosk)) | {"camera", "microphone", "speaker", "disk"}
    for part in sorted(told):
        assert f'case "{part}":' in names, part
        assert f'case "{part}":' in troubles, part
