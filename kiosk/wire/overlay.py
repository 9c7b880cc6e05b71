"""What is drawn over the picture: one vector description for the display, the page and the recorded timeline.

Points are 0..1 of the sent frame, origin top left; times are monotonic seconds of the kiosk.
"""

from __future__ import annotations

from msgspec import Struct

from kiosk.wire.channel import MarkState

Points = tuple[tuple[float, float], ...]


class StrokeShape(Struct, frozen=True):
    """A temporary drawing. `ended_s` is when the pen was lifted; it is gone `fade_s` later."""

    id: str
    by: str
    colour: str
    points: Points
    ended_s: float | None = None
    fade_s: float = 4.0

    def opacity(self, now_s: float) -> float:
        """1 while drawn and for the first half of the fading time, then falling to 0."""
        if self.ended_s is None:
            return 1.0
        if self.fade_s <= 0:
            return 0.0
        return max(0.0, min(1.0, 2.0 - 2.0 * (now_s - self.ended_s) / self.fade_s))


class MarkShape(Struct, frozen=True):
    """A tracked element; `quad` are its four corners clockwise, where it is (or, lost, where it was last)."""

    id: str
    by: str
    colour: str
    label: str
    state: MarkState
    quad: Points


class PointerShape(Struct, frozen=True):
    by: str
    colour: str
    at: tuple[float, float]


class Overlay(Struct, frozen=True):
    """All of it, for the frame captured at `captured_s`."""

    captured_s: float = 0.0
    strokes: tuple[StrokeShape, ...] = ()
    marks: tuple[MarkShape, ...] = ()
    pointers: tuple[PointerShape, ...] = ()
