"""What `kiosk doctor` shows and says: a checklist that fills in, and one question at a time. Pure.

A finding carries the name of its sentence and the values in it, so that it can be said in any language.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from kiosk.hw.ports import Rect
from kiosk.ui import text, theme
from kiosk.ui.canvas import Box, Sign
from kiosk.ui.fit import overlap
from kiosk.ui.layout import Measures, measures
from kiosk.ui.texts import Say, later, speaker
from kiosk.ui.theme import Colour
from kiosk.ui.widgets import Items, lines, words

Size = tuple[int, int]
RowState = Literal["waits", "runs", "works", "fails", "left_out"]

PARTS = {
    "display": later("Display"),
    "lamp": later("Lamp"),
    "buttons": later("Buttons"),
    "touch": later("Touch"),
    "camera": later("Camera"),
    "microphone": later("Microphone"),
    "speaker": later("Speaker"),
    "echo": later("Echo"),
    "network": later("Network"),
    "broker": later("Message broker"),
    "desk": later("Service desk"),
    "clock": later("Clock"),
    "disk": later("Storage"),
    "versions": later("Versions"),
}

SENTENCES = {
    "trouble": later("{why}"),
    "no_answer": later("no answer within {seconds} s"),
    "left_out": later("left out"),
    "not_here": later("not asked for here"),
    "wrong": later("whoever checked it says no"),
    "not_pressed": later("not pressed within {seconds} s"),
    "not_touched": later("not touched within {seconds} s"),
    "display": later("{width} × {height} px"),
    "lamp": later("was lit for a moment"),
    "lamp_seen": later("was seen lit"),
    "buttons": later("ready: {names}"),
    "buttons_pressed": later("pressed: {names}"),
    "buttons_stuck": later("stuck: {names}"),
    "touch": later("ready"),
    "touch_seen": later("touched at {x} %, {y} %"),
    "touch_off": later("switched off in the settings"),
    "camera": later("{width} × {height} px; photographs {still_width} × {still_height} px"),
    "camera_dark": later("its picture is black: is it covered?"),
    "microphone": later("hears the room at {level} dBFS"),
    "microphone_silent": later("hears nothing at all: is it muted?"),
    "sound_off": later("none, as set"),
    "speaker": later("played a tone"),
    "speaker_heard": later("its tone is heard by the microphone, {level} dB above the room"),
    "speaker_not_heard": later("its tone is not heard by the microphone ({level} dB above the room)"),
    "echo": later("cancelled: {level} dB above the room"),
    "echo_heard": later("not cancelled: {level} dB above the room (image-build/pipewire)"),
    "echo_duck": later("half-duplex: people speak in turns"),
    "echo_none": later("nothing cancels it, as set"),
    "echo_apart": later("none: microphone and speaker have nothing to do with each other"),
    "network": later("{address} reaches {host} in {ms} ms"),
    "network_name": later("nobody knows the name {host}: is the cable in, is there a name server?"),
    "network_first": later("not tried: the network comes first"),
    "network_closed": later("{host} is not reached: {why}"),
    "broker": later("signed in as {id}; an answer takes {ms} ms"),
    "broker_refused": later("{host} does not let us in: {why}"),
    "desk": later("{url} answers and takes uploads"),
    "desk_none": later("no desk_url in the settings"),
    "desk_says": later("{url} says {status}"),
    "clock": later("differs from the desk's by {seconds} s"),
    "clock_wrong": later("differs from the desk's by {seconds} s: certificates may not be valid"),
    "clock_unknown": later("nobody to compare it with"),
    "disk": later("{free} GB free in {folder}"),
    "disk_full": later("only {free} MB are free in {folder}"),
    "versions": later("kiosk {kiosk}, Python {python}, Linux {linux}"),
}
QUESTIONS = {
    "lamp": later("Is the lamp lit?"),
    "buttons": later("Please press the button {name}"),
    "touch": later("Please touch the display"),
    "camera": later("Do you see the picture, and is the lamp lit?"),
    "speaker": later("Do you hear a tone?"),
    "works": later("Everything works."),
    "fails": later("Something does not work."),
    "end": later("Press the button to end the check."),
}
BUTTONS = {"camera_plus": later("camera-plus"), "accept": later("accept"), "decline": later("decline")}
WORDS = {
    "works": later("works"),
    "fails": later("FAILS"),
    "left_out": later("left out"),
    "runs": later("is being tried"),
    "waits": later("waits"),
}
_ANSWERS = later("Button: short = yes, next; hold = no, leave out")
_SIGNS: dict[RowState, tuple[str, Colour]] = {
    "waits": ("ring", theme.LINE),
    "runs": ("clock", theme.ACCENT),
    "works": ("check", theme.GOOD),
    "fails": ("cross", theme.ALERT),
    "left_out": ("next", theme.MUTED),
}

_TITLE, _ASK, _HINT = 30, 34, 22
_LABEL, _SEEN = 26, 20
_TALLEST_ROW = 84


@dataclass(frozen=True, slots=True)
class Said:
    """code: a key of SENTENCES. values: what is filled in."""

    code: str
    values: dict[str, object] = field(default_factory=dict)

    def words(self, say: Say) -> str:
        values = dict(self.values)
        if names := values.get("names"):
            values["names"] = ", ".join(say(BUTTONS.get(name, name)) for name in str(names).split())
        return say(SENTENCES[self.code], **values)


@dataclass(frozen=True, slots=True)
class Row:
    part: str
    state: RowState = "waits"
    seen: Said | None = None


@dataclass(frozen=True, slots=True)
class DoctorView:
    """question: a key of QUESTIONS, or empty; `button` is filled in. attended: somebody may answer with the button.

    picture: whether the camera's picture is shown (in `picture_rect`).
    """

    language: str
    device_name: str
    rows: tuple[Row, ...]
    question: str = ""
    button: str = ""
    attended: bool = False
    picture: bool = False


def checklist(view: DoctorView, size: Size) -> Items:
    """Everything on the display, from bottom to top."""
    m, say = measures(size), speaker(view.language)
    items = _head(view, m, say)
    hole = picture_rect(size) if view.picture else None
    for row, rect in zip(view.rows, _places(len(view.rows), m), strict=True):
        if hole is None or rect.x < hole.x or not overlap(rect, hole):
            items += _row(row, rect, m, say)
    if hole:
        items.append(Box(hole, theme.CLEAR))
    return items + _foot(view, m, say)


def picture_rect(size: Size) -> Rect:
    """Where the camera's picture stands: 16:9, at the right; on an upright display at the bottom."""
    m, area = measures(size), _body(measures(size))
    w = area.w if m.portrait else area.w * 6 // 10
    h = min(w * 9 // 16, area.h)
    w = h * 16 // 9
    return Rect(area.x + area.w - w, area.y + area.h - h if m.portrait else area.y, w, h)


def asked(view: DoctorView, say: Say) -> str:
    if not view.question:
        return ""
    return say(QUESTIONS[view.question], name=say(BUTTONS.get(view.button, view.button)))


def _body(m: Measures) -> Rect:
    margin, top, below = m.px(theme.GAP), m.px(_TITLE * 1.8), m.px(_ASK * 1.5 + _HINT * 1.6)
    return Rect(margin, top, m.size[0] - 2 * margin, m.size[1] - top - below)


def _places(count: int, m: Measures) -> list[Rect]:
    """Down one column, then down the next."""
    area, columns = _body(m), 1 if m.portrait else 2
    rows = -(-count // columns)
    w, h = area.w // columns, min(area.h // max(1, rows), m.px(_TALLEST_ROW))
    return [Rect(area.x + n // rows * w, area.y + n % rows * h, w, h) for n in range(count)]


def _head(view: DoctorView, m: Measures, say: Say) -> Items:
    title = say("Check of {device}", device=view.device_name)
    px = m.px(_TITLE)
    fitted = text.clip(title, "bold", px, m.size[0] - 2 * m.px(theme.MARGIN))
    return [words(fitted, m.px(theme.MARGIN), m.px(_TITLE * 0.3), "bold", px, theme.INK)]


def _row(row: Row, rect: Rect, m: Measures, say: Say) -> Items:
    sign, ink = _SIGNS[row.state]
    side, gap = min(m.px(36), rect.h * 6 // 10), m.px(12)
    room = rect.w - side - 3 * gap
    label = say(PARTS[row.part])
    seen = row.seen.words(say) if row.seen else ""
    rows = 2 if rect.h >= m.px(2.6 * _SEEN + _LABEL) else 1
    px, said = text.shaped(seen, "regular", m.px(_SEEN), room, rows)
    height = text.line_height("medium", m.px(_LABEL)) + text.line_height("regular", px) * len(said)
    top = rect.y + (rect.h - height) // 2
    x = rect.x + side + 2 * gap
    items: Items = []
    if row.state in ("runs", "fails"):
        ground = Rect(rect.x, rect.y + m.px(2), rect.w - gap, rect.h - m.px(4))
        items.append(Box(ground, theme.SURFACE, m.px(theme.RADIUS // 2)))
    items.append(Sign(Rect(rect.x + gap, rect.y + (rect.h - side) // 2, side, side), sign, ink))
    items.append(words(label, x, top, "medium", m.px(_LABEL), theme.MUTED if row.state == "waits" else theme.INK))
    below = Rect(x, top + text.line_height("medium", m.px(_LABEL)), room, 0)
    return items + lines(said, below, "regular", px, ink if row.state == "fails" else theme.MUTED, lead=1.0)[0]


def _foot(view: DoctorView, m: Measures, say: Say) -> Items:
    """The question, and how to answer it."""
    area = _body(m)
    y, width = area.y + area.h, m.size[0] - 2 * m.px(theme.MARGIN)
    x = m.px(theme.MARGIN)
    ink = {"works": theme.GOOD, "fails": theme.ALERT}.get(view.question, theme.ACCENT)
    px, said = text.shaped(asked(view, say), "bold", m.px(_ASK), width, 1)
    items, y = lines(said, Rect(x, y + m.px(4), width, 0), "bold", px, ink, lead=1.0)
    if view.attended and view.question:
        hint = say(QUESTIONS["end"]) if view.question in ("works", "fails") else say(_ANSWERS)
        px, said = text.shaped(hint, "regular", m.px(_HINT), width, 1)
        items += lines(said, Rect(x, m.size[1] - m.px(_HINT * 1.5), width, 0), "regular", px, theme.MUTED)[0]
    return items
