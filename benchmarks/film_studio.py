"""Renders the benchmarks' film, and plays it as the kiosk's camera."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np

from benchmarks.film import CELL_PX, CODE_ROWS, CODE_WIDTH_PX, FPS, FRAMES, HEIGHT, PATH, PERIOD_S, WIDTH, Film
from kiosk.errors import DeviceTrouble
from kiosk.hw.ports import Picture, Pixels, Still
from kiosk.hw.sim.scene import Scene

_LUMA = WIDTH * HEIGHT
_WAIT_S = 0.5


def render(path: Path = PATH) -> Path:
    """The film, rendered now if it is not there yet (some ten seconds)."""
    if path.exists():
        return path
    path.parent.mkdir(exist_ok=True)
    scene = Scene(WIDTH, HEIGHT, FPS)
    whole = path.with_suffix(".part")
    with whole.open("wb") as file:
        for n in range(FRAMES):
            for plane in _greyed(*scene.frame(n)):
                file.write(plane.tobytes())
    whole.replace(path)
    return path


def _greyed(y: Pixels, u: Pixels, v: Pixels) -> tuple[Pixels, Pixels, Pixels]:
    """Grey where the corner code will be, or it would take the picture's colours."""
    rows, columns = CODE_ROWS * CELL_PX // 2, CODE_WIDTH_PX // 2
    u[-rows:, :columns] = v[-rows:, :columns] = 128
    return y, u, v


class FilmSource:
    """A FrameSource for kiosk.hw.camera_frames: late, it skips frames, as a camera does."""

    def __init__(self, film: Film) -> None:
        self._film = film
        self._began_s = 0.0
        self._n = -1

    def open(self) -> None:
        self._began_s, self._n = time.monotonic(), -1

    def next(self, stop: threading.Event) -> Picture | None:
        self._n = max(self._n + 1, int((time.monotonic() - self._began_s) / PERIOD_S))
        wait_s = self._began_s + self._n * PERIOD_S - time.monotonic()
        if wait_s > 0 and stop.wait(min(wait_s, _WAIT_S)):
            return None
        return picture(self._film.frame(self._n), time.monotonic())

    def still(self) -> Still:
        raise DeviceTrouble("the film takes no photographs")

    def close(self) -> None:
        """Nothing is held."""


def picture(frame: bytearray, captured_s: float) -> Picture:
    flat = np.frombuffer(frame, np.uint8)
    y, u, v = flat[:_LUMA], flat[_LUMA : _LUMA * 5 // 4], flat[_LUMA * 5 // 4 :]
    half = (HEIGHT // 2, WIDTH // 2)
    return Picture(y.reshape(HEIGHT, WIDTH), u.reshape(half), v.reshape(half), captured_s)
