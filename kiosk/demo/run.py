"""`kiosk demo`: starts the three programs, serves the one page, ends everything together."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from aiohttp import web

from kiosk.demo import broker
from kiosk.demo.browser import open_page
from kiosk.demo.site import KIOSK, Choices, Site, lay_out
from kiosk.errors import Trouble, Unreachable

log = logging.getLogger(__name__)

PAGE = Path(__file__).parent / "page"
READY_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 5.0
CSP = "default-src 'self'; img-src 'self' data:; frame-src http://127.0.0.1:*; frame-ancestors 'none'"


class Died(Trouble):
    """One of the programs ended by itself."""

    code = "died"


@asynccontextmanager
async def running(
    folder: Path, choices: Choices, prepare: Callable[[Site], None] = lambda site: None
) -> AsyncIterator[Running]:
    """Broker, desk and kiosk, each its own process, ready to be used; all ended on leaving.

    prepare: may change the settings files before anything is started.

    Raises:
        ConfigError: no Mosquitto.
        Unreachable: not ready in time.
        Died: one of them ended.
    """
    site = lay_out(folder, choices)
    prepare(site)
    configuration = broker.write_configuration(folder / "broker", site.broker, [KIOSK])
    system = Running(site)
    try:
        await system.start("broker", broker.find_mosquitto(), "-c", str(configuration))
        await system.start("desk", sys.executable, "-m", "desk", "run", "--config", str(site.desk_toml))
        await system.start("kiosk", sys.executable, "-m", "kiosk", "run", "--config", str(site.kiosk_toml))
        await system.ready()
        yield system
    finally:
        await system.stop()


class Running:
    """The programs that were started, by name; a test may kill one and start it again."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._commands: dict[str, tuple[str, ...]] = {}
        self._processes: dict[str, asyncio.subprocess.Process] = {}

    async def start(self, name: str, *command: str) -> None:
        self._commands[name] = command or self._commands[name]
        self._processes[name] = await asyncio.create_subprocess_exec(
            *self._commands[name], env={**os.environ, "PYTHONUNBUFFERED": "1"}, start_new_session=True
        )

    async def kill(self, name: str) -> None:
        process = self._processes.pop(name)
        process.kill()
        await process.wait()

    async def end(self, name: str) -> None:
        """As systemd does it; returns when it has ended."""
        process = self._processes.pop(name)
        process.terminate()
        await process.wait()

    def pid(self, name: str) -> int:
        return self._processes[name].pid

    async def ready(self) -> None:
        """Waits until the desk answers and the kiosk stands before it."""
        try:
            async with asyncio.timeout(READY_TIMEOUT_S), aiohttp.ClientSession() as http:
                await self._answers(http, self.site.desk_url + "/healthz")
                await self._answers(http, self.site.panel_url + "/state.json")
        except TimeoutError:
            raise Unreachable("the demo is not ready in time") from None

    async def died(self) -> None:
        """Returns never; raises Died as soon as one of the programs has ended."""
        while True:
            self._check()
            await asyncio.sleep(0.2)

    async def sign_in_link(self, person: str) -> str:
        """A link that signs `person` in, once."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "desk", "sign-in-link", person, "--config", str(self.site.desk_toml)),
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate()
        if process.returncode:
            raise Died(f"no sign-in link for {person}")
        return out.decode().strip().splitlines()[-1]

    async def stop(self) -> None:
        for name in ("kiosk", "desk", "broker"):
            process = self._processes.get(name)
            if process is None or process.returncode is not None:
                continue
            process.terminate()
            try:
                async with asyncio.timeout(STOP_TIMEOUT_S):
                    await process.wait()
            except TimeoutError:
                log.warning("%s does not stop and is killed", name)
                process.kill()
                await process.wait()

    async def _answers(self, http: aiohttp.ClientSession, url: str) -> None:
        while True:
            self._check()
            try:
                async with http.get(url) as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.05)

    def _check(self) -> None:
        for name, process in self._processes.items():
            if process.returncode is not None:
                raise Died(f"{name} has ended with {process.returncode}")


@asynccontextmanager
async def page(system: Running, port: int = 0) -> AsyncIterator[str]:
    """The newcomer's page, kiosk and desk side by side; yields its address."""

    async def show(_request: web.Request) -> web.StreamResponse:
        text = (PAGE / "demo.html").read_text().replace("{{panel}}", system.site.panel_url + "/")
        text = text.replace("{{desk}}", system.site.desk_url)
        return web.Response(text=text, content_type="text/html", headers={"Content-Security-Policy": CSP})

    async def desk(_request: web.Request) -> web.StreamResponse:
        raise web.HTTPFound(await system.sign_in_link("anna"))

    app = web.Application()
    app.add_routes([web.get("/", show), web.get("/desk", desk), web.static("/page", PAGE)])
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, "127.0.0.1", port).start()
        except OSError:  # taken: any other serves as well
            await web.TCPSite(runner, "127.0.0.1", 0).start()
        address = runner.addresses[0]
        yield f"http://127.0.0.1:{address[1]}/"
    finally:
        await runner.cleanup()


async def demo(folder: Path, choices: Choices, port: int, open_browser: bool) -> None:
    """Runs until interrupted; on another port than asked for where that one is taken. Raises what `running` raises."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with running(folder, choices) as system, page(system, port) as address:
        print(f"\n  The demo is ready:  {address}\n  (Ctrl-C ends it)\n", flush=True)
        if open_browser:
            await open_page(address, folder / "browser")
        watch = asyncio.create_task(system.died(), name="demo watch")
        wait = asyncio.create_task(stop.wait(), name="demo stop")
        done, rest = await asyncio.wait({watch, wait}, return_when=asyncio.FIRST_COMPLETED)
        for task in rest:
            task.cancel()
        for task in done:
            task.result()
