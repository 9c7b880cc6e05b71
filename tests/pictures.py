"""Pictures of every page of the desk, for docs/pages: `python -m tests.pictures` (or `make pictures`).

A real desk, with what a kiosk tells it, in a real Chromium; the call over the tests' stub of a desk, with a camera.
Large and on a phone, German and English, light; three of them dark. Whatever is in the folder's place is replaced.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import io
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx
from msgspec.structs import replace
from PIL import Image
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from desk.config import Member, Rank
from kiosk.session import receipts
from kiosk.session.record import (
    CODE_USER,
    Actor,
    ArtifactKind,
    Call,
    Change,
    Consent,
    Device,
    Person,
    Recording,
    Session,
    Ticket,
)
from kiosk.session.states import Event, Role, State
from kiosk.wire import topics
from kiosk.wire.messages import About, ArticleTold, Health, InForce, PublicLink
from tests.contract.desk_site import KIOSK, Kiosk, Site, an_artifact, open_site, until
from tests.contract.desk_stub import StubDesk
from tests.contract.desk_stub_call import scene
from tests.contract.film_site import write_film

FOLDER = Path(__file__).parents[1] / "docs" / "pages"
MOST_BYTES = 3_000_000
MOST_S = 60.0
"""For one picture: a page that never comes ends the whole, with its name."""
LARGE, PHONE = (1280, 800), (360, 740)
LARGE_SHOWN = 960
QUALITY = 72
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
)
TIDY = "document.querySelectorAll('.toast').forEach((toast) => toast.remove())"

Language = Literal["de", "en"]
Prepare = Callable[[Page], Awaitable[Any]]

WORDS: dict[str, dict[str, str]] = {
    "de": {
        "device": "Hydraulikpresse 3 – Halle Süd",
        "reason": "Druck fällt nach dem Einschalten ab, Anzeige E-217",
        "who": "Herr Müller",
        "ticket": "Presse 3 verliert Druck",
        "other": "Rüsten auf Werkzeug 48",
        "provider": "Beispiel GmbH, Instandhaltung",
        "article": "Öl nachfüllen",
        "action": "Hilfe rufen",
        "text": "Die Presse braucht **HLP 46**.\n\n1. Maschine abschalten\n2. Deckel links öffnen\n3. Bis zur "
        "oberen Marke füllen\n\nMehr im [Handbuch](https://handbuch.example/presse).",
    },
    "en": {
        "device": "Hydraulic press 3 – south hall",
        "reason": "Pressure drops after switching on, display says E-217",
        "who": "Mr Miller",
        "ticket": "Press 3 loses pressure",
        "other": "Setting up for tool 48",
        "provider": "Example Ltd, maintenance",
        "article": "Topping up the oil",
        "action": "Call for help",
        "text": "The press takes **HLP 46**.\n\n1. Switch the machine off\n2. Open the lid on the left\n3. Fill it to "
        "the upper mark\n\nMore in the [manual](https://manual.example/press).",
    },
}


async def nothing(page: Page) -> None:
    pass


@dataclass(frozen=True, slots=True)
class View:
    """One page. `signed_in`: as the person of that language, else as nobody. `dark`: a dark picture of it as well."""

    name: str
    path: str
    signed_in: bool = True
    prepare: Prepare = nothing
    dark: bool = False


class Studio:
    """Takes pictures into a folder."""

    def __init__(self, browser: Browser, folder: Path) -> None:
        self._browser, self._folder = browser, folder

    @asynccontextmanager
    async def page(self, language: Language, size: tuple[int, int], *, dark: bool = False) -> AsyncIterator[Page]:
        context: BrowserContext = await self._browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if dark else "light",
            locale=f"{language}-{'DE' if language == 'de' else 'GB'}",
            timezone_id="Europe/Berlin",
            reduced_motion="reduce",
            permissions=["camera", "microphone", "notifications"],
        )
        context.set_default_timeout(30_000)
        try:
            yield await context.new_page()
        finally:
            await context.close()

    async def take(self, page: Page, name: str, language: str, size: tuple[int, int], *, dark: bool = False) -> None:
        kind = ("phone" if size == PHONE else "large") + ("-dark" if dark else "")
        picture = Image.open(io.BytesIO(await page.screenshot())).convert("RGB")
        if size == LARGE:
            picture = picture.resize((LARGE_SHOWN, LARGE_SHOWN * LARGE[1] // LARGE[0]), Image.Resampling.LANCZOS)
        path = self._folder / language / f"{name}-{kind}.webp"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path, "WEBP", quality=QUALITY, method=6)


# --- the desk's own pages -------------------------------------------------------------------------------------------


def people(language: Language) -> tuple[Member, ...]:
    return (
        Member(id="anna", name="Anna Berger", role=Rank.STAFF, roles=(Rank.ADMINISTRATOR,), language=language),
        Member(id="jonas", name="Jonas Öztürk"),
        Member(id="mira", name="Mira Sand", role=Rank.MODERATOR),
    )


ANNA, JONAS = Person("anna", "Anna Berger"), Person("jonas", "Jonas Öztürk")
BY_ANNA = Actor(Role.STAFF, ANNA.id, ANNA.name)


def at(minute: int) -> str:
    return f"2026-11-23T08:{minute:02}:00Z"


def jpeg(n: int) -> bytes:
    out = io.BytesIO()
    scene(n).resize((1280, 720)).save(out, "JPEG", quality=85)
    return out.getvalue()


def a_session(language: Language, id_: str, state: State, minute: int, **more: Any) -> Session:
    words = WORDS[language]
    plain: dict[str, Any] = {
        "id": id_,
        "epoch": "epoch",
        "rev": 1,
        "kiosk": KIOSK,
        "device": Device("press-3", words["device"]),
        "state": state,
        "origin": "code_user",
        "created_at": at(minute),
        "language": language,
        "reason": words["reason"],
        "requester": words["who"],
        "asked": (ANNA, JONAS),
        "assigned": (ANNA, JONAS),
        "tickets": (Ticket("SR-1042", words["ticket"], "https://tickets.example/SR-1042"),),
        "recording": Recording(allowed=True),
        "history": (Change(at(minute), CODE_USER, Event.REQUEST, None, State.REQUESTED),),
    }
    session = Session(**{**plain, **more})
    session = receipts.said(session, Consent(True, at(minute), "…", language, "creation_flow"), at(minute))
    for artifact in session.artifacts:
        session = receipts.kept(session, artifact, at(minute))
    return session


def over(language: Language, files: tuple[tuple[str, ArtifactKind, str, bytes], ...]) -> Session:
    """Closed, with a recording and a snapshot."""
    told = [an_artifact(c, i, kind=k, name=f"{i}.bin", content_type=t) for i, k, t, c in files]
    steps = (
        (20, CODE_USER, Event.REQUEST, None, State.REQUESTED),
        (21, BY_ANNA, Event.CONFIRM, State.REQUESTED, State.CONFIRMED),
        (22, BY_ANNA, Event.START, State.CONFIRMED, State.RUNNING),
        (29, BY_ANNA, Event.END, State.RUNNING, State.COMPLETED),
        (31, BY_ANNA, Event.CLOSE, State.COMPLETED, State.CLOSED),
    )
    figures = {"duration_s": 425.0, "mean_loss": 0.004, "worst_loss": 0.03, "worst_round_trip_ms": 64.0}
    call = Call("c-1", at(22), at(29), (ANNA,), figures)
    history = tuple(Change(at(minute), by, event, was, now) for minute, by, event, was, now in steps)
    return a_session(language, "s-closed", State.CLOSED, 20, calls=(call,), history=history, artifacts=tuple(told))


def in_force(language: Language) -> InForce:
    words = WORDS[language]
    article = ArticleTold("oil", words["article"], words["text"], words["action"], words["reason"])
    return InForce(
        name=words["provider"],
        language=language,
        recording_allowed=True,
        reasons=(words["reason"], words["other"]),
        staff=(ANNA, JONAS),
        moderators=(Person("mira", "Mira Sand"),),
        articles=(article,),
    )


async def tell(kiosk: Kiosk, language: Language, film: bytes) -> str:
    """Sessions in every state, one with its files. Returns the path of the code user's page."""
    device = Device("press-3", WORDS[language]["device"])
    await kiosk.say(topics.ABOUT, About(device, "1.4.0", "Raspberry Pi 5", language), retain=True)
    parts = {"camera": "ok", "display": "ok", "network": "ok", "microphone": "microphone hw:1: No such device"}
    await kiosk.say(topics.HEALTH, Health(86_400.0, parts), retain=True)
    await kiosk.say(topics.CONFIG_REPORTED, in_force(language), retain=True)
    await kiosk.online()
    files = (
        ("a-film", ArtifactKind.RECORDING, "video/mp4", film),
        ("a-shot", ArtifactKind.FLATTENED, "image/jpeg", jpeg(4)),
        ("a-data", ArtifactKind.SESSION_DATA, "application/json", b"{}"),
    )
    closed = over(language, files)
    await kiosk.told(closed)
    other = {"reason": WORDS[language]["other"], "requester": "", "tickets": ()}
    for id_, state, minute, more in (
        ("s-asked", State.REQUESTED, 50, {}),
        ("s-ready", State.CONFIRMED, 45, other),
        ("s-off", State.CANCELLED, 10, other),
    ):
        await kiosk.told(a_session(language, id_, state, minute, **more))
    await upload(kiosk, {hashlib.sha256(content).hexdigest(): content for _, _, _, content in files})
    links = await until(lambda: kiosk.of(PublicLink))
    return str(urlsplit(links[-1].url).path)


async def upload(kiosk: Kiosk, files: dict[str, bytes]) -> None:
    tus = {"Tus-Resumable": "1.0.0"}
    async with httpx.AsyncClient(timeout=30) as http:
        for grant in await until(lambda: kiosk.grants if len({g.artifact for g in kiosk.grants}) >= len(files) else []):
            content = files[grant.sha256]
            begun = await http.post(grant.url, headers={**tus, "Upload-Length": str(len(content))})
            headers = {**tus, "Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}
            await http.patch(begun.headers["Location"], content=content, headers=headers)
    await until(lambda: len({stored.artifact for stored in kiosk.stored}) >= len(files))


async def play(page: Page) -> None:
    """The recording shows a picture; where it does not within a moment, it stays as it is."""
    await page.locator("video").first.evaluate(
        """(video) => { video.muted = true;
        const shown = video.play().then(() => video.pause()).catch(() => {});
        return Promise.race([shown, new Promise((done) => setTimeout(done, 4000))]); }"""
    )
    await page.locator("#artifacts-panel, #items").first.scroll_into_view_if_needed()


async def new_session(page: Page) -> None:
    await page.locator("[data-new-session]:visible").first.click()


async def article(page: Page) -> None:
    await page.locator("#articles summary").click()
    await page.locator("#parts").scroll_into_view_if_needed()


async def quiet_hours(page: Page) -> None:
    await page.locator("#quiet").check()
    await page.locator("#notify-card").evaluate("card => card.scrollIntoView({block: 'start'})")


async def rating(page: Page) -> None:
    await page.locator(".star").nth(3).click()
    await page.locator("#rating").evaluate("form => form.scrollIntoView({block: 'start'})")


def views(guest: str) -> list[View]:
    return [
        View("sign-in", "/sign-in", signed_in=False),
        View("sessions", "/", dark=True),
        View("new-session", "/", prepare=new_session),
        View("request", "/sessions/s-asked"),
        View("session", "/sessions/s-closed", dark=True),
        View("recording", "/sessions/s-closed", prepare=play),
        View("devices", "/devices"),
        View("device", f"/devices/{KIOSK}", prepare=article),
        View("account", "/account"),
        View("notifications", "/account", prepare=quiet_hours),
        View("people", "/people"),
        View("audit", "/audit"),
        View("code-user", guest, signed_in=False, prepare=play),
        View("rating", guest, signed_in=False, prepare=rating),
    ]


async def take_pages(studio: Studio, language: Language, film: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with open_site(Path(folder)) as site:
            site.config = replace(site.config, people=people(language))
            async with site.desk(), site.kiosk() as kiosk:
                guest = await tell(kiosk, language, film)
                for size in (LARGE, PHONE):
                    for view in views(guest):
                        await take_view(studio, site, view, language, size)
                        if view.dark:
                            await take_view(studio, site, view, language, size, dark=True)


async def take_view(
    studio: Studio, site: Site, view: View, language: Language, size: tuple[int, int], *, dark: bool = False
) -> None:
    async with asyncio.timeout(MOST_S), studio.page(language, size, dark=dark) as page:
        if view.signed_in:
            await page.goto(site.link("anna"))
        await page.goto(site.url + view.path)
        while await page.locator("[aria-busy=true]").count():
            await page.wait_for_timeout(50)
        await page.evaluate(TIDY)
        await view.prepare(page)
        await page.wait_for_timeout(400)
        await studio.take(page, view.name, language, size, dark=dark)


# --- the call -------------------------------------------------------------------------------------------------------


async def take_call(studio: Studio, language: Language) -> None:
    for size in (LARGE, PHONE):
        desk = StubDesk(language)
        await asyncio.to_thread(desk.start)
        try:
            desk.presence("k-presse-3", True)
            await asyncio.to_thread(desk.put, a_session(language, "s-1", State.CONFIRMED, 50, kiosk="k-presse-3"))
            async with studio.page(language, size) as page:
                await call_pictures(studio, desk, page, language, size)
        finally:
            await asyncio.to_thread(desk.stop)


async def call_pictures(studio: Studio, desk: StubDesk, page: Page, language: Language, size: tuple[int, int]) -> None:
    await page.goto(f"{desk.url}/sessions/s-1")
    await page.locator("#gear-before").click()
    await page.locator('#gear-video[data-works="true"]').wait_for()
    await page.wait_for_timeout(500)
    await studio.take(page, "devices-tried", language, size)
    await page.locator("#gear .primary").click()
    await page.locator("#start").click()
    await page.locator('#call[data-state="on"]').wait_for()
    for _ in range(200):
        if await page.evaluate("window.desk.call.frames > 5"):
            break
        await page.wait_for_timeout(50)
    for told in (
        {"kind": "people", "people": [[ANNA.name, "#ffd23f"], [JONAS.name, "#4cc9f0"]]},
        {"kind": "stroke-begin", "id": "stroke-1", "at": [0.2, 0.3], "by": JONAS.name, "colour": "#4cc9f0"},
        {"kind": "stroke-points", "id": "stroke-1", "points": [[0.3, 0.22], [0.42, 0.28]]},
    ):
        await asyncio.to_thread(desk.say, told)
    await page.keyboard.press("m")
    await page.locator("#overlay").click(position=await middle(page, "tools", 0.74, 0.62))
    await page.locator("#mark-list li").wait_for()
    await page.keyboard.press("p")
    await page.wait_for_timeout(2500)  # the connection's figures have come
    await page.evaluate(TIDY)
    await studio.take(page, "call", language, size)
    await page.keyboard.press("?")
    await studio.take(page, "keys", language, size)
    await page.keyboard.press("Escape")
    await page.keyboard.press("s")
    await page.locator('#snapshot-view[data-shown="shot-1"]').wait_for()
    await page.keyboard.press("5")
    await page.locator("#snapshot-overlay").click(position=await middle(page, "snapshot", 0.3, 0.4))
    await page.locator("#snapshot-overlay").click(position=await middle(page, "snapshot", 0.7, 0.6))
    await page.wait_for_timeout(400)
    await page.evaluate(TIDY)
    await studio.take(page, "snapshot", language, size)


async def middle(page: Page, of: str, u: float, v: float) -> Any:
    fit = await page.evaluate(f"window.desk.{of}.fit()")
    return {"x": fit["x"] + u * fit["width"], "y": fit["y"] + v * fit["height"]}


# --- all of them ----------------------------------------------------------------------------------------------------


async def take_all(folder: Path, only: str) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        film = (await asyncio.to_thread(write_film, Path(scratch) / "film.mp4")).read_bytes()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        studio = Studio(browser, folder)
        for language in ("de", "en"):
            if only in ("", "pages"):
                await take_pages(studio, language, film)
            if only in ("", "call"):
                await take_call(studio, language)
        await browser.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--only", choices=("", "pages", "call"), default="")
    choices = parser.parse_args()
    asyncio.run(take_all(choices.folder, choices.only))
    pictures = sorted(choices.folder.glob("*/*.webp"))
    total = sum(picture.stat().st_size for picture in pictures)
    print(f"{len(pictures)} pictures, {total / 1e6:.2f} MB")
    return 0 if total <= MOST_BYTES else 1


if __name__ == "__main__":
    sys.exit(main())
