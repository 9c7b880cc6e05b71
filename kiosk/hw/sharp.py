"""One picture as a keyframe that stands alone: for participants whose link carries stills, not video."""

from __future__ import annotations

import math
from fractions import Fraction

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType
from av.video.reformatter import VideoReformatter

from kiosk.errors import DeviceTrouble
from kiosk.hw.encoder import CLOCK_HZ, new_context, scaled, to_frame
from kiosk.hw.ports import AccessUnit, Encoding, Picture

QP_FINEST, QP_COARSEST = 24, 44
"""Finer than 24 is not seen any more, coarser than 44 nothing can be read."""
TRIES = 3
_SMALL_BITS = 130_000
"""Below it 360p is the sharper one: 540p begins to lose its detail to quantisation (benchmarks/ladder.py)."""
_LARGE_SHARE, _SMALL_SHARE = 0.75, 0.5


class SharpEncoder:
    """x264 veryfast: a quarter fewer bits than ultrafast for 8 ms instead of 4, which count once a second only.

    The quantiser is the last one's, corrected by what it cost: a scene changes little within a second. For one thread
    at a time.
    """

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()
        self._qp = 32

    def encode(self, picture: Picture, bits: int) -> AccessUnit:
        """At most `bits`, but for a scene that even the coarsest quantiser does not get in. Raises DeviceTrouble."""
        width, height = picture.size
        share = _SMALL_SHARE if bits < _SMALL_BITS else _LARGE_SHARE
        size = (int(width * share) // 2 * 2, int(height * share) // 2 * 2)
        for _ in range(TRIES):
            qp = self._qp
            data = self._once(picture, size, qp)
            self._correct(8 * len(data), bits)
            if 8 * len(data) <= bits or qp == QP_COARSEST:
                break
        return AccessUnit(data, picture.captured_s, True, size)

    def _correct(self, took: int, bits: int) -> None:
        """Six steps of the quantiser halve the bits, roughly. It aims at a little less than there is."""
        steps = 6 * math.log2(took / (0.9 * bits))
        self._qp = min(QP_COARSEST, max(QP_FINEST, self._qp + (math.ceil(steps) if steps > 0 else int(steps))))

    def _once(self, picture: Picture, size: tuple[int, int], qp: int) -> bytes:
        frame = scaled(to_frame(picture, picture.size), size, self._reformatter)
        frame.pts, frame.time_base, frame.pict_type = 0, Fraction(1, CLOCK_HZ), PictureType.I
        try:
            context = self._context(size, qp)
            packets = [*context.encode(frame), *context.encode(None)]
        except (av.FFmpegError, ValueError) as error:
            raise DeviceTrouble(f"encoder: {error}") from error
        return b"".join(bytes(packet) for packet in packets)

    def _context(self, size: tuple[int, int], qp: int) -> VideoCodecContext:
        context = new_context(Encoding(*size, 1, 0))
        context.options = context.options | {
            "preset": "veryfast",
            "qp": str(qp),
            "x264-params": "repeat-headers=1:annexb=1:sliced-threads=0",
        }
        context.open()
        return context
