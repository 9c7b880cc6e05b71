"""Temporary drawings on the live picture: streamed while they are drawn, faded some seconds after pen up. Pure.

Ids come from participants. A stroke belongs to (author, id); on the wire each has an id of its own, so nobody can
draw on with somebody else's pen.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from kiosk.call.author import Author
from kiosk.errors import Full, Malformed
from kiosk.wire.channel import MAX_POINTS, Matrix, Point, Pointer, StrokeBegin, StrokeEnd, StrokePin, StrokePoints
from kiosk.wire.overlay import PointerShape, Points, StrokeShape, carried, inverse, product

MOST_STROKES = 32
MOST_POINTS = 5000
LET_GO_S = 0.5
"""How long a pinned stroke takes to fade once its scene is lost."""


class WireIds:
    """One id on the wire for each (author, id): the author's own where it is free, else one like it."""

    def __init__(self) -> None:
        self._of: dict[tuple[str, str], str] = {}
        self._owner: dict[str, tuple[str, str]] = {}

    def give(self, author: str, own: str) -> str:
        wire, n = own, 2
        while wire in self._owner:
            wire, n = f"{own[:34]}-{n}", n + 1
        self._of[author, own] = wire
        self._owner[wire] = (author, own)
        return wire

    def find(self, author: str, own: str) -> str | None:
        return self._of.get((author, own))

    def free(self, wire: str) -> None:
        key = self._owner.pop(wire, None)
        if key is not None and self._of.get(key) == wire:
            del self._of[key]


@dataclass(slots=True)
class _Stroke:
    id: str
    author: Author
    fade_s: float
    pinned: bool = False
    pin: StrokePin | None = None
    points: list[Point] = field(default_factory=list)
    ended_s: float | None = None
    _carried: Matrix | None = None
    _shape: StrokeShape | None = None

    @property
    def carried(self) -> Matrix | None:
        """From where its points were told to where they lie in the newest frame."""
        return self._carried

    def carry(self, motion: Matrix) -> None:
        """The scene lies so in the newest frame (channel.Motion, of the pin's anchor)."""
        if self.pin is not None:
            self._carried = product(motion, self.pin.matrix)
            self._shape = None

    def add(self, points: tuple[Point, ...]) -> None:
        self.points.extend(points)
        self._shape = None

    def end(self, now_s: float) -> None:
        self.ended_s = now_s
        self._shape = None

    def let_go(self, now_s: float) -> None:
        """It is not known any more where it belongs: no pin, and gone soon."""
        left_s = self.fade_s if self.ended_s is None else self.ended_s + self.fade_s - now_s
        self.pinned, self.pin, self.fade_s = False, None, max(0.0, min(LET_GO_S, left_s))
        self.end(now_s)

    def gone(self, now_s: float) -> bool:
        return self.ended_s is not None and now_s >= self.ended_s + self.fade_s

    def shape(self) -> StrokeShape:
        """The same object as long as nothing has changed: painters may compare by identity."""
        if self._shape is None:
            by, colour = self.author.name, self.author.colour
            self._shape = StrokeShape(self.id, by, colour, tuple(self.points), self.ended_s, self.fade_s, self._carried)
        return self._shape


class Strokes:
    """The strokes and pointers of a call. Times are monotonic seconds, handed in."""

    def __init__(self, fade_s: float) -> None:
        self._fade_s = fade_s
        self._ids = WireIds()
        self._strokes: dict[str, _Stroke] = {}
        self._pointers: dict[str, PointerShape] = {}

    def begin(self, author: Author, event: StrokeBegin, now_s: float) -> StrokeBegin:
        """What to tell. Raises Full with too many strokes on the picture, Malformed for an id that is being drawn."""
        self.forget_faded(now_s)
        if len(self._strokes) >= MOST_STROKES:
            raise Full(f"There are {MOST_STROKES} strokes on the picture already; wait until some have faded.")
        if self._drawn(author, event.id) is not None:
            raise Malformed(f"stroke {event.id} is being drawn already")
        wire = self._ids.give(author.id, event.id)
        stroke = _Stroke(wire, author, self._fade_s, event.pinned)
        stroke.add((event.at,))
        self._strokes[wire] = stroke
        return StrokeBegin(id=wire, at=event.at, pinned=event.pinned, by=author.name, colour=author.colour)

    def pin(self, id_: str, anchor: int, matrix: Matrix) -> StrokePin | None:
        """The tracker holds the stroke; what to tell."""
        stroke = self._strokes.get(id_)
        if stroke is None:
            return None
        stroke.pin = StrokePin(id=id_, anchor=anchor, matrix=matrix)
        return stroke.pin

    def scene(self, anchor: int, motion: Matrix | None, now_s: float) -> tuple[StrokeEnd, ...]:
        """How the scene lies in the newest frame. What is pinned to another anchor is let go of: it fades quickly."""
        lost = [s for s in self._strokes.values() if s.pin is not None and s.pin.anchor != anchor]
        for stroke in lost:
            stroke.let_go(now_s)
        for stroke in self._strokes.values():
            if motion is not None:
                stroke.carry(motion)
        return tuple(StrokeEnd(id=s.id, fade_s=s.fade_s) for s in lost)

    @property
    def pinned(self) -> frozenset[str]:
        """The ids of those that the tracker holds, or is to hold."""
        return frozenset(s.id for s in self._strokes.values() if s.pinned)

    def as_begun(self, author: Author, event: StrokePoints) -> StrokePoints:
        """Of the kiosk's display: a finger draws on the stroke as it lies now, carried along; its points count in the
        frame that it began on."""
        stroke = self._drawn(author, event.id)
        if stroke is None or stroke.carried is None:
            return event
        points = carried(event.points, inverse(stroke.carried))
        held = tuple((max(-0.5, min(1.5, x)), max(-0.5, min(1.5, y))) for x, y in points)
        return StrokePoints(id=event.id, points=held, t=event.t)

    def extend(self, author: Author, event: StrokePoints) -> StrokePoints | None:
        """What to tell; None for a stroke that is not being drawn: its refusal was told when it began.

        Raises:
            Full: the stroke is too long. It takes no more; the caller ends it.
        """
        stroke = self._drawn(author, event.id)
        if stroke is None or not event.points:
            return None
        if len(stroke.points) + len(event.points) > MOST_POINTS:
            raise Full(f"A stroke has {MOST_POINTS} points at most; lift the pen and go on with another.")
        stroke.add(event.points)
        return StrokePoints(id=stroke.id, points=event.points)

    def end(self, author: Author, own_id: str, now_s: float) -> StrokeEnd | None:
        stroke = self._drawn(author, own_id)
        if stroke is None:
            return None
        stroke.end(now_s)
        return StrokeEnd(id=stroke.id, fade_s=self._fade_s)

    def leave(self, author: Author, now_s: float) -> tuple[StrokeEnd, ...]:
        """Pen up and pointer gone for an author who is not there any more."""
        self._pointers.pop(author.id, None)
        drawn = [s for s in self._strokes.values() if s.author.id == author.id and s.ended_s is None]
        for stroke in drawn:
            stroke.end(now_s)
        return tuple(StrokeEnd(id=s.id, fade_s=self._fade_s) for s in drawn)

    def point(self, author: Author, event: Pointer) -> Pointer:
        if event.at is None:
            self._pointers.pop(author.id, None)
        else:
            self._pointers[author.id] = PointerShape(author.name, author.colour, event.at)
        return Pointer(at=event.at, by=author.name, colour=author.colour)

    def forget_faded(self, now_s: float) -> bool:
        """Whether any was there to forget."""
        faded = [s.id for s in self._strokes.values() if s.gone(now_s)]
        for wire in faded:
            del self._strokes[wire]
            self._ids.free(wire)
        return bool(faded)

    def shapes(self) -> tuple[StrokeShape, ...]:
        return tuple(s.shape() for s in self._strokes.values())

    def pointers(self) -> tuple[PointerShape, ...]:
        return tuple(self._pointers.values())

    def replay(self, now_s: float) -> tuple[Replayed, ...]:
        """What is on the picture, as if it were just being drawn; what is fading fades for the time it has left."""
        return tuple(event for stroke in self._strokes.values() for event in _replay(stroke, now_s))

    def _drawn(self, author: Author, own_id: str) -> _Stroke | None:
        wire = self._ids.find(author.id, own_id)
        stroke = self._strokes.get(wire) if wire else None
        return stroke if stroke is not None and stroke.ended_s is None else None


Replayed = StrokeBegin | StrokePoints | StrokePin | StrokeEnd


def _replay(stroke: _Stroke, now_s: float) -> list[Replayed]:
    points: Points = tuple(stroke.points)
    by, colour = stroke.author.name, stroke.author.colour
    events: list[Replayed] = [
        StrokeBegin(id=stroke.id, at=points[0], pinned=stroke.pinned, by=by, colour=colour),
        *([stroke.pin] if stroke.pin else []),
    ]
    events += [StrokePoints(id=stroke.id, points=points[k : k + MAX_POINTS]) for k in range(1, len(points), MAX_POINTS)]
    if stroke.ended_s is not None:
        events.append(StrokeEnd(id=stroke.id, fade_s=max(0.0, stroke.ended_s + stroke.fade_s - now_s)))
    return events
