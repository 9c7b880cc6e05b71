"""Which edit of a snapshot a finger means: as desk/web/static/js/overlay.js finds it in the page. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from kiosk.ui import text
from kiosk.ui.fit import Fit
from kiosk.wire.overlay import STEP_SHARE, TEXT_SHARE, EditShape, Points, edit_lines

Px = tuple[float, float]


def nearest(edits: Sequence[EditShape], at: Px, place: Fit, within: float) -> str:
    """The id of the edit nearest to `at`, the topmost of equals; "" where none is nearer than `within` (px)."""
    far = [(distance(edit, at, place), -n, edit.id) for n, edit in enumerate(edits)]
    return next((id_ for apart, _, id_ in sorted(far) if apart < within), "")


def distance(edit: EditShape, at: Px, place: Fit) -> float:
    """px of the display from `at` to what is painted of `edit`."""
    r = place.rect
    x, y = at[0] - r.x, at[1] - r.y
    lines = edit_lines(edit, r.w, r.h)
    if lines:
        return min(_to_line(line, x, y) for line in lines)
    dx, dy = x - edit.points[0][0] * r.w, y - edit.points[0][1] * r.h
    if edit.tool == "step":
        return max(0.0, math.hypot(dx, dy) - STEP_SHARE * r.w)
    px = max(8, round(TEXT_SHARE * r.w))
    long, high = text.width_of(edit.text, "bold", px), text.line_height("bold", px)
    return math.hypot(max(0.0, -dx, dx - long), max(0.0, -dy, dy - high))


def _to_line(line: Points, x: float, y: float) -> float:
    first = math.dist(line[0], (x, y))
    return min((_to_piece(a, b, x, y) for a, b in pairwise(line)), default=first)


def _to_piece(a: Px, b: Px, x: float, y: float) -> float:
    dx, dy = b[0] - a[0], b[1] - a[1]
    share = ((x - a[0]) * dx + (y - a[1]) * dy) / (dx * dx + dy * dy or 1)
    s = min(1.0, max(0.0, share))
    return math.hypot(a[0] + s * dx - x, a[1] + s * dy - y)
