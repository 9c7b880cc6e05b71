"""What fingers draw at the kiosk: strokes on the live picture, edits on an open snapshot; each finger its own line."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from secrets import token_hex
from typing import Protocol

from kiosk.call.author import KIOSK_COLOUR
from kiosk.ui.local import Draw
from kiosk.ui.view import CallView
from kiosk.wire.channel import (
    Edit,
    EditDelete,
    EditTool,
    FromParticipant,
    Pointer,
    StrokeBegin,
    StrokeEnd,
    StrokePoints,
)
from kiosk.wire.overlay import EditShape

MOST_PEN_POINTS = 900
"""Of one line on a snapshot; a longer one goes on with every second point of those so far."""

TAP_SHARE = 0.015
"""Of the picture; a shorter arrow or box is a tap, and nothing."""

Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class _Line:
    """An edit that is being drawn on a snapshot."""

    tool: EditTool
    points: Points

    def to(self, at: tuple[float, float]) -> _Line:
        if self.tool == "step":
            return replace(self, points=(at,))
        if self.tool != "pen":
            return replace(self, points=(self.points[0], at))
        points = self.points[::2] if len(self.points) > MOST_PEN_POINTS else self.points
        return replace(self, points=(*points, at))

    @property
    def is_something(self) -> bool:
        return self.tool in ("pen", "step") or math.dist(self.points[0], self.points[-1]) > TAP_SHARE


class Drawn(Protocol):
    """What a call takes of fingers (kiosk.calls.Calls)."""

    @property
    def open_snapshot(self) -> str: ...
    async def tool(self, event: FromParticipant) -> None: ...


class Pens:
    """Hands what is drawn to the call. Used from the loop."""

    def __init__(self, calls: Drawn) -> None:
        self._calls = calls
        self._strokes: dict[int, str] = {}
        self._lines: dict[int, _Line] = {}
        self._pointing: int | None = None

    async def draw(self, pen: Draw) -> None:
        """Raises Trouble: no call is on, or it refuses."""
        snapshot = self._calls.open_snapshot
        if pen.what:
            await self._tapped(snapshot, pen)
        elif pen.finger == self._pointing or (pen.live == "pointer" and not snapshot and pen.phase == "begin"):
            await self._point(pen)
        elif pen.finger in self._lines or (snapshot and pen.finger not in self._strokes):
            await self._on_snapshot(snapshot, pen)
        else:
            await self._on_live(pen)

    def over(self, call: CallView | None) -> CallView | None:
        """With what fingers are drawing on the snapshot, so that it is seen while it is drawn."""
        if call is None or call.snapshot is None or not self._lines:
            return call
        n = 1 + max((e.n for e in call.snapshot.edits), default=0)  # the kiosk's own count gives it the same
        own = (EditShape(line.tool, KIOSK_COLOUR, line.points, n=n) for line in self._lines.values())
        return replace(call, snapshot=replace(call.snapshot, edits=(*call.snapshot.edits, *own)))

    async def _tapped(self, snapshot: str, pen: Draw) -> None:
        """A text, or an edit's end; nothing where the snapshot was closed meanwhile."""
        if not snapshot:
            return
        if pen.tool == "delete":
            await self._calls.tool(EditDelete(snapshot=snapshot, id=pen.what))
        else:
            edit = Edit(id=f"k-{token_hex(4)}", snapshot=snapshot, points=((pen.x, pen.y),), tool="text", text=pen.what)
            await self._calls.tool(edit)

    async def _point(self, pen: Draw) -> None:
        """There is one pointer: the finger that came last has it."""
        self._pointing = None if pen.phase == "end" else pen.finger
        await self._calls.tool(Pointer(at=None if pen.phase == "end" else (pen.x, pen.y)))

    async def _on_live(self, pen: Draw) -> None:
        at = (pen.x, pen.y)
        if pen.phase == "begin":
            stroke = self._strokes[pen.finger] = f"k-{token_hex(4)}"
            await self._calls.tool(StrokeBegin(id=stroke, at=at, pinned=pen.live == "pinned"))
        elif stroke := self._strokes.get(pen.finger, ""):
            if pen.phase == "point":
                await self._calls.tool(StrokePoints(id=stroke, points=(at,)))
            else:
                del self._strokes[pen.finger]
                await self._calls.tool(StrokeEnd(id=stroke))

    async def _on_snapshot(self, snapshot: str, pen: Draw) -> None:
        at = (pen.x, pen.y)
        before = self._lines.get(pen.finger)
        tool = "pen" if pen.tool == "delete" else pen.tool
        line = _Line(tool, (at,)) if pen.phase == "begin" or before is None else before.to(at)
        if pen.phase != "end":
            self._lines[pen.finger] = line
            return
        self._lines.pop(pen.finger, None)
        if snapshot and line.is_something:
            edit = Edit(id=f"k-{token_hex(4)}", snapshot=snapshot, points=line.points, tool=line.tool)
            await self._calls.tool(edit)
