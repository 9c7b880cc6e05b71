"""Which size and rate of pictures a bitrate is good for, stepped down at once and up with patience. Pure.

A thin rate spread over many pixels is mush: from some point on, fewer of them show more. Measured with our x264 on the
moving scene (benchmarks/ladder.py; dB of luma against what the camera saw, shown at the camera's size):

    kbit/s     720p30   540p30   360p15
    2500        37.2     33.8     31.4
    1000        33.5     32.0     30.5
    650         31.2     30.8     29.8
    500         28.7     29.8     29.3
    300         19.9     27.0     28.2
    200         17.0     19.7     27.2
    100         15.2     16.5     23.4

Below 0.016 bits a pixel x264 is at its coarsest quantiser and the picture falls apart; half the pictures a second are
only worth it near there, since moving pictures are what a call is for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from kiosk.hw.ports import Encoding

Step = Literal["full", "smaller", "small", "stills"]
"""stills: a sharp picture a second, for those whose link carries no video (stills.py)."""

LEAST_BPP = 0.025

UP_AFTER_S = 4.0
"""So long there must be room for the next rung: a rate that has just recovered often falls again."""
UP_AFTER_MOST_S = 64.0
TRIED_IN_VAIN_S = 15.0
"""A rung left again so soon was too high: the next try waits twice as long."""


@dataclass(frozen=True, slots=True)
class Rung:
    """Shares of the camera's width and height, and of its pictures a second.

    leave_bpp, take_bpp: bits a pixel below which it is left for the next one down, and from which on it is taken up.
    dip_s: how long it is kept all the same. A link that falls is often thought thinner than it is for half a second,
    and half the pictures a second are not worth that; the bitrate is followed meanwhile, at the cost of sharpness.
    """

    step: Step
    size: float
    fps: float
    leave_bpp: float
    take_bpp: float
    dip_s: float = 0.0


RUNGS = (
    Rung("full", 1.0, 1.0, leave_bpp=0.021, take_bpp=0.033),  # 720p30: 0.58 and 0.91 Mbit/s
    Rung("smaller", 0.75, 1.0, leave_bpp=0.0165, take_bpp=0.033, dip_s=1.0),  # 540p30: 0.26 and 0.51 Mbit/s
    Rung("small", 0.5, 0.5, leave_bpp=0.0, take_bpp=0.0),  # 360p15
)


class Ladder:
    """Where one encoder stands. Times are monotonic seconds."""

    def __init__(self, width: int, height: int, fps: int) -> None:
        self._made = tuple(_encoding(rung, width, height, fps) for rung in RUNGS)
        self._at = 0
        self._room_since_s: float | None = None
        self._thin_since_s: float | None = None
        self._patience_s = UP_AFTER_S
        self._rose_s: float | None = None  # while it may yet turn out to have been in vain
        self.downs = 0
        self.ups = 0

    @property
    def step(self) -> Step:
        return RUNGS[self._at].step

    @property
    def encodings(self) -> tuple[Encoding, ...]:
        """Of all rungs, from the top; `bps` is 0."""
        return self._made

    @property
    def least_bps(self) -> int:
        """Below it, even the last rung falls apart."""
        return int(self._bps(-1, LEAST_BPP))

    def advance(self, bps: int, now_s: float) -> Encoding:
        """What to ask the encoder for, at `bps` from now on."""
        if self._rose_s is not None and now_s - self._rose_s > TRIED_IN_VAIN_S:
            self._rose_s, self._patience_s = None, UP_AFTER_S
        while self._is_to_be_left(bps, now_s):
            self._fall()
        if self._at and bps >= self._bps(self._at - 1, RUNGS[self._at - 1].take_bpp):
            self._rise_in_time(now_s)
        else:
            self._room_since_s = None
        return replace(self._made[self._at], bps=bps)

    def begin_anew(self) -> None:
        """At the top, as if nothing had been: everybody who needed a lower rung has gone."""
        self._at, self._patience_s = 0, UP_AFTER_S
        self._room_since_s = self._thin_since_s = self._rose_s = None

    def whole(self, bps: int) -> Encoding:
        """The top, whatever the rung: for a picture that is sent to nobody."""
        return replace(self._made[0], bps=bps)

    def _bps(self, at: int, bits_per_pixel: float) -> float:
        made = self._made[at]
        return made.width * made.height * made.fps * bits_per_pixel

    def _is_to_be_left(self, bps: int, now_s: float) -> bool:
        rung = RUNGS[self._at]
        if bps >= self._bps(self._at, rung.leave_bpp):
            self._thin_since_s = None
            return False
        if self._thin_since_s is None:
            self._thin_since_s = now_s
        return now_s - self._thin_since_s >= rung.dip_s

    def _fall(self) -> None:
        if self._rose_s is not None:
            self._patience_s = min(UP_AFTER_MOST_S, 2 * self._patience_s)
        self._rose_s = self._thin_since_s = None
        self._at += 1
        self.downs += 1

    def _rise_in_time(self, now_s: float) -> None:
        if self._room_since_s is None:
            self._room_since_s = now_s
        elif now_s - self._room_since_s >= self._patience_s:
            self._at -= 1
            self.ups += 1
            self._rose_s, self._room_since_s = now_s, None


def _encoding(rung: Rung, width: int, height: int, fps: int) -> Encoding:
    return Encoding(
        int(width * rung.size) // 2 * 2, int(height * rung.size) // 2 * 2, max(1, round(fps * rung.fps)), bps=0
    )
