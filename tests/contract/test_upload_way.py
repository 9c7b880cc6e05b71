"""The whole way of a file: the real courier, a link that breaks at any byte or goes quiet, the real desk that is
restarted, full, or slow to verify, and a folder or S3 behind it. It arrives whole, once, and is receipted."""

from __future__ import annotations

import asyncio
import errno
import random
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from desk.config import FileSettings, Http
from desk.files import store as disk
from desk.files import tus as desk_tus
from desk.files import uploads as desk_uploads
from kiosk.demo.site import free_ports
from kiosk.errors import StoreTrouble
from kiosk.mailbox import Queue
from kiosk.session.record import Artifact, ArtifactKind
from kiosk.session.states import State
from kiosk.upload import courier as couriers
from kiosk.upload import tus as courier_tus
from kiosk.upload.courier import Courier
from kiosk.wire.messages import UploadGrant
from tests.contract.bad_link import BadLink
from tests.contract.desk_site import Kiosk, Site, a_session, an_artifact, open_site, until

FILM = b"\x00\x00\x00\x18ftypiso5" + random.Random(5).randbytes(400_000)
PIECE = 40_000


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(couriers, "RETRY_S", (0.01, 0.05))
    monkeypatch.setattr(couriers, "CHUNK", (PIECE, PIECE))


class Way:
    """A site whose kiosks reach the desk over a bad link, and a file that waits there."""

    def __init__(self, site: Site, link: BadLink, folder: Path) -> None:
        self.site = site
        self.link = link
        site.config = replace(site.config, http=Http(port=site.config.http.port, public_url=link.url))
        self.path = folder / "recording-1.mp4"
        self.path.write_bytes(FILM)
        more: dict[str, Any] = {"kind": ArtifactKind.RECORDING, "content_type": "video/mp4", "name": self.path.name}
        self.artifact: Artifact = an_artifact(FILM, **more)

    @asynccontextmanager
    async def carrying(self, kiosk: Kiosk) -> AsyncIterator[None]:
        """A courier that is handed each grant, as long as the receipt has not come."""
        grants: Queue[UploadGrant] = Queue(100)
        courier = Courier(lambda *_: None if kiosk.stored else (self.path, self.artifact), self.link.url)

        async def hand_on() -> None:
            told = 0
            while True:
                for grant in kiosk.grants[told:]:
                    grants.put(grant)
                told = len(kiosk.grants)
                await asyncio.sleep(0.02)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(courier.run(grants)), group.create_task(hand_on())]
            yield
            for task in tasks:
                task.cancel()

    async def tell(self, kiosk: Kiosk) -> None:
        await kiosk.told(a_session(state=State.CLOSED, artifacts=(self.artifact,)))

    async def arrived(self, kiosk: Kiosk) -> None:
        await until(lambda: kiosk.stored, 20)
        assert self.kept.read_bytes() == FILM
        assert not list((self.site.folder / "data" / "partial").iterdir())

    @property
    def kept(self) -> Path:
        return self.site.folder / "data" / "files" / "s-1" / self.artifact.sha256

    @property
    def partial(self) -> Path:
        return self.site.folder / "data" / "partial" / f"s-1.a-1.{self.artifact.sha256}"

    @property
    def received(self) -> int:
        return self.partial.stat().st_size if self.partial.exists() else 0


@pytest.fixture
async def way(tmp_path: Path) -> AsyncIterator[Way]:
    async with open_site(tmp_path / "site") as site, BadLink(site.config.http.port).open() as link:
        yield Way(site, link, tmp_path)


@pytest.mark.parametrize("seed", range(3))
async def test_a_link_that_breaks_at_any_byte_costs_what_was_under_way(way: Way, seed: int) -> None:
    chance = random.Random(seed)
    spans = (1, 20, 200, 900, 2_000, 30_000, PIECE, 60_000, 100_000)
    way.link.budgets = [chance.randrange(1, chance.choice(spans) + 1) for _ in range(20)]
    async with way.site.desk(), way.site.kiosk() as kiosk, way.carrying(kiosk):
        await way.tell(kiosk)
        await way.arrived(kiosk)
        assert len(way.link.budgets) < 20, "it was really cut"
    assert way.link.sent - len(FILM) <= way.link.cuts * (PIECE + 2_000) + 60_000


async def test_a_link_that_goes_quiet_is_left_and_taken_up_again(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courier_tus, "STALL_S", 0.2)
    way.link.budgets = [150_000]
    async with way.site.desk(), way.site.kiosk() as kiosk, way.carrying(kiosk):
        await way.tell(kiosk)
        await until(lambda: way.link.cuts)
        way.link.quiet = True
        before = way.link.sent
        await until(lambda: way.link.sent > before)
        await asyncio.sleep(0.3)
        way.link.quiet = False
        await way.arrived(kiosk)


async def test_a_desk_that_is_restarted_in_the_middle_goes_on(way: Way) -> None:
    way.link.bytes_per_s = 250_000.0
    async with way.site.kiosk() as kiosk, way.carrying(kiosk):
        for stop_at in (1, 100_000, 200_000):
            async with way.site.desk():
                await way.tell(kiosk)
                await until(partial(lambda at: way.received >= at, stop_at))
            way.link.cut()
        assert 200_000 <= way.received < len(FILM)
        way.link.bytes_per_s = 0.0
        async with way.site.desk():
            await way.tell(kiosk)
            await way.arrived(kiosk)


async def test_a_full_disk_at_the_desk_is_waited_out(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    full = 0

    def write_at(path: Path, offset: int, data: bytes) -> None:
        nonlocal full
        if offset >= 3 * PIECE and full < 5:
            full += 1
            raise OSError(errno.ENOSPC, "No space left on device")
        really(path, offset, data)

    really = disk.write_at
    monkeypatch.setattr(disk, "write_at", write_at)
    async with way.site.desk(), way.site.kiosk() as kiosk, way.carrying(kiosk):
        await way.tell(kiosk)
        await way.arrived(kiosk)
    assert full == 5


async def test_a_store_that_takes_nothing_is_waited_out_and_nothing_sent_again(
    way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = 0

    async def keep(self: disk.Files, partial: Path, session: str, sha256: str) -> str:
        nonlocal refused
        if refused < 3:
            refused += 1
            raise StoreTrouble("the file store does not take the file")
        return await really(self, partial, session, sha256)

    really = disk.Files.keep
    monkeypatch.setattr(disk.Files, "keep", keep)
    async with way.site.desk(), way.site.kiosk() as kiosk, way.carrying(kiosk):
        await way.tell(kiosk)
        await way.arrived(kiosk)
    assert refused == 3
    assert way.link.sent < len(FILM) + 40_000


async def test_a_file_is_verified_to_its_end_though_the_link_breaks_meanwhile(
    way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, begun = threading.Event(), []

    def verified(*values: Any) -> bool:
        begun.append(1)
        go_on.wait(20)
        return really(*values)

    really = desk_uploads._verified
    monkeypatch.setattr(desk_uploads, "_verified", verified)
    monkeypatch.setattr(desk_tus, "FINISH_S", 0.05)
    async with way.site.desk(), way.site.kiosk() as kiosk, way.carrying(kiosk):
        await way.tell(kiosk)
        await until(lambda: begun)
        for _ in range(3):
            way.link.cut()
            await asyncio.sleep(0.1)
        go_on.set()
        await way.arrived(kiosk)
    assert len(begun) == 1, "or a file that takes longer to read than links live would never be done"


async def test_bytes_that_were_damaged_at_the_desk_are_sent_anew(way: Way) -> None:
    way.link.budgets = [200_000]
    async with way.site.desk(), way.site.kiosk() as kiosk:
        async with way.carrying(kiosk):
            await way.tell(kiosk)
            await until(lambda: way.link.cuts)
        with way.partial.open("r+b") as file:
            file.seek(1000)
            file.write(b"damaged")
        async with way.carrying(kiosk):
            await way.arrived(kiosk)


async def test_a_kiosk_learns_of_a_receipt_it_missed(way: Way) -> None:
    async with way.site.desk():
        async with way.site.kiosk() as kiosk, way.carrying(kiosk):
            await way.tell(kiosk)
            await way.arrived(kiosk)
        sent = way.link.sent
        async with way.site.kiosk() as kiosk, way.carrying(kiosk):
            await way.tell(kiosk)
            await until(lambda: kiosk.stored)
        assert way.link.sent == sent


# --- S3 ---------------------------------------------------------------------------------------------------------------


async def test_files_go_to_s3_and_come_back_by_one_setting(way: Way, s3: str, tmp_path: Path) -> None:
    for name in ("id", "key"):
        (tmp_path / name).write_text(f"secret-{name}\n")
    settings = FileSettings(
        url="s3://help/desk", endpoint=s3, key_id_file=str(tmp_path / "id"), key_file=str(tmp_path / "key")
    )
    way.site.config = replace(way.site.config, files=settings)
    way.link.budgets = [100_000, 50_000]
    async with way.site.desk(), way.site.kiosk() as kiosk, way.carrying(kiosk):
        await way.tell(kiosk)
        await until(lambda: kiosk.stored, 20)
        async with way.site.person("anna") as anna:
            url = (await anna.get("/api/sessions/s-1")).json()["artifacts"]["a-1"]["url"]
            assert (await anna.get(url)).content == FILM
            part = await anna.get(url, headers={"Range": "bytes=1000-1999"})
            assert (part.status_code, part.content) == (206, FILM[1000:2000])
    async with httpx.AsyncClient() as http:
        listed = (await http.get(f"{s3}/help")).text
    assert f"<Key>desk/s-1/{way.artifact.sha256}</Key>" in listed
    assert not way.kept.parent.parent.exists(), "nothing in the folder"


async def test_an_s3_that_is_not_there_is_waited_out(way: Way, tmp_path: Path) -> None:
    (port,) = free_ports(1)
    (tmp_path / "key").write_text("secret\n")
    key = str(tmp_path / "key")
    settings = FileSettings(url="s3://help", endpoint=f"http://127.0.0.1:{port}", key_id_file=key, key_file=key)
    way.site.config = replace(way.site.config, files=settings)
    async with way.site.kiosk() as kiosk, way.carrying(kiosk):
        async with way.site.desk():
            await way.tell(kiosk)
            await until(lambda: way.received == len(FILM))
            assert not kiosk.stored
        way.site.config = replace(way.site.config, files=FileSettings())
        async with way.site.desk():
            await way.tell(kiosk)
            await way.arrived(kiosk)
