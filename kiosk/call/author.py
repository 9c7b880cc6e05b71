"""Who draws in a call, and in which colour."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

KIOSK_ID = "kiosk"

KIOSK_COLOUR = "#f0e442"
"""The code user's: always the same one, so that staff know it by sight."""

COLOURS = ("#0db9ff", "#e69f00", "#00c58a", "#ff6ec7", "#d55e00", "#b18cff", "#9be564", "#ffffff")
"""Staff's, in the order they are given out.

Bright on dark and light pictures, and after Okabe and Ito's palette (2008) told apart by colour-blind people; names
stand beside them everywhere, so colour is never the only sign.
"""


@dataclass(frozen=True, slots=True)
class Author:
    """One who draws: a participant (`id` is its peer) or the code user (`id` is KIOSK_ID).

    person: who that is, also under another peer; empty where only the id is known.
    """

    id: str
    name: str
    colour: str
    person: str = ""

    @property
    def owner(self) -> str:
        """Whose the edits of a snapshot are, over reconnects."""
        return self.person or self.id


def code_user(name: str = "") -> Author:
    """The one in front of the kiosk."""
    return Author(KIOSK_ID, name, KIOSK_COLOUR)


def free_colour(taken: Collection[str]) -> str:
    """The first colour nobody has; with all taken, the one that the fewest have."""
    taken = list(taken)
    return min(COLOURS, key=lambda colour: (taken.count(colour), COLOURS.index(colour)))
