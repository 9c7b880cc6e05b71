"""Painting of the call: what is drawn and marked on the picture, signs at its edge, the bar below."""

from __future__ import annotations

import math

from kiosk.hw.ports import Rect
from kiosk.ui import text, theme
from kiosk.ui.canvas import Box, Path, path
from kiosk.ui.fit import Fit
from kiosk.ui.layout import Measures, arrange, inset, measures, picture_area, picture_fit
from kiosk.ui.pages import TONES, banner
from kiosk.ui.screen import Screen
from kiosk.ui.view import CallView
from kiosk.ui.widgets import Items, button, chip_on_veil, chip_size, disc, focus_marks, lines, words
from kiosk.wire.overlay import MarkShape, PointerShape, Points, StrokeShape

_PIECE = 12
"""Points of a stroke that are one item: while it is drawn only its last piece is painted anew."""

PixelPoints = tuple[tuple[float, float], ...]


def call(shown: Screen, view: CallView, size: tuple[int, int], now_s: float, staff: tuple[int, int] | None) -> Items:
    """Everything over the live picture or the snapshot. `staff`: size of the staff's picture where it is shown."""
    m = measures(size)
    frame = view.snapshot.picture.size if view.snapshot else view.frame
    items = _drawn(view, picture_fit(size, frame), m, now_s)
    area, at = picture_area(size), arrange(shown, size)
    items.append(Box(Rect(0, area.h, size[0], size[1] - area.h), theme.GROUND))
    right = size[0] - m.px(theme.GAP)
    if staff:
        place = inset(size, staff)
        items.append(Box(place, theme.CLEAR, 0, m.px(3), theme.INK))
        right = place.x - m.px(theme.GAP)
    items += _chips(shown, right, m)
    if shown.title:
        items += _card(shown, area, m)
    elif shown.banner:
        items += banner(shown.banner, m, area.h - m.px(theme.BANNER + theme.GAP))
    for choice, rect in zip(shown.choices, at.choices, strict=True):
        items += button(choice, rect, m, above=True)
    return items + focus_marks(shown, at.choices, m)


def _chips(shown: Screen, right: int, m: Measures) -> Items:
    """In rows from the top left corner, clear of the staff's picture."""
    items: Items = []
    px, gap, left = m.px(24), m.px(8), m.px(theme.GAP)
    x, y = left, m.px(theme.GAP)
    for chip in shown.chips:
        w, h = chip_size(chip, m, px)
        if x > left and x + w > right:
            x, y = left, y + h + gap
        items += chip_on_veil(chip, x, y, m, px)
        x += w + gap
    return items


def _card(shown: Screen, area: Rect, m: Measures) -> Items:
    """A question over the lower part of the picture."""
    side, pad = m.px(96), m.px(24)
    w = min(area.w - 2 * m.px(theme.GAP), m.px(980))
    width = w - side - 3 * pad
    title_px, title = text.shaped(shown.title, "bold", m.px(44), width, 2)
    said = [text.shaped(line, "regular", m.px(30), width, 6) for line in shown.lines]
    h = text.line_height("bold", title_px) * len(title) + 2 * pad
    h += sum(m.px(10) + round(text.line_height("regular", px) * 1.12) * len(part) for px, part in said)
    h = max(h, side + 2 * pad)
    box = Rect((area.w - w) // 2, area.h - h - m.px(theme.GAP), w, h)
    items: Items = [Box(box, theme.GROUND, m.px(theme.RADIUS), m.px(2), theme.LINE)]
    items += disc(Rect(box.x + pad, box.y + (h - side) // 2, side, side), shown.icon, *TONES[shown.tone])
    x, y = box.x + side + 2 * pad, box.y + pad
    if not said:
        y = box.y + (h - text.line_height("bold", title_px) * len(title)) // 2
    more, y = lines(title, Rect(x, y, width, 0), "bold", title_px, theme.INK, lead=1.0)
    items += more
    for px, part in said:
        more, y = lines(part, Rect(x, y + m.px(10), width, 0), "regular", px, theme.INK)
        items += more
    return items


# --- on the picture ---------------------------------------------------------------------------------------------------


def _drawn(view: CallView, place: Fit, m: Measures, now_s: float) -> Items:
    """Fading strokes first: what is painted later covers them whole."""
    items: Items = []
    if view.snapshot:
        for points, rgb in view.snapshot.edits:
            items += _line(points, rgb, 1.0, place, m)
        return items
    for stroke in sorted(view.overlay.strokes, key=lambda s: s.opacity(now_s)):
        items += _stroke(stroke, place, m, now_s)
    for mark in view.overlay.marks:
        items += _mark(mark, place, m)
    for pointer in view.overlay.pointers:
        items += _pointer(pointer, place, m)
    return items


def _stroke(stroke: StrokeShape, place: Fit, m: Measures, now_s: float) -> Items:
    opacity = round(stroke.opacity(now_s) * 16) / 16  # in steps: 16 repaints for a fading, not one at every frame
    return _line(stroke.points, stroke.colour, opacity, place, m) if opacity > 0 else []


def _line(points: Points, rgb: str, opacity: float, place: Fit, m: Measures) -> Items:
    px = tuple(place.to_display(*p) for p in points)
    ink, width, halo = theme.colour(rgb, opacity), m.px(7), m.px(2)
    pieces = [px[i : i + _PIECE + 1] for i in range(0, max(1, len(px) - 1), _PIECE) if px]
    dark = (0, 0, 0, ink[3])  # the dark border of all pieces lies under the line of all pieces
    return [*(path(p, width + 2 * halo, dark, 0) for p in pieces), *(path(p, width, ink, 0) for p in pieces)]


def _mark(mark: MarkShape, place: Fit, m: Measures) -> Items:
    quad = tuple(place.to_display(*p) for p in mark.quad)
    ink, width = theme.colour(mark.colour), m.px(5)
    cx, cy = sum(p[0] for p in quad) / len(quad), sum(p[1] for p in quad) / len(quad)
    if mark.state == "lost":
        return _lost(mark, place, (cx, cy), m)
    items: Items = [path(quad, width, ink, m.px(2), True)] if mark.state == "tracked" else _dashes(quad, ink, m)
    left, bottom = min(p[0] for p in quad), max(p[1] for p in quad)
    label = f"{mark.label} ?" if mark.state == "unsure" and mark.label else mark.label or mark.by
    return items + _tag(label, int(left), int(bottom) + m.px(8), mark.colour, place, m)


def _dashes(quad: PixelPoints, ink: theme.Colour, m: Measures) -> Items:
    """A dashed outline: where the element is supposed to be."""
    items: list[Path] = []
    for (x, y), (x2, y2) in zip(quad, (*quad[1:], quad[0]), strict=True):
        n = max(1, round(math.hypot(x2 - x, y2 - y) / m.px(30)))
        for i in range(n):
            a, b = (i + 0.2) / n, (i + 0.75) / n
            ends = ((x + (x2 - x) * a, y + (y2 - y) * a), (x + (x2 - x) * b, y + (y2 - y) * b))
            items.append(path(ends, m.px(5), ink, m.px(2)))
    return list(items)


def _lost(mark: MarkShape, place: Fit, at: tuple[float, float], m: Measures) -> Items:
    """An arrow at the picture's edge that points to where the element was last."""
    r, ink = place.rect, theme.colour(mark.colour)
    middle = (r.x + r.w / 2, r.y + r.h / 2)
    dx, dy = at[0] - middle[0], at[1] - middle[1]
    if math.hypot(dx, dy) < 1:
        dx, dy = 0.0, -1.0
    inside = m.px(40)
    scale = min((r.w / 2 - inside) / max(abs(dx), 1e-6), (r.h / 2 - inside) / max(abs(dy), 1e-6))
    tip = (middle[0] + dx * scale, middle[1] + dy * scale)
    turn, long = math.atan2(dy, dx), m.px(30)
    wings = tuple(
        (tip[0] - long * math.cos(turn + side), tip[1] - long * math.sin(turn + side)) for side in (0.6, -0.6)
    )
    arrow = path((wings[0], tip, wings[1]), m.px(7), ink, m.px(3))
    label = f"{mark.label or mark.by} ?"
    return [arrow, *_tag(label, int(tip[0]) - m.px(20), int(tip[1]) + m.px(34), mark.colour, place, m)]


def _tag(said: str, x: int, y: int, rgb: str, place: Fit, m: Measures) -> Items:
    """A label held inside the picture, in the person's colour."""
    if not said:
        return []
    px = m.px(24)
    said = text.clip(said, "bold", px, place.rect.w // 2)
    w, h = text.width_of(said, "bold", px) + m.px(20), text.line_height("bold", px) + m.px(6)
    x = max(place.rect.x, min(x, place.rect.x + place.rect.w - w))
    y = max(place.rect.y, min(y, place.rect.y + place.rect.h - h))
    fill = theme.colour(rgb)
    ink = max((theme.GROUND, theme.ON_DANGER), key=lambda c: theme.contrast(c, fill))
    return [Box(Rect(x, y, w, h), fill, m.px(8)), words(said, x + m.px(10), y + m.px(3), "bold", px, ink)]


def _pointer(pointer: PointerShape, place: Fit, m: Measures) -> Items:
    """A dot in a ring: where somebody points now."""
    x, y = place.to_display(*pointer.at)
    ink, r = theme.colour(pointer.colour), m.px(20)
    round_ = tuple((x + r * math.cos(a / 12 * math.pi), y + r * math.sin(a / 12 * math.pi)) for a in range(24))
    return [path(round_, m.px(4), ink, m.px(2), True), path(((x, y),), m.px(12), ink, m.px(2))]
