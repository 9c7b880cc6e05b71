"""Where everything stands on a display of a given size: used by painting and by touch, so that both agree. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from kiosk.hw.ports import Rect
from kiosk.ui import keys, text
from kiosk.ui.fit import Fit, contains, fit, grown
from kiosk.ui.local import Front
from kiosk.ui.screen import Choice, Screen
from kiosk.ui.theme import BUTTON, FOOT, GAP, MARGIN, TEXT_PX, TOP_BAR, TOP_BAR_UPRIGHT, scale_of

T = TypeVar("T")
Size = tuple[int, int]

TITLE_ROW = 54
KEY_GAP = 6
_WIDEST = 440
COLUMN = 0.28
"""Of a wide display's width: what stands beside a snapshot."""
CHIP_ROWS = 96
"""Two rows of chips, which have room above an upright snapshot whatever its shape."""


@dataclass(frozen=True, slots=True)
class Measures:
    """The measures of theme.py in px of one display."""

    size: Size
    scale: float
    portrait: bool

    def px(self, units: float) -> int:
        return round(units * self.scale)


def measures(size: Size) -> Measures:
    return Measures(size, scale_of(size), size[1] > size[0])


def top_bar(m: Measures) -> int:
    """Height of what stands above a page: device and network, or what is wrong."""
    return m.px(TOP_BAR_UPRIGHT if m.portrait else TOP_BAR)


@dataclass(frozen=True, slots=True)
class Arrangement:
    """choices: one rectangle each, in their order. main: where title, lines or picture stand."""

    choices: tuple[Rect, ...]
    main: Rect
    foot: Rect


def arrange(screen: Screen, size: Size) -> Arrangement:
    m = measures(size)
    if screen.mode != "page":
        bar = call_bar(m)
        places = _bar(screen.choices, bar, m) if m.portrait else _row(screen.choices, bar, m, 10_000)
        return Arrangement(places, picture_area(size), Rect(0, size[1], 0, 0))
    if screen.layout == "keys":
        return _keys(screen, m)
    barred = [c for c in screen.choices if c.place == "bar"]
    below = Rect(m.px(MARGIN), size[1] - m.px(FOOT), size[0] - 2 * m.px(MARGIN), m.px(FOOT))
    bar = _bar_area(len(barred), below, m)
    top = top_bar(m)
    body = Rect(m.px(MARGIN), top, size[0] - 2 * m.px(MARGIN), bar.y - m.px(GAP) - top)
    main, rest = _body(screen, body, m)
    bars = iter(_bar(barred, bar, m))
    return Arrangement(tuple(next(bars) if c.place == "bar" else next(rest) for c in screen.choices), main, below)


def choice_at(screen: Screen, size: Size, x: float, y: float) -> Choice | None:
    """The choice at (x, y) in px; with a little slack around each, the nearest first."""
    rects = arrange(screen, size).choices
    x, y = x - screen.drift[0], y - screen.drift[1]
    slack = measures(size).px(KEY_GAP if screen.layout == "keys" else GAP) // 2
    for by in (0, slack):
        for choice, rect in zip(screen.choices, rects, strict=True):
            if contains(grown(rect, by), x, y):
                return choice
    return None


# --- the call ---------------------------------------------------------------------------------------------------------


def call_bar(m: Measures) -> Rect:
    """One row of buttons; two on an upright display, where there is room above and below the picture."""
    gap = m.px(GAP) // 2
    h = 2 * m.px(BUTTON) + m.px(GAP) if m.portrait else m.px(BUTTON)
    return Rect(m.px(GAP), m.size[1] - h - gap, m.size[0] - 2 * m.px(GAP), h)


def picture_area(size: Size) -> Rect:
    """All above the bar: nothing that was drawn or marked is ever hidden by a button."""
    m = measures(size)
    return Rect(0, 0, size[0], call_bar(m).y - m.px(GAP) // 2)


def picture_fit(size: Size, frame: Size, beside: Size | None = None) -> Fit:
    """Where the live picture stands; or a snapshot, which nothing covers.

    Beside a snapshot the live picture (its size: `beside`), staff's and the chips stand in a column at the right; on an
    upright display the chips above it, the pictures below it.
    """
    area = picture_area(size)
    if beside is None:
        return fit(frame, area)
    m = measures(size)
    gap = m.px(GAP)
    if m.portrait:
        top = m.px(CHIP_ROWS) + 2 * gap
        return fit(frame, Rect(area.x, top, area.w, area.h - _small(size, m)[1] - 2 * gap - top))
    return fit(frame, Rect(area.x, area.y, size[0] - round(size[0] * COLUMN) - 2 * gap, area.h))


def _small(size: Size, m: Measures) -> Size:
    """The room of a picture beside a snapshot."""
    w = round(size[0] * (0.26 if m.portrait else 0.17))
    return w, round(w * 0.75)


def inset(size: Size, frame: Size, beside: Size | None = None) -> Rect:
    """Where the staff's picture stands: top right; with an upright snapshot left of the live picture."""
    m, area = measures(size), picture_area(size)
    if beside is not None:
        w, h = _small(size, m)
        place = fit(frame, Rect(0, 0, w, h)).rect
        if m.portrait:
            x = live_inset(size, beside).x - m.px(GAP) - place.w
            return Rect(x, area.h - place.h - m.px(GAP), place.w, place.h)
        return Rect(size[0] - place.w - m.px(GAP), m.px(GAP), place.w, place.h)
    w = round(size[0] * (0.34 if m.portrait else 0.24))
    box = Rect(size[0] - w - m.px(GAP), m.px(GAP), w, min(round(w * 0.75), area.h))
    place = fit(frame, box).rect
    return Rect(box.x + box.w - place.w, box.y, place.w, place.h)


def live_inset(size: Size, frame: Size) -> Rect:
    """Where the live picture goes on, small, beside a snapshot: bottom right."""
    m, area = measures(size), picture_area(size)
    w, h = _small(size, m)
    place = fit(frame, Rect(0, 0, w, h)).rect
    return Rect(size[0] - place.w - m.px(GAP), area.h - place.h - m.px(GAP), place.w, place.h)


def chips_area(size: Size, frame: Size, beside: Size, staff: Rect | None) -> Rect:
    """Where the chips stand with a snapshot of size `frame`: between the pictures of the column, upright above all."""
    m = measures(size)
    gap = m.px(GAP)
    if m.portrait:
        return Rect(gap, gap, size[0] - 2 * gap, picture_fit(size, frame, beside).rect.y - 2 * gap)
    top = staff.y + staff.h + gap if staff else gap
    w = round(size[0] * COLUMN)
    return Rect(size[0] - w - gap, top, w, live_inset(size, beside).y - gap - top)


# --- pages ------------------------------------------------------------------------------------------------------------


def _bar_area(n: int, foot: Rect, m: Measures) -> Rect:
    rows = 0 if n == 0 else 2 if m.portrait and n > 2 else 1
    h = rows * m.px(BUTTON) + max(0, rows - 1) * m.px(GAP)
    return Rect(foot.x, foot.y - h, foot.w, h)


def _bar(choices: Sequence[Choice], area: Rect, m: Measures) -> tuple[Rect, ...]:
    if area.h <= m.px(BUTTON):
        return _row(choices, area, m)
    first = (len(choices) + 1) // 2 if len(choices) > 3 else 1
    h = m.px(BUTTON)
    upper = Rect(area.x, area.y, area.w, h)
    lower = Rect(area.x, area.y + h + m.px(GAP), area.w, h)
    return (*_row(choices[:first], upper, m, 10_000), *_row(choices[first:], lower, m, 10_000))


def _row(choices: Sequence[Choice], area: Rect, m: Measures, widest: int = _WIDEST) -> tuple[Rect, ...]:
    """Equal widths, in the middle."""
    if not choices:
        return ()
    gap, n = m.px(GAP), len(choices)
    w = min(m.px(widest), (area.w - gap * (n - 1)) // n)
    left = area.x + (area.w - (w * n + gap * (n - 1))) // 2
    return tuple(Rect(left + i * (w + gap), area.y, w, area.h) for i in range(n))


class _Rest:
    """Rectangles of the choices that do not stand in the bar, in their order."""

    def __init__(self, rects: Sequence[Rect]) -> None:
        self._rects = iter(rects)

    def __next__(self) -> Rect:
        return next(self._rects)


def _body(screen: Screen, body: Rect, m: Measures) -> tuple[Rect, _Rest]:
    """Where title and lines stand, and the choices in the body."""
    match screen.layout:
        case "idle":
            return _idle(screen, body, m)
        case "list":
            top = m.px(TITLE_ROW)
            cells = _cells(Rect(body.x, body.y + top, body.w, body.h - top), m, 1 if m.portrait else 2)
            return Rect(body.x, body.y, body.w, top), _Rest(cells)
        case "end":
            return body, _Rest(_stars(screen, body, m))
        case _:
            return body, _Rest(())


def _idle(screen: Screen, body: Rect, m: Measures) -> tuple[Rect, _Rest]:
    """The way to ask at the left (portrait: above), articles at the right (below)."""
    listed = any(c.place == "list" for c in screen.choices)
    if not listed:
        hero, column = body, body
    elif m.portrait:
        n = sum(c.place == "list" for c in screen.choices)
        h = max(body.h * 48 // 100, body.h - n * (m.px(BUTTON) + m.px(GAP)))
        hero = Rect(body.x, body.y, body.w, h)
        column = Rect(body.x, body.y + h + m.px(GAP), body.w, body.h - h - m.px(GAP))
    else:
        w = body.w * 56 // 100
        hero = Rect(body.x, body.y, w, body.h)
        column = Rect(body.x + w + m.px(MARGIN), body.y, body.w - w - m.px(MARGIN), body.h)
    asks = [hero for c in screen.choices if c.place == "main"]
    return hero, _Rest([*asks, *_cells(column, m, 1)])


def _cells(area: Rect, m: Measures, columns: int) -> list[Rect]:
    h, gap = m.px(BUTTON), m.px(GAP)
    w = (area.w - gap * (columns - 1)) // columns
    rows = _fitting(area.h, m)
    return [
        Rect(area.x + i % columns * (w + gap), area.y + i // columns * (h + gap), w, h) for i in range(rows * columns)
    ]


def _fitting(height: int, m: Measures) -> int:
    """How many buttons stand above each other."""
    return max(1, (height + m.px(GAP)) // (m.px(BUTTON) + m.px(GAP)))


def _stars(screen: Screen, body: Rect, m: Measures) -> list[Rect]:
    side, gap = m.px(BUTTON), m.px(6)
    total = 5 * side + 4 * gap
    left = body.x if screen.qr and not m.portrait else body.x + (body.w - total) // 2
    top = body.y + (m.px(330) if m.portrait else body.h - side - m.px(GAP))
    return [Rect(left + i * (side + gap), top, side, side) for i in range(5)]


def _keys(screen: Screen, m: Measures) -> Arrangement:
    """The field with what ends the typing above, ten columns of keys below, the whole width and height."""
    w, h, gap = m.size[0], m.size[1], m.px(KEY_GAP)
    row_h = min(m.px(122), (h - m.px(BUTTON + GAP + 8)) // 4)
    top = h - 4 * row_h - gap
    bars = [c for c in screen.choices if c.place == "bar"]
    if m.portrait:
        bar_top = top - m.px(BUTTON + GAP)
        bar = iter(_row(bars, Rect(gap, bar_top, w - 2 * gap, m.px(BUTTON)), m, 10_000))
        field = Rect(m.px(MARGIN), top_bar(m), w - 2 * m.px(MARGIN), bar_top - m.px(GAP) - top_bar(m))
    else:
        bar_w = m.px(152) * len(bars)
        bar = iter(_row(bars, Rect(w - bar_w - gap, m.px(8), bar_w, m.px(BUTTON)), m, 10_000))
        field = Rect(m.px(MARGIN), m.px(8), w - bar_w - gap - m.px(MARGIN + GAP), m.px(BUTTON))
    key = iter(_key_rects([c for c in screen.choices if c.place == "key"], Rect(0, top, w, 4 * row_h), gap))
    rects = tuple(next(key) if c.place == "key" else next(bar) for c in screen.choices)
    return Arrangement(rects, field, Rect(0, h, 0, 0))


def _key_rects(choices: Sequence[Choice], area: Rect, gap: int) -> list[Rect]:
    """Ten columns; a key that does not fit into its row begins the next."""
    rects, column, row, row_h = [], 0, 0, area.h // 4
    for choice in choices:
        n = keys.columns(choice)
        if column + n > 10:
            column, row = 0, row + 1
        left, right = area.x + area.w * column // 10, area.x + area.w * (column + n) // 10
        half = gap // 2
        rects.append(Rect(left + half, area.y + row * row_h + half, right - left - gap, row_h - gap))
        column += n
    return rects


# --- pages of what is too long for one --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    items: tuple[T, ...]
    pages: int


def list_page(kind: Literal["idle", "list", "text"], items: Sequence[T], front: Front) -> Page[T]:
    """What of `items` is shown on the page the display is at; turning the last page leads to the first."""
    room = _room(kind, front.size, len(items))
    pages = max(1, -(-len(items) // room))
    at = front.page % pages * room
    return Page(tuple(items[at : at + room]), pages)


def _room(kind: str, size: Size, n: int) -> int:
    m = measures(size)
    bottom, top = m.size[1] - m.px(FOOT), top_bar(m)
    bar = 0 if kind == "idle" else m.px(BUTTON) * (2 if m.portrait else 1) + m.px(GAP) * (1 if m.portrait else 0)
    body = bottom - bar - m.px(GAP) - top
    if kind == "text":
        return max(1, (body - m.px(TITLE_ROW)) // text_line(m))
    if kind == "list":
        return _fitting(body - m.px(TITLE_ROW), m) * (1 if m.portrait else 2)
    browsing = m.px(BUTTON) + m.px(GAP)  # the bar that stands there while the single button walks through the list
    column = (body - browsing) * 52 // 100 - m.px(GAP) if m.portrait else body - browsing
    room = _fitting(column, m)
    return room if n <= room else max(1, room - 1)  # one place is for "more"


def text_line(m: Measures) -> int:
    """Height of a line of an article."""
    return round(text.line_height("regular", m.px(TEXT_PX)) * 1.12)


def text_measures(size: Size) -> tuple[int, int]:
    """(width, text size) in px of an article's column."""
    m = measures(size)
    return min(size[0] - 2 * m.px(MARGIN), m.px(960)), m.px(TEXT_PX)
