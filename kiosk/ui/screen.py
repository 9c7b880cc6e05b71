"""What a screen is made of, before anything is painted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Style = Literal["primary", "plain", "danger"]
Mode = Literal["page", "call", "snapshot"]
Layout = Literal["idle", "message", "list", "text", "keys", "end", "call"]
Tone = Literal["calm", "good", "alert"]
Place = Literal["bar", "main", "list", "key", "star"]


@dataclass(frozen=True, slots=True)
class Choice:
    """Something to press. `focusable` ones are reached with the single button; all can be touched.

    row: of the on-screen keyboard; the single button reaches a key through its row.
    """

    id: str
    label: str
    style: Style = "plain"
    arg: str = ""
    icon: str = ""
    place: Place = "bar"
    focusable: bool = True
    row: int = -1


@dataclass(frozen=True, slots=True)
class Chip:
    """A short sign at the edge: icon and words. `icon_colour` "#rrggbb", or empty for that of the words."""

    icon: str
    text: str
    icon_colour: str = ""


@dataclass(frozen=True, slots=True)
class Screen:
    """`focus` is an index into `choices`; `pressed` too (-1: none). `hold` is 0..1 of a long press.

    key: names the screen so that a press counts only where it began (kiosk.ui.local.Front).
    step: (at, of) in the creation flow. field: what was typed so far, where something is typed.
    stars: given so far. page: of the text, on a screen that has too much of it for one.
    group: all choices that have the focus together (a row of keys). drift: px that the page is moved by, so that
    nothing burns in on a screen that stands for days.
    """

    name: str
    key: str
    title: str
    lines: tuple[str, ...] = ()
    choices: tuple[Choice, ...] = ()
    focus: int = 0
    mode: Mode = "page"
    layout: Layout = "message"
    icon: str = ""
    tone: Tone = "calm"
    banner: str = ""
    heading: str = ""
    status: tuple[Chip, ...] = ()
    chips: tuple[Chip, ...] = ()
    hint: str = ""
    step: tuple[int, int] | None = None
    field: str | None = None
    qr: str = ""
    stars: int = 0
    page: int = 0
    group: tuple[int, ...] = ()
    drift: tuple[int, int] = (0, 0)
    hold: float = 0.0
    show_focus: bool = True
    pressed: int = -1
    asleep: bool = False

    @property
    def focused(self) -> Choice | None:
        return self.choices[self.focus] if self.choices else None
