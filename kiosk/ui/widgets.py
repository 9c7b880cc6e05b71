"""Small parts that screens are painted of, as items of the display list."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import reduce
from itertools import pairwise
from typing import Literal

from kiosk.hw.ports import Rect
from kiosk.ui import text, theme
from kiosk.ui.canvas import Box, Item, Sign, Words, path
from kiosk.ui.fit import grown, union
from kiosk.ui.layout import Measures
from kiosk.ui.screen import Chip, Choice, Screen
from kiosk.ui.theme import Colour

Items = list[Item]
Align = Literal["left", "middle"]


def words(said: str, x: int, y: int, weight: text.Weight, px: int, ink: Colour) -> Words:
    """One line with its top left corner at (x, y)."""
    rect = Rect(x, y, text.width_of(said, weight, px), text.line_height(weight, px))
    return Words(rect, said, weight, px, ink)


def lines(
    said: tuple[str, ...],
    box: Rect,
    weight: text.Weight,
    px: int,
    ink: Colour,
    align: Align = "left",
    lead: float = 1.12,
) -> tuple[Items, int]:
    """Lines under each other from the top of `box`, and the y below them."""
    items: Items = []
    y, step = box.y, round(text.line_height(weight, px) * lead)
    for line in said:
        x = box.x if align == "left" else box.x + (box.w - text.width_of(line, weight, px)) // 2
        if line:
            items.append(words(line, x, y, weight, px, ink))
        y += step
    return items, y


def inks(choice: Choice) -> tuple[Colour, Colour]:
    """(fill, ink) of a button."""
    match choice.style:
        case "primary":
            return theme.ACCENT, theme.ON_ACCENT
        case "danger":
            return theme.DANGER, theme.ON_DANGER
        case _:
            return theme.RAISED, theme.INK


def button(choice: Choice, rect: Rect, m: Measures, *, above: bool = False) -> Items:
    """Icon and label side by side, or the icon above the label."""
    fill, ink = inks(choice)
    items: Items = [Box(rect, fill, m.px(theme.RADIUS))]
    if choice.place == "list":
        return items + _list_label(choice, rect, m, ink)
    return items + (_label_below(choice, rect, m, ink) if above else _label_beside(choice, rect, m, ink))


def _label_beside(choice: Choice, rect: Rect, m: Measures, ink: Colour) -> Items:
    side, gap, pad = (m.px(40), m.px(14), m.px(14)) if choice.icon else (0, 0, m.px(14))
    room = rect.w - side - gap - 2 * pad
    px, said = text.shaped(choice.label, "medium", m.px(theme.LABEL_PX), room, 2)
    widest = max(text.width_of(line, "medium", px) for line in said)
    left = rect.x + (rect.w - side - gap - widest) // 2
    step = text.line_height("medium", px)
    box = Rect(left + side + gap, rect.y + (rect.h - step * len(said)) // 2, widest, 0)
    items, _ = lines(said, box, "medium", px, ink, lead=1.0)
    if choice.icon:
        items.append(Sign(Rect(left, rect.y + (rect.h - side) // 2, side, side), choice.icon, ink))
    return items


def _label_below(choice: Choice, rect: Rect, m: Measures, ink: Colour) -> Items:
    side, room = m.px(44), rect.w - m.px(12)
    px, said = text.shaped(choice.label, "medium", m.px(theme.SMALL_PX), room, 1)
    if px < m.px(theme.NEAR_PX):
        side = m.px(38)
        px, said = text.shaped(choice.label, "medium", m.px(theme.NEAR_PX), room, 2)
    height = side + m.px(2) + text.line_height("medium", px) * len(said)
    top = rect.y + (rect.h - height) // 2
    items, _ = lines(said, Rect(rect.x, top + side + m.px(2), rect.w, 0), "medium", px, ink, "middle", 1.0)
    items.append(Sign(Rect(rect.x + (rect.w - side) // 2, top, side, side), choice.icon, ink))
    return items


def _list_label(choice: Choice, rect: Rect, m: Measures, ink: Colour) -> Items:
    """Label at the left over up to two lines, its sign at the right."""
    side, pad = m.px(34), m.px(22)
    px, said = text.shaped(choice.label, "medium", m.px(theme.LABEL_PX), rect.w - side - 3 * pad, 2)
    step = text.line_height("medium", px)
    box = Rect(rect.x + pad, rect.y + (rect.h - step * len(said)) // 2, rect.w, 0)
    items, _ = lines(said, box, "medium", px, ink, lead=1.0)
    sign = Rect(rect.x + rect.w - pad - side, rect.y + (rect.h - side) // 2, side, side)
    return [*items, Sign(sign, choice.icon, theme.ACCENT)]


def key(choice: Choice, rect: Rect, m: Measures) -> Items:
    """A key of the on-screen keyboard."""
    items: Items = [Box(rect, theme.RAISED if choice.id == "type" else theme.SURFACE, m.px(12))]
    if choice.icon:
        side = m.px(44)
        return [*items, Sign(_middle(rect, side), choice.icon, theme.INK)]
    px = m.px(40 if choice.id == "type" else 30)
    y = rect.y + (rect.h - text.line_height("medium", px)) // 2
    said, _ = lines((choice.label,), Rect(rect.x, y, rect.w, 0), "medium", px, theme.INK, "middle")
    if choice.arg == " ":  # a space bar
        said = [Box(Rect(rect.x + rect.w // 4, rect.y + rect.h * 6 // 10, rect.w // 2, m.px(5)), theme.INK, m.px(2))]
    return items + said


def focus_marks(shown: Screen, rects: tuple[Rect, ...], m: Measures) -> Items:
    """The frame around what has the focus, the ring of a held button, and the veil on what a finger presses."""
    items: Items = []
    if 0 <= shown.pressed < len(rects):
        radius = m.px(12 if shown.layout == "keys" else theme.RADIUS)
        items.append(Box(rects[shown.pressed], theme.colour("#ffffff", 0.28), radius))
    if not shown.choices or not shown.show_focus or shown.asleep:
        return items
    rect = reduce(union, (rects[i] for i in shown.group or (shown.focus,)))
    lonely_hero = shown.choices[shown.focus].place == "main"
    if not lonely_hero:
        by = 6 if len(shown.group) < 2 else 2  # a row of keys fills the width of the display
        items.append(Box(grown(rect, m.px(by)), theme.CLEAR, m.px(theme.RADIUS + by), m.px(4), theme.INK))
    if shown.hold > 0 and not lonely_hero:
        items += hold_ring(rect, shown.hold, m)
    return items


def hold_ring(rect: Rect, part: float, m: Measures) -> Items:
    """Grows around the choice while the button is held; closed = chosen."""
    around = _outline(grown(rect, m.px(4)), m.px(theme.RADIUS + 4))
    n = max(2, round(part * (len(around) - 1)) + 1)
    return [path(around[:n], m.px(10), theme.ALERT, m.px(2))]


def _outline(rect: Rect, r: int) -> tuple[tuple[float, float], ...]:
    """Points along a rounded rectangle, clockwise from the middle of its top, about evenly spaced."""
    x, y, right, bottom = rect.x + r, rect.y + r, rect.x + rect.w - r, rect.y + rect.h - r
    points = [(rect.x + rect.w / 2, float(rect.y))]
    for cx, cy, begin in ((right, y, -90), (right, bottom, 0), (x, bottom, 90), (x, y, 180)):
        arc = [math.radians(begin + 15 * i) for i in range(7)]
        points += [(cx + r * math.cos(a), cy + r * math.sin(a)) for a in arc]
    points.append(points[0])
    return _evenly(points, r / 3)


def _evenly(points: list[tuple[float, float]], step: float) -> tuple[tuple[float, float], ...]:
    even = [points[0]]
    for (x, y), (x2, y2) in pairwise(points):
        n = max(1, round(math.hypot(x2 - x, y2 - y) / step))
        even += [(x + (x2 - x) * i / n, y + (y2 - y) * i / n) for i in range(1, n + 1)]
    return tuple(even)


def _middle(rect: Rect, side: int) -> Rect:
    return Rect(rect.x + (rect.w - side) // 2, rect.y + (rect.h - side) // 2, side, side)


def disc(rect: Rect, icon: str, fill: Colour, ink: Colour) -> Items:
    """A round sign."""
    return [Box(rect, fill, rect.w // 2), Sign(grown(rect, -round(rect.w * 0.24)), icon, ink)]


def chip_size(chip: Chip, m: Measures, px: int) -> tuple[int, int]:
    return m.px(12 + 28 + 8 + 16) + text.width_of(chip.text, "medium", px), m.px(44)


def veil_size(said: tuple[str, ...], m: Measures, px: int) -> tuple[int, int]:
    """Of a chip on a veil whose text stands in these lines."""
    widest = max(text.width_of(line, "medium", px) for line in said)
    return m.px(12 + 28 + 8 + 16) + widest, m.px(44) + (len(said) - 1) * text.line_height("medium", px)


def chip_on_veil(chip: Chip, said: tuple[str, ...], x: int, y: int, m: Measures, px: int) -> Items:
    """A chip that is legible on any picture; its text in lines."""
    w, h = veil_size(said, m, px)
    items: Items = [Box(Rect(x, y, w, h), theme.VEIL, m.px(22))]
    for n, line in enumerate(said):
        icon = chip.icon if n == 0 else ""
        items += chip_plain(replace(chip, text=line, icon=icon), x + m.px(12), y, m, px, theme.INK)
        y += text.line_height("medium", px)
    return items


def chip_plain(chip: Chip, x: int, y: int, m: Measures, px: int, ink: Colour) -> Items:
    side, h = m.px(28), m.px(44)
    sign = theme.colour(chip.icon_colour) if chip.icon_colour else ink
    icon = [Sign(Rect(x, y + (h - side) // 2, side, side), chip.icon, sign)] if chip.icon else []
    return [
        *icon,
        words(chip.text, x + side + m.px(8), y + (h - text.line_height("medium", px)) // 2, "medium", px, ink),
    ]
