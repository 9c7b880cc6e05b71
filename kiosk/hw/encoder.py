"""The one encoder of a call: I420 pictures in, H.264 access units out, none held back.

libx264 on the CPU; a hardware encoder of a board takes the same place behind `Encoder`.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Protocol

import av
import numpy as np
from av.codec.context import ThreadType
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType, VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

from kiosk.errors import DeviceTrouble
from kiosk.hw.ports import AccessUnit, Encoding, Picture, Pixels

CLOCK_HZ = 90_000
"""The RTP clock of video (RFC 6184, section 8.2.1)."""

_GOP_S = 10
"""Keyframes come on demand; the long period only heals a decoder that asks for nothing."""

_BUFFER_S = 0.2
"""A keyframe may take at most so much of the rate's time, or it would block a thin link. In practice it takes about
0.12 s; against 0.6 s it costs 0.1 dB (benchmarks/ladder.py)."""

_BUFFER_DRIFT = 1.25
"""From this ratio of bitrate to buffer on, the next keyframe is made by a fresh x264 with the right buffer."""

_FALL = 0.7
_FOLLOWS_IN_S = 0.35
"""A running x264 follows a lower rate within a second only: from 2.5 to 0.8 Mbit/s it sends 240 kbit too much, 0.3 s of
the link. A fresh one (with its keyframe) sends 40 at most. So one is made where the rate falls below this share of what
the running one has come to, which is the wanted rate with this lag."""

_FINER = "subme=1:no-deblock=0"
"""What ultrafast leaves out and should not: motion finer than a pixel, and the filter between blocks. A camera in a
hand moves by fractions of a pixel: +5.7 dB at the same bitrate, or the same picture at 40 % of it, for 5.4 ms instead
of 3.5 a frame (720p30, moving scene; without, it was 5.5 dB behind libwebrtc's VP8 at 1.3 Mbit/s)."""

_LIGHTER = "nr=60"
"""The finest noise is left out before it is coded: 4 to 9 % less of a processor, the same picture at the same bitrate
(within 0.05 dB at 0.7 and 1.9 Mbit/s, 720p30, of a clean scene and of a noisy one)."""

_EARLY = 0.25
"""Of a picture's time: a camera's clock and ours do not agree to the millisecond."""

_LEVEL_31_BLOCKS = 3600
_LEVEL_31_BLOCKS_PER_S = 108_000
"""H.264 table A-1: what fits level 3.1, the level of profile-level-id 42e01f that every browser takes."""

_MPEG_RANGE = 1
_SMPTE170M = 6
"""BT.601, limited range: what OpenCV's I420 conversions make; without it a decoder guesses from the height."""


class Encoder(Protocol):
    """Used by the camera's thread alone, but for `request_keyframe` and `set_...` (any thread, at once done)."""

    def encode(self, picture: Picture) -> AccessUnit | None:
        """The access unit of this very picture. None: the encoder leaves it out, being asked for fewer a second, or
        holds it back (hardware may, the first one).

        Raises DeviceTrouble.
        """

    def request_keyframe(self) -> None: ...

    def set_bitrate(self, bps: int) -> None: ...

    def set_encoding(self, encoding: Encoding) -> None:
        """A request: larger or faster than the camera is cut down to it; hardware may do the bitrate only."""

    def close(self) -> None: ...


class X264Encoder:
    """Constrained baseline, ultrafast but for three things (_FINER, _LIGHTER), zerolatency, one slice thread: 5 ms at
    720p, and no frame of delay.

    Smaller sizes are scaled down from the camera's (0.5 ms) and begin with a keyframe, as does a rate that falls by
    more than 30 %; any other changed rate is followed without one. Two things cannot be changed in a running x264
    through libavcodec: the rate's ceiling, which is therefore opened at `ceiling_bps` (opened at less, the rate never
    rose again: measured), and the buffer that bounds a keyframe, which is renewed, context and all, where a keyframe is
    due anyway.
    """

    def __init__(self, width: int, height: int, fps: int, bitrate_bps: int, ceiling_bps: int = 0) -> None:
        self._camera = self._wanted = self._made = Encoding(width, height, fps, bitrate_bps)
        self._ceiling_bps = max(ceiling_bps, bitrate_bps)
        self._reformatter = VideoReformatter()
        self._keyframe = True
        self._last_pts = -1
        self._due_s = float("-inf")
        self._context = self._open(self._wanted)

    def request_keyframe(self) -> None:
        self._keyframe = True

    def set_bitrate(self, bps: int) -> None:
        self._wanted = replace(self._wanted, bps=bps)

    def set_encoding(self, encoding: Encoding) -> None:
        whole = self._camera
        width, height = min(encoding.width, whole.width), min(encoding.height, whole.height)
        self._wanted = Encoding(width // 2 * 2, height // 2 * 2, min(encoding.fps, whole.fps), encoding.bps)

    def encode(self, picture: Picture) -> AccessUnit | None:
        wanted = self._wanted
        if not self._is_due(picture.captured_s, wanted.fps):
            return None
        keyframe, self._keyframe = self._keyframe, False
        fresh = self._follow(wanted, keyframe)
        frame = self._frame(picture, keyframe or fresh)
        try:
            packets = self._context.encode(frame)
        except av.FFmpegError as error:
            raise DeviceTrouble(f"encoder: {error}") from error
        if not packets:
            return None
        data = b"".join(bytes(packet) for packet in packets)
        whole = any(packet.is_keyframe for packet in packets)
        return AccessUnit(data, picture.captured_s, whole, (frame.width, frame.height))

    def close(self) -> None:
        """Nothing is held back, so nothing is flushed; the context goes with the object."""

    def _is_due(self, captured_s: float, fps: int) -> bool:
        """Evenly spread, where fewer are wanted than the camera takes."""
        if fps >= self._camera.fps:
            return True
        if captured_s < self._due_s - _EARLY / fps:
            return False
        self._due_s = max(self._due_s + 1 / fps, captured_s + 0.5 / fps)
        return True

    def _follow(self, wanted: Encoding, keyframe: bool) -> bool:
        """Makes the context what is wanted; True: a fresh one, which begins with a keyframe."""
        self._ceiling_bps = max(self._ceiling_bps, wanted.bps)
        self._reached_bps += (wanted.bps - self._reached_bps) / (wanted.fps * _FOLLOWS_IN_S)
        other = (wanted.width, wanted.height, wanted.fps) != (self._made.width, self._made.height, self._made.fps)
        drifted = not 1 / _BUFFER_DRIFT < wanted.bps / self._made.bps < _BUFFER_DRIFT
        if other or wanted.bps < _FALL * self._reached_bps or (keyframe and drifted):
            self._context = self._open(wanted)
            return True
        if self._context.bit_rate != wanted.bps:
            self._context.bit_rate = wanted.bps
        return False

    def _frame(self, picture: Picture, keyframe: bool) -> VideoFrame:
        frame = to_frame(picture, (self._camera.width, self._camera.height))
        frame = scaled(frame, (self._made.width, self._made.height), self._reformatter)
        frame.pts = max(self._last_pts + 1, round(picture.captured_s * CLOCK_HZ))
        frame.time_base = Fraction(1, CLOCK_HZ)
        frame.pict_type = PictureType.I if keyframe else PictureType.NONE
        self._last_pts = frame.pts
        return frame

    def _open(self, wanted: Encoding) -> VideoCodecContext:
        context = new_context(wanted)
        try:
            context.bit_rate = self._ceiling_bps
            context.gop_size = _GOP_S * wanted.fps
            context.options = context.options | self._options(wanted)
            context.open()
        except (av.FFmpegError, ValueError) as error:
            raise DeviceTrouble(f"encoder: {error}") from error
        context.bit_rate = wanted.bps
        self._made, self._reached_bps = wanted, float(wanted.bps)
        return context

    def _options(self, wanted: Encoding) -> dict[str, str]:
        options = {
            "preset": "ultrafast",
            "forced-idr": "1",  # a keyframe on request must be one where a late joiner can begin
            "maxrate": str(self._ceiling_bps),
            "bufsize": str(int(wanted.bps * _BUFFER_S)),
            "x264-params": f"scenecut=0:repeat-headers=1:annexb=1:sliced-threads=0:force-cfr=1:{_FINER}:{_LIGHTER}",
        }
        return options | ({"level": "3.1"} if _fits_level_31(wanted) else {})


def new_context(wanted: Encoding) -> VideoCodecContext:
    """An x264 not yet opened, of the profile that every participant can decode. Raises DeviceTrouble."""
    try:
        context = VideoCodecContext.create("libx264", "w")
    except (av.FFmpegError, ValueError) as error:
        raise DeviceTrouble(f"encoder: {error}") from error
    context.width, context.height, context.pix_fmt = wanted.width, wanted.height, "yuv420p"
    context.framerate = Fraction(wanted.fps)
    context.time_base = Fraction(1, CLOCK_HZ)
    context.max_b_frames = 0
    context.thread_count = 1
    context.thread_type = ThreadType.SLICE
    context.color_range, context.colorspace = _MPEG_RANGE, _SMPTE170M
    context.color_primaries, context.color_trc = _SMPTE170M, _SMPTE170M
    context.options = {"tune": "zerolatency", "profile": "baseline"}
    return context


def to_frame(picture: Picture, size: tuple[int, int]) -> VideoFrame:
    """Raises DeviceTrouble: the picture is not of `size`."""
    if picture.size != size:
        raise DeviceTrouble(f"encoder: picture of {picture.size}, made for {size}")
    whole = _in_one_piece(picture)
    if whole is not None:
        return VideoFrame.from_numpy_buffer(whole, "yuv420p")
    frame = VideoFrame(*size, "yuv420p")
    for index, pixels in enumerate((picture.y, picture.u, picture.v)):
        _fill(frame, index, pixels)
    return frame


def scaled(frame: VideoFrame, size: tuple[int, int], reformatter: VideoReformatter) -> VideoFrame:
    """Area averages: sharper filters cost more bits than they are worth at the rates that small sizes are for."""
    if (frame.width, frame.height) == size:
        return frame
    return reformatter.reformat(frame, *size, "yuv420p", interpolation=Interpolation.AREA, threads=1)


def _fits_level_31(wanted: Encoding) -> bool:
    blocks = -(-wanted.width // 16) * -(-wanted.height // 16)
    return blocks <= _LEVEL_31_BLOCKS and blocks * wanted.fps <= _LEVEL_31_BLOCKS_PER_S


def _in_one_piece(picture: Picture) -> Pixels | None:
    """(H * 3/2, W): the planes, where they lie one after the other as many cameras give them, and need no copy."""
    (width, height), flat = picture.size, picture.y.base
    planes = (picture.y, picture.u, picture.v)
    if not isinstance(flat, np.ndarray) or flat.nbytes != height * width * 3 // 2 or not flat.flags.c_contiguous:
        return None
    at = _address(flat)
    for plane in planes:
        if plane.base is not flat or not plane.flags.c_contiguous or _address(plane) != at:
            return None
        at += plane.nbytes
    return flat.reshape(height * 3 // 2, width)


def _address(pixels: Pixels) -> int:
    return int(pixels.__array_interface__["data"][0])


def _fill(frame: VideoFrame, index: int, pixels: Pixels) -> None:
    """Copies a plane into the frame, whose lines may be longer than the picture is wide."""
    plane = frame.planes[index]
    height, width = pixels.shape
    lines: Pixels = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    lines[:height, :width] = pixels
