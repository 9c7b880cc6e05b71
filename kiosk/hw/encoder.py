"""The one encoder of a call: I420 pictures in, H.264 access units out, none held back.

libx264 on the CPU; a hardware encoder of a board takes the same place behind `Encoder`.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Protocol

import av
import numpy as np
from av.codec.context import ThreadType
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType, VideoFrame

from kiosk.errors import DeviceTrouble
from kiosk.hw.ports import AccessUnit, Picture, Pixels

CLOCK_HZ = 90_000
"""The RTP clock of video (RFC 6184, section 8.2.1)."""

_GOP_S = 10
"""Keyframes come on demand; the long period only heals a decoder that asks for nothing."""

_BUFFER_S = 0.6
"""A keyframe may take at most so much of the rate's time, or it would block a thin link."""

_BUFFER_DRIFT = 1.25
"""From this ratio of bitrate to buffer on, the next keyframe is made by a fresh x264 with the right buffer."""

_LEVEL_31_BLOCKS = 3600
_LEVEL_31_BLOCKS_PER_S = 108_000
"""H.264 table A-1: what fits level 3.1, the level of profile-level-id 42e01f that every browser takes."""

_MPEG_RANGE = 1
_SMPTE170M = 6
"""BT.601, limited range: what OpenCV's I420 conversions make; without it a decoder guesses from the height."""


class Encoder(Protocol):
    """Used by the camera's thread alone, but for `request_keyframe` and `set_bitrate` (any thread, at once done)."""

    def encode(self, picture: Picture) -> AccessUnit | None:
        """The access unit of this very picture. None: the encoder holds it back (hardware may, the first one).

        Raises DeviceTrouble.
        """

    def request_keyframe(self) -> None: ...

    def set_bitrate(self, bps: int) -> None: ...

    def close(self) -> None: ...


class X264Encoder:
    """Constrained baseline, ultrafast, zerolatency, one slice thread: 3.4 ms at 720p, and no frame of delay.

    A changed bitrate is followed within a second or two and without a keyframe. Two things cannot be changed in a
    running x264 through libavcodec: the rate's ceiling, which is therefore opened at `ceiling_bps` (opened at less,
    the rate never rose again: measured), and the buffer that bounds a keyframe, which is renewed, context and all,
    where a keyframe is due anyway.
    """

    def __init__(self, width: int, height: int, fps: int, bitrate_bps: int, ceiling_bps: int = 0) -> None:
        self._width, self._height, self._fps = width, height, fps
        self._bitrate_bps = bitrate_bps
        self._ceiling_bps = max(ceiling_bps, bitrate_bps)
        self._keyframe = True
        self._last_pts = -1
        self._context = self._open()

    def request_keyframe(self) -> None:
        self._keyframe = True

    def set_bitrate(self, bps: int) -> None:
        self._bitrate_bps = bps
        self._ceiling_bps = max(self._ceiling_bps, bps)

    def encode(self, picture: Picture) -> AccessUnit | None:
        keyframe, self._keyframe = self._keyframe, False
        self._follow_bitrate(keyframe)
        frame = self._frame(picture, keyframe)
        try:
            packets = self._context.encode(frame)
        except av.FFmpegError as error:
            raise DeviceTrouble(f"encoder: {error}") from error
        if not packets:
            return None
        data = b"".join(bytes(packet) for packet in packets)
        return AccessUnit(data, picture.captured_s, any(packet.is_keyframe for packet in packets))

    def close(self) -> None:
        """Nothing is held back, so nothing is flushed; the context goes with the object."""

    def _follow_bitrate(self, keyframe: bool) -> None:
        wanted = self._bitrate_bps
        if keyframe and not 1 / _BUFFER_DRIFT < wanted / self._buffer_bps < _BUFFER_DRIFT:
            self._context = self._open()
        elif self._context.bit_rate != wanted:
            self._context.bit_rate = wanted

    def _frame(self, picture: Picture, keyframe: bool) -> VideoFrame:
        if picture.size != (self._width, self._height):
            raise DeviceTrouble(f"encoder: picture of {picture.size}, made for {(self._width, self._height)}")
        frame = VideoFrame(self._width, self._height, "yuv420p")
        for index, pixels in enumerate((picture.y, picture.u, picture.v)):
            _fill(frame, index, pixels)
        frame.pts = max(self._last_pts + 1, round(picture.captured_s * CLOCK_HZ))
        frame.time_base = Fraction(1, CLOCK_HZ)
        frame.pict_type = PictureType.I if keyframe else PictureType.NONE
        self._last_pts = frame.pts
        return frame

    def _open(self) -> VideoCodecContext:
        wanted = self._bitrate_bps
        try:
            context = VideoCodecContext.create("libx264", "w")
            self._describe(context, wanted)
            context.open()
        except (av.FFmpegError, ValueError) as error:
            raise DeviceTrouble(f"encoder: {error}") from error
        context.bit_rate = wanted
        self._buffer_bps = wanted
        return context

    def _describe(self, context: VideoCodecContext, wanted_bps: int) -> None:
        context.width, context.height, context.pix_fmt = self._width, self._height, "yuv420p"
        context.framerate = Fraction(self._fps)
        context.time_base = Fraction(1, CLOCK_HZ)
        context.bit_rate = self._ceiling_bps
        context.gop_size = _GOP_S * self._fps
        context.max_b_frames = 0
        context.thread_count = 1
        context.thread_type = ThreadType.SLICE
        context.color_range, context.colorspace = _MPEG_RANGE, _SMPTE170M
        context.color_primaries, context.color_trc = _SMPTE170M, _SMPTE170M
        context.options = self._options(wanted_bps)

    def _options(self, wanted_bps: int) -> dict[str, str]:
        options = {
            "preset": "ultrafast",
            "tune": "zerolatency",
            "profile": "baseline",
            "forced-idr": "1",  # a keyframe on request must be one where a late joiner can begin
            "maxrate": str(self._ceiling_bps),
            "bufsize": str(int(wanted_bps * _BUFFER_S)),
            "x264-params": "scenecut=0:repeat-headers=1:annexb=1:sliced-threads=0:force-cfr=1",
        }
        return options | ({"level": "3.1"} if self._fits_level_31() else {})

    def _fits_level_31(self) -> bool:
        blocks = -(-self._width // 16) * -(-self._height // 16)
        return blocks <= _LEVEL_31_BLOCKS and blocks * self._fps <= _LEVEL_31_BLOCKS_PER_S


def _fill(frame: VideoFrame, index: int, pixels: Pixels) -> None:
    """Copies a plane into the frame, whose lines may be longer than the picture is wide."""
    plane = frame.planes[index]
    height, width = pixels.shape
    lines: Pixels = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    lines[:height, :width] = pixels
