"""One browser in front of the simulated kiosk: it is shown the display and the lamp, and presses and touches."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Annotated, Literal, Protocol, cast

import cv2
import msgspec
from aiohttp import WSMsgType, web
from msgspec import Meta, Struct

from kiosk.errors import Refused
from kiosk.hw.ports import ButtonName, Pixels, Touch
from kiosk.hw.sim.pins import SimPins
from kiosk.mailbox import Slot

log = logging.getLogger(__name__)

FRAME_S = 0.04
_STATE_S = 0.1
_ACK_S = 5.0
_QUALITY = 85
_CONTACT_S = 0.05
"""No finger is faster: a press and its end that come together, from a busy network or loop, are kept so far apart."""

Share = Annotated[float, Meta(ge=0, le=1)]


class State(Struct, frozen=True, kw_only=True):
    """What one sees and hears at the front."""

    lamp: bool
    speaker_dbfs: float
    camera_open: bool
    camera_plugged: bool
    generation: int
    size: tuple[int, int]
    buttons: tuple[ButtonName, ...]


class Ack(Struct, frozen=True, tag="ack"):
    """The last picture is painted: the next may come."""


class View(Struct, frozen=True, tag="view"):
    """So many px wide is the picture painted; more need not be sent."""

    width: Annotated[int, Meta(ge=16, le=8192)]


class Finger(Struct, frozen=True, tag="touch"):
    phase: Literal["down", "move", "up"]
    x: Share
    y: Share
    finger: Annotated[int, Meta(ge=0, le=9)] = 0


class Button(Struct, frozen=True, tag="button"):
    name: ButtonName
    down: bool


class Plug(Struct, frozen=True, tag="camera"):
    plugged: bool


_decoder = msgspec.json.Decoder(Ack | View | Finger | Button | Plug)


class Plugged(Protocol):
    def plug(self) -> None: ...
    def unplug(self) -> None: ...


class Visitor:
    """Lives as long as its websocket. Whoever leaves lets go of every button and lifts every finger."""

    def __init__(
        self,
        socket: web.WebSocketResponse,
        grab: Callable[[], Pixels],
        touch: Callable[[Touch], None],
        pins: SimPins,
        camera: Plugged | None,
        state: Callable[[], State],
    ) -> None:
        self._socket, self._grab, self._touch, self._pins = socket, grab, touch, pins
        self._camera, self._state = camera, state
        self.changed: Slot[None] = Slot()
        self._acked = asyncio.Event()
        self._width = 1280
        self._held: set[ButtonName] = set()
        self._fingers: dict[int, Finger] = {}

    async def stay(self) -> None:
        sending = [asyncio.create_task(work(), name="panel") for work in (self._show_display, self._show_state)]
        try:
            await self._listen()
        finally:
            for task in sending:
                task.cancel()
            await asyncio.gather(*sending, return_exceptions=True)  # their socket may have gone first
            self._let_go()

    async def leave(self) -> None:
        await self._socket.close()

    # --- to the browser -----------------------------------------------------------------------------------------------

    async def _show_display(self) -> None:
        """The newest picture only: the next is made when the last was painted."""
        loop = asyncio.get_running_loop()
        self.changed.put(None)
        while True:
            await self.changed.get()
            began_s = loop.time()
            self._acked.clear()
            await self._socket.send_bytes(await asyncio.to_thread(self._jpeg))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_ACK_S):
                    await self._acked.wait()
            await asyncio.sleep(began_s + FRAME_S - loop.time())

    async def _show_state(self) -> None:
        last: State | None = None
        while True:
            state = msgspec.structs.replace(self._state(), generation=0)  # each picture is news enough by itself
            if state != last:
                await self._socket.send_str(msgspec.json.encode(state).decode())
                last = state
            await asyncio.sleep(_STATE_S)

    def _jpeg(self) -> bytes:
        """In a thread."""
        picture = self._grab()
        height, width = picture.shape[:2]
        if self._width < width:
            size = (self._width, round(height * self._width / width))
            picture = cast(Pixels, cv2.resize(picture, size, interpolation=cv2.INTER_AREA))
        ok, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        assert ok
        return data.tobytes()

    # --- from the browser ---------------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        async for message in self._socket:
            if message.type is not WSMsgType.TEXT:
                continue
            try:
                said = _decoder.decode(message.data)
                self._obey(said)
                if isinstance(said, Button):
                    await asyncio.sleep(_CONTACT_S)
            except (msgspec.DecodeError, Refused) as error:
                log.warning("panel: %s", error)

    def _obey(self, said: Ack | View | Finger | Button | Plug) -> None:
        match said:
            case Ack():
                self._acked.set()
            case View(width):
                self._width = width
                self.changed.put(None)
            case Finger():
                self._move(said)
            case Button(name, down):
                self._press(name, down)
            case Plug(plugged) if self._camera:
                self._camera.plug() if plugged else self._camera.unplug()

    def _move(self, finger: Finger) -> None:
        self._touch(Touch(finger.phase, finger.x, finger.y, finger.finger))
        if finger.phase == "up":
            self._fingers.pop(finger.finger, None)
        else:
            self._fingers[finger.finger] = finger

    def _press(self, name: ButtonName, down: bool) -> None:
        if down:
            self._pins.press(name)
            self._held.add(name)
        elif name in self._held:
            self._pins.release(name)
            self._held.discard(name)

    def _let_go(self) -> None:
        for name in tuple(self._held):
            self._press(name, False)
        for finger in tuple(self._fingers.values()):
            self._move(Finger("up", finger.x, finger.y, finger.finger))
