"""Pictures and overlay on one SDL renderer: what all displays of SDL have in common, the simulated one too.

Pictures are IYUV textures (SDL converts and scales them, on the GPU where there is one); the overlay is one ARGB
texture of which only the changed parts are uploaded. It is laid over whole: leaving out what is transparent costs more
calls than it saves (measured with benchmarks/display.py, on the GPU's renderer as on SDL's own).
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import sdl2

from kiosk.errors import DeviceTrouble
from kiosk.hw.ports import Layer, Picture, Pixels, Rect

Size = tuple[int, int]


def trouble(what: str) -> DeviceTrouble:
    return DeviceTrouble(f"display: {what}: {sdl2.SDL_GetError().decode(errors='replace')}")


class Composer:
    """Layers and overlay on one SDL renderer. Used by the painting thread alone."""

    def __init__(self, renderer: Any, size: Size) -> None:
        self._renderer = renderer
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


def _rect(rect: Rect) -> Any:
    return sdl2.SDL_Rect(rect.x, rect.y, rect.w, rect.h)


def _bytes_of(plane: Pixels) -> Any:
    return plane.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
