"""The default scene: a hand-held camera that wanders over the machine front. Deterministic: frame n is always the same.

The canvas is drawn once for the process (about 1.5 s; `canvas()` keeps it), so that opening a camera shows at once.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cache
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from kiosk.hw.ports import Pixels
from kiosk.hw.sim.machine_front import HEIGHT, WIDTH, Moving, draw

Homography = NDArray[np.float64]
Planes = tuple[Pixels, Pixels, Pixels]

PERIOD_S = 36.0
"""After this the path begins anew, without a jump."""

PHOTO_WIDTH, PHOTO_HEIGHT = 2560, 1440

_HALF = np.array([[2, 0, 0.5], [0, 2, 0.5], [0, 0, 1]])
"""Pixel centres of a half-size plane in those of the full one: chroma sample 0 lies between luma samples 0 and 1."""


@dataclass(frozen=True, slots=True)
class Canvas:
    """y: (1440, 2560) uint8; u, v: half of it; moving: each part with the planes of its states."""

    y: Pixels
    u: Pixels
    v: Pixels
    moving: tuple[tuple[Moving, tuple[Planes, ...]], ...]


def canvas() -> Canvas:
    """The machine front; drawn at the first call, which takes a second or two. Any thread; the second waits."""
    with _drawing:
        return _drawn()


_drawing = threading.Lock()


@cache
def _drawn() -> Canvas:
    image, moving = draw()
    parts = tuple((part, tuple(to_planes(state) for state in part.states)) for part in moving)
    return Canvas(*to_planes(image), parts)


def to_planes(image: Pixels) -> Planes:
    """(H, W, 3) BGR, H and W even -> I420 planes in BT.601, limited range."""
    height, width = image.shape[:2]
    flat = cast(Pixels, cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420)).reshape(-1)
    luma, chroma = height * width, height * width // 4
    return (
        flat[:luma].reshape(height, width),
        flat[luma : luma + chroma].reshape(height // 2, width // 2),
        flat[luma + chroma :].reshape(height // 2, width // 2),
    )


class Scene:
    """The camera's view, in frames of `width` x `height` px at `fps`. Any thread; calls take turns."""

    def __init__(self, width: int = 1280, height: int = 720, fps: int = 30) -> None:
        if width % 2 or height % 2:
            raise ValueError(f"a picture of {width} x {height} has no whole chroma samples")
        self.width, self.height, self.fps = width, height, fps
        self._lock = threading.Lock()
        self._planes: Planes | None = None

    def frame(self, n: int) -> Planes:
        """The I420 planes of frame n, fresh arrays: (H, W), (H/2, W/2), (H/2, W/2) uint8."""
        return self._view(n, self.pose(n), self.width, self.height)

    def photo(self, n: int) -> Pixels:
        """(1440, 2560, 3) uint8 BGR: the same view as frame n, in the camera's full resolution."""
        grow = _scaling(PHOTO_WIDTH / self.width, PHOTO_HEIGHT / self.height)
        planes = self._view(n, grow @ self.pose(n), PHOTO_WIDTH, PHOTO_HEIGHT)
        flat = np.concatenate([plane.reshape(-1) for plane in planes]).reshape(-1, PHOTO_WIDTH)
        return cast(Pixels, cv2.cvtColor(flat, cv2.COLOR_YUV2BGR_I420))

    def pose(self, n: int) -> Homography:
        """(3, 3): points of the canvas in px -> points of frame n in px; the truth for trackers."""
        return _pose(n / self.fps, self.width, self.height)

    def _view(self, n: int, pose: Homography, width: int, height: int) -> Planes:
        with self._lock:
            y, u, v = self._canvas_at(n / self.fps)
            back = cast(Homography, np.linalg.inv(pose))
            half = cast(Homography, np.linalg.inv(_HALF) @ back @ _HALF)
            return (
                _warp(y, back, width, height),
                _warp(u, half, width // 2, height // 2),
                _warp(v, half, width // 2, height // 2),
            )

    def _canvas_at(self, t: float) -> Planes:
        """The canvas with the moving parts as they are at t: a copy of our own, painted over each time."""
        shared = canvas()
        if self._planes is None:
            self._planes = (shared.y.copy(), shared.u.copy(), shared.v.copy())
        for part, states in shared.moving:
            state = states[part.state(t) % len(states)]
            for plane, patch, shift in zip(self._planes, state, (0, 1, 1), strict=True):
                height, width = patch.shape
                x, y = part.x >> shift, part.y >> shift
                plane[y : y + height, x : x + width] = patch
        return self._planes


def _pose(t: float, width: int, height: int) -> Homography:
    """Somebody shows the machine: a slow walk along it, closer and farther, with an unsteady hand."""
    turn = 2 * np.pi * t / PERIOD_S
    zoom = 1.16 - 0.34 * np.cos(3 * turn)  # canvas px per px of a 720p frame
    view_w = zoom * 1280
    reach_x, reach_y = (WIDTH - view_w * 1.12) / 2, (HEIGHT - view_w * 1.12 * HEIGHT / WIDTH) / 2
    x = WIDTH / 2 - reach_x * np.cos(turn) + 2.6 * np.sin(32 * turn) + 1.2 * np.sin(83 * turn + 1)
    y = HEIGHT / 2 + reach_y * np.sin(2 * turn + 0.6) + 2.2 * np.sin(29 * turn + 2) + 1.1 * np.sin(71 * turn)
    roll = 0.035 * np.sin(2 * turn + 1) + 0.003 * np.sin(23 * turn)
    scale = width / view_w
    cos, sin = scale * np.cos(roll), scale * np.sin(roll)
    place = np.array([[cos, -sin, -cos * x + sin * y], [sin, cos, -sin * x - cos * y], [0, 0, 1]])
    tilt = np.eye(3)
    tilt[2, :2] = 0.045 * np.sin(turn + 2) / width, 0.03 * np.sin(2 * turn) / width
    centre = np.array([[1, 0, (width - 1) / 2], [0, 1, (height - 1) / 2], [0, 0, 1]])
    return cast(Homography, centre @ tilt @ place)


def _scaling(x: float, y: float) -> Homography:
    """Between pixel centres of two sizes of one picture."""
    return np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2], [0, 0, 1]])


def _warp(plane: Pixels, back: Homography, width: int, height: int) -> Pixels:
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cast(
        Pixels, cv2.warpPerspective(plane, back, (width, height), flags=flags, borderMode=cv2.BORDER_REFLECT_101)
    )
