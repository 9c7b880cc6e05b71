"""Which marks there are, whose, and in which state: what is told about them. Pure; the tracker says where they are."""

from __future__ import annotations

from dataclasses import dataclass

from msgspec.structs import replace

from kiosk.call.author import Author
from kiosk.call.strokes import WireIds
from kiosk.call.tracker import Drop, Make, Report
from kiosk.errors import Full, Malformed
from kiosk.wire.channel import Mark, MarkCreate, MarkGone, MarkPose, MarkState
from kiosk.wire.overlay import MarkShape, Points

MOST_MARKS = 8
FOUND_S = 1.5
"""So long it is said that a mark is found again."""


@dataclass(slots=True)
class _Made:
    id: str
    author: Author
    label: str
    state: MarkState = "unsure"
    quad: Points = ()
    was_lost: bool = False
    found_s: float = float("-inf")

    def seen(self, pose: MarkPose, at_s: float) -> MarkPose:
        """The pose, found again where it was lost before."""
        self.was_lost = self.was_lost or pose.state == "lost"
        if pose.state != "tracked":
            self.found_s = float("-inf")
            return pose
        if self.was_lost:
            self.was_lost, self.found_s = False, at_s
        return replace(pose, state="found") if at_s - self.found_s < FOUND_S else pose

    def told(self) -> Mark:
        return Mark(id=self.id, by=self.author.name, colour=self.author.colour, label=self.label, state=self.state)

    def shape(self) -> MarkShape:
        return MarkShape(self.id, self.author.name, self.author.colour, self.label, self.state, self.quad)


class MarkBoard:
    """The marks of a call, at most eight. All of them are everybody's: anyone may take any away."""

    def __init__(self) -> None:
        self._ids = WireIds()
        self._marks: dict[str, _Made] = {}

    def create(self, author: Author, event: MarkCreate, captured_s: float | None) -> tuple[Mark, Make]:
        """What to tell, and what the tracker shall do. The mark is unsure until the tracker has seen it.

        Raises:
            Full: there are eight.
            Malformed: neither a point nor a box, or an id that the author has in use.
        """
        if event.at is None and event.box is None:
            raise Malformed("a mark needs a point or a box")
        if self._ids.find(author.id, event.id) is not None:
            raise Malformed(f"mark {event.id} is there already")
        if len(self._marks) >= MOST_MARKS:
            raise Full(f"There are {MOST_MARKS} marks; remove one first.")
        made = _Made(self._ids.give(author.id, event.id), author, event.label)
        self._marks[made.id] = made
        return made.told(), Make(made.id, captured_s, event.at, event.box)

    def remove(self, author: Author, id_: str) -> tuple[MarkGone, Drop] | None:
        """None where it is gone already. The author's own id goes before what it means on the wire."""
        wire = self._ids.find(author.id, id_) or id_
        if wire not in self._marks:
            return None
        return self._gone(wire), Drop(wire)

    def clear(self, text: str) -> tuple[MarkGone, ...]:
        return tuple(self._gone(wire, text) for wire in list(self._marks))

    def report(self, report: Report) -> tuple[tuple[Mark | MarkGone, ...], tuple[MarkPose, ...]]:
        """What the tracker saw: news to tell reliably, and the poses of marks that are still there."""
        news: list[Mark | MarkGone] = [self._gone(id_, text) for id_, text in report.refused if id_ in self._marks]
        poses = tuple(self._marks[p.id].seen(p, report.captured_s) for p in report.poses if p.id in self._marks)
        for pose in poses:
            made = self._marks[pose.id]
            made.quad = pose.quad
            if made.state != pose.state:
                made.state = pose.state
                news.append(made.told())
        return tuple(news), poses

    def told(self) -> tuple[Mark, ...]:
        return tuple(m.told() for m in self._marks.values())

    def shapes(self) -> tuple[MarkShape, ...]:
        """Those that the tracker has placed."""
        return tuple(m.shape() for m in self._marks.values() if m.quad)

    def _gone(self, wire: str, text: str = "") -> MarkGone:
        del self._marks[wire]
        self._ids.free(wire)
        return MarkGone(id=wire, text=text)
