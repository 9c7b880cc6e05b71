"""The desk and the real book, link and courier of a kiosk, with a real broker between: the story of one session."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from kiosk.book.book import Book
from kiosk.book.storage import CrashSafeStorage
from kiosk.errors import StoreTrouble
from kiosk.link.client import Client, Settings
from kiosk.link.link import Link, presence_will
from kiosk.session import inputs as do
from kiosk.session.provider import Provider
from kiosk.session.record import CODE_USER, SYSTEM, Artifact, Consent, Person
from kiosk.session.states import State
from kiosk.upload.courier import Courier
from kiosk.wire import topics
from kiosk.wire.messages import About
from tests.contract.desk_site import ANNA, BEN, DEVICE, KIOSK, Site, an_artifact, open_site, until

PROVIDER = Provider(recording_allowed=True, staff=(ANNA, BEN), moderators=(Person("clara", "Clara Wolf"),))
PICTURE = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 2000


class RealKiosk:
    """Book, link and courier as kiosk/app.py joins them, without camera and display."""

    def __init__(self, book: Book, client: Client, site: Site, folder: Path, boot: str) -> None:
        self.book = book
        self.picture = folder / "snapshot-1.jpg"
        self.link = Link(
            client,
            book,
            kiosk=KIOSK,
            boot=boot,
            about=About(DEVICE, "1.0", "simulated"),
            seen=self._seen,
            stored=self._stored,
            changed=lambda: None,
        )
        self._courier = Courier(self._find, site.url)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.link.run())
            tasks.create_task(self._courier.run(self.link.grants))

    async def _seen(self, session_id: str, person: Person) -> None:
        await self.book.put(session_id, do.Seen(person), SYSTEM)

    async def _stored(self, session_id: str, artifact: str, sha256: str) -> None:
        await self.book.put(session_id, do.Uploaded(artifact, sha256), SYSTEM)

    def _find(self, session_id: str, artifact_id: str) -> tuple[Path, Artifact] | None:
        session = self.book.sessions.get(session_id)
        found = [a for a in session.artifacts if a.id == artifact_id and not a.uploaded] if session else []
        return (self.picture, found[0]) if found else None


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(tmp_path) as site:
        yield site


@contextlib.asynccontextmanager
async def real_kiosk(site: Site) -> AsyncIterator[RealKiosk]:
    book = await Book.open(site.folder / "book.json", KIOSK, DEVICE, PROVIDER)
    password = (site.folder / "broker" / f"{KIOSK}.password").read_text()
    filters = (topics.kiosk_filter(KIOSK),)
    boot = f"boot-{secrets.token_hex(4)}"
    will = presence_will(KIOSK, boot)
    settings = Settings("127.0.0.1", site.port, KIOSK, filters, username=KIOSK, password=password, will=will)
    async with Client(settings) as client:
        kiosk = RealKiosk(book, client, site, site.folder, boot)
        kiosk.picture.write_bytes(PICTURE)
        running = asyncio.create_task(kiosk.run())
        yield kiosk
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
    await book.close()


async def wish(http: httpx.AsyncClient, session: str, **what: Any) -> httpx.Response:
    return await http.post(f"/api/sessions/{session}/commands", json={"do": what})


def agreed(given: bool, minute: int) -> do.GiveConsent:
    return do.GiveConsent(Consent(given, f"2026-11-22T10:{minute:02}:00.000Z", "May we record?", "en", "call"))


async def consents_of(http: httpx.AsyncClient, session: str) -> dict[str, Any]:
    found: dict[str, Any] = (await http.get(f"/api/sessions/{session}")).json()["consents"]
    return found


async def state_of(http: httpx.AsyncClient, session: str) -> str:
    answer = await http.get(f"/api/sessions/{session}")
    return str(answer.json()["session"]["state"]) if answer.status_code == 200 else ""


async def test_the_story_of_one_session(site: Site) -> None:
    async with site.desk(), real_kiosk(site) as kiosk, site.person("anna") as anna:
        session = (await kiosk.book.put(None, do.Request(reason="noise"), CODE_USER)).id
        await until(lambda: kiosk.link.is_sent(kiosk.book.sessions[session]))
        assert await state_of(anna, session) == "REQUESTED"

        assert (await anna.post(f"/api/sessions/{session}/seen")).status_code == 204
        await until(lambda: kiosk.book.sessions[session].seen_by == (ANNA,))
        assert (await wish(anna, session, kind="confirm")).status_code == 200
        assert await state_of(anna, session) == "CONFIRMED"
        assert (await wish(anna, session, kind="start")).json()["ok"]
        await kiosk.book.put(session, do.Start(), CODE_USER)
        async with asyncio.timeout(30):
            while await state_of(anna, session) != "RUNNING":
                await asyncio.sleep(0.01)

        await kiosk.book.put(session, do.AddArtifact(an_artifact(PICTURE)), SYSTEM)
        for kind, state in (("end", "COMPLETED"), ("close", "CLOSED")):
            assert (await wish(anna, session, kind=kind)).status_code == 200
            assert await state_of(anna, session) == state

        # uploaded by the kiosk's own courier, receipted, and let go of
        await until(lambda: kiosk.book.sessions[session].artifacts[0].uploaded)
        details = (await anna.get(f"/api/sessions/{session}")).json()
        file = await anna.get(details["artifacts"]["a-1"]["url"])
        assert file.content == PICTURE
        assert [c["event"] for c in details["session"]["history"]] == ["request", "confirm", "start", "end", "close"]

        assert (await wish(anna, session, kind="reopen")).json()["state"] == "CONFIRMED"


async def test_with_a_full_disk_requests_go_out_and_what_a_power_cut_then_loses_is_seen_by_all(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with site.desk(), site.person("anna") as anna:
        with monkeypatch.context() as broken:
            async with real_kiosk(site) as kiosk:
                on_disk = (await kiosk.book.put(None, do.Request(reason="noise"), CODE_USER)).id
                await until(lambda: kiosk.link.is_sent(kiosk.book.sessions[on_disk]))
                broken.setattr(CrashSafeStorage, "write", no_space)
                assert (await wish(anna, on_disk, kind="cancel")).status_code == 200
                lost = (await kiosk.book.put(None, do.Request(reason="smoke"), CODE_USER)).id
                await until(lambda: kiosk.link.is_sent(kiosk.book.sessions[lost]))
                assert (await wish(anna, lost, kind="confirm")).status_code == 200
        async with real_kiosk(site) as kiosk:
            assert {s.id: s.state for s in kiosk.book.sessions.values()} == {on_disk: State.REQUESTED}
            async with asyncio.timeout(30):
                while await state_of(anna, on_disk) != "REQUESTED":
                    await asyncio.sleep(0.01)
            assert (await wish(anna, on_disk, kind="confirm")).status_code == 200
            assert await state_of(anna, on_disk) == "CONFIRMED"
            assert await state_of(anna, lost) == "CANCELLED"
            answer = await wish(anna, lost, kind="start")
            assert (answer.status_code, answer.json()["code"]) == (409, "kiosk_lost")
            assert (await wish(anna, lost, kind="cancel")).json()["ok"], "it is over already"


def no_space(_storage: CrashSafeStorage, _data: object) -> None:
    raise StoreTrouble("No space left on device")


async def test_two_staff_confirm_at_once_and_one_is_told(site: Site) -> None:
    async with site.desk(), real_kiosk(site) as kiosk, site.person("anna") as anna, site.person("ben") as ben:
        session = (await kiosk.book.put(None, do.Request(), CODE_USER)).id
        await until(lambda: kiosk.link.is_sent(kiosk.book.sessions[session]))
        answers = await asyncio.gather(*(wish(http, session, kind="confirm") for http in (anna, ben)))
        assert sorted(a.status_code for a in answers) == [200, 409]
        refused = next(a.json() for a in answers if a.status_code == 409)
        assert refused["code"] == "wrong_state"
        assert refused["detail"]


async def test_what_happened_while_the_desk_was_away_is_there_when_it_is_back(site: Site) -> None:
    async with real_kiosk(site) as kiosk:
        async with site.desk():
            session = (await kiosk.book.put(None, do.Request(), CODE_USER)).id
            await until(lambda: kiosk.link.is_sent(kiosk.book.sessions[session]))
        await kiosk.book.put(session, do.Cancel(), CODE_USER)
        async with site.desk(), site.person("anna") as anna:
            await until(lambda: kiosk.link.is_sent(kiosk.book.sessions[session]))
            assert await state_of(anna, session) == State.CANCELLED


async def test_a_kiosk_that_lost_its_newest_file_comes_back_with_fewer_receipts_and_the_desk_says_which(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    async with site.desk(), site.person("anna") as anna:
        async with real_kiosk(site) as kiosk:
            session = (await kiosk.book.put(None, do.Request(), CODE_USER)).id
            await kiosk.book.put(session, agreed(True, 1), CODE_USER)
            withdrawn = await kiosk.book.put(session, agreed(False, 2), CODE_USER)
            await until(lambda: kiosk.link.is_sent(kiosk.book.sessions[session]))
            assert await consents_of(anna, session) == {"faults": [], "lost": [], "restored": False}
        book = site.folder / "book.json"
        book.write_bytes(bytes(book.stat().st_size))  # as a power cut may leave it
        async with real_kiosk(site) as kiosk:
            assert kiosk.book.epoch != withdrawn.epoch
            await until(lambda: kiosk.link.is_sent(kiosk.book.sessions[session]))
            found = await consents_of(anna, session)
            assert ([r["n"] for r in found["lost"]], found["restored"], found["faults"]) == ([2], True, [])
            assert found["lost"][0]["consent"]["given"] is False
            await kiosk.book.put(session, do.Seen(ANNA), SYSTEM)
            await until(lambda: kiosk.link.is_sent(kiosk.book.sessions[session]))
            assert await consents_of(anna, session) == found
    assert caplog.text.count("receipts known here that the kiosk no longer has: 2") == 1
