"""A display in memory: the same composing as on the Pi, by SDL's software renderer on a surface. Needs no screen."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any, Self

import numpy as np
import sdl2

from kiosk.errors import DeviceTrouble
from kiosk.hw.device import Stream
from kiosk.hw.display_sdl import Composer, Size, trouble
from kiosk.hw.ports import Layer, Pixels, Rect, Touch
from kiosk.mailbox import Queue


class MemoryDisplay:
    """What is shown can be grabbed from any thread.

    generation: grows with each picture that is presented.
    on_present: called after it, from the painting thread; must not block.
    """

    def __init__(self, width: int, height: int, on_present: Callable[[], None] | None = None) -> None:
        self._size = width, height
        self._lock = threading.Lock()
        self._surface: Any = None
        self._composer: Composer | None = None
        self._unplugged = False
        self.on_present = on_present
        self.generation = 0

    @property
    def size(self) -> Size:
        return self._size

    async def __aenter__(self) -> Self:
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

    def unplug(self, out: bool = True) -> None:
        """As if somebody pulled the cable: presenting raises DeviceTrouble until it is in again."""
        self._unplugged = out

    def present(self, layers: tuple[Layer, ...], overlay: Pixels, changed: tuple[Rect, ...]) -> None:
        with self._lock:
            if self._unplugged or self._composer is None:
                raise DeviceTrouble("display: not connected")
            self._composer.compose(layers, overlay, changed)
            self.generation += 1
        if self.on_present:
            self.on_present()

    def grab(self) -> Pixels:
        """(H, W, 3) uint8 BGR, a copy of what is shown; black before the first picture and after closing."""
        width, height = self._size
        with self._lock:
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

    async def __aenter__(self) -> Self:
        self._queue = Queue(256)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._queue is not None:  # an empty queue is false
            self._queue.close()

    def feed(self, touch: Touch) -> None:
        """From any thread; nothing happens where it is not open."""
        if self._queue is not None:  # an empty queue is false
            self._queue.put(touch)

    def touches(self) -> AsyncIterator[Touch]:
        assert self._queue is not None, "entered first"
        return Stream(self._queue)
