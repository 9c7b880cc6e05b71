"""A timeline played again: what lies over the picture at each moment of a recording. Pure.

Any moment can be asked for, in any order: whoever plays a film jumps about in it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from kiosk.wire.channel import (
    Edit,
    Mark,
    MarkGone,
    MarkState,
    Matrix,
    Pointer,
    SnapshotClose,
    SnapshotOpen,
    StrokeBegin,
    StrokeEnd,
    StrokePin,
    StrokePoints,
    Undo,
)
from kiosk.wire.overlay import EditShape, MarkShape, Overlay, PointerShape, Points, StrokeShape, product
from kiosk.wire.timeline import Line, PosesAt, What

T = TypeVar("T")
BETWEEN_S = 0.35
"""Poses stand ten times a second in a timeline; those further apart do not belong to one movement."""
POINTER_S = 4.0
"""A pointer that does not move any more is not shown for ever: who left it there may be gone."""


@dataclass(slots=True)
class _Stroke:
    told: StrokeBegin
    begun_s: float
    times: list[float]
    points: list[tuple[float, float]]
    ends: list[tuple[float, float]] = field(default_factory=list)
    """(when, seconds to fade); a later one is sooner over."""
    pin: StrokePin | None = None

    def end(self, at_s: float, fade_s: float) -> None:
        if not self.ends or at_s + fade_s < sum(self.ends[-1]):
            self.ends.append((at_s, fade_s))

    def shape(self, at_s: float, motion: Matrix | None) -> StrokeShape | None:
        if at_s < self.begun_s or (self.ends and at_s >= sum(self.ends[-1])):
            return None
        ended = next((end for end in reversed(self.ends) if end[0] <= at_s), None)
        points = tuple(self.points[: bisect_right(self.times, at_s)])
        carried = product(motion, self.pin.matrix) if motion and self.pin else None
        ended_s, fade_s = ended or (None, 4.0)
        return StrokeShape(self.told.id, self.told.by, self.told.colour, points, ended_s, fade_s, carried)


@dataclass(slots=True)
class _Mark:
    told: list[tuple[float, Mark]]
    gone_s: float = float("inf")
    states: list[tuple[float, MarkState]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    quads: list[tuple[MarkState, Points]] = field(default_factory=list)

    def shape(self, at_s: float) -> MarkShape | None:
        told = _latest(self.told, at_s)
        quad = self._quad(at_s)
        if told is None or quad is None or at_s >= self.gone_s:
            return None
        state = _latest(self.states, at_s) or told.state
        return MarkShape(told.id, told.by, told.colour, told.label, state, quad)

    def _quad(self, at_s: float) -> Points | None:
        """Between the poses before and after; a mark that was just made is where it is found a moment later."""
        after = bisect_right(self.times, at_s)
        if not after:
            return self.quads[0][1] if self.times and self.times[0] - at_s <= BETWEEN_S else None
        state, here = self.quads[after - 1]
        if after == len(self.times) or self.quads[after][0] != state:
            return here
        share = _share(self.times, after, at_s)
        there = self.quads[after][1]
        return tuple((x + (u - x) * share, y + (v - y) * share) for (x, y), (u, v) in zip(here, there, strict=True))


@dataclass(slots=True)
class _Snapshot:
    told: SnapshotOpen
    begun_s: float
    closed_s: float = float("inf")
    edits: list[tuple[float, Edit | Undo]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class SnapshotShown:
    """A picture that is open: the artifacts of `group` = id hold it."""

    id: str
    edits: tuple[EditShape, ...]


class Replay:
    """Built from a timeline's lines, in any order."""

    def __init__(self, lines: Iterable[Line]) -> None:
        self._strokes: list[_Stroke] = []
        self._marks: list[_Mark] = []
        self._pointers: dict[str, list[tuple[float, Pointer]]] = {}
        self._motions: dict[int, tuple[list[float], list[Matrix]]] = {}
        self._snapshots: list[_Snapshot] = []
        open_strokes: dict[str, _Stroke] = {}
        open_marks: dict[str, _Mark] = {}
        for at_s, what in in_order(lines):
            self._stroke(at_s, what, open_strokes)
            self._mark(at_s, what, open_marks)
            self._snapshot(at_s, what)
            if isinstance(what, Pointer):
                self._pointers.setdefault(what.by, []).append((at_s, what))

    def overlay(self, at_s: float) -> Overlay:
        """What lies over the frame that is shown `at_s` seconds after the recording's first."""
        strokes = (s.shape(at_s, self._motion(s, at_s)) for s in self._strokes)
        marks = (m.shape(at_s) for m in self._marks)
        pointers = (self._pointer(told, at_s) for told in self._pointers.values())
        return Overlay(at_s, _there(strokes), _there(marks), _there(pointers))

    def snapshot(self, at_s: float) -> SnapshotShown | None:
        """The picture that everybody saw in place of the live one."""
        shown = next((s for s in reversed(self._snapshots) if s.begun_s <= at_s < s.closed_s), None)
        if shown is None:
            return None
        edits: dict[str, Edit] = {}
        for when_s, edit in shown.edits:
            if when_s > at_s:
                break
            if isinstance(edit, Undo):
                edits.pop(edit.id, None)
            else:
                edits[edit.id] = edit
        return SnapshotShown(shown.told.id, tuple(_edit(e) for e in edits.values()))

    # --- reading

    def _stroke(self, at_s: float, what: What, by_id: dict[str, _Stroke]) -> None:
        match what:
            case StrokeBegin(id=id_):
                if id_ in by_id:  # the id is free again: the one before has faded
                    by_id[id_].end(at_s, 0.0)
                by_id[id_] = _Stroke(what, at_s, [at_s], [what.at])
                self._strokes.append(by_id[id_])
            case StrokePoints(id=id_) if id_ in by_id:
                by_id[id_].times += [at_s] * len(what.points)
                by_id[id_].points += what.points
            case StrokeEnd(id=id_) if id_ in by_id:
                by_id[id_].end(at_s, max(0.0, what.fade_s))
            case StrokePin(id=id_) if id_ in by_id:
                by_id[id_].pin = what

    def _mark(self, at_s: float, what: What, by_id: dict[str, _Mark]) -> None:
        match what:
            case Mark(id=id_):
                if id_ not in by_id:
                    by_id[id_] = _Mark([])
                    self._marks.append(by_id[id_])
                by_id[id_].told.append((at_s, what))
                by_id[id_].states.append((at_s, what.state))
            case MarkGone(id=id_) if id_ in by_id:
                by_id.pop(id_).gone_s = at_s
            case PosesAt():
                self._poses(at_s, what, by_id)

    def _poses(self, at_s: float, what: PosesAt, by_id: dict[str, _Mark]) -> None:
        for pose in what.marks:
            if mark := by_id.get(pose.id):
                mark.states.append((at_s, pose.state))
                mark.times.append(at_s)
                mark.quads.append((pose.state, pose.quad))
        if what.motion:
            times, matrices = self._motions.setdefault(what.motion.anchor, ([], []))
            times.append(at_s)
            matrices.append(what.motion.matrix)

    def _snapshot(self, at_s: float, what: What) -> None:
        last = self._snapshots[-1] if self._snapshots else None
        match what:
            case SnapshotOpen():
                if last is not None:
                    last.closed_s = min(last.closed_s, at_s)
                self._snapshots.append(_Snapshot(what, at_s))
            case SnapshotClose() if last is not None:
                last.closed_s = min(last.closed_s, at_s)
            case Edit() | Undo() if last is not None and what.snapshot == last.told.id:
                last.edits.append((at_s, what))

    # --- showing

    def _motion(self, stroke: _Stroke, at_s: float) -> Matrix | None:
        """How the scene lies in the frame; the last that is known where it is not known for this one."""
        if stroke.pin is None:
            return None
        times, matrices = self._motions.get(stroke.pin.anchor, ([], []))
        after = bisect_right(times, at_s)
        if not after or after == len(times):
            return matrices[after - 1] if after else None
        share = _share(times, after, at_s)
        a, b, c, d, e, f, g, h, i = (
            x + (y - x) * share for x, y in zip(matrices[after - 1], matrices[after], strict=True)
        )
        return a, b, c, d, e, f, g, h, i

    @staticmethod
    def _pointer(told: list[tuple[float, Pointer]], at_s: float) -> PointerShape | None:
        after = bisect_right(told, at_s, key=lambda one: one[0])
        if not after:
            return None
        when_s, pointer = told[after - 1]
        if pointer.at is None or at_s - when_s >= POINTER_S:
            return None
        return PointerShape(pointer.by, pointer.colour, pointer.at)


def in_order(lines: Iterable[Line]) -> list[tuple[float, What]]:
    """By time. Times of strokes run back a little, but a line never begins after its points."""
    latest: dict[str, float] = {}
    timed: list[tuple[float, What]] = []
    for line in lines:
        at_s = line.at_s
        if isinstance(line.what, StrokeBegin):
            latest[line.what.id] = at_s
        elif isinstance(line.what, StrokePoints | StrokeEnd):
            at_s = latest[line.what.id] = max(at_s, latest.get(line.what.id, 0.0))
        timed.append((at_s, line.what))
    return sorted(timed, key=lambda one: one[0])


def _there(shapes: Iterable[T | None]) -> tuple[T, ...]:
    return tuple(s for s in shapes if s is not None)


def _latest(timed: list[tuple[float, T]], at_s: float) -> T | None:
    after = bisect_right(timed, at_s, key=lambda one: one[0])
    return timed[after - 1][1] if after else None


def _share(times: list[float], after: int, at_s: float) -> float:
    """How far `at_s` is on the way from the time before it to the one after; 0 where both are too far apart."""
    span_s = times[after] - times[after - 1]
    return (at_s - times[after - 1]) / span_s if 0 < span_s <= BETWEEN_S else 0.0


def _edit(edit: Edit) -> EditShape:
    return EditShape(edit.tool, edit.colour, edit.points, edit.text, edit.n)
