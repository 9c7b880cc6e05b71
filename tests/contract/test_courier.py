"""The courier against a desk that fails in many ways: everything arrives whole, nothing is sent twice over."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from kiosk.mailbox import Queue
from kiosk.session.record import Artifact, ArtifactKind
from kiosk.upload import courier as couriers
from kiosk.upload.courier import Courier
from kiosk.upload.spool import Spool
from kiosk.wire.messages import UploadGrant


class TusDesk:
    """The few rules of tus 1.0, and a list of ways to fail, taken one at each PATCH."""

    def __init__(self, failures: list[str]) -> None:
        self.failures = failures
        self.files: dict[str, bytearray] = {}
        self.order: list[str] = []
        self.received = 0
        self.url = ""

    async def create(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in self.files:
            self.files[name] = bytearray()
            self.order.append(name)
        return web.Response(status=201, headers={"Location": f"{self.url}/files/{name}"})

    async def head(self, request: web.Request) -> web.Response:
        return web.Response(headers={"Upload-Offset": str(len(self.files[request.match_info["name"]]))})

    async def patch(self, request: web.Request) -> web.StreamResponse:
        data = self.files[request.match_info["name"]]
        if int(request.headers["Upload-Offset"]) != len(data):
            return web.Response(status=409)
        failure = self.failures.pop(0) if self.failures else ""
        if failure == "503":
            return web.Response(status=503)
        if failure == "cut":
            assert request.transport
            request.transport.abort()
            return web.Response()
        body = await request.read()
        algorithm, digest = request.headers["Upload-Checksum"].split()
        assert algorithm == "sha256"
        if failure == "460" or base64.b64decode(digest) != hashlib.sha256(body).digest():
            return web.Response(status=460)
        data += body
        self.received += len(body)
        if failure == "lost answer":
            assert request.transport
            request.transport.abort()
        return web.Response(status=204, headers={"Upload-Offset": str(len(data))})


@asynccontextmanager
async def desk(failures: list[str]) -> AsyncIterator[TusDesk]:
    tus = TusDesk(failures)
    app = web.Application(client_max_size=10**8)
    app.add_routes([web.post("/uploads/{name}", tus.create), web.patch("/files/{name}", tus.patch)])
    app.router.add_head("/files/{name}", tus.head)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    tus.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield tus
    finally:
        await runner.cleanup()


class Spooled:
    """Artifacts that lie in a spool, waiting."""

    def __init__(self, folder: Path) -> None:
        self.spool = Spool(folder)
        self.artifacts: dict[str, Artifact] = {}

    def add(self, name: str, kind: ArtifactKind, data: bytes) -> Artifact:
        artifact = self.spool.keep("s-1", f"id-{name}", kind, name, "video/mp4", data)
        self.artifacts[artifact.id] = artifact
        return artifact

    def find(self, session_id: str, artifact_id: str) -> tuple[Path, Artifact] | None:
        artifact = self.artifacts.get(artifact_id)
        return (self.spool.path(session_id, artifact), artifact) if artifact else None


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(couriers, "RETRY_S", (0.001, 0.002))
    monkeypatch.setattr(couriers, "CHUNK", 50_000)


async def carry(tus: TusDesk, spooled: Spooled, count: int, url: str = "") -> None:
    grants: Queue[UploadGrant] = Queue(10)
    for artifact in spooled.artifacts.values():
        address = f"{url or tus.url}/uploads/{artifact.name}"
        grants.put(UploadGrant(session="s-1", artifact=artifact.id, sha256=artifact.sha256, url=address))
    task = asyncio.create_task(Courier(spooled.find, tus.url).run(grants))
    total = sum(a.bytes for a in spooled.artifacts.values())
    async with asyncio.timeout(20):
        while sum(map(len, tus.files.values())) < total or len(tus.files) < count:
            await asyncio.sleep(0.005)
    task.cancel()


async def test_a_file_arrives_whole_whatever_happens_on_the_way(tmp_path: Path) -> None:
    spooled = Spooled(tmp_path)
    data = bytes(range(256)) * 2000
    spooled.add("recording-1.mp4", ArtifactKind.RECORDING, data)
    async with desk(["503", "cut", "460", "lost answer", "", "cut", "503"]) as tus:
        await carry(tus, spooled, 1)
        assert bytes(tus.files["recording-1.mp4"]) == data
        assert tus.received == len(data), "what had arrived was not sent again"


async def test_the_important_comes_first(tmp_path: Path) -> None:
    spooled = Spooled(tmp_path)
    spooled.add("recording-1.mp4", ArtifactKind.RECORDING, b"r" * 100)
    spooled.add("snapshot-1.jpg", ArtifactKind.SNAPSHOT, b"s" * 200)
    spooled.add("session-data-1.json", ArtifactKind.SESSION_DATA, b"d" * 300)
    async with desk([]) as tus:
        await carry(tus, spooled, 3)
        assert tus.order == ["session-data-1.json", "snapshot-1.jpg", "recording-1.mp4"]


async def test_a_grant_for_another_place_than_the_desk_is_not_followed(tmp_path: Path) -> None:
    spooled = Spooled(tmp_path)
    spooled.add("snapshot-1.jpg", ArtifactKind.SNAPSHOT, b"s" * 200)
    async with desk([]) as tus:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await carry(tus, spooled, 1, url=tus.url.replace("127.0.0.1", "localhost"))
        assert tus.files == {}


def test_a_receipted_file_is_let_go_with_its_folder(tmp_path: Path) -> None:
    spooled = Spooled(tmp_path)
    artifact = spooled.add("snapshot-1.jpg", ArtifactKind.SNAPSHOT, b"s")
    spooled.spool.let_go("s-1", artifact)
    assert not (tmp_path / "s-1").exists()
