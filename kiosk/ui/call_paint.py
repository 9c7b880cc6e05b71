"""Painting of the call: what is drawn and marked on the picture, signs at its edge, the bar below."""

from __future__ import annotations

import math
from functools import lru_cache

from kiosk.hw.ports import Rect
from kiosk.ui import text, theme
from kiosk.ui.canvas import Box, path
from kiosk.ui.fit import Fit
from kiosk.ui.layout import Measures, arrange, chips_area, inset, live_inset, measures, picture_area, picture_fit
from kiosk.ui.pages import TONES, banner, banner_height
from kiosk.ui.screen import Screen
from kiosk.ui.view import CallView
from kiosk.ui.widgets import Items, button, chip_on_veil, chip_size, disc, focus_marks, lines, veil_size, words
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

_PIECE = 36
"""Points of a stroke that are one item: while it is drawn only its last piece is painted anew."""


MOST_LINES = 3
"""Of a chip beside a snapshot."""


def call(shown: Screen, view: CallView, size: tuple[int, int], now_s: float, staff: tuple[int, int] | None) -> Items:
    """Everything over the live picture or the snapshot. `staff`: size of the staff's picture where it is shown."""
    m = measures(size)
    frame = view.snapshot.picture.size if view.snapshot else view.frame
    beside = view.frame if view.snapshot else None
    items = drawn(view, picture_fit(size, frame, beside), m, now_s)
    area, at = picture_area(size), arrange(shown, size)
    items.append(Box(Rect(0, area.h, size[0], size[1] - area.h), theme.GROUND))
    if view.snapshot:
        items.append(Box(live_inset(size, view.frame), theme.CLEAR, 0, m.px(3), theme.INK))
    place = inset(size, staff, beside) if staff else None
    if place:
        items.append(Box(place, theme.CLEAR, 0, m.px(3), theme.INK))
    if beside:
        items += _chips_beside(shown, chips_area(size, frame, beside, place), m)
    else:
        items += _chips(shown, place or Rect(size[0], 0, 0, 0), m)
    if shown.title:
        items += _card(shown, area, m)
    elif shown.banner:
        items += banner(shown.banner, m, area.h - banner_height(m) - m.px(theme.GAP))
    for choice, rect in zip(shown.choices, at.choices, strict=True):
        items += button(choice, rect, m, above=True)
    return items + focus_marks(shown, at.choices, m)


def _chips(shown: Screen, staff: Rect, m: Measures) -> Items:
    """In rows from the top left corner, clear of the staff's picture; what is wider than its side stands below it."""
    items: Items = []
    px, gap, left = m.px(theme.SMALL_PX), m.px(8), m.px(theme.GAP)
    x, y, widest = left, m.px(theme.GAP), m.size[0] - 2 * left
    for chip in shown.chips:
        w, h = chip_size(chip, m, px)
        beside = staff.x - m.px(theme.GAP) if y < staff.y + staff.h else left + widest
        if x > left and x + w > beside:
            x, y = left, y + h + gap
        if x + w > beside and staff.h:
            y = max(y, staff.y + staff.h + gap)
        fitted, said = text.shaped(chip.text, "medium", px, widest - (w - text.width_of(chip.text, "medium", px)))
        items += chip_on_veil(chip, said, x, y, m, fitted)
        x += w + gap
    return items


def _chips_beside(shown: Screen, area: Rect, m: Measures) -> Items:
    """In rows that stay in `area`, long chips in several lines; the last ones are left out where room is short."""
    items: Items = []
    gap, x, y, below = m.px(8), area.x, area.y, area.y
    room = area.w - veil_size(("",), m, 1)[0]
    for chip in shown.chips:
        for lines_ in (MOST_LINES, 2, 1):  # rather in more lines than smaller, and rather left out than cut
            px, said = text.shaped(chip.text, "medium", m.px(theme.SMALL_PX), room, lines_)
            w, h = veil_size(said, m, px)
            at = (x, y) if x == area.x or x + w <= area.x + area.w else (area.x, below + gap)
            if at[1] + h <= area.y + area.h and (lines_ == MOST_LINES or not said[-1].endswith("…")):
                break
        else:
            break
        items += chip_on_veil(chip, said, *at, m, px)
        x, y, below = at[0] + w + gap, at[1], max(below, at[1] + h)
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


# --- on the picture: as kiosk/wire/overlay.py describes it ------------------------------------------------------------


def drawn(view: CallView, place: Fit, m: Measures, now_s: float) -> Items:
    """Fading strokes first: what is painted later covers them whole."""
    items: Items = []
    if view.snapshot:
        for edit in view.snapshot.edits:
            items += _edit(edit, place)
        return items
    for stroke in sorted(view.overlay.strokes, key=lambda s: s.opacity(now_s)):
        items += _stroke(stroke, place, now_s)
    for mark in view.overlay.marks:
        items += _mark(mark, place, m)
    for pointer in view.overlay.pointers:
        items += _pointer(pointer, place)
    return items


def _stroke(stroke: StrokeShape, place: Fit, now_s: float) -> Items:
    opacity = round(stroke.opacity(now_s) * 16) / 16  # in steps: 16 repaints for a fading, not one at every frame
    if opacity <= 0:
        return []
    points = carried(stroke.points, stroke.carried)
    return _lines((_curve(tuple(place.to_display(*p) for p in points)),), stroke.colour, opacity, place)


_curve = lru_cache(64)(smooth)
"""Most strokes are as they were a frame ago."""


def _lines(lines_: tuple[Points, ...], rgb: str, opacity: float, place: Fit) -> Items:
    """The dark rim of all lines lies under the colour of all lines."""
    pen = pen_px(place.rect.w)
    dark, ink = theme.colour(DARK, opacity), theme.colour(rgb, opacity)
    pieces = [px[i : i + _PIECE + 1] for px in lines_ for i in range(0, max(1, len(px) - 1), _PIECE) if px]
    return [*(path(p, rim_px(pen), dark, 0) for p in pieces), *(path(p, pen, ink, 0) for p in pieces)]


def _edit(edit: EditShape, place: Fit) -> Items:
    r = place.rect
    lines_ = edit_lines(edit, r.w, r.h)
    if lines_:
        return _lines(tuple(tuple((r.x + x, r.y + y) for x, y in px) for px in lines_), edit.colour, 1.0, place)
    return _letters(edit, place) if edit.tool == "text" else _step(edit, place)


def _letters(edit: EditShape, place: Fit) -> Items:
    """In the author's colour with a dark rim: the same letters moved a little, under them."""
    x, y = (round(v) for v in place.to_display(*edit.points[0]))
    px = max(8, round(TEXT_SHARE * place.rect.w))
    rim = max(1, round((rim_px(pen_px(place.rect.w)) - pen_px(place.rect.w)) / 2))
    around = [(dx * rim, dy * rim) for dx in (-1, 0, 1) for dy in (-1, 0, 1) if dx or dy]
    dark = [words(edit.text, x + dx, y + dy, "bold", px, theme.colour(DARK)) for dx, dy in around]
    return [*dark, words(edit.text, x, y, "bold", px, theme.colour(edit.colour))]


def _step(edit: EditShape, place: Fit) -> Items:
    (x, y), r, px = (
        place.to_display(*edit.points[0]),
        STEP_SHARE * place.rect.w,
        max(8, round(TEXT_SHARE * place.rect.w)),
    )
    rim = max(1, round((rim_px(pen_px(place.rect.w)) - pen_px(place.rect.w)) / 2))
    said, top = str(edit.n), y + 0.355 * px - TEXT_ASCENT * px
    number = words(
        said, round(x - text.width_of(said, "bold", px) / 2), round(top), "bold", px, theme.colour(ink_on(edit.colour))
    )
    return [path(((x, y),), 2 * r, theme.colour(edit.colour), rim), number]


def _mark(mark: MarkShape, place: Fit, m: Measures) -> Items:
    quad = tuple(place.to_display(*p) for p in mark.quad)
    ink, pen = theme.colour(mark.colour), MARK_PENS * pen_px(place.rect.w)
    if mark.state == "lost":
        return _lost(mark, place, m)
    halo = (rim_px(pen) - pen) / 2
    if mark.state in ("tracked", "found"):
        outlines = (quad, wider(quad, FOUND_PENS * pen)) if mark.state == "found" else (quad,)
        items: Items = [path(outline, pen, ink, halo, True) for outline in outlines]
    else:
        items = [path(dash, pen, ink, halo) for dash in dashes(quad, pen)]
    left, top = min(p[0] for p in quad), min(p[1] for p in quad)
    label = f"{mark.label} ?" if mark.state == "unsure" and mark.label else mark.label or mark.by
    return items + _tag(label, int(left), int(top) - m.px(44), mark.colour, place, m)


def _lost(mark: MarkShape, place: Fit, m: Measures) -> Items:
    """An arrow at the picture's edge that points to where the element was last."""
    r, ink, pen = place.rect, theme.colour(mark.colour), pen_px(place.rect.w)
    x, y = middle(mark.quad)
    wings = tuple((r.x + wx, r.y + wy) for wx, wy in edge_arrow((x * r.w, y * r.h), r.w, r.h))
    arrow = path(wings, pen, ink, (rim_px(pen) - pen) / 2)
    tip = wings[1]
    label = f"{mark.label or mark.by} ?" if mark.label or mark.by else ""
    return [arrow, *_tag(label, int(tip[0]) - m.px(20), int(tip[1]) + m.px(34), mark.colour, place, m)]


def _tag(said: str, x: int, y: int, rgb: str, place: Fit, m: Measures) -> Items:
    """A label held inside the picture, in the person's colour."""
    if not said:
        return []
    px = m.px(theme.SMALL_PX)
    said = text.clip(said, "bold", px, place.rect.w // 2)
    w, h = text.width_of(said, "bold", px) + m.px(20), text.line_height("bold", px) + m.px(6)
    x = max(place.rect.x, min(x, place.rect.x + place.rect.w - w))
    y = max(place.rect.y, min(y, place.rect.y + place.rect.h - h))
    fill = theme.colour(rgb)
    ink = max((theme.GROUND, theme.ON_DANGER), key=lambda c: theme.contrast(c, fill))
    return [Box(Rect(x, y, w, h), fill, m.px(8)), words(said, x + m.px(10), y + m.px(3), "bold", px, ink)]


def _pointer(pointer: PointerShape, place: Fit) -> Items:
    """A dot in a ring: where somebody points now."""
    x, y = place.to_display(*pointer.at)
    ink, r, pen = theme.colour(pointer.colour), POINTER_SHARE * place.rect.w, MARK_PENS * pen_px(place.rect.w)
    halo = (rim_px(pen) - pen) / 2
    round_ = tuple((x + r * math.cos(a / 12 * math.pi), y + r * math.sin(a / 12 * math.pi)) for a in range(24))
    return [path(round_, pen, ink, halo, True), path(((x, y),), r * 2 / 3, ink, halo)]
