"""A snapshot's edits as SVG over the original, and drawn into one picture: what kiosk/wire/overlay.py describes."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import cast

import cv2
import font_roboto
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

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

Canvas = NDArray[np.uint8]
_FONT = font_roboto.RobotoBold
_SUBPIXEL_BITS = 4


def shape_of(edit: Edit) -> EditShape:
    return EditShape(edit.tool, edit.colour, edit.points, edit.text, edit.n)


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
    height, width = canvas.shape[:2]
    for edit in edits:
        lines = edit_lines(shape_of(edit), width, height)
        pen = pen_px(width)
        for line in lines:
            _line(canvas, line, _bgr(DARK), rim_px(pen))
        for line in lines:
            _line(canvas, line, _bgr(edit.colour), pen)
        if not lines:
            _sign(canvas, edit)
    return canvas


def _line(canvas: Canvas, line: Points, colour: tuple[int, int, int], thick: float) -> None:
    points = np.array(line if len(line) > 1 else line * 2) - 0.5
    fixed = np.round(points * (1 << _SUBPIXEL_BITS)).astype(np.int32)
    cv2.polylines(canvas, [fixed], False, colour, max(1, round(thick)), cv2.LINE_AA, _SUBPIXEL_BITS)


def _sign(canvas: Canvas, edit: Edit) -> None:
    """Letters by Pillow: OpenCV has no umlauts. Only the part around them is taken over and put back."""
    height, width = canvas.shape[:2]
    size, rim = TEXT_SHARE * width, max(1, round((rim_px(pen_px(width)) - pen_px(width)) / 2))
    font = ImageFont.truetype(_FONT, max(6, round(size)))
    x, y = edit.points[0][0] * width, edit.points[0][1] * height
    left, top = max(0, int(x - 2 * size)), max(0, int(y - 2 * size))
    right = min(width, int(x + font.getlength(edit.text or "00") + 2 * size))
    part = canvas[top : min(height, int(y + 3 * size)), left:right]
    if not part.size:
        return
    picture = Image.fromarray(np.ascontiguousarray(part[..., ::-1]))
    pen, at = ImageDraw.Draw(picture), (x - left, y - top)
    if edit.tool == "text":
        base = (at[0], at[1] + TEXT_ASCENT * size)
        pen.text(base, edit.text, edit.colour, font, "ls", stroke_width=rim, stroke_fill=DARK)
    else:
        r = STEP_SHARE * width
        pen.ellipse((at[0] - r - rim, at[1] - r - rim, at[0] + r + rim, at[1] + r + rim), DARK)
        pen.ellipse((at[0] - r, at[1] - r, at[0] + r, at[1] + r), edit.colour)
        pen.text((at[0], at[1] + 0.355 * size), str(edit.n), ink_on(edit.colour), font, "ms")
    part[:] = np.asarray(picture)[..., ::-1]


def decoded(jpeg: bytes) -> Canvas | None:
    """None where OpenCV cannot read it."""
    try:
        picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:  # empty, or larger than OpenCV takes
        return None
    return None if picture is None else cast(Canvas, picture)


def _bgr(colour: str) -> tuple[int, int, int]:
    return int(colour[5:7], 16), int(colour[3:5], 16), int(colour[1:3], 16)
