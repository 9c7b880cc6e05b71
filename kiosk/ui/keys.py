"""The on-screen keyboard: four rows of ten, letters or symbols."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kiosk.ui.local import Front
from kiosk.ui.screen import Choice, Screen
from kiosk.ui.texts import Say

MOST_LETTERS = 80

_ROWS = {
    "de": ("qwertzuiop", "asdfghjklö", "yxcvbnmä", "üß"),
    "en": ("qwertyuiop", "asdfghjkl'", "zxcvbnm,", "/&"),
}
_SYMBOLS = ("1234567890", '-/:;()&@"+', ".,?!'#%=", "*_")

WIDE = {" ": 4, "shift": 1, "erase": 1, "symbols": 2}
"""How many columns a key is wide; all others one."""


def screen(name: str, title: str, front: Front, say: Say) -> Screen:
    """Field and keys; the single button reaches what ends the typing, then rows, and in a row its keys."""
    done = Choice(
        "answer",
        say("Next") if front.text.strip() else say("Skip"),
        "primary",
        arg=" ".join(front.text.split()),
        icon="next",
    )
    layout = say("keyboard: en")
    rows = _SYMBOLS if front.symbols else _ROWS.get(layout.rpartition(" ")[2], _ROWS["en"])
    return Screen(name, "", title, choices=(*_keys(rows, front), done), layout="keys", field=front.text)


def _keys(rows: tuple[str, ...], front: Front) -> tuple[Choice, ...]:
    first, second, third, last = (tuple(_letter(c, front) for c in row) for row in rows)
    shift, erase = _special("shift", "", "shift"), _special("erase", "", "erase")
    other = _special("symbols", "ABC" if front.symbols else "123", "")
    space, hyphen, dot = _letter(" ", front), _letter("-", front), _letter(".", front)
    rows_ = (first, second, (shift, *third, erase), (other, *last, space, hyphen, dot))
    return tuple(replace(c, row=n) for n, row in enumerate(rows_) for c in row)


def row_of(choices: Sequence[Choice], at: int) -> int:
    return choices[at].row


def _letter(c: str, front: Front) -> Choice:
    shown = c.upper() if front.shift and c != "ß" else c
    return Choice("type", shown, arg=shown, place="key", focusable=False)


def _special(what: str, label: str, icon: str) -> Choice:
    return Choice(what, label, icon=icon, place="key", focusable=False)


def columns(choice: Choice) -> int:
    return WIDE.get(choice.arg if choice.id == "type" else choice.id, 1)
