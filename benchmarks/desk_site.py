"""What the desk's benchmark runs on: a PostgreSQL that keeps what it has committed, Mosquitto, desks as processes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from desk.config import load, signing_secret
from desk.people.links import sign_in_link
from desk.seals import Seals
from kiosk.demo import broker
from kiosk.demo.site import free_ports
from kiosk.link.client import Client, Settings
from kiosk.wire import topics

LOADER = "loader"
"""Speaks for all kiosks of a fleet."""

SETTINGS = """\
data = "{folder}/desk"
secret_file = "{folder}/secret"
database = "{database}"

[http]
port = {port}

[broker]
port = {broker}
user = "desk"
password_file = "{folder}/broker/desk.password"

[[people]]
id = "clara"
name = "Clara Wolf"
role = "moderator"

[[people]]
id = "anna"
name = "Anna Berg"
"""


@dataclass
class BenchSite:
    folder: Path
    database: str
    process: asyncio.subprocess.Process | None = None

    def __post_init__(self) -> None:
        self.broker_port, self.port = free_ports(2)
        self.url = f"http://127.0.0.1:{self.port}"
        self.configuration = broker.write_configuration(self.folder / "broker", self.broker_port, [LOADER])
        with (self.folder / "broker" / "acl").open("a") as rules:
            rules.write(f"\nuser {LOADER}\ntopic write kiosk/1/#\n")
        self.settings = self.folder / "desk.toml"
        self.settings.write_text(
            SETTINGS.format(folder=self.folder, database=self.database, port=self.port, broker=self.broker_port)
        )

    def loader(self) -> Client:
        password = (self.folder / "broker" / f"{LOADER}.password").read_text()
        filters = (topics.kiosk_filter(LOADER),)
        return Client(Settings("127.0.0.1", self.broker_port, LOADER, filters, username=LOADER, password=password))

    async def start(self) -> None:
        log = (self.folder / "desk.log").open("w")
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "desk", "run", "--config", str(self.settings), stdout=log, stderr=log
        )
        async with asyncio.timeout(120), httpx.AsyncClient() as http:
            while not await self._answers(http):
                assert self.process.returncode is None, (self.folder / "desk.log").read_text()[-2000:]
                await asyncio.sleep(0.05)

    async def _answers(self, http: httpx.AsyncClient) -> bool:
        try:
            return bool((await http.get(self.url + "/healthz")).json()["broker"])
        except httpx.TransportError:
            return False

    async def stop(self) -> None:
        if self.process and self.process.returncode is None:
            self.process.terminate()
            await self.process.wait()

    def link(self, person: str) -> str:
        config = load(self.settings)
        return sign_in_link(config, Seals(signing_secret(config.secret_path)), person, 30)

    @contextlib.asynccontextmanager
    async def person(self, person: str) -> AsyncIterator[httpx.AsyncClient]:
        async with httpx.AsyncClient(
            base_url=self.url, headers={"Origin": self.url, "X-Desk": "1"}, timeout=60
        ) as http:
            entered = await http.get(self.link(person))
            assert entered.status_code == 303, entered.text
            yield http

    def memory_mb(self) -> float:
        """Resident, of the desk's process."""
        assert self.process
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024

    def cpu_s(self) -> float:
        assert self.process
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.asynccontextmanager
async def bench_site(folder: Path, database: str) -> AsyncIterator[BenchSite]:
    """Mosquitto runs; the desk is started by whoever wants it."""
    site = BenchSite(folder, database)
    mosquitto = await asyncio.create_subprocess_exec(
        broker.find_mosquitto(), "-c", str(site.configuration), stderr=asyncio.subprocess.DEVNULL
    )
    try:
        end = time.monotonic() + 10
        while time.monotonic() < end:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", site.broker_port)
                writer.close()
                break
            await asyncio.sleep(0.05)
        yield site
    finally:
        await site.stop()
        mosquitto.terminate()
        await mosquitto.wait()
