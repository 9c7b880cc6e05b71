"""Fingers, the mouse and keys at an SdlDisplay, from SDL's events (evdev on the Pi)."""

from __future__ import annotations

import asyncio
import ctypes
import time
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any, Self

import sdl2

from kiosk.errors import DeviceTrouble
from kiosk.hw.device import Stream
from kiosk.hw.display_sdl import SdlDisplay
from kiosk.hw.keyboard import Layout, character
from kiosk.hw.ports import Key, Touch
from kiosk.mailbox import Queue

POLL_S = 0.012
"""Between looks at SDL's events: a pen that is drawn at 60 Hz loses nothing."""

IDLE_POLL_S = 0.03
AWAKE_S = 5.0
"""Where nobody has touched anything for so long, looks are fewer: they are most of what a kiosk that waits costs."""

_NAMED = {
    sdl2.SDL_SCANCODE_RETURN: "enter",
    sdl2.SDL_SCANCODE_KP_ENTER: "enter",
    sdl2.SDL_SCANCODE_BACKSPACE: "erase",
    sdl2.SDL_SCANCODE_ESCAPE: "escape",
    sdl2.SDL_SCANCODE_TAB: "next",
    sdl2.SDL_SCANCODE_DOWN: "next",
    sdl2.SDL_SCANCODE_RIGHT: "next",
    sdl2.SDL_SCANCODE_UP: "previous",
    sdl2.SDL_SCANCODE_LEFT: "previous",
}


class SdlTouchscreen:
    """Opened after its display, closed before it. layout: what keys write, where the system does not say (kmsdrm)."""

    def __init__(
        self, display: SdlDisplay, layout: Layout = "de", *, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._display, self._layout, self._now = display, layout, now
        self._task: asyncio.Task[None] | None = None
        self._fingers: dict[int, int] = {}  # SDL's number of a finger -> ours, small

    async def __aenter__(self) -> Self:
        self._queue: Queue[Touch | DeviceTrouble] = Queue(256)
        self._keys: Queue[Key | DeviceTrouble] = Queue(512)
        self._task = asyncio.create_task(self._poll(), name="touchscreen")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task:
            self._task.cancel()
        self._queue.close()
        self._keys.close()

    def touches(self) -> AsyncIterator[Touch]:
        """Raises DeviceTrouble: the window was closed."""
        return Stream(self._queue)

    def keys(self) -> AsyncIterator[Key]:
        return Stream(self._keys)

    async def _poll(self) -> None:
        event, heard_s = sdl2.SDL_Event(), -AWAKE_S
        while True:
            polled_s, before_ms = self._now(), sdl2.SDL_GetTicks()
            while sdl2.SDL_PollEvent(ctypes.byref(event)):
                heard_s = polled_s
                told = self._meaning(event)
                if told:
                    self._queue.put(told)
                for name in self._written(event):
                    # by SDL's own time of the event: the pace of a scanner is finer than our looks
                    self._keys.put(Key(name, polled_s - (before_ms - event.key.timestamp) / 1000))
            await asyncio.sleep(POLL_S if polled_s - heard_s < AWAKE_S else IDLE_POLL_S)

    def _meaning(self, event: Any) -> Touch | DeviceTrouble | None:
        width, height = self._display.size
        match event.type:
            case sdl2.SDL_QUIT:
                return DeviceTrouble("display: its window was closed")
            case sdl2.SDL_FINGERDOWN | sdl2.SDL_FINGERMOTION | sdl2.SDL_FINGERUP:
                return self._finger(event)
            case sdl2.SDL_MOUSEBUTTONDOWN if event.button.button == sdl2.SDL_BUTTON_LEFT:
                return Touch("down", event.button.x / width, event.button.y / height)
            case sdl2.SDL_MOUSEBUTTONUP if event.button.button == sdl2.SDL_BUTTON_LEFT:
                return Touch("up", event.button.x / width, event.button.y / height)
            case sdl2.SDL_MOUSEMOTION if event.motion.state & sdl2.SDL_BUTTON_LMASK:
                return Touch("move", event.motion.x / width, event.motion.y / height)
        return None

    def _finger(self, event: Any) -> Touch:
        known, at = event.tfinger.fingerId, event.tfinger
        if event.type == sdl2.SDL_FINGERUP:
            return Touch("up", at.x, at.y, self._fingers.pop(known, 0))
        free = next(n for n in range(1000) if n not in self._fingers.values())
        finger = self._fingers.setdefault(known, free)
        return Touch("down" if event.type == sdl2.SDL_FINGERDOWN else "move", at.x, at.y, finger)

    def _written(self, event: Any) -> str | tuple[str, ...]:
        """Names of keys; characters as the system writes them, or by our layout where no system does."""
        if event.type == sdl2.SDL_TEXTINPUT and not self._display.bare:
            return str(event.text.text.decode(errors="replace"))
        if event.type != sdl2.SDL_KEYDOWN:
            return ()
        key = event.key.keysym
        if key.scancode in _NAMED:
            return (_NAMED[key.scancode],)
        if not self._display.bare:
            return ()
        shift = bool(key.mod & sdl2.KMOD_SHIFT) != bool(key.mod & sdl2.KMOD_CAPS)
        return character(key.scancode, self._layout, shift, bool(key.mod & sdl2.KMOD_RALT))
