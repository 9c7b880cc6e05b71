"""The display through SDL 2: a window on a laptop, KMS/DRM on the Pi."""

from __future__ import annotations

import asyncio
import ctypes
import os
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import sdl2

from kiosk.errors import DeviceTrouble
from kiosk.hw import drm, evdev
from kiosk.hw.composer import Composer, Size, trouble
from kiosk.hw.ports import Layer, Pixels, Rect

LOOK_S = 1.0
"""Between looks at whether the display is still there: two small files that the kernel keeps."""


class SdlDisplay:
    """A window, or the whole screen through KMS/DRM. `size` counts for the window; a screen has its own."""

    def __init__(
        self,
        kind: Literal["window", "kmsdrm"],
        size: Size = (1024, 600),
        title: str = "Kiosk",
        *,
        sysfs: Path = drm.DRM,
        inputs: Path = evdev.INPUT,
    ) -> None:
        self._kind, self._size, self._title, self._sysfs = kind, size, title, sysfs
        self._input_sysfs, self._inputs = inputs, frozenset[evdev.InputDevice]()
        self._present = frozenset[tuple[str, str]]()
        self._window: Any = None
        self._composer: Composer | None = None
        self._screen: drm.Screen | None = None
        self._lit = True

    @property
    def size(self) -> Size:
        return self._size

    @property
    def bare(self) -> bool:
        """No system stands between keyboard and kiosk."""
        return self._kind == "kmsdrm"

    async def __aenter__(self) -> Self:
        """Raises DeviceTrouble: there is no screen, or another process holds it."""
        if self.bare:
            self._screen = drm.attached(self._sysfs)
            if self._screen is None:
                raise DeviceTrouble("display: none is connected")
            _set_hint(sdl2.SDL_HINT_VIDEODRIVER, "kmsdrm")
            _set_hint(sdl2.SDL_HINT_KMSDRM_DEVICE_INDEX, str(self._screen.card))
            _set_hint(sdl2.SDL_HINT_RENDER_DRIVER, "opengles2")  # its first choice, desktop GL, draws no texture here
            self._present, self._inputs = evdev.present(self._input_sysfs), evdev.plugged_in(self._input_sysfs)
            os.environ["SDL_EVDEV_DEVICES"] = evdev.told(self._inputs)  # read when video begins; no hint
        for hint in (sdl2.SDL_HINT_TOUCH_MOUSE_EVENTS, sdl2.SDL_HINT_MOUSE_TOUCH_EVENTS):
            _set_hint(hint, "0")  # a finger is told once
        _set_hint(sdl2.SDL_HINT_NO_SIGNAL_HANDLERS, "1")  # SIGTERM is the kiosk's
        if sdl2.SDL_InitSubSystem(sdl2.SDL_INIT_VIDEO):
            raise trouble("no screen")
        flags = sdl2.SDL_WINDOW_FULLSCREEN_DESKTOP if self.bare else sdl2.SDL_WINDOW_SHOWN
        middle = sdl2.SDL_WINDOWPOS_CENTERED
        self._window = sdl2.SDL_CreateWindow(self._title.encode(), middle, middle, *self._size, flags)
        if not self._window:
            sdl2.SDL_QuitSubSystem(sdl2.SDL_INIT_VIDEO)
            raise trouble("no window")
        w, h = ctypes.c_int(), ctypes.c_int()
        sdl2.SDL_GetWindowSize(self._window, w, h)
        self._size, self._lit = (w.value, h.value), True
        sdl2.SDL_ShowCursor(sdl2.SDL_DISABLE if self.bare else sdl2.SDL_ENABLE)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._composer:
            self._composer.close()
            self._composer = None
        sdl2.SDL_DestroyWindow(self._window)
        self._window = None
        sdl2.SDL_QuitSubSystem(sdl2.SDL_INIT_VIDEO)

    async def lost(self) -> None:
        """A screen that is switched off may stay connected: then nothing is lost, and it comes back by itself. One that
        we let sleep may look like one that was pulled out, and is left alone until we wake it.

        Another touch screen or keyboard is a reason to open the display anew: SDL has none but those of its beginning.
        """
        known = seen = self._present
        while self._window:
            await asyncio.sleep(LOOK_S)
            if not self.bare:
                continue
            if self._lit and (now := drm.attached(self._sysfs)) != self._screen:
                raise DeviceTrouble("display: another one is connected" if now else "display: not connected")
            before, seen = seen, evdev.present(self._input_sysfs)
            if before == seen != known:  # at the second look: by then udev has said who may read it
                known = seen
                if evdev.plugged_in(self._input_sysfs) != self._inputs:
                    raise DeviceTrouble("display: opened anew for a touch screen or keyboard")

    def power(self, on: bool) -> None:
        self._lit = on
        if self.bare and self._screen and self._screen.number:
            drm.switch(_drm_fd(self._window), self._screen.number, on)

    def present(self, layers: tuple[Layer, ...], overlay: Pixels, changed: tuple[Rect, ...]) -> None:
        if self._composer is None:  # here, since a renderer belongs to the thread that draws
            self._composer = Composer(self._renderer(), self._size)
        self._composer.compose(layers, overlay, changed)

    def _renderer(self) -> Any:
        for flags in (sdl2.SDL_RENDERER_ACCELERATED | sdl2.SDL_RENDERER_PRESENTVSYNC, sdl2.SDL_RENDERER_SOFTWARE):
            renderer = sdl2.SDL_CreateRenderer(self._window, -1, flags)
            if renderer:
                return renderer
        raise trouble("no renderer")


def _drm_fd(window: Any) -> int:
    """SDL's own handle: it is the DRM master, and nobody else may switch anything."""
    about = sdl2.SDL_SysWMinfo()
    sdl2.SDL_GetVersion(about.version)
    told = sdl2.SDL_GetWindowWMInfo(window, ctypes.byref(about))
    return int(about.info.kmsdrm.drm_fd) if told and about.subsystem == sdl2.SDL_SYSWM_KMSDRM else -1


def _set_hint(name: bytes, value: str) -> None:
    sdl2.SDL_SetHintWithPriority(name, value.encode(), sdl2.SDL_HINT_OVERRIDE)
