"""The courier against a desk that fails in many ways: everything arrives whole, nothing is sent twice over."""

from __future__ import annotations

import asyncio
import base64
import errno
import hashlib
import logging
import os
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from kiosk.mailbox import Queue
from kiosk.session.record import Artifact, ArtifactKind
from kiosk.upload import courier as couriers
from kiosk.upload import tus as tus_client
from kiosk.upload.courier import Courier
from kiosk.upload.pace import Pace
from kiosk.upload.spool import Spool
from kiosk.wire.messages import UploadGrant


class TusDesk:
    """The few rules of tus 1.0, and a list of ways to fail, taken one at each PATCH.

    `always`: by the file's name, how it fails whatever comes. `spent`: grants that are good for nothing any more.
    """

    def __init__(self, failures: list[str]) -> None:
        self.failures = failures
        self.always: dict[str, str] = {}
        self.spent: set[str] = set()
        self.files: dict[str, bytearray] = {}
        self.order: list[str] = []
        self.received = 0
        self.tries: dict[str, int] = defaultdict(int)
        self.under_way: set[str] = set()
        self.most_under_way = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.url = ""

    async def create(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        self.tries[name] += 1
        if name in self.spent:
            return web.Response(status=401)
        if self.always.get(name) == "nonsense":
            return web.Response(status=201, headers={"Location": "http://192.0.2.1/elsewhere"})
        if name not in self.files:
            self.files[name] = bytearray()
            self.order.append(name)
        return web.Response(status=201, headers={"Location": f"{self.url}/files/{name}"})

    async def head(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if self.failures[:1] == ["forgotten"]:
            del self.failures[0], self.files[name]
            return web.Response(status=404)
        if self.failures[:1] == ["odd offset"]:
            del self.failures[0]
            return web.Response(headers={"Upload-Offset": "99999999"})
        return web.Response(headers={"Upload-Offset": str(len(self.files[name]))})

    async def patch(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        data = self.files[name]
        failure = self.always.get(name) or (self.failures.pop(0) if self.failures else "")
        if failure.isdecimal() and failure != "460":
            return web.Response(status=int(failure))
        if int(request.headers["Upload-Offset"]) != len(data):
            return web.Response(status=409)
        if failure == "cut":
            return _abort(request)
        if failure == "hang":
            await asyncio.sleep(60)
        self.under_way.add(name)
        self.most_under_way = max(self.most_under_way, len(self.under_way))
        try:
            await self.gate.wait()
            return await self._append(request, data, failure)
        finally:
            self.under_way.discard(name)

    async def _append(self, request: web.Request, data: bytearray, failure: str) -> web.Response:
        body = await request.read()
        algorithm, digest = request.headers["Upload-Checksum"].split()
        assert algorithm == "sha256"
        if failure == "460" or base64.b64decode(digest) != hashlib.sha256(body).digest():
            return web.Response(status=460)
        if failure == "damaged":
            data.clear()
            return web.Response(status=460, headers={"Upload-Offset": "0"})
        data += body
        self.received += len(body)
        if failure == "lost answer":
            return _abort(request)
        return web.Response(status=204, headers={"Upload-Offset": str(len(data))})


def _abort(request: web.Request) -> web.Response:
    assert request.transport
    request.transport.abort()
    return web.Response()


@asynccontextmanager
async def desk(failures: list[str]) -> AsyncIterator[TusDesk]:
    tus = TusDesk(failures)
    app = web.Application(client_max_size=10**8)
    app.add_routes([web.post("/uploads/{name}", tus.create), web.patch("/files/{name}", tus.patch)])
    app.router.add_head("/files/{name}", tus.head)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
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
        self.lost: list[tuple[str, str, str]] = []

    async def tell_lost(self, session: str, artifact: Artifact, reason: str) -> None:
        self.lost.append((session, artifact.id, reason))

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
    monkeypatch.setattr(couriers, "LOOK_S", 0.002)
    monkeypatch.setattr(couriers, "CHUNK", (50_000, 50_000))


class Carrying:
    """A courier at work."""

    def __init__(self, tus: TusDesk, spooled: Spooled, **more: Any) -> None:
        self._tus = tus
        self._spooled = spooled
        self._grants: Queue[UploadGrant] = Queue(100)
        self._courier = Courier(spooled.find, tus.url, tell_lost=spooled.tell_lost, **more)

    def grant(self, *, url: str = "", suffix: str = "") -> None:
        """For everything that waits, as after each time that the kiosk tells the session."""
        for artifact in self._spooled.artifacts.values():
            address = f"{url or self._tus.url}/uploads/{artifact.name}{suffix}"
            self._grants.put(UploadGrant(session="s-1", artifact=artifact.id, sha256=artifact.sha256, url=address))

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self._courier.run(self._grants))
            yield
            task.cancel()


async def until(true: Callable[[], Any]) -> None:
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.002)


async def carry(tus: TusDesk, spooled: Spooled, count: int, url: str = "", **more: Any) -> None:
    carrying = Carrying(tus, spooled, **more)
    carrying.grant(url=url)
    total = sum(a.bytes for a in spooled.artifacts.values())
    async with carrying.run():
        await until(lambda: sum(map(len, tus.files.values())) >= total and len(tus.files) >= count)


DATA = bytes(range(256)) * 2000


@pytest.mark.parametrize(
    "failures",
    [
        ["503", "cut", "460", "lost answer", "", "cut", "503"],
        ["500", "502", "504", "507", "507", "", "507"],
        ["409", "423", "429", "408"],
        ["", "lost answer", "", "lost answer", "lost answer"],
        ["odd offset", "", "odd offset", "cut", "odd offset"],
    ],
)
async def test_a_file_arrives_whole_whatever_happens_on_the_way(tmp_path: Path, failures: list[str]) -> None:
    spooled = Spooled(tmp_path)
    spooled.add("recording-1.mp4", ArtifactKind.RECORDING, DATA)
    async with desk(failures) as tus:
        await carry(tus, spooled, 1)
        assert bytes(tus.files["recording-1.mp4"]) == DATA
        assert tus.received == len(DATA), "what had arrived was not sent again"


async def test_a_desk_that_hangs_is_left_and_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tus_client, "STALL_S", 0.1)
    spooled = Spooled(tmp_path)
    spooled.add("recording-1.mp4", ArtifactKind.RECORDING, DATA)
    async with desk(["", "hang", "", "hang"]) as tus:
        await carry(tus, spooled, 1)
        assert (bytes(tus.files["recording-1.mp4"]), tus.received) == (DATA, len(DATA))


async def test_what_the_desk_found_damaged_is_sent_again_from_the_start(tmp_path: Path) -> None:
    spooled = Spooled(tmp_path)
    spooled.add("recording-1.mp4", ArtifactKind.RECORDING, DATA)
    async with desk(["", "damaged"]) as tus:
        await carry(tus, spooled, 1)
        assert bytes(tus.files["recording-1.mp4"]) == DATA


@pytest.mark.parametrize("failure", ["503", "460", "507", "cut", "nonsense", "damaged"])
async def test_one_bad_file_does_not_hold_up_the_others(tmp_path: Path, failure: str) -> None:
    spooled = Spooled(tmp_path)
    spooled.add("session-data-1.json", ArtifactKind.SESSION_DATA, b"d" * 300)
    for number in range(8):
        spooled.add(f"snapshot-{number}.jpg", ArtifactKind.SNAPSHOT, bytes([number]) * 100_000)
    async with desk([]) as tus:
        tus.always["session-data-1.json"] = failure
        carrying = Carrying(tus, spooled)
        carrying.grant()
        async with carrying.run():
            await until(lambda: sum(len(d) for n, d in tus.files.items() if "snapshot" in n) == 800_000)


async def test_the_important_comes_first(tmp_path: Path) -> None:
    spooled = Spooled(tmp_path)
    spooled.add("recording-1.mp4", ArtifactKind.RECORDING, b"r" * 100)
    spooled.add("snapshot-1.jpg", ArtifactKind.SNAPSHOT, b"s" * 200)
    spooled.add("session-data-1.json", ArtifactKind.SESSION_DATA, b"d" * 300)
    async with desk([]) as tus:
        await carry(tus, spooled, 3, busy=lambda: True, call_bps=10**9)
        assert tus.order == ["session-data-1.json", "snapshot-1.jpg", "recording-1.mp4"]


async def test_several_go_at_once_and_one_at_a_time_while_a_call_runs(tmp_path: Path) -> None:
    spooled = Spooled(tmp_path)
    for number in range(5):
        spooled.add(f"snapshot-{number}.jpg", ArtifactKind.SNAPSHOT, bytes([number]) * 100_000)
    call = False
    async with desk([]) as tus:
        tus.gate.clear()
        carrying = Carrying(tus, spooled, busy=lambda: call, call_bps=10**9)
        carrying.grant()
        async with carrying.run():
            await until(lambda: len(tus.under_way) == couriers.PARALLEL)
            call, first = True, min(tus.under_way)
            tus.gate.set()  # what was under way is sent; the next pieces are those of one file only
            await until(lambda: len(tus.files[first]) == 100_000)
            tus.most_under_way = 0
            await until(lambda: sum(map(len, tus.files.values())) == 500_000)
        assert tus.most_under_way == 1


async def test_a_call_keeps_most_of_the_line(tmp_path: Path) -> None:
    clock, waits = 100.0, list[float]()

    async def sleep(seconds: float) -> None:
        nonlocal clock
        waits.append(seconds)
        clock += seconds

    pace = Pace(8_000, now=lambda: clock, sleep=sleep)
    for _ in range(10):
        await pace.take(500)
    assert clock == pytest.approx(104.5), "1000 bytes a second, and the first may go at once"
    clock += 60
    await pace.take(500)
    assert waits[-1] == 0, "nothing is owed after a pause"
    await pace.take(500)
    assert waits[-1] == pytest.approx(0.5), "and nothing was saved up"


@pytest.mark.parametrize("way", ["spent", "forgotten"])
async def test_a_grant_that_is_over_is_forgotten_and_the_next_one_used(tmp_path: Path, way: str) -> None:
    spooled = Spooled(tmp_path)
    spooled.add("recording-1.mp4", ArtifactKind.RECORDING, DATA)
    async with desk(["forgotten"] if way == "forgotten" else []) as tus:
        if way == "spent":
            tus.spent.add("recording-1.mp4")
        carrying = Carrying(tus, spooled)
        carrying.grant()
        async with carrying.run():
            await until(lambda: tus.tries["recording-1.mp4"] == 1)
            await asyncio.sleep(0.05)
            assert tus.tries["recording-1.mp4"] == 1, "an address that is good for nothing is not asked again"
            carrying.grant(suffix="-2")
            await until(lambda: bytes(tus.files.get("recording-1.mp4-2", b"")) == DATA)


async def test_a_kiosk_that_was_switched_off_goes_on_where_it_was(tmp_path: Path) -> None:
    spooled = Spooled(tmp_path)
    spooled.add("recording-1.mp4", ArtifactKind.RECORDING, DATA)
    async with desk([]) as tus:
        tus.failures = ["", "", "", "hang"]
        first = Carrying(tus, spooled)
        first.grant()
        async with first.run():
            await until(lambda: tus.received == 150_000 and not tus.failures)  # the fourth piece is on its way
        await carry(tus, spooled, 1)
        assert (bytes(tus.files["recording-1.mp4"]), tus.received) == (DATA, len(DATA))


@pytest.mark.parametrize("damage", ["missing", "shorter", "longer", "changed"])
async def test_a_file_damaged_on_disk_is_said_to_be_lost_and_left_alone(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    spooled = Spooled(tmp_path)
    artifact = spooled.add("recording-1.mp4", ArtifactKind.RECORDING, DATA)
    path = spooled.spool.path("s-1", artifact)
    spooled.add("recording-2.mp4", ArtifactKind.RECORDING, DATA + b"2")
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes({"shorter": DATA[:-1], "longer": DATA + b"!", "changed": b"!" + DATA[1:]}[damage])
    async with desk([]) as tus:
        tus.always["recording-1.mp4"] = "damaged"  # what a desk says that looks at the whole
        carrying = Carrying(tus, spooled)
        async with carrying.run():
            for _ in range(3):
                carrying.grant()
                await until(lambda: bytes(tus.files.get("recording-2.mp4", b"")) == DATA + b"2")
                await until(lambda: "is lost" in caplog.text)
    lost = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert len(lost) == 1
    assert spooled.lost == [("s-1", artifact.id, "missing" if damage == "missing" else "damaged")]
    assert "recording-1.mp4 of session s-1 is lost" in lost[0].message
    assert tus.tries["recording-1.mp4"] <= 1


async def test_a_file_that_the_disk_does_not_give_back_is_tried_again_before_it_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spooled = Spooled(tmp_path)
    artifact = spooled.add("recording-1.mp4", ArtifactKind.RECORDING, DATA)
    path, tries = spooled.spool.path("s-1", artifact), 0
    look = Path.stat

    def stat(self: Path, **more: Any) -> os.stat_result:
        nonlocal tries
        if self == path:
            tries += 1
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return look(self, **more)

    async with desk([]) as tus:
        carrying = Carrying(tus, spooled)
        with monkeypatch.context() as broken:
            broken.setattr(Path, "stat", stat)
            async with carrying.run():
                carrying.grant()
                await until(lambda: spooled.lost)
    assert tries == couriers.TRIES_READ
    assert spooled.lost == [("s-1", artifact.id, "unreadable")]


async def test_a_file_that_is_receipted_while_it_goes_is_no_longer_sent(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spooled = Spooled(tmp_path)
    artifact = spooled.add("recording-1.mp4", ArtifactKind.RECORDING, DATA)
    async with desk([]) as tus:
        tus.gate.clear()
        carrying = Carrying(tus, spooled)
        carrying.grant()
        async with carrying.run():
            await until(lambda: tus.under_way)
            spooled.artifacts.clear()
            spooled.spool.let_go("s-1", artifact)
            tus.gate.set()
            await until(lambda: tus.received == 50_000)
            await asyncio.sleep(0.05)
        assert tus.received == 50_000
    assert "lost" not in caplog.text


async def test_a_grant_for_another_place_than_the_desk_is_not_followed(tmp_path: Path) -> None:
    spooled = Spooled(tmp_path)
    spooled.add("snapshot-1.jpg", ArtifactKind.SNAPSHOT, b"s" * 200)
    async with desk([]) as tus:
        carrying = Carrying(tus, spooled)
        carrying.grant(url=tus.url.replace("127.0.0.1", "localhost"))
        async with carrying.run():
            await asyncio.sleep(0.2)
        assert tus.files == {}


def test_pieces_fit_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(couriers, "CHUNK", (65_536, 1_048_576))
    size = couriers.CHUNK[0]
    for _ in range(20):
        size = couriers._next_size(size, 40e6)
    assert size == 1_048_576, "a fast line gets large ones"
    for _ in range(20):
        size = couriers._next_size(size, 1e6)
    assert size == 150_000, "a slow one such that a cut loses little"
    assert couriers._next_size(size, 10.0) == 75_000, "one odd answer changes little"


def test_a_receipted_file_is_let_go_with_its_folder(tmp_path: Path) -> None:
    spooled = Spooled(tmp_path)
    artifact = spooled.add("snapshot-1.jpg", ArtifactKind.SNAPSHOT, b"s")
    spooled.spool.let_go("s-1", artifact)
    assert not (tmp_path / "s-1").exists()
