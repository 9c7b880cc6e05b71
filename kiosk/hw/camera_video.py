"""Frames out of PyAV: a video file, looped at its own pace, or a V4L2 camera (USB cameras, microscopes)."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from typing import Protocol, cast

import av
import cv2
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream

from kiosk.errors import DeviceTrouble
from kiosk.hw import v4l2
from kiosk.hw.ports import Picture, Pixels, Still

_JPEG_QUALITY = 92
_LATE_S = 0.25
"""So late, a file is not caught up by playing it faster, but the clock set anew."""

_READ_S = 2.0
_WAIT_S = 0.5


class _Clock(Protocol):
    def __call__(self) -> float: ...


class VideoSource:
    """A FrameSource: what PyAV opens under `address`, fitted into `width` x `height` px with black around it.

    live: a device that paces itself and never ends. Otherwise a file, paced by its time stamps and looped.
    Faster than `fps` is thinned out: the encoder's rate counts on it.
    """

    def __init__(
        self,
        address: str,
        width: int,
        height: int,
        fps: int,
        *,
        live: bool = False,
        container_format: str | None = None,
        options: Sequence[dict[str, str]] = ({},),
        now: _Clock = time.monotonic,
    ) -> None:
        """options: of the format, tried one after the other until one opens."""
        self._address, self._width, self._height, self._fps = address, width, height, fps
        self._live, self._format, self._options = live, container_format, options
        self._now = now
        self._lock = threading.Lock()
        self._newest: tuple[VideoFrame, float] | None = None
        self._container: InputContainer | None = None
        self._device: int | None = None
        self._frames: Generator[tuple[VideoFrame, float], None, None] | None = None

    def open(self) -> None:
        for last, options in enumerate(self._options, 1 - len(self._options)):
            try:
                self._container = self._opened(options)
                break
            except (av.FFmpegError, OSError, ValueError, IndexError) as error:
                if last == 0:
                    others = v4l2.others() if self._live else ""
                    raise DeviceTrouble(f"camera {self._address}: {_reason(error)}{others}") from error
        assert self._container is not None
        self._frames = self._decoded(self._container)
        self._device = v4l2.descriptor(self._address) if self._live else None
        self._zero_s: float | None = None  # monotonic time of the file's time 0
        self._shown_s = -1.0  # the file's time of the last frame given out

    def next(self, stop: threading.Event) -> Picture | None:
        if self._device is not None and not v4l2.readable(self._device, _WAIT_S):
            return None
        frame, at_s = self._read()
        if at_s - self._shown_s < 0.9 / self._fps:
            return None
        self._shown_s = at_s
        if not self._live and self._wait(at_s, stop):
            return None
        return self._picture(frame)

    def still(self) -> Still:
        with self._lock:
            if self._newest is None:
                raise DeviceTrouble(f"camera {self._address}: no picture yet")
            frame, captured_s = self._newest
            image = cast(Pixels, frame.to_ndarray(format="bgr24"))
            del frame  # with the lock still held: see `close`
        return Still(to_jpeg(image), image.shape[1], image.shape[0], captured_s)

    def close(self) -> None:
        """Pictures of a V4L2 device lie in its own memory, and FFmpeg crashes where one is let go of after the device
        was closed: nothing may hold one then, no generator and no traceback either."""
        with self._lock:
            self._newest = None
        if self._frames is not None:
            self._frames.close()
        if self._container is not None:
            self._container.close()
            self._container = None

    def _decoded(self, container: InputContainer) -> Generator[tuple[VideoFrame, float], None, None]:
        """Frames with their times in s, which go on rising when a file begins anew."""
        stream = container.streams.video[0]
        began_s, at_s = 0.0, None
        while True:
            for frame in _whole_frames(container, stream):
                at_s = self._now() if frame.time is None or self._live else began_s + frame.time
                yield frame, at_s
            if self._live or at_s is None:
                return
            began_s = at_s + 1 / self._fps
            container.seek(0)

    def _read(self) -> tuple[VideoFrame, float]:
        assert self._frames is not None
        try:
            return next(self._frames)
        except StopIteration:
            reason = "ended"
        except (av.FFmpegError, OSError) as error:
            reason = _reason(error)
        raise DeviceTrouble(f"camera {self._address}: {reason}")  # not out of the handlers: no traceback is kept

    def _opened(self, options: dict[str, str]) -> InputContainer:
        timeouts = (_READ_S * 2, _READ_S)
        container = av.open(self._address, format=self._format, options=options, timeout=timeouts)
        if not container.streams.video:
            container.close()
            raise ValueError("has no pictures")
        return container

    def _wait(self, at_s: float, stop: threading.Event) -> bool:
        """Until the frame is due; True: to be stopped."""
        now = self._now()
        if self._zero_s is None or now - self._zero_s - at_s > _LATE_S:
            self._zero_s = now - at_s
        return stop.wait(max(0.0, min(self._zero_s + at_s - now, _WAIT_S)))

    def _picture(self, frame: VideoFrame) -> Picture:
        captured_s = self._now()
        with self._lock:
            self._newest = (frame, captured_s)
        return fitted(frame, self._width, self._height, captured_s)


def file_source(path: str, width: int, height: int, fps: int) -> VideoSource:
    return VideoSource(path, width, height, fps)


def v4l2_source(device: str, width: int, height: int, fps: int) -> VideoSource:
    """A camera under /dev/v4l/by-id/NAME or /dev/videoN, asked for its nearest mode: as JPEG pictures where it makes
    them, since USB 2 carries 720p uncompressed at ten a second only.

    H.264 that some cameras make themselves is left alone: neither its bitrate nor its keyframes follow a call.
    """
    mode = {"video_size": f"{width}x{height}", "framerate": str(fps)}
    options = ({**mode, "input_format": "mjpeg"}, mode)
    return VideoSource(device, width, height, fps, live=True, container_format="v4l2", options=options)


def _whole_frames(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    """Without those that came broken over the cable: a USB camera's first picture often does."""
    for packet in container.demux(stream):
        with contextlib.suppress(av.error.InvalidDataError):
            yield from packet.decode()


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).strip()


def fitted(frame: VideoFrame, width: int, height: int, captured_s: float) -> Picture:
    """The whole frame as large as it fits, black around it, in BT.601 and limited range."""
    scale = min(width / frame.width, height / frame.height)
    w, h = max(2, round(frame.width * scale / 2) * 2), max(2, round(frame.height * scale / 2) * 2)
    small = frame.reformat(w, h, "yuv420p", dst_colorspace=Colorspace.ITU601, dst_color_range=ColorRange.MPEG)
    flat = cast(Pixels, small.to_ndarray()).reshape(-1)
    luma, chroma = w * h, w * h // 4
    y, u, v = (
        flat[:luma].reshape(h, w),
        flat[luma : luma + chroma].reshape(h // 2, w // 2),
        flat[luma + chroma :].reshape(h // 2, w // 2),
    )
    if (w, h) == (width, height):
        return Picture(y, u, v, captured_s)
    left, top = (width - w) // 4, (height - h) // 4  # in chroma samples
    return Picture(
        _framed(y, width, height, 2 * left, 2 * top, 16),
        _framed(u, width // 2, height // 2, left, top, 128),
        _framed(v, width // 2, height // 2, left, top, 128),
        captured_s,
    )


def to_jpeg(image: Pixels) -> bytes:
    """(H, W, 3) uint8 BGR -> JPEG."""
    ok, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    if not ok:
        raise DeviceTrouble("camera: the photograph does not fit a JPEG")
    return data.tobytes()


def _framed(plane: Pixels, width: int, height: int, left: int, top: int, around: int) -> Pixels:
    whole = np.full((height, width), around, np.uint8)
    h, w = plane.shape
    whole[top : top + h, left : left + w] = plane
    return whole
