"""Three networks on one machine: the site (broker and desk), staff (a Chromium) and the kiosk, joined by one switch.

Each is a network namespace; a cable can be pulled without anybody being told (`cut`), and a network can give out
another address (`move`). Needs root.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import socket
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import aiohttp
from playwright.async_api import Page, async_playwright

from kiosk.demo import broker
from kiosk.demo.run import Running
from kiosk.demo.site import KIOSK, Choices, Site, lay_out
from tests.whole.in_call import InCall, until
from tests.whole.rig import ARGUMENTS, CHROMIUM

Place = Literal["site", "staff", "kiosk"]
ADDRESSES: dict[Place, str] = {"site": "10.77.0.1", "staff": "10.77.0.2", "kiosk": "10.77.0.3"}
NEW_NETWORK = 0x40000000  # CLONE_NEWNET of setns(2)


class Town:
    """The networks. Each has one address besides its loopback."""

    def __init__(self) -> None:
        self._addresses = dict(ADDRESSES)

    def name(self, place: Place) -> str:
        return f"town{os.getpid()}-{place}"

    def path(self, place: Place) -> str:
        return f"/run/netns/{self.name(place)}"

    def into(self, place: Place) -> tuple[str, ...]:
        """What comes before a command that is to run there."""
        return ("nsenter", f"--net={self.path(place)}")

    async def build(self) -> None:
        for place in ADDRESSES:
            await ip("netns", "add", self.name(place))
            await self._at(place, "link", "set", "lo", "up")
        await self._at("site", "link", "add", "switch", "type", "bridge")
        await self._at("site", "addr", "add", f"{ADDRESSES['site']}/24", "dev", "switch")
        await self._at("site", "link", "set", "switch", "up")
        for place in ("staff", "kiosk"):
            cable = ("type", "veth", "peer", "name", "eth0", "netns", self.name(place))
            await self._at("site", "link", "add", f"to-{place}", *cable)
            await self._at("site", "link", "set", f"to-{place}", "up", "master", "switch")
            await self._at(place, "addr", "add", f"{ADDRESSES[place]}/24", "dev", "eth0")
            await self._at(place, "link", "set", "eth0", "up")

    async def tear_down(self) -> None:
        for place in ADDRESSES:
            if Path(self.path(place)).exists():
                await ip("netns", "del", self.name(place))

    async def cut(self, place: Place) -> None:
        """Nothing gets through any more; the link stays up, and nobody is told."""
        await self._at("site", "link", "set", f"to-{place}", "nomaster")

    async def mend(self, place: Place) -> None:
        await self._at("site", "link", "set", f"to-{place}", "master", "switch")

    async def move(self, place: Place, address: str) -> None:
        """As when a telephone goes from one network to another: the old address is gone."""
        await self._at(place, "addr", "del", f"{self._addresses[place]}/24", "dev", "eth0")
        await self._at(place, "addr", "add", f"{address}/24", "dev", "eth0")
        self._addresses[place] = address

    async def _at(self, place: Place, *words: str) -> None:
        await ip("-n", self.name(place), *words)

    def socket(self, address: Any) -> socket.socket:
        """One that belongs to the network where this address of ours is; for aiohttp."""
        family, kind, protocol, _, (host, *_) = address
        made: list[socket.socket] = []
        place: Place = "kiosk" if host == "127.0.0.1" else "site"

        def make() -> None:  # in a thread of its own: only that one changes its network
            with Path(self.path(place)).open() as network:
                if ctypes.CDLL(None, use_errno=True).setns(network.fileno(), NEW_NETWORK):
                    raise OSError(ctypes.get_errno(), "setns")
            made.append(socket.socket(family, kind, protocol))

        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
        return made[0]


async def ip(*words: str) -> None:
    process = await asyncio.create_subprocess_exec("ip", *words)
    assert await process.wait() == 0, f"ip {' '.join(words)}"


class TownSite(Site):
    """The demo's, but that the desk is elsewhere than the kiosk."""

    @property
    def desk_url(self) -> str:
        return f"http://{ADDRESSES['site']}:{self.desk}"


def lay_out_town(folder: Path) -> TownSite:
    """The demo's settings for three machines instead of one."""
    site = lay_out(folder, Choices(steps=()))
    here, there = "127.0.0.1", ADDRESSES["site"]
    changes = {
        site.kiosk_toml: (("[broker]\n", f'[broker]\nhost = "{there}"\n'), ("loopback = true", "loopback = false")),
        site.desk_toml: (
            ("[broker]\n", f'[broker]\nhost = "{there}"\n'),
            ("[http]\n", f'[http]\nhost = "{there}"\n'),
        ),
        broker.write_configuration(folder / "broker", site.broker, [KIOSK]): (),
    }
    for path, replaced in changes.items():
        text = path.read_text().replace(here, there)
        for before, after in replaced:
            assert before in text
            text = text.replace(before, after)
        path.write_text(text)
    return TownSite(folder, site.broker, site.desk, site.panel, site.kiosk_toml, site.desk_toml)


@dataclass
class Visit:
    """A call between the kiosk and staff's page, each in its own network."""

    town: Town
    call: InCall
    page: Page

    async def frames(self) -> int:
        """How many frames the page has shown."""
        return int(await self.page.evaluate("window.desk?.call?.frames ?? 0"))

    async def moves(self, limit_s: float = 30.0) -> None:
        """Waits for moving pictures in the page."""
        before = await self.frames()

        async def later() -> bool:
            return await self.frames() > before + 3

        await until(later, "moving pictures in the page", limit_s)


@asynccontextmanager
async def visit(folder: Path) -> AsyncIterator[Visit]:
    town = Town()
    site = lay_out_town(folder)
    system = Running(site)
    cookies, connector = aiohttp.CookieJar(unsafe=True), aiohttp.TCPConnector(socket_factory=town.socket)
    try:
        await town.build()
        async with aiohttp.ClientSession(cookie_jar=cookies, connector=connector) as http:
            await start(town, system, folder)
            call = InCall(system, http, "")
            await ready(call)
            async with http.get(await system.sign_in_link("anna")) as entered:
                assert entered.status == 200
            await call.ask_for_help()
            async with staff_browser(town, folder, site.desk_url) as page:
                await page.goto(await system.sign_in_link("anna"))
                await page.goto(f"{site.desk_url}/sessions/{call.session}")
                await page.locator("#start").click()
                visiting = Visit(town, call, page)
                await visiting.moves()
                yield visiting
    finally:
        await system.stop()
        await town.tear_down()


async def start(town: Town, system: Running, folder: Path) -> None:
    def python(place: Place, *words: str) -> tuple[str, ...]:
        return (*town.into(place), sys.executable, "-m", *words)

    site = system.site
    configuration = folder / "broker" / "mosquitto.conf"
    await system.start("broker", *town.into("site"), broker.find_mosquitto(), "-c", str(configuration))
    await system.start("desk", *python("site", "desk", "run", "--config", str(site.desk_toml)))
    await system.start("kiosk", *python("kiosk", "kiosk", "run", "--config", str(site.kiosk_toml)))


async def ready(call: InCall) -> None:
    for url in (call.system.site.desk_url + "/healthz", call.system.site.panel_url + "/state.json"):

        async def answers(url: str = url) -> bool:
            try:
                async with call.http.get(url) as answer:
                    return answer.status == 200
            except aiohttp.ClientError:
                return False

        await until(answers, url, 60)


@asynccontextmanager
async def staff_browser(town: Town, folder: Path, desk_url: str) -> AsyncIterator[Page]:
    """A page in a Chromium on staff's network."""
    program = folder / "chromium"
    program.write_text(f'#!/bin/sh\nexec {" ".join(town.into("staff"))} {CHROMIUM} "$@"\n')
    program.chmod(0o755)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=str(program),
            args=[*ARGUMENTS, f"--unsafely-treat-insecure-origin-as-secure={desk_url}"],
            ignore_default_args=["--headless=old", "--mute-audio"],
        )
        context = await browser.new_context(permissions=["camera", "microphone"], bypass_csp=True)
        yield await context.new_page()
        await browser.close()
