"""What a frame of a call costs on the display: 1920x1080, the camera's picture (1280x720) scaled to it, the staff's
(640x480) as an inset, and over both the overlay with alpha and text, in which a mark moves at every frame.

CPU milliseconds per frame. Rivals, in the same run and on the same frames:
- plain: the same SDL calls written out bare, pictures and the whole overlay uploaded at every frame, as is usual;
- by hand: the same with only the changed parts uploaded, as somebody would write it who knows the picture by heart;
- OpenCV/numpy: colours converted, scaled and blended there (with its fastest blending, weights kept between frames).

Two of SDL's renderers. "opengl" is what the Pi has: textures are uploaded and the GPU draws. Here Mesa draws in threads
of its own in place of a GPU, so the CPU time of the painting thread alone counts: what a Pi's CPU has to do. "software"
is what simulated displays use: there SDL's own CPU code draws, all of which counts. The bars stand at opengl; where SDL
finds none, the software renderer is told alone and the benchmark fails, for it cannot say what was asked.
"""

from __future__ import annotations

import ctypes
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import cv2
import msgspec
import numpy as np
import sdl2

from benchmarks.report import median, tell
from kiosk.hw.composer import Composer
from kiosk.hw.ports import Layer, Picture, Pixels, Rect
from kiosk.ui.gallery import picture_of, sample_picture
from kiosk.ui.gallery_views import sample_views
from kiosk.ui.local import Front
from kiosk.ui.paint import Painted, Painter
from kiosk.ui.view import View

SIZE = (1920, 1080)
FRAMES = int(os.environ.get("FRAMES", "60"))
ROUNDS = int(os.environ.get("ROUNDS", "5"))
PLAIN_BAR = 1.25
OPENCV_BAR = 5.0

Show = Callable[[Painted], object]


# --- the frames -------------------------------------------------------------------------------------------------------


def pictures(width: int, height: int, hue: int) -> list[Picture]:
    """A few that differ, as a camera's do."""
    base = sample_picture(width, height, hue)
    rng = np.random.default_rng(hue)
    grain = rng.integers(0, 8, (height, width, 3), dtype=np.uint8)
    bgr = cv2.cvtColor(np.concatenate([base.y.ravel(), base.u.ravel(), base.v.ravel()]).reshape(-1, width),
                       cv2.COLOR_YUV2BGR_I420)  # fmt: skip
    return [picture_of(cv2.add(bgr, np.roll(grain, n * 7, axis=1)).astype(np.uint8), float(n)) for n in range(4)]


def call_view() -> View:
    name, view, _ = next(s for s in sample_views("de", SIZE, sample_picture(64, 36, 10)) if s[0] == "call-full")
    assert name
    return view


def moved(view: View, n: int) -> View:
    """The call with its first mark a little further on, as when the camera moves."""
    assert view.call is not None
    overlay = view.call.overlay
    dx = 0.02 * np.sin(n / 5)
    mark = overlay.marks[0]
    there = msgspec.structs.replace(mark, quad=tuple((x + dx, y) for x, y in mark.quad))
    overlay = msgspec.structs.replace(overlay, marks=(there, *overlay.marks[1:]))
    return replace(view, call=replace(view.call, overlay=overlay))


def frames() -> Iterator[Painted]:
    """What the painter hands to the display, frame by frame; the overlay is painted on again at each."""
    painter, view = Painter(SIZE), call_view()
    live, staff = pictures(1280, 720, 40), pictures(640, 480, 120)
    for n in range(10_000_000):
        yield painter.paint(moved(view, n), Front(by_touch=True), live[n % 4], staff[n % 4])


# --- the ways ---------------------------------------------------------------------------------------------------------


class Plain:
    """SDL's calls, bare. whole: the overlay is uploaded whole."""

    def __init__(self, renderer: Any, whole: bool) -> None:
        self._renderer, self._whole = renderer, whole
        self._overlay = self._texture(sdl2.SDL_PIXELFORMAT_ARGB8888, SIZE)
        sdl2.SDL_SetTextureBlendMode(self._overlay, sdl2.SDL_BLENDMODE_BLEND)
        self._live = self._texture(sdl2.SDL_PIXELFORMAT_IYUV, (1280, 720))
        self._staff = self._texture(sdl2.SDL_PIXELFORMAT_IYUV, (640, 480))

    def _texture(self, kind: int, size: tuple[int, int]) -> Any:
        texture = sdl2.SDL_CreateTexture(self._renderer, kind, sdl2.SDL_TEXTUREACCESS_STREAMING, *size)
        sdl2.SDL_SetTextureScaleMode(texture, sdl2.SDL_ScaleModeLinear)
        return texture

    def show(self, painted: Painted) -> None:
        for texture, layer in zip((self._live, self._staff), painted.layers, strict=True):
            p = layer.picture
            sdl2.SDL_UpdateYUVTexture(texture, None, bytes_of(p.y), p.y.strides[0], bytes_of(p.u), p.u.strides[0],
                                      bytes_of(p.v), p.v.strides[0])  # fmt: skip
        for rect in (Rect(0, 0, *SIZE),) if self._whole else painted.changed:
            part = painted.overlay[rect.y :, rect.x :]
            there = sdl2.SDL_Rect(rect.x, rect.y, rect.w, rect.h)
            sdl2.SDL_UpdateTexture(self._overlay, there, part.ctypes.data, painted.overlay.strides[0])
        sdl2.SDL_RenderClear(self._renderer)
        for texture, layer in zip((self._live, self._staff), painted.layers, strict=True):
            r = layer.rect
            sdl2.SDL_RenderCopy(self._renderer, texture, None, sdl2.SDL_Rect(r.x, r.y, r.w, r.h))
        sdl2.SDL_RenderCopy(self._renderer, self._overlay, None, None)
        sdl2.SDL_RenderPresent(self._renderer)


def bytes_of(plane: Pixels) -> Any:
    return plane.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))


class OpenCv:
    """The same picture by OpenCV; the overlay's weights are worked out again only where it changed."""

    def __init__(self) -> None:
        self.shown: Pixels = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
        self._colours = np.zeros_like(self.shown)
        self._over = np.zeros((SIZE[1], SIZE[0]), np.float32)
        self._under = np.ones_like(self._over)

    def show(self, painted: Painted) -> None:
        for r in painted.changed:
            part = painted.overlay[r.y : r.y + r.h, r.x : r.x + r.w]
            place = (slice(r.y, r.y + r.h), slice(r.x, r.x + r.w))
            self._colours[place] = part[..., :3]
            self._over[place] = part[..., 3] * np.float32(1 / 255)
            self._under[place] = 1 - self._over[place]
        ground = np.zeros_like(self.shown)
        for layer in painted.layers:
            lay(ground, layer)
        self.shown = np.asarray(cv2.blendLinear(ground, self._colours, self._under, self._over), np.uint8)


def lay(ground: Pixels, layer: Layer) -> None:
    p, r = layer.picture, layer.rect
    planes = np.concatenate([p.y.ravel(), p.u.ravel(), p.v.ravel()]).reshape(-1, p.y.shape[1])
    picture = cv2.cvtColor(planes, cv2.COLOR_YUV2BGR_I420)
    cv2.resize(picture, (r.w, r.h), dst=ground[r.y : r.y + r.h, r.x : r.x + r.w], interpolation=cv2.INTER_LINEAR)


@contextmanager
def renderer(kind: str) -> Iterator[Any]:
    """One of SDL's renderers, without a screen; None where there is none of that kind."""
    if kind == "software":
        surface = sdl2.SDL_CreateRGBSurfaceWithFormat(0, *SIZE, 32, sdl2.SDL_PIXELFORMAT_ARGB8888)
        yield sdl2.SDL_CreateSoftwareRenderer(surface)
        return
    sdl2.SDL_SetHint(sdl2.SDL_HINT_VIDEODRIVER, b"offscreen")
    if sdl2.SDL_InitSubSystem(sdl2.SDL_INIT_VIDEO):
        yield None
        return
    window = sdl2.SDL_CreateWindow(b"bench", 0, 0, *SIZE, sdl2.SDL_WINDOW_OPENGL)
    yield sdl2.SDL_CreateRenderer(window, -1, sdl2.SDL_RENDERER_ACCELERATED) if window else None
    sdl2.SDL_QuitSubSystem(sdl2.SDL_INIT_VIDEO)


# --- measuring --------------------------------------------------------------------------------------------------------


def cost_ms(show: Show, clock: Callable[[], float]) -> float:
    """CPU ms of a frame, painting left out: the median over rounds of the mean over FRAMES."""
    told = frames()
    for _ in range(8):
        show(next(told))
    means = []
    for _ in range(ROUNDS):
        total = 0.0
        for _ in range(FRAMES):
            painted = next(told)
            began = clock()
            show(painted)
            total += clock() - began
        means.append(total / FRAMES * 1000)
    return median(means)


def painting_ms() -> float:
    told = frames()
    for _ in range(8):
        next(told)
    began = time.thread_time()
    for _ in range(FRAMES):
        next(told)
    return (time.thread_time() - began) / FRAMES * 1000


def ways(kind: str) -> dict[str, float]:
    clock = time.thread_time if kind == "opengl" else time.process_time
    found: dict[str, float] = {}
    for name in ("ours", "by_hand", "plain"):
        with renderer(kind) as made:
            if not made:
                return {}
            if name == "ours":
                composer = Composer(made, SIZE)
                found[name] = cost_ms(lambda p, c=composer: c.compose(p.layers, p.overlay, p.changed), clock)  # type: ignore[misc]
            else:
                found[name] = cost_ms(Plain(made, whole=name == "plain").show, clock)
    return found


def measure() -> int:
    cv2.setNumThreads(1)
    opencv = cost_ms(OpenCv().show, time.process_time)
    painting = painting_ms()
    told = {kind: ways(kind) for kind in ("opengl", "software")}
    rows = [("painting the overlay", f"{painting:.2f} ms", "one moving mark; comes on top, in every way"),
            ("OpenCV/numpy", f"{opencv:.2f} ms", "one thread, blendLinear")]  # fmt: skip
    for kind, found in told.items():
        if not found:
            rows.append((f"SDL {kind}", "–", "SDL finds none here"))
            continue
        ours, plain, by_hand = found["ours"], found["plain"], found["by_hand"]
        rows += [
            (f"SDL {kind}: ours", f"{ours:.2f} ms", f"{opencv / ours:.1f} × less than OpenCV"),
            ("  plain upload", f"{plain:.2f} ms", f"ours is {ours / plain:.2f} of it (bar: {PLAIN_BAR})"),
            ("  plain, by hand", f"{by_hand:.2f} ms", f"ours is {ours / by_hand:.2f} of it (bar: {PLAIN_BAR})"),
        ]
    passed = bool(told["opengl"]) and all(
        found["ours"] <= PLAIN_BAR * min(found["plain"], found["by_hand"]) for found in told.values() if found
    )
    passed = passed and opencv / told["opengl"]["ours"] >= OPENCV_BAR
    figures: dict[str, object] = {
        "benchmark": "display",
        "opencv_ms": round(opencv, 2),
        "painting_ms": round(painting, 2),
    }
    figures |= {kind: {way: round(ms, 3) for way, ms in found.items()} for kind, found in told.items()}
    tell(
        "CPU of a frame at 1080p: camera, staff inset, overlay with alpha and text", rows, figures | {"passed": passed}
    )
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(measure())
