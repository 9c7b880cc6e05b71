"""The demo's three programs with a call on, and nobody's browser: for whatever else is to join."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import cv2
import numpy as np
from numpy.typing import NDArray

from kiosk.demo.run import Running, running
from kiosk.demo.site import Choices, Site

T = TypeVar("T")
Image = NDArray[np.uint8]


async def until(look: Callable[[], Awaitable[T | None]], what: str, limit_s: float = 75.0) -> T:
    """Looks until there is something (truthy) to be seen, and returns it."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        if found := await look():
            return found
        await asyncio.sleep(0.05)
    raise AssertionError(f"not seen within {limit_s:.0f} s: {what}")


@dataclass
class InCall:
    system: Running
    http: aiohttp.ClientSession
    """Anna's, signed in at the desk."""
    session: str

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """What the desk says to Anna."""
        url = self.system.site.desk_url
        headers = {"X-Desk": "1", "Origin": url}
        async with self.http.request(method, url + path, json=body, headers=headers) as answer:
            assert answer.status < 300, f"{path}: {answer.status} {await answer.text()}"
            return await answer.json()

    async def state(self) -> str:
        return str((await self.ask("GET", f"/api/sessions/{self.session}"))["session"]["state"])

    async def ask_for_help(self) -> None:
        """A code user presses the button, and Anna confirms."""
        await self.press("camera_plus")

        async def asked() -> str | None:
            found = (await self.ask("GET", "/api/sessions"))["sessions"]
            return str(found[0]["id"]) if found else None

        self.session = await until(asked, "the request at the desk")
        await self.command("confirm")

    async def runs(self) -> None:
        """Waits for it."""

        async def running() -> bool:
            return await self.state() == "RUNNING"

        await until(running, "the call")

    async def command(self, kind: str) -> None:
        await self.ask("POST", f"/api/sessions/{self.session}/commands", {"do": {"kind": kind}})

    async def token(self) -> dict[str, str]:
        """One that is good for talking; with the addresses to go to."""
        told: dict[str, str] = await self.ask("POST", f"/api/sessions/{self.session}/token?talk=1")
        return told

    async def panel(self) -> dict[str, Any]:
        async with self.http.get(self.system.site.panel_url + "/state.json") as answer:
            state: dict[str, Any] = await answer.json()
            return state

    async def display(self) -> Image:
        """What the kiosk's display shows now: (H, W, 3) uint8 BGR."""
        async with self.http.get(self.system.site.panel_url + "/display.png") as answer:
            picture = cv2.imdecode(np.frombuffer(await answer.read(), np.uint8), cv2.IMREAD_COLOR)
        assert picture is not None
        return picture.astype(np.uint8)

    async def press(self, button: str) -> None:
        url = self.system.site.panel_url
        async with self.http.ws_connect(url + "/socket", origin=url) as front:
            for down in (True, False):
                await front.send_json({"type": "button", "name": button, "down": down})
                await asyncio.sleep(0.1)


@asynccontextmanager
async def in_a_call(
    folder: Path, choices: Choices | None = None, prepare: Callable[[Site], None] = lambda site: None
) -> AsyncIterator[InCall]:
    """A code user has pressed the button, Anna has confirmed and started: RUNNING, with nobody in it yet.

    prepare: may change the settings files before.
    """
    signed_in = aiohttp.CookieJar(unsafe=True)  # an address in numbers may have cookies too
    async with (
        running(folder, choices or Choices(steps=()), prepare) as system,
        aiohttp.ClientSession(cookie_jar=signed_in) as http,
    ):
        async with http.get(await system.sign_in_link("anna")) as entered:
            assert entered.status == 200
        call = InCall(system, http, "")
        await call.ask_for_help()
        await call.command("start")
        await call.runs()
        yield call
