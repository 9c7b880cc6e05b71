"""Painting of all screens but the call's."""

from __future__ import annotations

from kiosk.hw.ports import Rect
from kiosk.ui import text, theme
from kiosk.ui.canvas import Box, Code, Ring, Sign, moved
from kiosk.ui.fit import grown
from kiosk.ui.layout import TITLE_ROW, Arrangement, Measures, arrange, measures, text_measures, top_bar
from kiosk.ui.screen import Choice, Screen
from kiosk.ui.theme import Colour
from kiosk.ui.widgets import (
    Align,
    Items,
    button,
    chip_plain,
    chip_size,
    disc,
    focus_marks,
    key,
    lines,
    words,
)

ALERTING = ("network-off", "person-off")
TONES: dict[str, tuple[Colour, Colour]] = {
    "calm": (theme.RAISED, theme.ACCENT),
    "good": (theme.GOOD, theme.GROUND),
    "alert": (theme.ALERT, theme.ON_ALERT),
}


def page(shown: Screen, size: tuple[int, int]) -> Items:
    """Everything on a page, from bottom to top."""
    if shown.asleep:
        return []
    m, at = measures(size), arrange(shown, size)
    body = {"idle": _idle, "message": _message, "list": _list, "text": _text, "keys": _keys, "end": _end}
    items = [] if shown.layout == "keys" and not m.portrait else _top(shown, m)
    items += body[shown.layout](shown, at, m)
    for choice, rect in zip(shown.choices, at.choices, strict=True):
        items += _choice(shown, choice, rect, m)
    if shown.show_focus and shown.hint and shown.layout != "keys":
        items += _hint(shown, at, m)
    items += focus_marks(shown, at.choices, m)
    return [moved(item, *shown.drift) for item in items] if any(shown.drift) else items


def _choice(shown: Screen, choice: Choice, rect: Rect, m: Measures) -> Items:
    match choice.place:
        case "main":
            return []  # painted with the page
        case "key":
            return key(choice, rect, m)
        case "star":
            given = int(choice.arg) <= shown.stars
            ink = theme.ALERT if given else theme.MUTED
            side = rect.w * 7 // 10
            place = Rect(rect.x + (rect.w - side) // 2, rect.y + (rect.h - side) // 2, side, side)
            return [Box(rect, theme.SURFACE, m.px(theme.RADIUS)), Sign(place, "star" if given else "star-empty", ink)]
        case _:
            return button(choice, rect, m, above=shown.layout == "keys")


def _top(shown: Screen, m: Measures) -> Items:
    """Device and network (on an upright display below each other), or what is wrong."""
    margin, h, px = m.px(theme.MARGIN), top_bar(m), m.px(theme.SMALL_PX)
    if shown.banner:
        return banner(shown.banner, m, m.px(3))
    chip_h = m.px(44)
    widths = [chip_size(c, m, px)[0] - m.px(28) for c in shown.status]
    x = margin if m.portrait else m.size[0] - margin - sum(widths) - m.px(24) * max(0, len(widths) - 1)
    name = text.clip(shown.heading, "bold", px, (m.size[0] - margin if m.portrait else x - m.px(24)) - margin)
    y = h - chip_h - m.px(6) if m.portrait else (h - chip_h) // 2
    at = (m.px(8) if m.portrait else y) + (chip_h - text.line_height("bold", px)) // 2
    items: Items = [words(name, margin, at, "bold", px, theme.INK)]
    for chip, width in zip(shown.status, widths, strict=True):
        items += chip_plain(chip, x, y, m, px, theme.ALERT if chip.icon in ALERTING else theme.MUTED)
        x += width + m.px(24)
    return items


def banner(said: str, m: Measures, top: int) -> Items:
    """What is wrong, across the display at `top`; in two lines on an upright one."""
    w, h = m.size[0] - 2 * m.px(theme.GAP), banner_height(m)
    rect = Rect(m.px(theme.GAP), top, w, h)
    side = m.px(34)
    room = w - side - m.px(48)
    px, fitted = text.shaped(said, "medium", m.px(theme.SMALL_PX), room, 2 if m.portrait else 1)
    at = Rect(rect.x + side + m.px(32), rect.y + (h - text.line_height("medium", px) * len(fitted)) // 2, w, 0)
    sign = Sign(Rect(rect.x + m.px(16), rect.y + (h - side) // 2, side, side), "warning", theme.ON_ALERT)
    return [Box(rect, theme.ALERT, m.px(14)), sign, *lines(fitted, at, "medium", px, theme.ON_ALERT, lead=1.0)[0]]


def banner_height(m: Measures) -> int:
    return m.px(2 * theme.BANNER - 10 if m.portrait else theme.BANNER)


def _hint(shown: Screen, at: Arrangement, m: Measures) -> Items:
    px, said = text.shaped(shown.hint, "regular", m.px(theme.SMALL_PX), at.foot.w, 1)
    y = at.foot.y + (at.foot.h - _line_height(px) * len(said)) // 2 + m.px(2)
    return lines(said, Rect(at.foot.x, y, at.foot.w, 0), "regular", px, theme.MUTED, "middle")[0]


def _title(said: str, box: Rect, m: Measures, rows: int = 1) -> tuple[Items, int]:
    px, fitted = text.shaped(said, "bold", m.px(42), box.w, rows)
    return lines(fitted, box, "bold", px, theme.INK, lead=1.0)


def _steps(shown: Screen, right: int, middle: int, m: Measures) -> Items:
    """How far one is in the creation flow: a bar for each step."""
    if shown.step is None or shown.step[1] < 2:
        return []
    at, of = shown.step
    w, h, gap = _step_width(m), m.px(8), m.px(8)
    left = right - of * w - (of - 1) * gap
    inks = [theme.ACCENT if i <= at else theme.LINE for i in range(of)]
    return [Box(Rect(left + i * (w + gap), middle - h // 2, w, h), ink, h // 2) for i, ink in enumerate(inks)]


def _step_width(m: Measures) -> int:
    return m.px(18 if m.portrait else 36)


def _beside_steps(shown: Screen, box: Rect, m: Measures) -> Rect:
    """Where a title stands, left of the steps."""
    taken = shown.step[1] * (_step_width(m) + m.px(8)) + m.px(8) if shown.step else 0
    return Rect(box.x, box.y, box.w - taken, 0)


def _idle(shown: Screen, at: Arrangement, m: Measures) -> Items:
    """The camera-plus sign, as large as there is room, on a card that is the button."""
    box, asking = at.main, any(c.id == "ask" for c in shown.choices) or shown.icon == "camera-plus"
    items: Items = [Box(box, theme.SURFACE, m.px(28))] if asking else []
    width, pad = box.w - m.px(48), m.px(22)
    title_px, title = text.shaped(shown.title, "bold", m.px(theme.TITLE_PX), width, 1)
    line_px, line = text.shaped(shown.lines[0], "regular", m.px(theme.LINE_PX), width, 2)
    text_h = text.line_height("bold", title_px) * len(title) + _line_height(line_px) * len(line)
    side = min(m.px(260), box.h - text_h - 4 * pad)
    top = box.y + (box.h - side - pad - text_h) // 2
    sign = Rect(box.x + (box.w - side) // 2, top, side, side)
    items += disc(sign, shown.icon, *((theme.ACCENT, theme.ON_ACCENT) if asking else (theme.RAISED, theme.MUTED)))
    if shown.hold > 0:
        items.append(Ring(grown(sign, m.px(14)), round(shown.hold, 3), m.px(10), theme.INK))
    more, y = lines(title, Rect(box.x, top + side + pad, box.w, 0), "bold", title_px, theme.INK, "middle", 1.0)
    return [*items, *more, *lines(line, Rect(box.x, y, box.w, 0), "regular", line_px, theme.MUTED, "middle")[0]]


def _line_height(px: int) -> int:
    return round(text.line_height("regular", px) * 1.12)


def _message(shown: Screen, at: Arrangement, m: Measures) -> Items:
    """A round sign and what there is to say, in the middle of the body."""
    box = _under_steps(shown, at.main, m)
    for side, rows in ((m.px(150), 2), (m.px(104), 1 + m.portrait)):  # smaller where there is much to say
        width = box.w if m.portrait else box.w - side - m.px(104)
        title_px, title = text.shaped(shown.title, "bold", m.px(theme.TITLE_PX), width, rows)
        title_h = text.line_height("bold", title_px) * len(title)
        room = box.h - title_h - (side + m.px(36) if m.portrait else 0)
        said = _that_fit(shown.lines, width, room, m)
        text_h = title_h + _height(said, m)
        if _height(said, m) <= room:
            break
    if m.portrait:
        top = box.y + max(0, (box.h - side - m.px(36) - text_h) // 2)
        sign, x, y = Rect(box.x + (box.w - side) // 2, top, side, side), box.x, top + side + m.px(36)
    else:
        sign = Rect(box.x + m.px(24), box.y + (box.h - side) // 2, side, side)
        x, y = sign.x + side + m.px(48), box.y + max(0, (box.h - text_h) // 2)
    items = disc(sign, shown.icon, *TONES[shown.tone])
    align: Align = "middle" if m.portrait else "left"
    more, y = lines(title, Rect(x, y, width, 0), "bold", title_px, theme.INK, align, 1.0)
    items += more
    for px, part in said:
        more, y = lines(part, Rect(x, y + m.px(14), width, 0), "regular", px, theme.INK, align)
        items += more
    return [*items, *_steps(shown, at.main.x + at.main.w, at.main.y + m.px(20), m)]


def _under_steps(shown: Screen, box: Rect, m: Measures) -> Rect:
    taken = m.px(36) if shown.step is not None and shown.step[1] >= 2 else 0
    return Rect(box.x, box.y + taken, box.w, box.h - taken)


def _that_fit(said: tuple[str, ...], width: int, room: int, m: Measures) -> list[tuple[int, tuple[str, ...]]]:
    """(px, lines) of each paragraph, smaller where there is much to say: nothing may run under the choices."""
    rows = 7 if m.portrait else 4
    for share in (100, 90, 84, 78):
        fitted = [text.shaped(line, "regular", m.px(theme.LINE_PX * share // 100), width, rows) for line in said]
        if _height(fitted, m) <= room:
            break
    return fitted


def _height(said: list[tuple[int, tuple[str, ...]]], m: Measures) -> int:
    return sum(m.px(14) + _line_height(px) * len(part) for px, part in said)


def _list(shown: Screen, at: Arrangement, m: Measures) -> Items:
    items, _ = _title(shown.title, _beside_steps(shown, at.main, m), m)
    return [*items, *_steps(shown, at.main.x + at.main.w, at.main.y + m.px(27), m)]


def _text(shown: Screen, at: Arrangement, m: Measures) -> Items:
    box = at.main
    items, _ = _title(shown.title, _beside_steps(shown, box, m), m)
    items += _steps(shown, box.x + box.w, box.y + m.px(27), m)
    px = text_measures(m.size)[1]
    step = _line_height(px)
    for i, line in enumerate(shown.lines):
        heading = line.startswith("# ")
        said, weight = (line[2:], "bold") if heading else (line, "regular")
        if said:
            y = box.y + m.px(TITLE_ROW) + i * step
            items.append(words(said, box.x, y, "bold" if weight == "bold" else "regular", px, theme.INK))
    return items


def _keys(shown: Screen, at: Arrangement, m: Measures) -> Items:
    """The field: signs or what it is for above, what was typed (its end, where it is long) below."""
    box = at.main
    height = min(box.h, m.px(theme.BUTTON))
    field = Rect(box.x, box.y + box.h - height, box.w, height)
    small, large = m.px(theme.SMALL_PX), m.px(42)
    typed = shown.field or ""
    room = field.w - m.px(40)
    while text.width_of(typed, "medium", large) > room:
        typed = typed[1:]
    y = field.y + m.px(6)
    left = x = field.x + m.px(16)
    items: Items = [Box(field, theme.SURFACE, m.px(14), m.px(2), theme.ACCENT)]
    for chip in shown.chips:
        w, h = chip_size(chip, m, small)
        items += chip_plain(chip, x, y + (text.line_height("medium", small) - h) // 2, m, small, theme.INK)
        x += w
    if shown.title:
        px, said = text.shaped(shown.title, "regular", small, room - (x - left), 1)
        items += lines(said, Rect(x, y, room, 0), "regular", px, theme.MUTED)[0]
    below = y + text.line_height("regular", small)
    if typed:
        items.append(words(typed, left, below, "medium", large, theme.INK))
    caret = left + text.width_of(typed, "medium", large) + m.px(3) if typed else left
    return [*items, Box(Rect(caret, below + m.px(5), m.px(4), m.px(40)), theme.ACCENT)]


def _end(shown: Screen, at: Arrangement, m: Measures) -> Items:
    """Title, lines and stars; the code at the right (portrait: below)."""
    box = at.main
    side = min(m.px(330), box.h - m.px(8)) if shown.qr else 0
    align: Align = "left" if side and not m.portrait else "middle"
    width = box.w - side - m.px(40) if side and not m.portrait else box.w
    px, title = text.shaped(shown.title, "bold", m.px(theme.TITLE_PX), width, 2 if m.portrait else 1)
    items, y = [], box.y + m.px(6)
    if not shown.qr:
        sign = m.px(76)
        items += disc(Rect(box.x + (box.w - sign) // 2, y, sign, sign), shown.icon, *TONES[shown.tone])
        y += sign + m.px(14)
    more, y = lines(title, Rect(box.x, y, width, 0), "bold", px, theme.INK, align, 1.0)
    items += more
    stars = min((r.y for c, r in zip(shown.choices, at.choices, strict=True) if c.place == "star"), default=y)
    for line_px, part in _that_fit(shown.lines, width, stars - y, m):
        more, y = lines(part, Rect(box.x, y + m.px(10), width, 0), "regular", line_px, theme.INK, align)
        items += more
    if side and m.portrait:
        below = at.choices[-1].y + at.choices[-1].h + m.px(30)
        side = min(side, box.y + box.h - below)
        items.append(Code(Rect(box.x + (box.w - side) // 2, below, side, side), shown.qr))
    elif side:
        items.append(Code(Rect(box.x + box.w - side, box.y + (box.h - side) // 2, side, side), shown.qr))
    return items
