"""Which commands were answered, and how: so that one that comes again is answered alike and applied once.

An answer is kept for a day of the kiosk's running time (wire.md asks for 24 h). What came to more than can be kept so
long is refused, instead of forgetting earlier answers too soon; the room for what ends something is larger, so that a
flood of wishes cannot keep a call on.
"""

from __future__ import annotations

from collections.abc import Collection

from kiosk.book.store import Given
from kiosk.session import inputs as do
from kiosk.wire.messages import Answer, Command

KEEP_ANSWERS_S = 24 * 3600.0
MOST_ANSWERS = 2000
"""In a day, without those that end something: a session takes some ten. Each is written with every change: 2 000 are
0.35 MB."""
ROOM_FOR_ENDS = 200
ENDS = (do.End, do.Cancel, do.Close, do.GiveUp, do.StopRecording)
TURNED_AWAY = 1000
"""So many refusals for want of room are remembered, in memory only: what they refused is applied by no later copy."""


class Memory:
    def __init__(self, kept: dict[str, Given]) -> None:
        """`kept`: by the command's id, the oldest first."""
        self._kept = kept
        self._turned_away: dict[str, Answer] = {}

    def answer(self, command_id: str) -> Answer | None:
        given = self._kept.get(command_id)
        return given.answer if given else self._turned_away.get(command_id)

    def outlived(self, now_s: float) -> tuple[str, ...]:
        """The commands whose answers need not be kept any longer."""
        old = []
        for command_id, given in self._kept.items():
            if now_s - given.at_s < KEEP_ANSWERS_S:
                break
            old.append(command_id)
        return tuple(old)

    def has_room(self, command: Command, now_s: float) -> bool:
        room = MOST_ANSWERS + (ROOM_FOR_ENDS if isinstance(command.do, ENDS) else 0)
        return len(self._kept) - len(self.outlived(now_s)) < room

    def remember(self, given: Given, forget: Collection[str]) -> None:
        for command_id in forget:
            self._kept.pop(command_id, None)
        self._kept[given.answer.id] = given

    def turn_away(self, answer: Answer) -> None:
        self._turned_away[answer.id] = answer
        while len(self._turned_away) > TURNED_AWAY:
            del self._turned_away[next(iter(self._turned_away))]
