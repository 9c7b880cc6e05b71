"""The Pi's own camera through picamera2, as a FrameSource: two streams, one for the call and one for photographs.

Both streams keep their size while it is open, since changing it stops the sensor: what Camera.set_encoding asks for is
the encoder's to do. X264Encoder scales the smaller stream down. A Pi 4's hardware encoder takes its size when it is
started and a bitrate in coarse steps; in X264Encoder's place it follows the bitrate, and each unit says its size.

Not run on a board yet: its contract run comes with the issue about the real hardware, and so does that encoder.
picamera2 comes with the board's system and is imported when it is opened.
"""

from __future__ import annotations

import threading
import time
from typing import Any, cast

from kiosk.errors import DeviceTrouble
from kiosk.hw.camera_video import to_jpeg
from kiosk.hw.ports import Picture, Pixels, Still

STILL_SIZE = (2304, 1296)
"""A mode that camera modules 2 and 3 read out at video rate, so that a photograph does not stop the video."""


class Picamera2Source:
    """Frames of `width` x `height` px at `fps`; photographs in STILL_SIZE."""

    def __init__(self, width: int, height: int, fps: int) -> None:
        self._width, self._height, self._fps = width, height, fps
        self._lock = threading.Lock()
        self._camera: Any = None

    def open(self) -> None:
        try:
            from picamera2 import Picamera2  # noqa: PLC0415 - exists on the board only
        except ImportError as error:
            raise DeviceTrouble(f"camera: picamera2 is not installed ({error})") from error
        try:
            camera = Picamera2()
            camera.configure(
                camera.create_video_configuration(
                    main={"size": STILL_SIZE, "format": "RGB888"},  # libcamera's name for BGR in memory
                    lores={"size": (self._width, self._height), "format": "YUV420"},
                    controls={"FrameRate": self._fps},
                )
            )
            camera.start()
        except (RuntimeError, IndexError, OSError) as error:
            raise DeviceTrouble(f"camera: {error}") from error
        self._camera = camera

    def next(self, stop: threading.Event) -> Picture | None:
        """Blocks as long as the sensor does; a sensor that stops is found out by the camera's watch."""
        try:
            with self._lock:
                request = self._camera.capture_request()
        except (RuntimeError, OSError) as error:
            raise DeviceTrouble(f"camera: {error}") from error
        try:
            flat = cast(Pixels, request.make_array("lores"))
            return self._picture(flat, _captured_s(request.get_metadata()))
        finally:
            request.release()

    def still(self) -> Still:
        try:
            with self._lock:
                request = self._camera.capture_request()
        except (AttributeError, RuntimeError, OSError) as error:  # AttributeError: it is just closed
            raise DeviceTrouble(f"camera: {error}") from error
        try:
            image, captured_s = cast(Pixels, request.make_array("main")), _captured_s(request.get_metadata())
        finally:
            request.release()
        return Still(to_jpeg(image), image.shape[1], image.shape[0], captured_s)

    def close(self) -> None:
        if self._camera is not None:
            self._camera.stop()
            self._camera.close()
            self._camera = None

    def _picture(self, flat: Pixels, captured_s: float) -> Picture:
        """picamera2 gives (H * 3/2, stride): the luma lines, then two chroma lines side by side in each."""
        w, h, stride = self._width, self._height, flat.shape[1]
        chroma = flat[h:].reshape(2, h // 2, stride // 2)
        return Picture(flat[:h, :w].copy(), chroma[0, :, : w // 2].copy(), chroma[1, :, : w // 2].copy(), captured_s)


def _captured_s(metadata: dict[str, Any]) -> float:
    """libcamera stamps the start of exposure in ns of the boot clock, which is Linux's monotonic one but for sleep."""
    stamp_ns = metadata.get("SensorTimestamp")
    return time.monotonic() if stamp_ns is None else stamp_ns / 1e9
