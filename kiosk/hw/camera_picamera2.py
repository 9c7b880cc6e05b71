"""The Pi's own camera through picamera2, as a FrameSource: two streams, one for the call and one for photographs.

Both come out of every frame and keep their size while it is open, since changing one stops the sensor: what
Camera.set_encoding asks for is the encoder's to do. picamera2 comes with the board's system and is imported when the
camera is opened.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from typing import Any, cast

import cv2
import numpy as np

from kiosk.errors import DeviceTrouble
from kiosk.hw.camera_video import to_jpeg
from kiosk.hw.ports import Picture, Pixels, Still

log = logging.getLogger(__name__)

Size = tuple[int, int]
Mode = Mapping[str, Any]
"""One of picamera2's `sensor_modes`: "size" in px, "fps" at most, "crop_limits" (x, y, w, h) of the sensor's pixels."""

MOST_STILL_PIXELS = 2304 * 1296
"""What a photograph may have at most: it is read out and processed with every frame, as the second output of the Pi's
image processor. It is what camera module 3 gives at video rate."""

_WHOLE_VIEW = 0.9
_WAIT_S = 0.25
_CLOCKS_AGREE_S = 5.0


class Picamera2Source:
    """Frames of `width` x `height` px at `fps`; photographs as large as the sensor gives at that rate.

    The newest frame is held until the next one has come, so that a photograph and the board's encoder can be made of it
    without waiting and without a copy.
    """

    def __init__(self, width: int, height: int, fps: int) -> None:
        self._size, self._fps = (width, height), fps
        self._lock = threading.Lock()  # of `_request`, which photographs use beside the camera's thread
        self._camera: Any = None
        self._job: Any = None
        self._request: Any = None
        self._captured_s = float("-inf")

    def open(self) -> None:
        camera = _camera()
        try:
            _configure(camera, self._size, self._fps)
            camera.start()
        except (RuntimeError, ValueError, OSError) as error:
            camera.close()
            raise DeviceTrouble(f"camera: {error}") from error
        except DeviceTrouble:
            camera.close()
            raise
        self._camera, self._job, self._captured_s = camera, None, float("-inf")

    def next(self, stop: threading.Event) -> Picture | None:
        try:
            request = self._captured()
        except (RuntimeError, OSError) as error:
            raise DeviceTrouble(f"camera: {error}") from error
        if request is None:
            return None
        captured_s = _captured_s(request.get_metadata())
        if captured_s - self._captured_s < 0.9 / self._fps:  # a camera that keeps no rate is thinned out
            request.release()
            return None
        self._captured_s = captured_s
        self._hold(request)
        with _mapped(request, "lores") as (flat, pixel_format):
            return as_picture(flat, pixel_format, self._size, captured_s)

    def still(self) -> Still:
        with self._lock:
            request, captured_s = self._request, self._captured_s
            if request is None:
                raise DeviceTrouble("camera: no picture yet")
            request.acquire()
        try:
            with _mapped(request, "main") as (flat, pixel_format):
                width, height = request.config["main"]["size"]
                image = _bgr(flat, pixel_format)[:height, :width]
        finally:
            request.release()
        return Still(to_jpeg(image), width, height, captured_s)

    def close(self) -> None:
        if (camera := self._camera) is None:
            return
        self._hold(None)
        camera.cancel_all_and_flush()  # or a wait for a picture that never comes would hold up the closing behind it
        with contextlib.suppress(TimeoutError, CancelledError, RuntimeError):
            if self._job is not None:
                self._job.get_result(timeout=0).release()
        try:
            camera.close()
        except RuntimeError as error:
            log.warning("camera: does not close: %s", error)
        self._camera = None

    # --- for an encoder of the board's --------------------------------------------------------------------------------

    def starts(self, encoder: Any, output: Any) -> None:
        """An encoder of picamera2's, for the stream of the call."""
        stream = self._camera.camera_configuration()["lores"]
        encoder.size, encoder.format, encoder.stride = stream["size"], stream["format"], stream["stride"]
        encoder.output = output
        encoder.start()

    def feeds(self, encoder: Any) -> None:
        """Hands it the newest frame, which it holds for as long as it needs it. From the camera's thread."""
        encoder.encode("lores", self._request)

    # --- inside -------------------------------------------------------------------------------------------------------

    def _captured(self) -> Any:
        """The next frame. None: it has not come yet, and the wait for it goes on with the next call."""
        if self._job is None:
            self._job = self._camera.capture_request(wait=False)
        try:
            request = self._job.get_result(timeout=_WAIT_S)
        except TimeoutError:
            return None
        self._job = None
        return request

    def _hold(self, request: Any) -> None:
        with self._lock:
            before, self._request = self._request, request
        if before is not None:
            before.release()


def still_size(modes: Sequence[Mode], video: Size, fps: int) -> tuple[Size, Mode | None]:
    """How large photographs are, and the sensor's mode for it. Pure.

    The whole view comes first, then pixels; slower modes than `fps` are out, and so is what has more pixels than the
    image processor can do beside the video. Its shape is the video's: both outputs show the same part of the sensor.
    """
    fast = [mode for mode in modes if mode.get("fps", 0) >= fps]
    if not fast:
        return video, None
    widest = max(_view(mode) for mode in fast)
    whole = [mode for mode in fast if _view(mode) >= _WHOLE_VIEW * widest]
    mode = max(
        whole, key=lambda mode: (min(_pixels(_shaped(mode["size"], video)), MOST_STILL_PIXELS), -_pixels(mode["size"]))
    )
    width, height = _shaped(mode["size"], video)
    shrink = min(1.0, (MOST_STILL_PIXELS / (width * height)) ** 0.5)
    return (int(width * shrink) // 2 * 2, int(height * shrink) // 2 * 2), mode


def _view(mode: Mode) -> int:
    return int(mode["crop_limits"][2]) * int(mode["crop_limits"][3])


def _pixels(size: Size) -> int:
    return size[0] * size[1]


def _shaped(size: Size, like: Size) -> Size:
    """The largest part of `size` that has the proportions of `like`."""
    scale = min(size[0] / like[0], size[1] / like[1])
    return round(like[0] * scale) // 2 * 2, round(like[1] * scale) // 2 * 2


def _camera() -> Any:
    """The first camera, not yet configured. Raises DeviceTrouble."""
    try:
        from libcamera import CameraManager  # noqa: PLC0415 - both exist on the board only
        from picamera2 import Picamera2  # noqa: PLC0415
    except ImportError as error:
        raise DeviceTrouble(f"camera: picamera2 is not installed ({error})") from error
    if not CameraManager.singleton().cameras:  # a Picamera2 that finds none leaves two files open, at each try
        raise DeviceTrouble("camera: none is found")
    try:
        return Picamera2()
    except (RuntimeError, IndexError, OSError) as error:
        raise DeviceTrouble(f"camera: {error}") from error


def _configure(camera: Any, size: Size, fps: int) -> None:
    """Raises DeviceTrouble: it does not give the call's size. RuntimeError: it takes no such configuration."""
    from libcamera import ColorSpace, controls  # noqa: PLC0415 - comes with picamera2

    on_board = "ColorFilterArrangement" in camera.camera_properties  # as picamera2 tells the Pi's cameras from others
    large, mode = still_size(camera.sensor_modes, size, fps) if on_board else (camera.sensor_resolution, None)
    settings: dict[str, Any] = {"FrameRate": fps}
    if "AfMode" in camera.camera_controls:  # camera module 3: sharp at whatever is held before it
        settings["AfMode"] = controls.AfModeEnum.Continuous
    camera.configure(
        camera.create_video_configuration(
            main={"size": large, "format": "YUV420"},
            lores={"size": size, "format": "YUV420"},
            sensor={"output_size": mode["size"], "bit_depth": mode["bit_depth"]} if mode else {},
            colour_space=ColorSpace.Smpte170m(),  # BT.601, limited range: what encoder and display take pictures for
            controls=settings,
            display=None,
            encode="lores",
        )
    )
    given = camera.camera_configuration()["lores"]["size"]
    if given != size:
        raise DeviceTrouble(f"camera: gives {given[0]} x {given[1]} px, not {size[0]} x {size[1]}")


@contextlib.contextmanager
def _mapped(request: Any, stream: str) -> Iterator[tuple[Pixels, str]]:
    """(3 * H / 2, stride) uint8 of a stream as it lies in memory, valid inside only, and its format."""
    from picamera2 import MappedArray  # noqa: PLC0415 - exists on the board only

    with MappedArray(request, stream, write=False) as mapped:
        yield cast(Pixels, mapped.array), str(request.config[stream]["format"])


def as_picture(flat: Pixels, pixel_format: str, size: Size, captured_s: float) -> Picture:
    """flat: (3 * H / 2, stride) uint8, copied. Raises DeviceTrouble: of another format than YUV420 and NV12."""
    w, h = size
    y = flat[:h, :w].copy()
    if pixel_format == "NV12":
        return Picture(y, flat[h:, 0:w:2].copy(), flat[h:, 1:w:2].copy(), captured_s)
    _check(pixel_format)
    chroma = flat[h:].reshape(2, h // 2, flat.shape[1] // 2)  # two lines side by side in each of the luma's length
    return Picture(y, chroma[0, :, : w // 2].copy(), chroma[1, :, : w // 2].copy(), captured_s)


def _bgr(flat: Pixels, pixel_format: str) -> Pixels:
    """(H, stride, 3) uint8."""
    if pixel_format == "NV12":
        return cast(Pixels, cv2.cvtColor(np.ascontiguousarray(flat), cv2.COLOR_YUV2BGR_NV12))
    _check(pixel_format)
    return cast(Pixels, cv2.cvtColor(flat, cv2.COLOR_YUV2BGR_I420))


def _check(pixel_format: str) -> None:
    if pixel_format != "YUV420":
        raise DeviceTrouble(f"camera: gives pictures as {pixel_format}")


def _captured_s(metadata: Mapping[str, Any]) -> float:
    """libcamera stamps the start of exposure in ns of the boot clock, which is Linux's monotonic one but for sleep."""
    now_s, stamp_ns = time.monotonic(), metadata.get("SensorTimestamp")
    if stamp_ns is None or abs(stamp_ns / 1e9 - now_s) > _CLOCKS_AGREE_S:
        return now_s
    return float(stamp_ns) / 1e9
