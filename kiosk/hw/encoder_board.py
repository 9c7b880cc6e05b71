"""The board's own H.264 encoder (Raspberry Pi 4 and older) in X264Encoder's place, driven through picamera2.

It encodes frames where they lie, so that 720p costs the CPU next to nothing. Its size is fixed when it is made; its
rate is followed while it runs. A Raspberry Pi 5 has none.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import queue
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kiosk.errors import DeviceTrouble
from kiosk.hw.camera_picamera2 import Picamera2Source
from kiosk.hw.ports import AccessUnit, Encoding, Picture

log = logging.getLogger(__name__)

_DRIVER = Path("/sys/class/video4linux/video11/name")
"""picamera2 uses /dev/video11 without looking, also where there is none."""

LEAST_BPS = 150_000
"""Below it the board's encoder leaves out pictures in bursts (picamera2, issue 1230)."""

_SET_CONTROL, _CONTROL = 0xC008561C, "=Ii"
_BITRATE = 0x009909CF
"""videodev2.h: VIDIOC_S_CTRL, struct v4l2_control {id, value}, V4L2_CID_MPEG_VIDEO_BITRATE."""

_GOP_S = 10
_FOLLOW = 1.08
"""A smaller change of the rate is not worth a call into the driver..."""
_RESTART = 1.4
"""...or, where the encoder cannot follow while it runs, a new one with its keyframe."""

_TAKES_S = 0.1
"""A board takes a third of that for 720p."""
_EARLY = 0.25
_STUCK = 30
"""Pictures without one access unit, though none was left out."""


def has_board_encoder() -> bool:
    with contextlib.suppress(OSError):
        return "codec-encode" in _DRIVER.read_text()
    return False


def board_h264(bitrate_bps: int, fps: int) -> Any:
    """picamera2's encoder of the board, not yet started."""
    from picamera2.encoders import H264Encoder  # noqa: PLC0415 - exists on the board only

    return H264Encoder(
        bitrate=bitrate_bps, repeat=True, iperiod=_GOP_S * fps, framerate=fps, profile="constrained baseline"
    )


@dataclass(frozen=True, slots=True)
class _Out:
    data: bytes
    keyframe: bool
    stamp_us: int
    """Since the encoder's first frame."""


class BoardEncoder:
    """Encoder. `encode` waits for its unit, as X264Encoder works for it; the CPU is free meanwhile.

    make: (bits a second, pictures a second) -> an encoder of picamera2's.
    """

    def __init__(
        self, source: Picamera2Source, size: tuple[int, int], fps: int, bitrate_bps: int,
        make: Callable[[int, int], Any] = board_h264,
    ) -> None:  # fmt: skip
        """Raises DeviceTrouble."""
        self._source, self._size, self._camera_fps, self._make = source, size, fps, make
        self._wanted_bps, self._fps = bitrate_bps, fps
        self._keyframe = False
        self._due_s = float("-inf")
        self._begin()

    def request_keyframe(self) -> None:
        self._keyframe = True

    def set_bitrate(self, bps: int) -> None:
        self._wanted_bps = bps

    def set_encoding(self, encoding: Encoding) -> None:
        """Keeps its size."""
        self._wanted_bps, self._fps = encoding.bps, min(encoding.fps, self._camera_fps)

    def encode(self, picture: Picture) -> AccessUnit | None:
        if not self._waiting:  # else the one before is late: this picture is left out, and nothing lags for good
            if not self._is_due(picture.captured_s):
                return None
            self._follow()
            self._feed(picture)
        return self._unit()

    def close(self) -> None:
        _stopped(self._encoder)

    def _begin(self) -> None:
        self._made_bps = max(LEAST_BPS, self._wanted_bps)
        self._outs: queue.SimpleQueue[_Out] = queue.SimpleQueue()
        self._waiting: dict[int, float] = {}
        self._in_vain = 0
        self._first_us: int | None = None
        try:
            self._encoder = self._make(self._made_bps, self._camera_fps)
            self._source.starts(self._encoder, _output(self._outs))
        except (RuntimeError, OSError) as error:
            raise DeviceTrouble(f"encoder: {error}") from error

    def _follow(self) -> None:
        wanted = max(LEAST_BPS, self._wanted_bps)
        ratio = max(wanted, self._made_bps) / min(wanted, self._made_bps)
        if ratio > _FOLLOW and _set_live(self._encoder, wanted):
            self._made_bps = wanted
        elif ratio > _RESTART:
            before = self._encoder
            self._begin()
            # picamera2 waits for its last frames; the new encoder need not
            threading.Thread(target=_stopped, args=(before,), name="encoder end", daemon=True).start()

    def _feed(self, picture: Picture) -> None:
        if self._keyframe:
            self._keyframe = False
            self._encoder.force_key_frame()
        try:
            self._source.feeds(self._encoder)
        except (RuntimeError, OSError) as error:
            raise DeviceTrouble(f"encoder: {error}") from error
        stamp_us = int(picture.captured_s * 1e6 + 0.5)
        if self._first_us is None:
            self._first_us = stamp_us
        self._waiting[stamp_us - self._first_us] = picture.captured_s

    def _unit(self) -> AccessUnit | None:
        try:
            out = self._outs.get(timeout=_TAKES_S)
        except queue.Empty:
            self._in_vain += 1
            if self._in_vain >= _STUCK:
                raise DeviceTrouble("encoder: gives nothing any more") from None
            if self._in_vain > 1:
                self._waiting.clear()  # left out by the encoder, which had no bits for it
            return None
        self._in_vain = 0
        return AccessUnit(out.data, self._named(out.stamp_us), out.keyframe, self._size)

    def _named(self, stamp_us: int) -> float:
        """The capture time of a unit, whose stamp was cut to whole microseconds; older ones never come any more."""
        near = min(self._waiting, key=lambda stamp: abs(stamp - stamp_us), default=None)
        if near is None:  # it was given up, but the next ones are made from it
            return ((self._first_us or 0) + stamp_us) / 1e6
        captured_s = self._waiting[near]
        self._waiting = {stamp: s for stamp, s in self._waiting.items() if stamp > near}
        return captured_s

    def _is_due(self, captured_s: float) -> bool:
        """Evenly spread, where fewer are wanted than the camera takes."""
        if self._fps >= self._camera_fps:
            return True
        if captured_s < self._due_s - _EARLY / self._fps:
            return False
        self._due_s = max(self._due_s + 1 / self._fps, captured_s + 0.5 / self._fps)
        return True


def _output(outs: queue.SimpleQueue[_Out]) -> Any:
    """What an encoder of picamera2's writes to, from a thread of its own."""
    from picamera2.outputs import Output  # noqa: PLC0415 - exists on the board only

    class ToQueue(Output):  # type: ignore[misc]  # untyped base
        def outputframe(
            self,
            frame: Any,
            keyframe: bool = True,
            timestamp: int | None = None,
            packet: Any = None,
            audio: bool = False,
        ) -> None:
            outs.put(_Out(bytes(frame), keyframe, timestamp or 0))

    return ToQueue()


def _set_live(encoder: Any, bps: int) -> bool:
    """Whether the running encoder follows: the board's driver does, through the device that picamera2 has opened."""
    if (device := getattr(encoder, "vd", None)) is None:
        return False
    control = struct.pack(_CONTROL, _BITRATE, bps)
    try:
        fcntl.ioctl(device, _SET_CONTROL, control)
    except OSError as error:
        log.warning("encoder: does not follow %d bit/s (%s)", bps, error)
        return False
    return True


def _stopped(encoder: Any) -> None:
    with contextlib.suppress(RuntimeError, OSError):  # it never started, or its device is gone
        encoder.stop()
