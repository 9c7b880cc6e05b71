"""Sessions that their kiosk has lost: the real desk, broker, book, spool and courier, and a card that is damaged."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from kiosk.book.book import Book
from kiosk.fleet.board import Board
from kiosk.link.client import Client, Settings
from kiosk.link.link import Link, presence_will
from kiosk.session import inputs as do
from kiosk.session.provider import Provider
from kiosk.session.record import CODE_USER, SYSTEM, Actor, Artifact, ArtifactKind, Person
from kiosk.session.states import Role
from kiosk.spooling import Spooling
from kiosk.upload.courier import Courier
from kiosk.upload.spool import Spool
from kiosk.wire import topics
from kiosk.wire.messages import About, Presence
from tests.contract.desk_site import ANNA, DEVICE, KIOSK, Site, a_session, open_site, until
from tests.contract.test_desk_with_kiosk import agreed, state_of, wish

PROVIDER = Provider(recording_allowed=True, staff=(ANNA,))
BY_ANNA = Actor(Role.STAFF, ANNA.id, ANNA.name)
DATA = b'{"film": 1}'


class Kiosk:
    """Book, spool, link and courier as kiosk/app.py joins them."""

    def __init__(self, book: Book, client: Client, site: Site, boot: str) -> None:
        self.book, self.board = book, Board()
        self.spool = Spool(site.folder / "spool")
        self.spooling = Spooling(book, self.spool, self.board, self)
        self.link = Link(
            client,
            book,
            kiosk=KIOSK,
            boot=boot,
            about=About(DEVICE, "1.0", "simulated"),
            seen=self._seen,
            stored=self.spooling.stored,
            waits=lambda: self.spooling.waits_for_desk,
            changed=lambda: None,
        )
        self._courier = Courier(self.spooling.find, site.url)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            await self.spooling.adopt()
            tasks.create_task(self.link.run())
            tasks.create_task(self._courier.run(self.link.grants))

    async def over(self) -> None:
        """No call is ever on."""

    async def _seen(self, session_id: str, person: Person) -> None:
        await self.book.put(session_id, do.Seen(person), SYSTEM)

    async def sent(self, session_id: str) -> None:
        await until(lambda: self.link.is_sent(self.book.sessions[session_id]))

    async def add_file(self, session_id: str) -> Artifact:
        artifact = self.spool.keep(
            session_id, "data-1", ArtifactKind.SESSION_DATA, "data-1.json", "application/json", DATA
        )
        self.spool.follow(await self.book.put(session_id, do.AddArtifact(artifact), SYSTEM))
        return artifact


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(tmp_path) as site:
        yield site


@pytest.fixture
async def anna(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with site.desk(), site.person("anna") as http:
        yield http


@contextlib.asynccontextmanager
async def switched_on(site: Site) -> AsyncIterator[Kiosk]:
    book = await Book.open(site.folder / "book.json", KIOSK, DEVICE, PROVIDER)
    password = (site.folder / "broker" / f"{KIOSK}.password").read_text()
    boot = f"boot-{secrets.token_hex(4)}"
    filters = (topics.kiosk_filter(KIOSK),)
    settings = Settings(
        "127.0.0.1", site.port, KIOSK, filters, username=KIOSK, password=password, will=presence_will(KIOSK, boot)
    )
    async with Client(settings) as client:
        kiosk = Kiosk(book, client, site, boot)
        running = asyncio.create_task(kiosk.run())
        yield kiosk
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
    await book.close()


def damage(folder: Path) -> None:
    """Both generations of the book; what was there goes to a folder beside, as to a card in a drawer."""
    (folder / "drawer").mkdir()
    for path in folder.glob("book.json*"):
        shutil.copy(path, folder / "drawer" / path.name)
        path.write_bytes(b"\0" * 100)


def put_back(folder: Path) -> None:
    for path in (folder / "drawer").iterdir():
        shutil.copy(path, folder / path.name)


async def becomes(http: httpx.AsyncClient, session: str, state: str) -> None:
    async with asyncio.timeout(20):
        while await state_of(http, session) != state:
            await asyncio.sleep(0.01)


async def details(http: httpx.AsyncClient, session: str) -> dict[str, Any]:
    found: dict[str, Any] = (await http.get(f"/api/sessions/{session}")).json()
    return found


async def open_ones(http: httpx.AsyncClient) -> set[str]:
    states = {"state": ["REQUESTED", "CONFIRMED", "RUNNING", "COMPLETED"]}
    return {s["id"] for s in (await http.get("/api/sessions", params=states)).json()["sessions"]}


async def test_a_session_that_was_lost_with_the_book_is_over_with_its_reason_and_right_again_when_the_card_is_back(
    site: Site, anna: httpx.AsyncClient
) -> None:
    async with switched_on(site) as kiosk:
        session = (await kiosk.book.put(None, do.Request(reason="noise"), CODE_USER)).id
        await kiosk.sent(session)
        assert (await wish(anna, session, kind="confirm")).status_code == 200
    damage(site.folder)

    async with switched_on(site) as kiosk:
        assert kiosk.book.begun_anew
        await becomes(anna, session, "CANCELLED")
        found = (await details(anna, session))["session"]
        assert (found["history"][-1]["cause"], found["history"][-1]["source"]) == ("kiosk_lost", "CONFIRMED")
        assert found["reason"] == "noise", "nothing that was here is gone"
        again = (await kiosk.book.put(None, do.Request(reason="smoke"), CODE_USER)).id
        await kiosk.sent(again)
        assert await open_ones(anna) == {again}, "a request is made as ever, and the lost one does not count"
        assert (await wish(anna, session, kind="reopen")).json()["code"] == "kiosk_lost"

    put_back(site.folder)
    async with switched_on(site) as kiosk:
        await becomes(anna, session, "CONFIRMED")
        await becomes(anna, again, "CANCELLED")
        assert (await wish(anna, session, kind="cancel")).json()["state"] == "CANCELLED"
        assert kiosk.book.sessions[session].state == "CANCELLED"


async def test_files_of_a_lost_session_come_from_its_manifest_and_then_leave_the_kiosk(
    site: Site, anna: httpx.AsyncClient
) -> None:
    async with switched_on(site) as kiosk:
        session = (await kiosk.book.put(None, do.Create(), BY_ANNA)).id
        await kiosk.book.put(session, do.Start(other_present=True), CODE_USER)
        await kiosk.book.put(session, agreed(True, 1), CODE_USER)
        artifact = await kiosk.add_file(session)
        await kiosk.book.put(session, do.End(), SYSTEM)
        await kiosk.sent(session)
        assert await state_of(anna, session) == "COMPLETED"
    damage(site.folder)

    async with switched_on(site) as kiosk:
        await becomes(anna, session, "CLOSED")
        await until(lambda: kiosk.board.parts.get("spool") == "ok")
        assert not (site.folder / "spool" / session).exists()
        place = (await details(anna, session))["artifacts"][artifact.id]
        assert (await anna.get(place["url"])).content == DATA


async def test_a_desk_that_was_away_meanwhile_sees_it_lost_as_well_and_so_does_one_with_an_empty_database(
    site: Site,
) -> None:
    async with site.desk(), switched_on(site) as kiosk:
        session = (await kiosk.book.put(None, do.Request(), CODE_USER)).id
        await kiosk.sent(session)
    damage(site.folder)
    for path in (site.folder / "data").glob("desk.sqlite*"):
        path.unlink()
    async with switched_on(site):
        async with site.desk(), site.person("anna") as anna:
            await becomes(anna, session, "CANCELLED")
        # what the broker still retained of it has gone, and the desk knows it all the same
        async with site.desk(), site.person("anna") as anna:
            assert await state_of(anna, session) == "CANCELLED"


async def test_older_words_about_what_is_held_change_nothing(site: Site, anna: httpx.AsyncClient) -> None:
    async with site.kiosk() as kiosk:
        for told in (Presence(True, "b-1", 1, 1, ()), Presence(True, "b-2", 1, 5, ("s-1",))):
            await kiosk.say(topics.PRESENCE, told, retain=True)
        await kiosk.told(a_session())
        for late in (Presence(True, "b-1", 9, 9, ()), Presence(True, "b-2", 1, 4, ()), Presence(True, "b-2", 1)):
            await kiosk.say(topics.PRESENCE, late, retain=True)
        await kiosk.told(a_session("s-2"))
        assert (await state_of(anna, "s-1"), await state_of(anna, "s-2")) == ("REQUESTED", "CANCELLED")
        await kiosk.say(topics.PRESENCE, Presence(True, "b-2", 1, 6, ("s-1", "s-2")), retain=True)
        await becomes(anna, "s-2", "REQUESTED")
