"""The code user's page: what is public of one session, behind an address that nobody guesses, for a limited time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.async_api import Browser, async_playwright, expect

from desk.code_user import LINK_S
from desk.config import signing_secret
from desk.seals import Guest, Seals
from kiosk.session.record import ArtifactKind, Call, Session
from kiosk.session.states import State
from kiosk.wire.messages import PublicLink
from tests.contract.desk_site import BEN, Kiosk, Site, a_session, an_artifact, next_rev, until

JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 4
NASTY = "<img src=x onerror=\"document.title='hacked'\"></textarea><script>document.title='hacked'</script>"
CALL = Call("c-1", "2026-11-22T10:00:00Z", "2026-11-22T10:05:00Z")


@pytest.fixture
async def guest(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody with a phone: no cookie, no account."""
    async with httpx.AsyncClient(base_url=site.url, timeout=20) as http:
        yield http


def over(**more: Any) -> Session:
    picture = an_artifact(JPEG, "a-flat", kind=ArtifactKind.FLATTENED, content_type="image/jpeg")
    data = an_artifact(b"{}", "a-data", kind=ArtifactKind.SESSION_DATA, content_type="application/json")
    return a_session(state=State.CLOSED, calls=(CALL,), artifacts=(picture, data), **more)


async def invited(kiosk: Kiosk, session: Session) -> str:
    """The path of the address that the kiosk is told for its QR code."""
    await kiosk.told(session)
    links = await until(lambda: kiosk.of(PublicLink))
    return str(urlsplit(links[-1].url).path)


async def upload(kiosk: Kiosk, guest: httpx.AsyncClient, content: bytes, artifact: str = "a-flat") -> None:
    grants = await until(lambda: [g for g in kiosk.grants if g.artifact == artifact])
    tus = {"Tus-Resumable": "1.0.0"}
    begun = await guest.post(grants[0].url, headers={**tus, "Upload-Length": str(len(content))})
    headers = {**tus, "Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}
    await guest.patch(begun.headers["Location"], content=content, headers=headers)
    await until(lambda: artifact in [stored.artifact for stored in kiosk.stored])


async def test_the_page_shows_what_has_arrived_and_what_is_on_its_way(kiosk: Kiosk, guest: httpx.AsyncClient) -> None:
    path = await invited(kiosk, over())
    waiting = await guest.get(path)
    assert waiting.status_code == 200
    assert "Noch an der Maschine" in waiting.text
    assert 'http-equiv="refresh"' in waiting.text
    await upload(kiosk, guest, JPEG)
    there = await guest.get(path)
    assert f'src="{path}/a-flat"' in there.text
    assert 'http-equiv="refresh"' not in there.text
    picture = await guest.get(f"{path}/a-flat")
    assert (picture.content, picture.headers["content-type"]) == (JPEG, "image/jpeg")


async def test_what_comes_appears_by_itself_and_what_is_there_is_left_alone(
    site: Site, kiosk: Kiosk, guest: httpx.AsyncClient
) -> None:
    session = over()
    second = an_artifact(JPEG + b"2", "a-flat2", kind=ArtifactKind.FLATTENED, content_type="image/jpeg")
    path = await invited(kiosk, next_rev(session, artifacts=(*session.artifacts, second)))
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--headless=new", "--no-sandbox"]
        )
        page = await browser.new_page(locale="de-DE")
        await page.clock.install()
        await page.goto(site.url + path)
        await expect(page.locator("#state")).to_contain_text("Schon da: 0 von 2")
        await expect(page.locator(".artifact .waiting")).to_have_count(2)
        await upload(kiosk, guest, JPEG)
        await page.clock.run_for(5_000)
        picture = page.locator(".artifact img")
        await expect(picture).to_have_attribute("src", f"{path}/a-flat")
        await picture.evaluate("picture => { picture.dataset.touched = 'no'; }")
        await upload(kiosk, guest, JPEG + b"2", "a-flat2")
        await page.clock.run_for(5_000)
        await expect(page.locator("#state")).to_contain_text("Alles ist da")
        await expect(picture.first).to_have_attribute("data-touched", "no")
        await browser.close()


async def test_nothing_but_recordings_and_finished_pictures_is_shown(kiosk: Kiosk, guest: httpx.AsyncClient) -> None:
    path = await invited(kiosk, over())
    assert (await guest.get(f"{path}/a-data")).status_code == 404
    assert "a-data" not in (await guest.get(path)).text


async def test_an_internal_session_is_shown_to_nobody_even_with_an_old_address(
    kiosk: Kiosk, guest: httpx.AsyncClient
) -> None:
    session = over()
    path = await invited(kiosk, session)
    await kiosk.told(next_rev(session, visibility="internal"))
    assert (await guest.get(path)).status_code == 404
    assert (await guest.get(f"{path}/a-flat")).status_code == 404


async def test_an_address_is_good_for_its_session_and_its_time_only(
    site: Site, kiosk: Kiosk, guest: httpx.AsyncClient
) -> None:
    path = await invited(kiosk, over())
    token = path.rpartition("/")[2]
    assert len(token.partition(".")[2]) >= 43, "256 bits that nobody guesses"
    secret = signing_secret(site.folder / "secret")
    late = Seals(secret, now=lambda: 0.0)
    for bad in (
        token[:-1] + ("A" if token[-1] != "A" else "B"),
        token.partition(".")[0],
        late.seal("guest", Guest("s-1", LINK_S)),
        Seals(secret).seal("viewer", Guest("s-1", Seals(secret).until(60))),
        Seals(secret).seal("guest", Guest("s-other", Seals(secret).until(60))),
    ):
        assert (await guest.get(f"/s/{bad}")).status_code == 404


async def test_no_address_is_told_before_there_was_a_call(kiosk: Kiosk) -> None:
    await kiosk.told(a_session(state=State.CANCELLED))
    await kiosk.told(a_session("s-2", state=State.REQUESTED))
    assert kiosk.of(PublicLink) == []


async def test_what_comes_from_outside_stays_text(kiosk: Kiosk, guest: httpx.AsyncClient) -> None:
    path = await invited(kiosk, over(reason='"><script>alert(1)</script>'))
    assert "<script>" not in (await guest.get(path)).text


# --- the rating -------------------------------------------------------------------------------------------------------


async def test_the_code_user_rates_with_stars_and_words_and_may_change_it(
    site: Site, kiosk: Kiosk, guest: httpx.AsyncClient
) -> None:
    """By the page itself, in a browser without scripts; staff read the latest word."""
    path = await invited(kiosk, over())
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--headless=new", "--no-sandbox"]
        )
        context = await browser.new_context(
            viewport={"width": 360, "height": 740}, locale="de-DE", java_script_enabled=False
        )
        page = await context.new_page()
        await page.goto(site.url + path)
        await page.locator(".star").nth(3).click()
        await page.locator("#rating-words").fill(NASTY)
        await page.locator("#rate").click()
        await expect(page.locator("#rating-thanks")).to_contain_text("Danke")
        await expect(page.locator("#rating-words")).to_have_value(NASTY)
        await page.locator(".star").nth(1).click()
        await page.locator("#rate").click()
        await expect(page.locator("#rating-thanks")).to_be_visible()
        await browser.close()
    async with site.person("anna") as anna:
        rating = (await anna.get("/api/sessions/s-1")).json()["rating"]
    assert rating == {"stars": 2, "words": NASTY}


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"stars": "0"}, 422),
        ({"stars": "6"}, 422),
        ({"stars": "many"}, 422),
        ({"words": "no stars"}, 422),
        ({"stars": "3", "words": "x" * 1001}, 422),
        ({"stars": "3", "words": "x" * 20_000}, 413),
        ({f"field-{n}": "1" for n in range(11)}, 422),
    ],
)
async def test_what_is_no_rating_is_refused_and_changes_nothing(
    site: Site, kiosk: Kiosk, guest: httpx.AsyncClient, form: dict[str, str], status: int
) -> None:
    path = await invited(kiosk, over())
    assert (await guest.post(f"{path}/rating", data={"stars": "5"})).status_code == 303
    assert (await guest.post(f"{path}/rating", data=form)).status_code == status
    assert (await guest.post(f"{path}/rating", json={"stars": 1})).status_code == 415
    async with site.person("anna") as anna:
        assert (await anna.get("/api/sessions/s-1")).json()["rating"] == {"stars": 5, "words": ""}


async def test_a_rating_is_read_at_once_by_whoever_has_the_details_open(
    site: Site, kiosk: Kiosk, guest: httpx.AsyncClient, chromium: Browser
) -> None:
    path = await invited(kiosk, over())
    page = await chromium.new_page(locale="en")
    await page.goto(site.link("ben"))
    await kiosk.told(next_rev(over(), asked=(BEN,)))
    await page.goto(f"{site.url}/sessions/s-1")
    await expect(page.locator("#session")).to_have_attribute("aria-busy", "false")
    await expect(page.locator("#facts")).not_to_contain_text("A great help")
    for stars, words in (("5", "A great help"), ("1", NASTY)):
        assert (await guest.post(f"{path}/rating", data={"stars": stars, "words": words})).status_code == 303
        await expect(page.locator("#facts")).to_contain_text(words)
    await expect(page.locator("#facts")).not_to_contain_text("A great help")
    assert await page.title() != "hacked"


async def test_nobody_rates_what_is_internal_or_over(site: Site, kiosk: Kiosk, guest: httpx.AsyncClient) -> None:
    session = over()
    path = await invited(kiosk, session)
    assert (await guest.post("/s/guessed/rating", data={"stars": "5"})).status_code == 404
    await kiosk.told(next_rev(session, visibility="internal"))
    await until_gone(guest, path)
    assert (await guest.post(f"{path}/rating", data={"stars": "5"})).status_code == 404


async def until_gone(guest: httpx.AsyncClient, path: str) -> None:
    for _ in range(200):
        if (await guest.get(path)).status_code == 404:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it is still there")


@pytest.mark.parametrize(
    ("accepted", "words"), [("en-GB,en;q=0.9", "How did it go?"), ("de", "Wie war es?"), ("fr", "Wie war es?")]
)
async def test_the_page_speaks_the_browser_s_language_and_else_the_machine_s(
    kiosk: Kiosk, guest: httpx.AsyncClient, accepted: str, words: str
) -> None:
    path = await invited(kiosk, over())
    assert words in (await guest.get(path, headers={"Accept-Language": accepted})).text


async def test_nobody_waits_for_pictures_that_never_were(kiosk: Kiosk, guest: httpx.AsyncClient) -> None:
    running = a_session(state=State.COMPLETED, calls=(CALL,))
    path = await invited(kiosk, running)
    english = {"Accept-Language": "en"}
    assert "Nothing has arrived yet" in (await guest.get(path, headers=english)).text
    await kiosk.told(next_rev(running, state=State.CLOSED))
    over_page = (await guest.get(path, headers=english)).text
    assert "There are no pictures" in over_page
    assert "data-waiting" not in over_page


@pytest.mark.parametrize(("accepted", "words"), [("en", "not there any more"), ("de", "gibt es nicht mehr")])
async def test_whoever_comes_too_late_is_told_so_and_is_not_sent_to_sessions_of_staff(
    guest: httpx.AsyncClient, accepted: str, words: str
) -> None:
    page = await guest.get("/s/an-old-one", headers={"Accept": "text/html", "Accept-Language": accepted})
    assert page.status_code == 404
    assert words in page.text
    assert 'href="/"' not in page.text


async def test_a_date_that_is_none_and_search_engines_do_no_harm(kiosk: Kiosk, guest: httpx.AsyncClient) -> None:
    path = await invited(kiosk, over(created_at="<soon>"))
    page = await guest.get(path)
    assert page.status_code == 200
    assert "&lt;soon&gt;" in page.text
    assert page.headers["x-robots-tag"] == "noindex, nofollow"
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "same-origin"
