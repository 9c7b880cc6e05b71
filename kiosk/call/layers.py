"""A snapshot's edits as SVG over the original, and drawn into one picture: what kiosk/wire/overlay.py describes."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import cast

import cv2
import numpy as np

from kiosk.paint import Canvas, paint_edits
from kiosk.wire.channel import Edit
from kiosk.wire.overlay import (
    DARK,
    STEP_SHARE,
    TEXT_ASCENT,
    TEXT_SHARE,
    EditShape,
    Points,
    edit_lines,
    ink_on,
    pen_px,
    rim_px,
)


def shape_of(edit: Edit) -> EditShape:
    return EditShape(edit.tool, edit.colour, edit.points, edit.text, edit.n, edit.id)


# --- SVG --------------------------------------------------------------------------------------------------------------


def group(edit: Edit, width: int, height: int) -> str:
    """One edit, in px of the original."""
    author = escape(edit.by, quote=True)
    body = _svg_lines(edit, width, height) or _svg_sign(edit, width, height)
    return f'<g id="{edit.id}" data-author="{author}" data-tool="{edit.tool}"><title>{author}</title>{body}</g>'


def _svg_lines(edit: Edit, width: int, height: int) -> str:
    pen = pen_px(width)
    lines = [
        f'<polyline points="{_svg_points(line)}" stroke-linecap="round" stroke-linejoin="round" fill="none" '
        for line in edit_lines(shape_of(edit), width, height)
    ]
    dark = (f'{line}stroke="{DARK}" stroke-width="{rim_px(pen):.1f}"/>' for line in lines)
    return "".join((*dark, *(f'{line}stroke="{edit.colour}" stroke-width="{pen:.1f}"/>' for line in lines)))


def _svg_points(line: Points) -> str:
    """A single point is drawn as a dot: a line to itself."""
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in (line if len(line) > 1 else line * 2))


def _svg_sign(edit: Edit, width: int, height: int) -> str:
    x, y = edit.points[0][0] * width, edit.points[0][1] * height
    size, rim = TEXT_SHARE * width, rim_px(pen_px(width)) - pen_px(width)
    font = f'font-family="Roboto, sans-serif" font-weight="700" font-size="{size:.1f}"'
    if edit.tool == "text":
        place = f'x="{x:.1f}" y="{y + TEXT_ASCENT * size:.1f}"'
        ink = f'fill="{edit.colour}" stroke="{DARK}" stroke-width="{rim:.1f}" stroke-linejoin="round"'
        return f'<text {place} {font} {ink} paint-order="stroke">{escape(edit.text)}</text>'
    disc = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{STEP_SHARE * width:.1f}" fill="{edit.colour}" '
    number = f'<text x="{x:.1f}" y="{y + 0.355 * size:.1f}" text-anchor="middle" {font} fill="{ink_on(edit.colour)}">'
    return f'{disc}stroke="{DARK}" stroke-width="{rim:.1f}" paint-order="stroke"/>{number}{edit.n}</text>'


# --- into the picture -------------------------------------------------------------------------------------------------


def draw(canvas: Canvas, edits: Iterable[Edit]) -> Canvas:
    """(H, W, 3) uint8 BGR with the edits in it, in their order; `canvas` itself is drawn on."""
    return paint_edits(canvas, (shape_of(edit) for edit in edits))


def decoded(jpeg: bytes) -> Canvas | None:
    """None where OpenCV cannot read it."""
    try:
        picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:  # empty, or larger than OpenCV takes
        return None
    return None if picture is None else cast(Canvas, picture)
