"""Every page of the desk as anybody meets it, under its real policy: WCAG 2.2 AA by axe, light and dark, on a phone and
on a large screen, with the worst that may come from outside in each text."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import pytest
from aiohttp import web
from msgspec.structs import replace
from PIL import Image
from playwright.async_api import Browser, Page, expect

from desk.config import Member, Rank, Webhooks
from desk.people.rights import TABLE
from kiosk.session.record import Actor, ArtifactKind, Call, Change, Consent, Person, Rating, Recording, Ticket
from kiosk.session.states import Event, Role, State
from kiosk.wire import topics
from kiosk.wire.messages import About, ArticleTold, Health, InForce, PublicLink
from tests import axe
from tests.contract import test_desk_clock, test_webhooks
from tests.contract.desk_site import DEVICE, KIOSK, PEOPLE, Kiosk, Site, a_session, an_artifact, open_site, until
from tests.contract.test_desk_code_user import upload

jumped = test_desk_clock.jumped

NASTY = "<img src=x onerror=\"document.title='hacked'\"><script>document.title='hacked'</script>\"'&amp;"
NASTY_PERSON = Person("anna", NASTY)
AT = "2026-03-01T10:00:00Z"
BY_NASTY = Actor(Role.STAFF, "ben", NASTY)
NO_PAGES = ("/api/", "/static/", "/schema", "/whep/", "/whip/", "/talk/", "/uploads/")
OTHERS = {"/sign-in/sso", "/sign-in/sso/back", "/enter/{token}", "/s/{token}/{artifact_id}", "/sw.js", "/healthz"}
"""What is no page: ways on to one, files, a script and a number."""
WATCH = """window.broken = [];
document.addEventListener("securitypolicyviolation",
  ({ violatedDirective, blockedURI }) => window.broken.push(`${violatedDirective} ${blockedURI}`));"""

Scheme = Literal["light", "dark"]


def picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (640, 360), "#3a4750").save(out, "JPEG")
    return out.getvalue()


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(tmp_path) as site:
        ada = Member(id="ada", name=NASTY, role=Rank.ADMINISTRATOR, language="en")
        flo = Member(id="flo", name=NASTY, role=Rank.FLEET_MANAGER, language="de")
        site.config = replace(site.config, people=(*PEOPLE, ada, flo), webhooks=Webhooks(networks=("127.0.0.0/8",)))
        async with site.desk():
            yield site


async def tell_the_worst(kiosk: Kiosk) -> str:
    """Everything that a kiosk tells in words, and a file. Returns the path of the code user's page."""
    device = replace(DEVICE, name=NASTY)
    await kiosk.say(topics.ABOUT, About(device, NASTY, NASTY, capabilities=(NASTY,)), retain=True)
    article = ArticleTold(id="a-1", title=NASTY, text=NASTY)
    await kiosk.say(
        topics.CONFIG_REPORTED, InForce(name=NASTY, note=NASTY, reasons=(NASTY,), articles=(article,)), retain=True
    )
    await kiosk.say(topics.HEALTH, Health(1.0, {"camera": NASTY, NASTY[:40]: "ok"}), retain=True)
    await kiosk.online()
    kiosk_file = picture()
    files = (
        an_artifact(kiosk_file, "a-flat", kind=ArtifactKind.FLATTENED),
        an_artifact(
            b"{}", "a-data", kind=ArtifactKind.SESSION_DATA, name="session.json", content_type="application/json"
        ),
        an_artifact(b"", "a-lost", kind=ArtifactKind.RECORDING, name="call-1.mp4", lost="damaged"),
    )
    session = a_session(
        state=State.CLOSED,
        device=device,
        reason=NASTY,
        requester=NASTY,
        note=NASTY,
        asked=(NASTY_PERSON, Person("ada", NASTY)),
        assigned=(NASTY_PERSON, Person("ada", NASTY)),
        tickets=(
            Ticket(NASTY, NASTY, "https://tickets.example/1"),
            Ticket("T-2", NASTY),
        ),
        calls=(Call("c-1", AT, AT, (NASTY_PERSON,)),),
        recording=Recording(allowed=True, consent=Consent(True, AT, NASTY, "de", "call")),
        rating=Rating(3, NASTY),
        artifacts=files,
        history=(Change(AT, BY_NASTY, Event.CLOSE, State.COMPLETED, State.CLOSED, NASTY),),
    )
    await kiosk.told(session)
    open_one = replace(session, state=State.REQUESTED, calls=(), artifacts=(), id="s-2", asked=session.asked)
    await kiosk.told(open_one)
    links = await until(lambda: kiosk.of(PublicLink))
    return str(urlsplit(links[-1].url).path)


async def gives_up(site: Site) -> None:
    """A webhook whose page offers to send things again, one and all: its program is gone for good."""

    async def gone(_: web.Request) -> web.Response:
        return web.Response(status=410)

    async with test_webhooks.served(gone) as port, site.person("ada") as ada:
        hook = {**test_webhooks.new(f"http://127.0.0.1:{port}/{'x' * 200}"), "name": NASTY[:90]}
        made = await ada.post("/api/webhooks", json=hook)
        assert made.status_code < 300, made.text
        path = f"/api/webhooks/{made.json()['webhook']['id']}"
        for _ in range(2):
            await ada.post(f"{path}/test", json={})
        async with asyncio.timeout(20):
            while len([d for d in (await ada.get(f"{path}/deliveries")).json()["deliveries"] if d["again"]]) < 2:
                await asyncio.sleep(0.02)


async def welcome(site: Site) -> str:
    """A link by which somebody new chooses a password."""
    async with site.person("ada") as ada:
        new = {"id": "nina", "name": NASTY[:90], "email": "new@example.org", "roles": ["staff"], "language": "en"}
        made = await ada.post("/api/accounts", json=new)
        assert made.status_code < 300, made.text
        return str(urlsplit(made.json()["link"]).path)


async def addresses(site: Site, kiosk: Kiosk) -> dict[str, str]:
    """Of one page for each route that has one."""
    guest = await tell_the_worst(kiosk)
    return {
        "/": "/",
        "/devices": "/devices",
        "/devices/{kiosk_id}": f"/devices/{KIOSK}",
        "/sessions/new": "/sessions/new",
        "/sessions/{session_id}": "/sessions/s-1",
        "/account": "/account",
        "/people": "/people",
        "/webhooks": "/webhooks",
        "/audit": "/audit",
        "/s/{token}": guest,
        "/welcome/{token}": await welcome(site),
        "/sign-in": "/sign-in",
        "/nowhere": "/nowhere",
        "/s/nothing": "/s/nothing",
    }


def pages_of_the_desk() -> set[str]:
    paths = {route.partition(" ")[2] for route in TABLE if route.startswith("GET ")}
    return {path for path in paths if not path.startswith(NO_PAGES)} - OTHERS


async def faults(page: Page, source: str) -> list[str]:
    """What is wrong with the page that is open, in words."""
    await page.evaluate(source)
    found = list(await page.evaluate(axe.RUN, axe.TAGS))
    found += [f"policy: {broken}" for broken in await page.evaluate("window.broken")]
    if await page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        found.append("wider than the screen")
    if "hacked" in (await page.title())[:10] or await page.locator("img[src=x], main script:not([type])").count():
        found.append("a text from outside became more than text")
    return found


@dataclass
class Look:
    page: Page
    source: str
    wrong: dict[str, list[str]] = field(default_factory=dict)

    async def at(self, name: str, url: str) -> None:
        await self.page.goto(url)
        while await self.page.locator("[aria-busy=true]").count():
            await self.page.wait_for_timeout(50)
        if found := await faults(self.page, self.source):
            self.wrong[name] = found


@asynccontextmanager
async def looking(chromium: Browser, scheme: Scheme, width: int) -> AsyncIterator[Look]:
    """Whatever is wrong with a page that it looks at, or is thrown in one, fails the test at the end."""
    context = await chromium.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, reduced_motion="reduce"
    )
    await context.add_init_script(WATCH)
    page = await context.new_page()
    thrown: list[str] = []
    page.on("pageerror", lambda error: thrown.append(str(error)))
    look = Look(page, axe.source())
    yield look
    assert look.wrong == {}
    assert thrown == []


@pytest.mark.timeout(240)
@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_page_is_accessible_keeps_its_policy_and_leaves_texts_from_outside_as_texts(
    site: Site, chromium: Browser, scheme: Scheme, width: int
) -> None:
    async with site.kiosk() as kiosk, site.person("ada"):
        paths = await addresses(site, kiosk)
        assert pages_of_the_desk() <= paths.keys(), "pages that nobody looks at here"
        await upload_picture(site, kiosk)
        await gives_up(site)
        async with looking(chromium, scheme, width) as look:
            await look.page.goto(site.link("ada"))
            for name, path in paths.items():
                if path == "/sign-in":
                    await look.page.context.clear_cookies()
                await look.at(name, site.url + path)
                if path == "/webhooks":
                    await expect(look.page.locator("[data-again=all]")).to_be_visible()


@pytest.mark.timeout(120)
async def test_also_as_a_fleet_manager_and_as_a_code_user_meet_them(site: Site, chromium: Browser) -> None:
    async with site.kiosk() as kiosk, site.person("flo"), looking(chromium, "light", 360) as look:
        paths = await addresses(site, kiosk)
        await upload_picture(site, kiosk)
        await look.page.goto(site.link("flo"))
        for name, path in paths.items():
            if not path.startswith(("/s/", "/welcome/", "/sign-in")):
                await look.at(name, site.url + path)
        await look.page.context.clear_cookies()
        await look.at("as a code user", site.url + paths["/s/{token}"])
        await expect(look.page.locator("#items > *")).not_to_have_count(0)


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 360)])
async def test_the_strip_that_doubts_the_desks_clock_is_accessible(
    jumped: Site, chromium: Browser, scheme: Scheme, width: int
) -> None:
    async with jumped.person("ada") as http:
        await test_desk_clock.in_doubt(http)
    async with looking(chromium, scheme, width) as look:
        await look.page.goto(jumped.link("ada"))
        await expect(look.page.locator("#clock-right")).to_be_visible()
        for path in ("/", "/webhooks", "/account"):
            await look.at(path, jumped.url + path)
            await expect(look.page.locator("#clock-right")).to_be_visible()


async def upload_picture(site: Site, kiosk: Kiosk) -> None:
    import httpx

    async with httpx.AsyncClient(base_url=site.url, timeout=20) as http:
        await upload(kiosk, http, picture())
