"""What fingers draw becomes strokes, pointers and edits; each finger its own."""

from __future__ import annotations

from typing import Any

from kiosk.pens import Pens
from kiosk.ui.local import Draw
from kiosk.wire.channel import Edit, EditDelete, FromParticipant, Pointer, StrokeBegin, StrokeEnd, StrokePoints


class Call:
    """Takes what is drawn."""

    def __init__(self) -> None:
        self.open_snapshot = ""
        self.told: list[FromParticipant] = []

    async def tool(self, event: FromParticipant) -> None:
        self.told.append(event)


async def drag(pens: Pens, **how: Any) -> None:
    for phase, x in (("begin", 0.2), ("point", 0.4), ("end", 0.6)):
        await pens.draw(Draw(phase, x, 0.5, **how))  # type: ignore[arg-type]  # the three that there are


async def test_a_pen_draws_a_stroke_and_a_pinned_one_is_begun_as_such() -> None:
    call = Call()
    pens = Pens(call)
    await drag(pens)
    await drag(pens, live="pinned")
    kinds = [type(event) for event in call.told]
    assert kinds == [StrokeBegin, StrokePoints, StrokeEnd] * 2
    assert [event.pinned for event in call.told if isinstance(event, StrokeBegin)] == [False, True]


async def test_a_pointer_follows_the_finger_leaves_no_trace_and_goes_with_it() -> None:
    call = Call()
    pens = Pens(call)
    await drag(pens, live="pointer")
    assert [event.at for event in call.told if isinstance(event, Pointer)] == [(0.2, 0.5), (0.4, 0.5), None]
    assert len(call.told) == 3
    await drag(pens)
    assert isinstance(call.told[3], StrokeBegin)


async def test_a_numbered_step_stands_where_the_finger_is_lifted() -> None:
    call = Call()
    call.open_snapshot = "snap-1"
    await drag(Pens(call), tool="step")
    assert [(e.tool, e.points) for e in call.told if isinstance(e, Edit)] == [("step", ((0.6, 0.5),))]


async def test_letters_become_a_text_and_what_is_pointed_at_is_deleted_as_long_as_the_snapshot_is_open() -> None:
    call = Call()
    pens = Pens(call)
    written, gone = Draw("end", 0.3, 0.4, "text", what="Öl"), Draw("end", 0.3, 0.4, "delete", what="e-1")
    await pens.draw(written)
    await pens.draw(gone)
    assert call.told == []
    call.open_snapshot = "snap-1"
    await pens.draw(written)
    await pens.draw(gone)
    edit, delete = call.told
    assert isinstance(edit, Edit)
    assert (edit.snapshot, edit.tool, edit.text, edit.points) == ("snap-1", "text", "Öl", ((0.3, 0.4),))
    assert delete == EditDelete(snapshot="snap-1", id="e-1")


async def test_on_a_snapshot_a_finger_draws_edits_whatever_was_chosen_for_the_live_picture() -> None:
    call = Call()
    call.open_snapshot = "snap-1"
    await drag(Pens(call), live="pointer", tool="arrow")
    assert [(e.tool, e.points) for e in call.told if isinstance(e, Edit)] == [("arrow", ((0.2, 0.5), (0.6, 0.5)))]
    assert len(call.told) == 1
