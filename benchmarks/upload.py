"""A large recording over a link that is cut every 5 s: real courier (a process of its own), real desk (a process of its
own), a TCP proxy between them that limits the rate and breaks every connection at the given times.

Bars: at most 2 % sent twice (all bytes that went up, headers included, over the file's size); the courier's process
grows by at most 20 MB over what it had before the first grant. The rival in the same run: a PUT with aiohttp that
begins anew when it was cut, with a file that the link carries between two cuts, started halfway between two.

SIZE_MB (1024), RATE_MB_S (40) and CUT_S (5) may be set in the environment.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import msgspec
from aiohttp import web
from msgspec.structs import replace

from benchmarks.report import tell
from desk.config import Http
from kiosk.mailbox import Queue
from kiosk.session.record import Artifact, ArtifactKind
from kiosk.session.states import State
from kiosk.upload.courier import Courier
from kiosk.wire.messages import UploadGrant
from tests.contract.bad_link import BadLink
from tests.contract.desk_site import Kiosk, Site, a_session, open_site

SIZE = int(float(os.environ.get("SIZE_MB", "1024")) * (1 << 20))
RATE = float(os.environ.get("RATE_MB_S", "40")) * (1 << 20)
CUT_S = float(os.environ.get("CUT_S", "5"))
LIMIT_S = 170.0
TWICE_PERCENT = 2.0
GROWTH_MB = 20.0
RIVAL_SHARE = 0.6
MP4 = b"\x00\x00\x00\x18ftypiso5"
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Result:
    seconds: float
    twice_percent: float
    cuts: int


class Job(msgspec.Struct):
    """What the courier's process is told."""

    path: str
    artifact: Artifact
    desk_url: str
    grant: UploadGrant


# --- the courier's process --------------------------------------------------------------------------------------------


async def courier(job: Job) -> None:
    """Carries until its input ends; then prints its memory (bytes): at the start, and the most it had."""
    grants: Queue[UploadGrant] = Queue(10)
    running = asyncio.create_task(Courier(lambda *_: (Path(job.path), job.artifact), job.desk_url).run(grants))
    await asyncio.sleep(0.5)
    start = most = resident()
    grants.put(job.grant)
    over = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    while not over.done():
        most = max(most, resident())
        await asyncio.sleep(0.05)
    running.cancel()
    print(json.dumps([start, most]))


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


@contextlib.asynccontextmanager
async def courier_process(job: Job) -> AsyncIterator[list[int]]:
    """The list has [start, most] after the end."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.upload", "courier", stdin=pipe, stdout=pipe
    )
    assert process.stdin
    process.stdin.write(msgspec.json.encode(job) + b"\n")
    await process.stdin.drain()
    memory: list[int] = []
    try:
        yield memory
    finally:
        process.stdin.close()
        out, _ = await process.communicate()
        memory += json.loads(out)


# --- the desk's process -----------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def desk_process(site: Site) -> AsyncIterator[None]:
    config = site.folder / "desk.toml"
    here, http, broker = site.config, site.config.http, site.config.broker
    config.write_text(
        f'data = "{here.data}"\n[http]\nport = {http.port}\npublic_url = "{http.public_url}"\n'
        f'[broker]\nport = {broker.port}\npassword_file = "{broker.password_file}"\n'
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "desk", "run", "--config", str(config), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout
    try:
        async with asyncio.timeout(30):
            while b"ready" not in (line := await process.stdout.readline()):
                if not line:
                    raise RuntimeError("the desk did not start")
        yield
    finally:
        process.terminate()
        await process.wait()


# --- the runs ---------------------------------------------------------------------------------------------------------


def film(path: Path, size: int) -> Artifact:
    """A file of that size that begins as an MP4 does."""
    digest = hashlib.sha256()
    with path.open("wb") as file:
        left, piece = size, MP4
        while left:
            piece = piece[:left]
            file.write(piece)
            digest.update(piece)
            left -= len(piece)
            piece = os.urandom(1 << 20)
    return Artifact("a-1", ArtifactKind.RECORDING, path.name, "video/mp4", size, digest.hexdigest())


async def ours(folder: Path) -> tuple[Result, float, float]:
    """(result, memory at the start, growth), both in MB."""
    artifact = await asyncio.to_thread(film, folder / "recording-1.mp4", SIZE)
    async with open_site(folder / "site") as site, BadLink(site.config.http.port, RATE).open() as link:
        site.config = replace(site.config, http=Http(port=site.config.http.port, public_url=link.url))
        async with desk_process(site), site.kiosk() as kiosk:
            session = await kiosk.told(a_session(state=State.CLOSED, artifacts=(artifact,)))
            await until(kiosk, lambda k: bool(k.grants), 10)
            job = Job(str(folder / "recording-1.mp4"), artifact, link.url, kiosk.grants[0])
            began_s = time.monotonic()
            async with courier_process(job) as memory:
                cutting = asyncio.create_task(link.cut_each(CUT_S))
                await until(kiosk, lambda k: bool(k.stored), LIMIT_S)
                seconds = time.monotonic() - began_s
                cutting.cancel()
            kept = site.folder / "data" / "files" / session.id / artifact.sha256
            assert kept.stat().st_size == SIZE
        result = Result(seconds, 100 * (link.sent / SIZE - 1), link.cuts)
    return result, memory[0] / 1e6, (memory[1] - memory[0]) / 1e6


async def until(kiosk: Kiosk, true: object, limit_s: float) -> None:
    assert callable(true)
    async with asyncio.timeout(limit_s):
        while not true(kiosk):
            await asyncio.sleep(0.02)


async def rival(folder: Path) -> Result:
    """A PUT that begins anew: its file takes 60 % of the time between two cuts, and it starts halfway between two."""
    size = int(RATE * CUT_S * RIVAL_SHARE)
    path = folder / "rival.mp4"
    await asyncio.to_thread(film, path, size)

    async def put(request: web.Request) -> web.Response:
        got = 0
        with contextlib.suppress(OSError):  # cut
            async for chunk in request.content.iter_any():
                got += len(chunk)
        return web.Response(status=201 if got == size else 400)

    app = web.Application()
    app.router.add_put("/", put)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with BadLink(runner.addresses[0][1], RATE).open() as link:
            cutting = asyncio.create_task(link.cut_each(CUT_S))
            await asyncio.sleep(CUT_S / 2)
            began_s = time.monotonic()
            async with asyncio.timeout(60), aiohttp.ClientSession() as http:
                while not await whole(http, link.url, path):
                    pass
            cutting.cancel()
            return Result(time.monotonic() - began_s, 100 * (link.sent / size - 1), link.cuts)
    finally:
        await runner.cleanup()


async def whole(http: aiohttp.ClientSession, url: str, path: Path) -> bool:
    try:
        with path.open("rb") as file:
            async with http.put(url, data=file) as answer:
                return answer.status == 201
    except (aiohttp.ClientError, OSError):
        return False


async def measure() -> int:
    with tempfile.TemporaryDirectory(prefix="kiosk-bench-") as name:
        folder = Path(name)
        result, start_mb, growth_mb = await ours(folder)
        other = await rival(folder)
    size_mb, passed = SIZE / (1 << 20), result.twice_percent <= TWICE_PERCENT and growth_mb <= GROWTH_MB
    rows = [
        (
            "sent twice",
            f"{result.twice_percent:.2f} %",
            f"{size_mb:.0f} MiB, {result.cuts} cuts; bar {TWICE_PERCENT} %",
        ),
        (
            "  rival: PUT that begins anew",
            f"{other.twice_percent:.0f} %",
            f"{other.cuts} cuts, a file of {CUT_S * RIVAL_SHARE:g} s",
        ),
        ("courier's memory", f"+ {growth_mb:.1f} MB", f"over {start_mb:.0f} MB at the start; bar {GROWTH_MB:.0f} MB"),
        ("time until the receipt", f"{result.seconds:.0f} s", f"the link alone: {SIZE / RATE:.0f} s"),
    ]
    figures: dict[str, object] = {
        "benchmark": "upload",
        "size_mib": size_mb,
        "cuts": result.cuts,
        "sent_twice_percent": round(result.twice_percent, 3),
        "rival_sent_twice_percent": round(other.twice_percent, 1),
        "memory_start_mb": round(start_mb, 1),
        "memory_growth_mb": round(growth_mb, 1),
        "seconds": round(result.seconds, 1),
        "link_alone_s": round(SIZE / RATE, 1),
        "passed": passed,
    }
    tell(f"Upload over a link of {RATE / (1 << 20):.0f} MiB/s that is cut every {CUT_S:g} s", rows, figures)
    return 0 if passed else 1


if __name__ == "__main__":
    if sys.argv[1:] == ["courier"]:
        asyncio.run(courier(msgspec.json.decode(sys.stdin.readline(), type=Job)))
    else:
        sys.exit(asyncio.run(measure()))
