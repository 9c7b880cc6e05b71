"""The display through SDL 2: a window on a laptop, KMS/DRM on the Pi. The only module that knows SDL.

Pictures are IYUV textures (SDL converts and scales them, on the GPU where there is one); the overlay is one ARGB
texture of which only the changed parts are uploaded.
"""

from __future__ import annotations

import asyncio
import ctypes
from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np
import sdl2

from kiosk.errors import DeviceTrouble
from kiosk.hw.device import Stream
from kiosk.hw.ports import Layer, Picture, Pixels, Rect, Touch
from kiosk.mailbox import Queue

Size = tuple[int, int]

POLL_S = 0.012
"""Between looks at SDL's events: a pen that is drawn at 60 Hz loses nothing."""


def trouble(what: str) -> DeviceTrouble:
    return DeviceTrouble(f"display: {what}: {sdl2.SDL_GetError().decode(errors='replace')}")


class Composer:
    """Layers and overlay on one SDL renderer. Used by the painting thread alone."""

    def __init__(self, renderer: Any, size: Size) -> None:
        self._renderer, self._size = renderer, size
        sdl2.SDL_SetYUVConversionMode(sdl2.surface.SDL_YUV_CONVERSION_BT601)  # what OpenCV means by I420
        self._overlay = self._texture(sdl2.SDL_PIXELFORMAT_ARGB8888, size)
        sdl2.SDL_SetTextureBlendMode(self._overlay, sdl2.SDL_BLENDMODE_BLEND)
        self._pictures: list[tuple[Any, Picture]] = []  # texture and what is in it, one for each layer

    def compose(self, layers: tuple[Layer, ...], overlay: Pixels, changed: tuple[Rect, ...]) -> None:
        """Raises DeviceTrouble."""
        for rect in changed:
            self._upload_overlay(overlay, rect)
        sdl2.SDL_SetRenderDrawColor(self._renderer, 0, 0, 0, 255)
        sdl2.SDL_RenderClear(self._renderer)
        for at, layer in enumerate(layers):
            flip = sdl2.SDL_FLIP_HORIZONTAL if layer.mirrored else sdl2.SDL_FLIP_NONE
            place = _rect(layer.rect)
            texture = self._upload_picture(at, layer.picture)
            if sdl2.SDL_RenderCopyEx(self._renderer, texture, None, place, 0.0, None, flip):
                raise trouble("a picture cannot be shown")
        self._drop_pictures(len(layers))
        if sdl2.SDL_RenderCopy(self._renderer, self._overlay, None, None):
            raise trouble("the overlay cannot be shown")
        sdl2.SDL_RenderPresent(self._renderer)

    def close(self) -> None:
        self._drop_pictures(0)
        sdl2.SDL_DestroyTexture(self._overlay)
        sdl2.SDL_DestroyRenderer(self._renderer)

    def _texture(self, kind: int, size: Size) -> Any:
        texture = sdl2.SDL_CreateTexture(self._renderer, kind, sdl2.SDL_TEXTUREACCESS_STREAMING, *size)
        if not texture:
            raise trouble("no texture")
        sdl2.SDL_SetTextureScaleMode(texture, sdl2.SDL_ScaleModeLinear)
        return texture

    def _upload_overlay(self, overlay: Pixels, rect: Rect) -> None:
        first = overlay[rect.y :, rect.x :]
        if sdl2.SDL_UpdateTexture(self._overlay, _rect(rect), first.ctypes.data, overlay.strides[0]):
            raise trouble("the overlay cannot be uploaded")

    def _upload_picture(self, at: int, picture: Picture) -> Any:
        """The texture of a layer with `picture` in it; a picture that is in it already costs nothing."""
        if at < len(self._pictures):
            texture, shown = self._pictures[at]
            if shown is picture:
                return texture
            if shown.size != picture.size:
                self._drop_pictures(at)
        if at >= len(self._pictures):
            self._pictures.append((self._texture(sdl2.SDL_PIXELFORMAT_IYUV, picture.size), picture))
        texture = self._pictures[at][0]
        self._pictures[at] = (texture, picture)
        planes = [p if p.strides[1] == 1 else np.ascontiguousarray(p) for p in (picture.y, picture.u, picture.v)]
        arguments = [a for p in planes for a in (_bytes_of(p), p.strides[0])]
        if sdl2.SDL_UpdateYUVTexture(texture, None, *arguments):
            raise trouble("a picture cannot be uploaded")
        return texture

    def _drop_pictures(self, left: int) -> None:
        for texture, _ in self._pictures[left:]:
            sdl2.SDL_DestroyTexture(texture)
        del self._pictures[left:]


class SdlDisplay:
    """A window, or the whole screen through KMS/DRM. `size` counts for the window; a screen has its own."""

    def __init__(self, kind: Literal["window", "kmsdrm"], size: Size = (1024, 600), title: str = "Kiosk") -> None:
        self._kind, self._size, self._title = kind, size, title
        self._window: Any = None
        self._composer: Composer | None = None

    @property
    def size(self) -> Size:
        return self._size

    async def __aenter__(self) -> Self:
        """Raises DeviceTrouble: there is no screen, or another process holds it."""
        if self._kind == "kmsdrm":
            _set_hint(sdl2.SDL_HINT_VIDEODRIVER, "kmsdrm")
            _set_hint(sdl2.SDL_HINT_KMSDRM_DEVICE_INDEX, str(connected_card(Path("/sys/class/drm"))))
        for hint in (sdl2.SDL_HINT_TOUCH_MOUSE_EVENTS, sdl2.SDL_HINT_MOUSE_TOUCH_EVENTS):
            _set_hint(hint, "0")  # a finger is told once
        _set_hint(sdl2.SDL_HINT_NO_SIGNAL_HANDLERS, "1")  # SIGTERM is the kiosk's
        if sdl2.SDL_InitSubSystem(sdl2.SDL_INIT_VIDEO):
            raise trouble("no screen")
        flags = sdl2.SDL_WINDOW_FULLSCREEN_DESKTOP if self._kind == "kmsdrm" else sdl2.SDL_WINDOW_SHOWN
        middle = sdl2.SDL_WINDOWPOS_CENTERED
        self._window = sdl2.SDL_CreateWindow(self._title.encode(), middle, middle, *self._size, flags)
        if not self._window:
            sdl2.SDL_QuitSubSystem(sdl2.SDL_INIT_VIDEO)
            raise trouble("no window")
        w, h = ctypes.c_int(), ctypes.c_int()
        sdl2.SDL_GetWindowSize(self._window, w, h)
        self._size = w.value, h.value
        sdl2.SDL_ShowCursor(sdl2.SDL_DISABLE if self._kind == "kmsdrm" else sdl2.SDL_ENABLE)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._composer:
            self._composer.close()
            self._composer = None
        sdl2.SDL_DestroyWindow(self._window)
        sdl2.SDL_QuitSubSystem(sdl2.SDL_INIT_VIDEO)

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


class SdlTouchscreen:
    """Fingers and the mouse on an SdlDisplay; opened after it, closed before it."""

    def __init__(self, display: SdlDisplay) -> None:
        self._display = display
        self._task: asyncio.Task[None] | None = None
        self._fingers: dict[int, int] = {}  # SDL's number of a finger -> ours, small

    async def __aenter__(self) -> Self:
        self._queue: Queue[Touch | DeviceTrouble] = Queue(256)
        self._task = asyncio.create_task(self._poll(), name="touchscreen")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task:
            self._task.cancel()
        self._queue.close()

    def touches(self) -> AsyncIterator[Touch]:
        """Raises DeviceTrouble: the window was closed."""
        return Stream(self._queue)

    async def _poll(self) -> None:
        event = sdl2.SDL_Event()
        while True:
            while sdl2.SDL_PollEvent(ctypes.byref(event)):
                told = self._meaning(event)
                if told:
                    self._queue.put(told)
            await asyncio.sleep(POLL_S)

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


def connected_card(drm: Path) -> int:
    """The number of the card with a screen at it (it changes from boot to boot); 0 where none says so."""
    for status in sorted(drm.glob("card*-*/status")):
        if status.read_text().strip() == "connected":
            return int(status.parent.name.partition("-")[0].removeprefix("card"))
    return 0


def _set_hint(name: bytes, value: str) -> None:
    sdl2.SDL_SetHintWithPriority(name, value.encode(), sdl2.SDL_HINT_OVERRIDE)


def _rect(rect: Rect) -> Any:
    return sdl2.SDL_Rect(rect.x, rect.y, rect.w, rect.h)


def _bytes_of(plane: Pixels) -> Any:
    return plane.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
