"""What is local to the display: focus, the page of a list, what is being typed, who holds what; and what comes of it.

Nothing here is known to the rest of the kiosk; what the rest must know leaves as an Intent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from kiosk.hw.ports import ButtonName
from kiosk.ui.scan import NO_BURST, Burst

FingerTool = Literal["pen", "arrow", "box", "step", "text", "delete"]
FINGER_TOOLS: tuple[FingerTool, ...] = ("pen", "arrow", "box", "step", "text", "delete")
"""What a finger does on a snapshot; a text is typed on the keyboard of the display after a tap says where it goes."""
TAPPED: tuple[FingerTool, ...] = ("text", "delete")
"""Nothing is drawn with these: where the finger is lifted counts."""
LiveTool = Literal["pen", "pinned", "pointer"]
LIVE_TOOLS: tuple[LiveTool, ...] = ("pen", "pinned", "pointer")
"""What a finger does on the live picture: draw on the picture, draw on the machine itself, or only point."""


@dataclass(frozen=True, slots=True)
class Tick:
    """Time goes on."""

    now_s: float


@dataclass(frozen=True, slots=True)
class Chosen:
    """The code user chose; the ids are listed in kiosk.ui.screens."""

    id: str
    arg: str = ""


@dataclass(frozen=True, slots=True)
class Draw:
    """The code user draws on the picture that is shown (live, or the open snapshot); 0..1 of the sent frame.

    tool: on a snapshot. live: on the live picture. Several fingers draw a line each.
    what: of the tools in TAPPED, which come as "end" alone: the letters of a text, the id of the edit to delete.
    """

    phase: Literal["begin", "point", "end"]
    x: float
    y: float
    tool: FingerTool = "pen"
    finger: int = 0
    live: LiveTool = "pen"
    what: str = ""


Intent = Chosen | Draw


@dataclass(frozen=True, slots=True)
class Grip:
    """A finger that is down: on a choice, or as a pen on the picture (`choice` None). taps: with a tool of TAPPED."""

    finger: int
    screen: str
    choice: Chosen | None = None
    x: float = 0.0
    y: float = 0.0
    taps: bool = False


@dataclass(frozen=True, slots=True)
class Front:
    """size: the display's (width, height) in px. long_press_s: when a held button counts as long.

    `screen` names the screen that focus, page and text belong to: on another they start anew.
    `held_on` is the screen on which the button went down: a press counts on no other, so that a screen which changes
    under the finger is never answered by mistake.
    grips: one for each finger that is down. burst: what keys have written lately, at which pace.
    row: of the on-screen keyboard, the one in which the single button walks from key to key; -1: from row to row.
    writing: where on the snapshot the text goes that is being typed, 0..1 of it.
    """

    size: tuple[int, int] = (1024, 600)
    long_press_s: float = 0.8
    screen: str = ""
    focus: int = 0
    page: int = 0
    text: str = ""
    typing: bool = False
    shift: bool = True
    symbols: bool = False
    confirm: str = ""
    browsing: bool = False
    by_touch: bool = False
    held: ButtonName | None = None
    held_since_s: float = 0.0
    held_on: str = ""
    grips: tuple[Grip, ...] = ()
    burst: Burst = NO_BURST
    row: int = -1
    tool: FingerTool = "pen"
    live: LiveTool = "pen"
    writing: tuple[float, float] | None = None

    def on(self, screen: str) -> Front:
        """As it is on `screen`: fresh where that is another one than before."""
        if screen == self.screen:
            return self
        return replace(
            self, screen=screen, focus=0, page=0, text="", typing=False, shift=True, symbols=False, confirm="",
            browsing=False, row=-1, writing=None,
        )  # fmt: skip
