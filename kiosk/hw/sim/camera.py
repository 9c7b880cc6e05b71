"""The simulated camera: films the scene with the clock, and can be unplugged, plugged in and stalled."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from kiosk.errors import DeviceTrouble
from kiosk.hw.camera_video import to_jpeg
from kiosk.hw.ports import Picture, Still
from kiosk.hw.sim import corner_code
from kiosk.hw.sim.scene import Scene, canvas

_WAIT_S = 0.5


class SceneSource:
    """A FrameSource of scene frames: the frame number in the corner code is the one `Scene.pose` takes.

    A thread that is late skips frames, as a camera does. The canvas is drawn while the kiosk starts (`preload`), so
    that a call need not wait for it.
    """

    def __init__(
        self,
        scene: Scene,
        *,
        now: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        preload: bool = True,
    ) -> None:
        self.scene = scene
        self._now, self._wall = now, wall
        self._plugged = threading.Event()
        self._plugged.set()
        self._stalled = False
        self._began_s = 0.0
        self._n = 0
        if preload:
            # no daemon: a program that ends at once waits for it, where OpenCV would else be torn from under it
            threading.Thread(target=canvas, name="scene").start()

    @property
    def plugged(self) -> bool:
        return self._plugged.is_set()

    def unplug(self) -> None:
        """From any thread, as the next two."""
        self._plugged.clear()

    def plug(self) -> None:
        self._plugged.set()

    def stall(self, stalled: bool = True) -> None:
        """Still there, but no picture comes."""
        self._stalled = stalled

    def open(self) -> None:
        self._check()
        canvas()
        self._began_s = self._now()
        self._n = -1

    def next(self, stop: threading.Event) -> Picture | None:
        self._check()
        if self._stalled:
            stop.wait(_WAIT_S / 10)
            return None
        self._n = max(self._n + 1, int((self._now() - self._began_s) * self.scene.fps))
        wait_s = self._began_s + self._n / self.scene.fps - self._now()
        if wait_s > 0 and stop.wait(min(wait_s, _WAIT_S)):
            return None
        self._check()
        return self._take()

    def still(self) -> Still:
        self._check()
        captured_s = self._now()
        photo = self.scene.photo(max(0, self._n))
        return Still(to_jpeg(photo), photo.shape[1], photo.shape[0], captured_s)

    def close(self) -> None:
        """Nothing is held."""

    def _take(self) -> Picture:
        captured_s, wall_ms = self._now(), int(self._wall() * 1000)
        y, u, v = self.scene.frame(self._n)
        corner_code.draw(y, self._n, wall_ms)
        rows, columns = self.scene.height * 4 // 45 // 2, self.scene.width * 14 // 80 // 2
        u[-rows:, :columns] = v[-rows:, :columns] = 128  # grey, or the code would take the picture's colours
        return Picture(y, u, v, captured_s)

    def _check(self) -> None:
        if not self._plugged.is_set():
            raise DeviceTrouble("camera: unplugged")
