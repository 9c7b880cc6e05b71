"""What is drawn over the picture: one vector description for the display, the page and the recorded timeline.

Points are 0..1 of the sent frame, origin top left; times are monotonic seconds of the kiosk. How a description looks is
said here too, once: the curve through the points, widths as shares of the picture's width. The kiosk paints by it
(kiosk/ui/call_paint.py, kiosk/call/layers.py), and desk/web/static/js/overlay.js does the same in the page;
tests/contract/test_same_overlay.py holds both together.
"""

from __future__ import annotations

import math

from msgspec import Struct

from kiosk.wire.channel import EditTool, MarkState, Matrix

Points = tuple[tuple[float, float], ...]

PEN_SHARE = 0.006
"""A line's width as a share of the picture's; at least LEAST_PEN_PX."""
LEAST_PEN_PX = 3.0
RIM_SHARE = 0.35
"""Dark rim on either side of a line, as a share of the line: colours stay visible on a ground of the same colour."""
DARK = "#101418"
HEAD_PENS = 5.0
"""An arrow's head is so many pens long; shorter on a short arrow."""
TEXT_SHARE = 0.03
"""Height of letters, as a share of the picture's width."""
TEXT_ASCENT = 0.93
"""From the top of a text to the line it stands on, as a share of its height."""
STEP_SHARE = 0.019
"""Radius of a numbered step."""
MARK_PENS = 1.0
"""The outline of a mark, in pens; a dashed one has a dash and a gap each DASH_PENS."""
DASH_PENS = 6.0
FOUND_PENS = 3.0
"""A mark that is found again has a second outline, so many pens outside the first."""
POINTER_SHARE = 0.014
"""Radius of the pointer's ring; its dot has a third of that."""
_CURVE_STEPS = 6


class StrokeShape(Struct, frozen=True):
    """A temporary drawing. `ended_s` is when the pen was lifted; it is gone `fade_s` later.

    carried: of one that is pinned to the scene: from where its points were told to where they lie in this frame.
    """

    id: str
    by: str
    colour: str
    points: Points
    ended_s: float | None = None
    fade_s: float = 4.0
    carried: Matrix | None = None

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


class EditShape(Struct, frozen=True):
    """One edit of a snapshot; what its points are says kiosk.wire.channel.Edit."""

    tool: EditTool
    colour: str
    points: Points
    text: str = ""
    n: int = 0
    id: str = ""


class Overlay(Struct, frozen=True):
    """All of it, for the frame captured at `captured_s`."""

    captured_s: float = 0.0
    strokes: tuple[StrokeShape, ...] = ()
    marks: tuple[MarkShape, ...] = ()
    pointers: tuple[PointerShape, ...] = ()


# --- how it looks -----------------------------------------------------------------------------------------------------


def pen_px(width_px: float) -> float:
    """The width of a line on a picture that is so many px wide."""
    return max(LEAST_PEN_PX, PEN_SHARE * width_px)


def rim_px(pen: float) -> float:
    """The width of the dark line under a line of width `pen`."""
    return pen * (1 + 2 * RIM_SHARE)


def ink_on(colour: str) -> str:
    """Of letters on a ground of this colour, both "#rrggbb"."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return DARK if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else "#ffffff"


def carried(points: Points, matrix: Matrix | None) -> Points:
    """Where a homography puts the points; as they are without one. What would lie behind the camera is left out."""
    if matrix is None:
        return points
    a, b, c, d, e, f, g, h, i = matrix
    weights = ((x, y, g * x + h * y + i) for x, y in points)
    return tuple(((a * x + b * y + c) / w, (d * x + e * y + f) / w) for x, y, w in weights if w > 1e-6)


def product(a: Matrix, b: Matrix) -> Matrix:
    """Does `b` first."""
    rows, columns = (a[0:3], a[3:6], a[6:9]), (b[0::3], b[1::3], b[2::3])
    values = [sum(x * y for x, y in zip(row, column, strict=True)) for row in rows for column in columns]
    m0, m1, m2, m3, m4, m5, m6, m7, m8 = (round(v / (values[8] or 1.0), 7) for v in values)
    return m0, m1, m2, m3, m4, m5, m6, m7, m8


def inverse(m: Matrix) -> Matrix:
    """Up to a factor, which a homography does not mind; its weights stay positive where those of `m` are."""
    a, b, c, d, e, f, g, h, i = m
    sign = -1.0 if a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g) < 0 else 1.0
    return (
        sign * (e * i - f * h), sign * (c * h - b * i), sign * (b * f - c * e),
        sign * (f * g - d * i), sign * (a * i - c * g), sign * (c * d - a * f),
        sign * (d * h - e * g), sign * (b * g - a * h), sign * (a * e - b * d),
    )  # fmt: skip


def smooth(points: Points) -> Points:
    """The curve through the middles between the points, with the points as its controls; begins and ends at theirs.

    The curve of a line's beginning does not change while the line grows.
    """
    if len(points) < 3:
        return points
    curve: list[tuple[float, float]] = [points[0]]
    for k in range(1, len(points) - 1):
        (x0, y0), (x1, y1), (x2, y2) = curve[-1], points[k], points[k + 1]
        x2, y2 = (x1 + x2) / 2, (y1 + y2) / 2
        for step in range(1, _CURVE_STEPS + 1):
            s = step / _CURVE_STEPS
            p, q, r = (1 - s) * (1 - s), 2 * s * (1 - s), s * s
            curve.append((p * x0 + q * x1 + r * x2, p * y0 + q * y1 + r * y2))
    return (*curve, points[-1])


def edit_lines(edit: EditShape, width_px: float, height_px: float) -> tuple[Points, ...]:
    """The lines of an edit in px of a picture of this size; none for a text and a step."""
    px = tuple((x * width_px, y * height_px) for x, y in edit.points)
    match edit.tool:
        case "pen":
            return (smooth(px),)
        case "arrow":
            return arrow(px[0], px[-1], pen_px(width_px))
        case "box":
            (x0, y0), (x1, y1) = px[0], px[-1]
            return (((x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)),)
        case _:
            return ()


def arrow(tail: tuple[float, float], tip: tuple[float, float], pen: float) -> tuple[Points, ...]:
    """Shaft and head, px."""
    dx, dy = tip[0] - tail[0], tip[1] - tail[1]
    long = min(HEAD_PENS * pen, 0.6 * math.hypot(dx, dy))
    turn = math.atan2(dy, dx)
    left, right = (
        (tip[0] - long * math.cos(turn + side), tip[1] - long * math.sin(turn + side)) for side in (0.55, -0.55)
    )
    return (tail, tip), (left, tip, right)


def dashes(quad: Points, pen: float) -> tuple[Points, ...]:
    """The outline of a mark that is unsure, as short lines; px."""
    lines: list[Points] = []
    for (x, y), (x2, y2) in zip(quad, (*quad[1:], quad[0]), strict=True):
        n = max(1, math.floor(math.hypot(x2 - x, y2 - y) / (DASH_PENS * pen) + 0.5))
        for k in range(n):
            a, b = (k + 0.2) / n, (k + 0.75) / n
            lines.append(((x + (x2 - x) * a, y + (y2 - y) * a), (x + (x2 - x) * b, y + (y2 - y) * b)))
    return tuple(lines)


def edge_arrow(at: tuple[float, float], width_px: float, height_px: float) -> Points:
    """Wing, tip and wing of an arrow at the picture's edge that points to `at`, where an element was last; px."""
    pen = pen_px(width_px)
    dx, dy = at[0] - width_px / 2, at[1] - height_px / 2
    if math.hypot(dx, dy) < 1:
        dx, dy = 0.0, -1.0
    inside, long = 6 * pen, 5 * pen
    scale = min((width_px / 2 - inside) / max(abs(dx), 1e-6), (height_px / 2 - inside) / max(abs(dy), 1e-6))
    x, y, turn = width_px / 2 + dx * scale, height_px / 2 + dy * scale, math.atan2(dy, dx)
    left, right = ((x - long * math.cos(turn + side), y - long * math.sin(turn + side)) for side in (0.6, -0.6))
    return left, (x, y), right


def wider(quad: Points, by_px: float) -> Points:
    """The quad with each corner so far farther from its middle."""
    x, y = middle(quad)
    grown = []
    for u, v in quad:
        long = math.hypot(u - x, v - y) or 1.0
        grown.append((u + (u - x) * by_px / long, v + (v - y) * by_px / long))
    return tuple(grown)


def middle(quad: Points) -> tuple[float, float]:
    return sum(x for x, _ in quad) / len(quad), sum(y for _, y in quad) / len(quad)
