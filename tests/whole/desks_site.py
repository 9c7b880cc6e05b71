"""Two real desks on one PostgreSQL and one Mosquitto, behind the HAProxy of docs/several-desks.md: round robin, and
nothing that binds a browser to one of them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
from msgspec.structs import replace

from desk.config import Config, Http, Member, Rank
from kiosk.demo import broker
from kiosk.demo.site import free_ports
from tests.contract.desk_site import KIOSK, Site

NAMES = ("desk-1", "desk-2")
DOCUMENT = Path(__file__).parents[2] / "docs" / "several-desks.md"
SEARCHED = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin"

SETTINGS = """\
data = "{folder}/{name}"
secret_file = "{folder}/secret"
database = "{database}"

[http]
port = {port}
public_url = "{url}"

[broker]
port = {broker}
user = "{name}"
password_file = "{folder}/broker/{name}.password"

[files]
url = "file://{folder}/files"
partial_folder = "{folder}/partial"
{people}"""


class Desks:
    """`site` is what one desk is in the contract tests: its address is the balancer's."""

    def __init__(self, folder: Path, database: str) -> None:
        self.folder, self.database = folder, database
        self.balancer, *ports = free_ports(3)
        self.ports = dict(zip(NAMES, ports, strict=True))
        self.site = Site(folder)
        broker.write_configuration(folder / "broker", self.site.port, [KIOSK, "kiosk-2"], NAMES)
        self.url = f"http://127.0.0.1:{self.balancer}"
        people = (*self.site.config.people, Member(id="root", name="Rita Root", role=Rank.ADMINISTRATOR))
        self.site.config = replace(
            self.site.config,
            http=Http(port=self.balancer, public_url=self.url),
            secret_file=str(folder / "secret"),
            people=people,
        )
        self.site.url = self.url
        self._processes: dict[str, asyncio.subprocess.Process] = {}

    def url_of(self, name: str) -> str:
        """Past the balancer."""
        return f"http://127.0.0.1:{self.ports[name]}"

    async def start(self, name: str) -> None:
        path = self.folder / f"{name}.toml"
        path.write_text(self._settings(name, self.site.config))
        self._processes[name] = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "desk", "run", "--config", str(path)
        )
        async with asyncio.timeout(50), httpx.AsyncClient() as http:
            while not await _answers(http, self.url_of(name)):
                assert self._processes[name].returncode is None, f"{name} ended by itself"
                await asyncio.sleep(0.05)

    def _settings(self, name: str, config: Config) -> str:
        people = "".join(
            f'\n[[people]]\nid = "{p.id}"\nname = "{p.name}"\nrole = "{p.role}"\n'
            + (f'language = "{p.language}"\n' if p.language else "")
            for p in config.people
        )
        return SETTINGS.format(
            folder=self.folder,
            name=name,
            database=self.database,
            port=self.ports[name],
            url=self.url,
            broker=self.site.port,
            people=people,
        )

    async def kill(self, name: str) -> None:
        """In the middle of whatever it does."""
        process = self._processes.pop(name)
        process.kill()
        await process.wait()

    async def stop(self) -> None:
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), 10)
            if process.returncode is None:
                process.kill()

    # --- the balancer -------------------------------------------------------------------------------------------------

    async def only(self, *names: str) -> None:
        """New requests go to these alone."""
        for name in NAMES:
            await self._say(f"{'enable' if name in names else 'disable'} server desks/{name}")
        async with asyncio.timeout(20):
            while await self._up() != set(names):
                await asyncio.sleep(0.05)

    async def _up(self) -> set[str]:
        rows = [line.split(",") for line in (await self._say("show stat")).splitlines()]
        return {row[1] for row in rows if row[0] == "desks" and row[1] in NAMES and row[17].startswith("UP")}

    async def _say(self, words: str) -> str:
        reader, writer = await asyncio.open_unix_connection(self.folder / "haproxy.sock")
        writer.write(words.encode() + b"\n")
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer.decode()

    def balancer_configuration(self) -> Path:
        """The documented one, with our addresses, and the name of the desk in each answer."""
        found = re.search(r"```\n(global\n.*?)```", DOCUMENT.read_text(), re.S)
        assert found
        text = found[1].replace("global\n", f"global\n    stats socket {self.folder}/haproxy.sock level admin\n")
        text, bound = re.subn(r"bind .*", f"bind 127.0.0.1:{self.balancer}", text)
        text, servers = re.subn(r"server (desk-\d) \S+", lambda m: f"server {m[1]} 127.0.0.1:{self.ports[m[1]]}", text)
        assert (bound, servers) == (1, len(NAMES))
        path = self.folder / "haproxy.cfg"
        path.write_text(text + "    http-response set-header X-Served-By %s\n")
        return path


async def _answers(http: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await http.get(url + "/healthz")).status_code == 200
    except httpx.TransportError:
        return False


@contextlib.asynccontextmanager
async def several_desks(folder: Path, database: str) -> AsyncIterator[Desks]:
    """All of it, running; Mosquitto and HAProxy are real ones."""
    desks = Desks(folder, database)
    programs = [
        await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.DEVNULL)
        for command in (
            (broker.find_mosquitto(), "-c", desks.site.mosquitto_configuration),
            (_haproxy(), "-db", "-q", "-f", str(desks.balancer_configuration())),
        )
    ]
    try:
        await asyncio.gather(*(desks.start(name) for name in NAMES))
        await desks.only(*NAMES)
        yield desks
    finally:
        await desks.stop()
        for program in programs:
            program.kill()
            await program.wait()


def _haproxy() -> str:
    found = shutil.which("haproxy", path=SEARCHED)
    assert found, "haproxy is missing: apt-get install haproxy"
    return found
