"""The simulated kiosk's front, "as it stands at the machine", for a browser on this very machine.

A small server on loopback: the page in front/, a websocket each visitor (panel_visitor.py), and for tests
`/state.json` (lamp, speaker level, camera, display) and `/display.png` (what the display shows; with x, y, w and h a
part of it).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, cast

import cv2
import msgspec
import numpy as np
from aiohttp import web

from kiosk.errors import DeviceTrouble
from kiosk.hw.ports import Pixels, Rect, Touch
from kiosk.hw.sim.panel_visitor import State, Visitor
from kiosk.hw.sim.pins import SimPins
from kiosk.hw.sim.sound import SILENCE_DBFS

FRONT = Path(__file__).parent / "front"

_FILES = {"/front.css": "text/css", "/front.js": "text/javascript"}
_SHUTDOWN_S = 1.0
_MESSAGE_BYTES = 4096


class LiveDisplay(Protocol):
    """The simulated display (kiosk.hw.sim.display.MemoryDisplay)."""

    on_present: Callable[[], None] | None
    """Called by the painting thread after each change."""

    @property
    def size(self) -> tuple[int, int]: ...
    @property
    def generation(self) -> int: ...
    def grab(self) -> Pixels: ...


class Fed(Protocol):
    """The simulated touchscreen (kiosk.hw.sim.display.SimTouchscreen)."""

    def feed(self, touch: Touch) -> None: ...


class Metered(Protocol):
    def level_dbfs(self) -> float: ...


class Switch(Protocol):
    """The plug of the simulated camera (SceneSource)."""

    @property
    def plugged(self) -> bool: ...
    def plug(self) -> None: ...
    def unplug(self) -> None: ...


class Panel:
    """port: on 127.0.0.1; 0 takes a free one (`url` tells it). lamp: is it lit; camera_open: does somebody see."""

    def __init__(
        self,
        port: int,
        display: LiveDisplay,
        touchscreen: Fed,
        pins: SimPins,
        lamp: Callable[[], bool],
        speaker: Metered | None = None,
        camera: Switch | None = None,
        camera_open: Callable[[], bool] = lambda: False,
    ) -> None:
        self.display, self.touchscreen, self.pins, self.camera = display, touchscreen, pins, camera
        self._port, self._lamp, self._speaker, self._camera_open = port, lamp, speaker, camera_open
        self._visitors: set[Visitor] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def __aenter__(self) -> Self:
        """Raises DeviceTrouble: the port is taken."""
        app = web.Application(middlewares=[self._guard])
        app.router.add_get("/", self._page)
        app.router.add_get("/socket", self._socket)
        app.router.add_get("/state.json", self._state_json)
        app.router.add_get("/display.png", self._display_png)
        for path in _FILES:
            app.router.add_get(path, self._file)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_S)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        except OSError as error:
            await self._runner.cleanup()
            raise DeviceTrouble(f"panel: port {self._port}: {error.strerror}") from error
        self._port = cast("tuple[str, int]", self._runner.addresses[0])[1]
        self.display.on_present = self._presented
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.display.on_present = None
        for visitor in list(self._visitors):
            await visitor.leave()
        await self._runner.cleanup()

    def state(self) -> State:
        return State(
            lamp=self._lamp(),
            speaker_dbfs=round(self._speaker.level_dbfs() if self._speaker else SILENCE_DBFS, 1),
            camera_open=self._camera_open(),
            camera_plugged=self.camera.plugged if self.camera else True,
            generation=self.display.generation,
            size=self.display.size,
            buttons=self.pins.names,
        )

    def _presented(self, *_: object) -> None:
        """From the painting thread."""
        for visitor in tuple(self._visitors):
            visitor.changed.put(None)

    # --- answers ------------------------------------------------------------------------------------------------------

    async def _page(self, request: web.Request) -> web.Response:
        language = _language(request.headers.get("Accept-Language", ""))
        html = await asyncio.to_thread((FRONT / "front.html").read_text)
        texts = msgspec.json.decode(await asyncio.to_thread((FRONT / "texts.json").read_bytes))[language]
        for key, words in texts.items():
            html = html.replace("{{" + key + "}}", words)
        return web.Response(text=html, content_type="text/html")

    async def _file(self, request: web.Request) -> web.Response:
        body = await asyncio.to_thread((FRONT / request.path.removeprefix("/")).read_bytes)
        return web.Response(body=body, content_type=_FILES[request.path], charset="utf-8")

    async def _state_json(self, request: web.Request) -> web.Response:
        return web.Response(body=msgspec.json.encode(self.state()), content_type="application/json")

    async def _display_png(self, request: web.Request) -> web.Response:
        return web.Response(body=await asyncio.to_thread(_png, self.display, _part(request)), content_type="image/png")

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        """Whoever may talk here may press the buttons: pages of this server only."""
        if request.headers.get("Origin") != f"http://{request.host}":
            raise web.HTTPForbidden(text="not from this page")
        socket = web.WebSocketResponse(compress=False, max_msg_size=_MESSAGE_BYTES, heartbeat=20)
        await socket.prepare(request)
        visitor = Visitor(socket, self.display.grab, self.touchscreen.feed, self.pins, self.camera, self.state)
        self._visitors.add(visitor)
        try:
            await visitor.stay()
        finally:
            self._visitors.discard(visitor)
        return socket

    @web.middleware
    async def _guard(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Another site's name that points to 127.0.0.1 (DNS rebinding) gets nothing; pages get their policy."""
        if request.host not in (f"127.0.0.1:{self._port}", f"localhost:{self._port}"):
            raise web.HTTPMisdirectedRequest(text="not the name of this server")
        response = await handler(request)
        if not response.prepared:
            response.headers.update(_policy(request.host))
        return response


def _policy(host: str) -> dict[str, str]:
    return {
        "Content-Security-Policy": (
            f"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' ws://{host}; "
            "img-src 'self' data:; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'self' http://127.0.0.1:* http://localhost:*"
        ),
        "Cross-Origin-Resource-Policy": "same-site",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }


def _language(accepted: str) -> str:
    """The first of the accepted languages that the front speaks."""
    for part in accepted.lower().split(","):
        tag = part.split(";")[0].strip().split("-")[0]
        if tag in ("de", "en"):
            return tag
    return "en"


def _part(request: web.Request) -> Rect | None:
    """`?x=…&y=…&w=…&h=…`: only that part of the display, px; it is there the sooner."""
    if "w" not in request.query:
        return None
    try:
        x, y, w, h = (int(request.query[name]) for name in "xywh")
    except (KeyError, ValueError):
        raise web.HTTPBadRequest(text="x, y, w and h in whole px") from None
    return Rect(x, y, w, h)


def _png(display: LiveDisplay, part: Rect | None) -> bytes:
    """Raises HTTPBadRequest: nothing of `part` is on the display."""
    picture = display.grab()
    if part is not None:
        picture = picture[max(0, part.y) : max(0, part.y + part.h), max(0, part.x) : max(0, part.x + part.w)]
    if not picture.size:
        raise web.HTTPBadRequest(text="not on the display")
    ok, data = cv2.imencode(".png", np.ascontiguousarray(picture), [cv2.IMWRITE_PNG_COMPRESSION, 1])
    assert ok
    return data.tobytes()
