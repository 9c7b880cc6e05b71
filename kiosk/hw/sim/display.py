"""A display in memory: the same composing as on the Pi, by SDL's software renderer on a surface. Needs no screen."""

from __future__ import annotations

import asyncio
import ctypes
import threading
import time
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any, Self

import numpy as np
import sdl2

from kiosk.errors import DeviceTrouble
from kiosk.hw.composer import Composer, Size, trouble
from kiosk.hw.device import Stream
from kiosk.hw.ports import Key, Layer, Pixels, Rect, Touch
from kiosk.mailbox import Queue


class MemoryDisplay:
    """What is shown can be grabbed from any thread.

    generation: grows with each picture that is presented. lit: whether the panel is on.
    on_present: called after it, from the painting thread; must not block.
    """

    def __init__(self, width: int, height: int, on_present: Callable[[], None] | None = None) -> None:
        self._size = width, height
        self._lock = threading.Lock()
        self._surface: Any = None
        self._composer: Composer | None = None
        self._plugged: Size | None = self._size
        self._changed = asyncio.Event()
        self.lit = True
        self.on_present = on_present
        self.generation = 0

    @property
    def size(self) -> Size:
        return self._size

    async def __aenter__(self) -> Self:
        if self._plugged is None:
            raise DeviceTrouble("display: none is connected")
        self._size, self.lit = self._plugged, True
        self._changed.clear()
        kind = sdl2.SDL_PIXELFORMAT_ARGB8888
        self._surface = sdl2.SDL_CreateRGBSurfaceWithFormat(0, *self._size, 32, kind)
        if not self._surface:
            raise trouble("no memory for a picture")
        renderer = sdl2.SDL_CreateSoftwareRenderer(self._surface)
        if not renderer:
            raise trouble("no renderer")
        self._composer = Composer(renderer, self._size)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            if self._composer:
                self._composer.close()
                self._composer = None
            sdl2.SDL_FreeSurface(self._surface)
            self._surface = None
        self._changed.set()

    def unplug(self) -> None:
        """From the loop: as if somebody pulled the cable, or the display went off for the night."""
        self._plugged = None
        self._changed.set()

    def plug(self, size: Size | None = None) -> None:
        """From the loop: the cable is in again, perhaps at a display of another `size`."""
        self._plugged = size or self._size
        self._changed.set()

    async def lost(self) -> None:
        while self._composer:
            await self._changed.wait()
            self._changed.clear()
            if self._composer and self._plugged != self._size:
                raise DeviceTrouble("display: another one is connected" if self._plugged else "display: not connected")

    def power(self, on: bool) -> None:
        self.lit = on

    def present(self, layers: tuple[Layer, ...], overlay: Pixels, changed: tuple[Rect, ...]) -> None:
        with self._lock:
            if self._plugged is None or self._composer is None:
                raise DeviceTrouble("display: not connected")
            self._composer.compose(layers, overlay, changed)
            self.generation += 1
        if self.on_present:
            self.on_present()

    def grab(self) -> Pixels:
        """(H, W, 3) uint8 BGR, a copy of what is shown; black before the first picture and after closing."""
        with self._lock:
            width, height = self._size
            if self._surface is None:
                return np.zeros((height, width, 3), np.uint8)
            surface = self._surface.contents
            data = ctypes.cast(surface.pixels, ctypes.POINTER(ctypes.c_uint8))
            rows = np.ctypeslib.as_array(data, (height, surface.pitch))
            return rows[:, : width * 4].reshape(height, width, 4)[..., :3].copy()


class SimTouchscreen:
    """A touchscreen touched by somebody else than a finger."""

    def __init__(self) -> None:
        self._queue: Queue[Touch | DeviceTrouble] | None = None
        self._keys: Queue[Key | DeviceTrouble] | None = None

    async def __aenter__(self) -> Self:
        self._queue, self._keys = Queue(256), Queue(512)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for queue in (self._queue, self._keys):
            if queue is not None:  # an empty queue is false
                queue.close()

    def feed(self, touch: Touch) -> None:
        """From any thread; nothing happens where it is not open."""
        if self._queue is not None:  # an empty queue is false
            self._queue.put(touch)

    def type(self, text: str, gap_s: float, at_s: float | None = None) -> None:
        """From any thread: keys at that pace, ending at `at_s` (now); "\n" is Enter. Scanners take about 0.01 s."""
        last_s = time.monotonic() if at_s is None else at_s
        for n, letter in enumerate(text, 1 - len(text)):
            if self._keys is not None:
                self._keys.put(Key("enter" if letter == "\n" else letter, last_s + n * gap_s))

    def keys(self) -> AsyncIterator[Key]:
        assert self._keys is not None, "entered first"
        return Stream(self._keys)

    def touches(self) -> AsyncIterator[Touch]:
        assert self._queue is not None, "entered first"
        return Stream(self._queue)
