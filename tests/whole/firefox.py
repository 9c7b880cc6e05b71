"""A stock Firefox, driven by WebDriver BiDi: what is needed to sit in a call with it, and no more.

`input.performActions` presses real keys and moves a real pointer; `script.evaluate` looks. As installed, but for its
own camera and microphone (a moving picture and a tone), and the loopback that WebRTC leaves out by itself.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
import re
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from kiosk.demo.browser import only_loopback

BINARY = next((found for name in ("firefox-esr", "firefox") if (found := shutil.which(name))), "")
PREFERENCES: dict[str, bool | int | str] = {
    "media.navigator.permission.disabled": True,
    "media.navigator.streams.fake": True,
    "media.autoplay.default": 0,
    "app.update.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.page": 0,
    "datareporting.policy.dataSubmissionEnabled": False,
    "toolkit.telemetry.reportingpolicy.firstRun": False,
}
STARTS_S = 45.0
ANSWERS_S = 40.0


class FirefoxError(Exception):
    """A command was refused, or a script threw."""


class Firefox:
    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.complaints: list[str] = []
        """Errors of the pages' scripts and of their policy, as the console has them."""

    async def listen(self) -> None:
        async for message in self._socket:
            said = json.loads(message.data)
            if said.get("method") == "log.entryAdded":
                entry = said["params"]
                if entry["level"] == "error":
                    self.complaints.append(str(entry.get("text")))
            elif answer := self._asked.pop(said.get("id", 0), None):
                answer.set_result(said)

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._numbers)
        answer = self._asked[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": params})
        async with asyncio.timeout(ANSWERS_S):
            said = await answer
        if said["type"] == "error":
            raise FirefoxError(f"{method}: {said['error']} {said['message']}")
        return dict(said["result"])

    async def tab(self) -> Tab:
        made = await self.ask("browsingContext.create", type="tab")
        return Tab(self, made["context"])


class Tab:
    def __init__(self, browser: Firefox, context: str) -> None:
        self._browser, self._context = browser, context

    async def goto(self, url: str) -> None:
        await self._browser.ask("browsingContext.navigate", context=self._context, url=url, wait="complete")

    async def reload(self) -> None:
        await self._browser.ask("browsingContext.reload", context=self._context, wait="complete")

    async def size(self, width: int, height: int) -> None:
        viewport = {"width": width, "height": height}
        await self._browser.ask("browsingContext.setViewport", context=self._context, viewport=viewport)

    async def look(self, expression: str) -> Any:
        """What a JavaScript expression (or promise) comes to, as JSON would have it."""
        code = f"Promise.resolve({expression}).then((value) => JSON.stringify(value) ?? 'null')"
        said = await self._browser.ask(
            "script.evaluate", expression=code, target={"context": self._context}, awaitPromise=True
        )
        if said["type"] != "success":
            raise FirefoxError(f"{expression}: {said['exceptionDetails']['text']}")
        return json.loads(said["result"]["value"])

    async def until(self, expression: str, limit_s: float = 60.0) -> Any:
        """Looks until it is truthy."""
        async with asyncio.timeout(limit_s):
            while not (found := await self.look(expression)):
                await asyncio.sleep(0.1)
        return found

    async def click(self, selector: str) -> None:
        await self.until(f"Boolean(document.querySelector({json.dumps(selector)})?.getClientRects().length)")
        middle = f"""(() => {{ const it = document.querySelector({json.dumps(selector)});
            it.scrollIntoView({{block: "center"}});
            const box = it.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; }})()"""
        await self.draw([await self.look(middle)])

    async def draw(self, places: list[tuple[float, float]]) -> None:
        """Presses at the first place, goes through the others and lets go; px of the page."""
        moves: list[dict[str, Any]] = [
            {"type": "pointerMove", "x": round(x), "y": round(y), "duration": 60} for x, y in places
        ]
        moves.insert(1, {"type": "pointerDown", "button": 0})
        await self._act({"type": "pointer", "id": "hand", "actions": [*moves, {"type": "pointerUp", "button": 0}]})

    async def press(self, key: str) -> None:
        actions = [{"type": kind, "value": key} for kind in ("keyDown", "keyUp")]
        await self._act({"type": "key", "id": "keys", "actions": actions})

    async def _act(self, source: dict[str, Any]) -> None:
        await self._browser.ask("input.performActions", context=self._context, actions=[source])

    async def picture(self, path: Path) -> None:
        shot = await self._browser.ask("browsingContext.captureScreenshot", context=self._context)
        path.write_bytes(base64.b64decode(shot["data"]))


@asynccontextmanager
async def firefox() -> AsyncIterator[Firefox]:
    """One with a fresh profile. It listens on a port of its own choice, on loopback."""
    with tempfile.TemporaryDirectory(prefix="firefox-", ignore_cleanup_errors=True) as profile:
        preferences = PREFERENCES | ({"media.peerconnection.ice.loopback": True} if only_loopback() else {})
        lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in preferences.items()]
        Path(profile, "user.js").write_text("".join(lines))
        process = await asyncio.create_subprocess_exec(
            *(BINARY, "--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0"),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stderr
        try:
            async with asyncio.timeout(STARTS_S):
                address = await _address(process.stderr)
            async with _connected(address) as browser, _drained(process.stderr):
                yield browser
                with contextlib.suppress(FirefoxError, TimeoutError):
                    await browser.ask("browser.close")
        finally:
            if process.returncode is None:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(process.wait(), 10)
            if process.returncode is None:
                process.kill()
            await process.wait()


@asynccontextmanager
async def _connected(address: str) -> AsyncIterator[Firefox]:
    async with aiohttp.ClientSession() as http, http.ws_connect(f"{address}/session", max_msg_size=0) as socket:
        browser = Firefox(socket)
        listening = asyncio.create_task(browser.listen(), name="firefox")
        try:
            await browser.ask("session.new", capabilities={})
            await browser.ask("session.subscribe", events=["log.entryAdded"])
            yield browser
        finally:
            listening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await listening


async def _address(lines: asyncio.StreamReader) -> str:
    while line := (await lines.readline()).decode():
        if found := re.search(r"BiDi listening on (ws://\S+)", line):
            return found[1]
    raise FirefoxError("it ended before it listened")


@asynccontextmanager
async def _drained(lines: asyncio.StreamReader) -> AsyncIterator[None]:
    """Else it stops when the pipe is full."""

    async def drain() -> None:
        while await lines.readline():
            pass

    draining = asyncio.create_task(drain(), name="firefox's words")
    try:
        yield
    finally:
        draining.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await draining
