"""What kiosk/wire/overlay.py describes, painted into a picture: a snapshot's flattened copy, a film with its drawings.

Used in threads and in processes of their own: nothing is shared but caches that functools guards.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache

import cv2
import font_roboto
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from kiosk.wire.overlay import (
    DARK,
    FOUND_PENS,
    MARK_PENS,
    POINTER_SHARE,
    STEP_SHARE,
    TEXT_ASCENT,
    TEXT_SHARE,
    EditShape,
    MarkShape,
    Overlay,
    PointerShape,
    Points,
    StrokeShape,
    carried,
    dashes,
    edge_arrow,
    edit_lines,
    ink_on,
    middle,
    pen_px,
    rim_px,
    smooth,
    wider,
)

Canvas = NDArray[np.uint8]
"""(H, W, 3) uint8 BGR; drawn on in place."""
FONT = font_roboto.RobotoBold
LABEL_SHARE = 0.017
"""Height of the letters of a label, as a share of the picture's width."""
LEAST_LABEL_PX = 12
_SUBPIXEL_BITS = 4
_FAR_PX = 1e6
"""Beyond it nothing is seen, and OpenCV's fixed point would overflow."""


def paint_overlay(canvas: Canvas, overlay: Overlay) -> Canvas:
    """Strokes, marks and pointers as they are at `overlay.captured_s`; those that fade first, so that what is drawn
    later covers them whole."""
    for stroke in sorted(overlay.strokes, key=lambda s: s.opacity(overlay.captured_s)):
        _stroke(canvas, stroke, stroke.opacity(overlay.captured_s))
    for mark in overlay.marks:
        _mark(canvas, mark)
    for pointer in overlay.pointers:
        _pointer(canvas, pointer)
    return canvas


def paint_edits(canvas: Canvas, edits: Iterable[EditShape]) -> Canvas:
    """A snapshot's edits in their order."""
    height, width = canvas.shape[:2]
    for edit in edits:
        lines = edit_lines(edit, width, height)
        if lines:
            _lines(canvas, lines, edit.colour)
        else:
            _sign(canvas, edit)
    return canvas


# --- lines ------------------------------------------------------------------------------------------------------------


def _stroke(canvas: Canvas, stroke: StrokeShape, opacity: float) -> None:
    height, width = canvas.shape[:2]
    px = tuple((x * width, y * height) for x, y in carried(stroke.points, stroke.carried))
    line = smooth(tuple(p for p in px if abs(p[0]) < _FAR_PX and abs(p[1]) < _FAR_PX))
    if not line or opacity <= 0:
        return
    if opacity >= 1:
        return _lines(canvas, (line,), stroke.colour)
    part = _part(canvas, line, rim_px(pen_px(width)))
    if part.size:
        before = part.copy()
        _lines(canvas, (line,), stroke.colour)
        cv2.addWeighted(part, opacity, before, 1 - opacity, 0, dst=part)


def _part(canvas: Canvas, line: Points, reach: float) -> Canvas:
    """The part of the picture that a line touches."""
    height, width = canvas.shape[:2]
    xs, ys = [x for x, _ in line], [y for _, y in line]
    left, top = max(0, int(min(xs) - reach)), max(0, int(min(ys) - reach))
    right, bottom = min(width, int(max(xs) + reach) + 1), min(height, int(max(ys) + reach) + 1)
    return canvas[top : max(top, bottom), left : max(left, right)]


def _lines(canvas: Canvas, lines: Sequence[Points], colour: str, closed: bool = False) -> None:
    """The dark rim of all lines lies under the colour of all lines."""
    pen = pen_px(canvas.shape[1])
    for ink, thick in ((DARK, rim_px(pen)), (colour, pen)):
        for line in lines:
            _line(canvas, line, bgr(ink), thick, closed)


def _line(canvas: Canvas, line: Points, colour: tuple[int, int, int], thick: float, closed: bool) -> None:
    points = np.array(line if len(line) > 1 else line * 2) - 0.5
    fixed = np.round(points * (1 << _SUBPIXEL_BITS)).astype(np.int32)
    cv2.polylines(canvas, [fixed], closed, colour, max(1, round(thick)), cv2.LINE_AA, _SUBPIXEL_BITS)


# --- marks and pointers -----------------------------------------------------------------------------------------------


def _mark(canvas: Canvas, mark: MarkShape) -> None:
    """Solid: tracked. Dashed: unsure. An arrow at the edge: lost. Two outlines: found again."""
    height, width = canvas.shape[:2]
    quad = tuple((x * width, y * height) for x, y in mark.quad)
    if any(abs(x) > _FAR_PX or abs(y) > _FAR_PX for x, y in quad):
        return
    name = mark.label or mark.by
    if mark.state == "lost":
        wings = edge_arrow(middle(quad), width, height)
        _lines(canvas, (wings,), mark.colour)
        return _label(canvas, f"{name} ?", mark.colour, (wings[1][0], wings[1][1] + 0.02 * width))
    if mark.state in ("tracked", "found"):
        _lines(canvas, (quad,), mark.colour, closed=True)
    else:
        _lines(canvas, dashes(quad, MARK_PENS * pen_px(width)), mark.colour)
    if mark.state == "found":
        _lines(canvas, (wider(quad, FOUND_PENS * pen_px(width)),), mark.colour, closed=True)
    label = f"{name} ?" if mark.state == "unsure" else name
    left, top = min(x for x, _ in quad), min(y for _, y in quad)
    _label(canvas, label, mark.colour, (left, top - 0.03 * width))


def _pointer(canvas: Canvas, pointer: PointerShape) -> None:
    """A dot in a ring."""
    height, width = canvas.shape[:2]
    (x, y), r, pen = (pointer.at[0] * width, pointer.at[1] * height), POINTER_SHARE * width, pen_px(width)
    ring = tuple((x + r * math.cos(a / 16 * math.pi), y + r * math.sin(a / 16 * math.pi)) for a in range(32))
    _lines(canvas, (ring,), pointer.colour, closed=True)
    rim = (rim_px(pen) - pen) / 2
    for ink, radius in ((DARK, r / 3 + rim), (pointer.colour, r / 3)):
        at = round((x - 0.5) * 16), round((y - 0.5) * 16)
        cv2.circle(canvas, at, round(radius * 16), bgr(ink), -1, cv2.LINE_AA, _SUBPIXEL_BITS)
    if pointer.by:
        _label(canvas, pointer.by, pointer.colour, (x + 1.3 * r, y - 2 * r))


def _label(canvas: Canvas, said: str, colour: str, at: tuple[float, float]) -> None:
    """A name on a ground of the person's colour, held inside the picture."""
    if not said.strip(" ?"):
        return
    height, width = canvas.shape[:2]
    sign, cover = label(said[:80], colour, max(LEAST_LABEL_PX, round(LABEL_SHARE * width)))
    sign, cover = sign[:height, :width], cover[:height, :width]
    h, w = cover.shape
    x, y = (int(min(max(v, 0), most)) for v, most in zip(at, (width - w, height - h), strict=True))
    part = canvas[y : y + h, x : x + w]
    share = cover[..., None].astype(np.float32) / 255
    part[:] = np.rint(part + (sign.astype(np.float32) - part) * share)


@lru_cache(64)
def label(said: str, colour: str, px: int) -> tuple[Canvas, NDArray[np.uint8]]:
    """(h, w, 3) BGR and (h, w) coverage."""
    font = ImageFont.truetype(FONT, px)
    size = (round(font.getlength(said)) + px, round(1.6 * px))
    picture, cover = Image.new("RGB", size, colour), Image.new("L", size, 0)
    ImageDraw.Draw(picture).text((px / 2, 0.8 * px), said, ink_on(colour), font, "lm")
    ImageDraw.Draw(cover).rounded_rectangle((0, 0, size[0] - 1, size[1] - 1), round(0.4 * px), 255)
    return np.ascontiguousarray(np.asarray(picture)[..., ::-1]), np.asarray(cover).copy()


# --- letters of edits -------------------------------------------------------------------------------------------------


def _sign(canvas: Canvas, edit: EditShape) -> None:
    """Letters by Pillow: OpenCV has no umlauts. Only the part around them is taken over and put back."""
    height, width = canvas.shape[:2]
    size, rim = TEXT_SHARE * width, max(1, round((rim_px(pen_px(width)) - pen_px(width)) / 2))
    font = ImageFont.truetype(FONT, max(6, round(size)))
    x, y = edit.points[0][0] * width, edit.points[0][1] * height
    left, top = max(0, int(x - 2 * size)), max(0, int(y - 2 * size))
    right = min(width, int(x + font.getlength(edit.text or "00") + 2 * size))
    part = canvas[top : max(top, min(height, int(y + 3 * size))), left : max(left, right)]
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


def bgr(colour: str) -> tuple[int, int, int]:
    """Of "#rrggbb"."""
    return int(colour[5:7], 16), int(colour[3:5], 16), int(colour[1:3], 16)
