"""Where a picture stands on the display: the one place that maps frame coordinates to display px and back."""

from __future__ import annotations

from dataclasses import dataclass

from kiosk.hw.ports import Rect


@dataclass(frozen=True, slots=True)
class Fit:
    """A picture shown in `rect`, letterboxed. Frame coordinates are 0..1 of the picture, origin top left."""

    rect: Rect

    def to_display(self, x: float, y: float) -> tuple[float, float]:
        """px of the display, of a point in 0..1 of the frame."""
        return self.rect.x + x * self.rect.w, self.rect.y + y * self.rect.h

    def to_frame(self, x_px: float, y_px: float) -> tuple[float, float]:
        """0..1 of the frame, held inside it."""
        x, y = (x_px - self.rect.x) / self.rect.w, (y_px - self.rect.y) / self.rect.h
        return min(1.0, max(0.0, x)), min(1.0, max(0.0, y))


def fit(frame: tuple[int, int], area: Rect) -> Fit:
    """`frame` (width, height) as large as possible in `area`, in its own proportions, in the middle."""
    scale = min(area.w / frame[0], area.h / frame[1])
    w, h = max(1, round(frame[0] * scale)), max(1, round(frame[1] * scale))
    return Fit(Rect(area.x + (area.w - w) // 2, area.y + (area.h - h) // 2, w, h))


def contains(rect: Rect, x: float, y: float) -> bool:
    return rect.x <= x < rect.x + rect.w and rect.y <= y < rect.y + rect.h


def overlap(a: Rect, b: Rect) -> Rect | None:
    """What both have in common."""
    x, y = max(a.x, b.x), max(a.y, b.y)
    right, bottom = min(a.x + a.w, b.x + b.w), min(a.y + a.h, b.y + b.h)
    return Rect(x, y, right - x, bottom - y) if right > x and bottom > y else None


def union(a: Rect, b: Rect) -> Rect:
    """The smallest rectangle around both."""
    x, y = min(a.x, b.x), min(a.y, b.y)
    return Rect(x, y, max(a.x + a.w, b.x + b.w) - x, max(a.y + a.h, b.y + b.h) - y)


def grown(rect: Rect, by: int) -> Rect:
    return Rect(rect.x - by, rect.y - by, rect.w + 2 * by, rect.h + 2 * by)
