"""A timeline played again by the desk and by the page in a real Chromium: the same at each moment."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest
from playwright.sync_api import Page

from kiosk.wire.channel import (
    Edit,
    Mark,
    MarkGone,
    MarkPose,
    Motion,
    Pointer,
    SnapshotClose,
    SnapshotOpen,
    StrokeBegin,
    StrokeEnd,
    StrokePin,
    StrokePoints,
    Undo,
)
from kiosk.wire.replay import Replay
from kiosk.wire.timeline import Line, Person, PosesAt, What, read
from tests.contract.film_site import story
from tests.contract.test_same_overlay import page  # noqa: F401 - fixture

PLAY = """async ([text, times]) => {
  const { parse, Replay } = await import("http://overlay.test/js/timeline.js");
  const { lines, bad } = parse(text);
  const replay = new Replay(lines);
  const shown = times.map((t) => ({ ...replay.overlay(t), snapshot: replay.snapshot(t) }));
  return { bad, events: replay.events, shown };
}"""
NAMES = ("Anna", "Ben")
IDS = ("a-1", "a-2", "a-3")
STATES = ("tracked", "unsure", "lost")


def whatever(rng: random.Random) -> What:
    """One line of any kind, with ids that come again."""
    point, id_, name = (rng.random(), rng.random()), rng.choice(IDS), rng.choice(NAMES)
    matrix: Any = (*(rng.random() for _ in range(8)), 1.0)
    quad: Any = tuple((rng.random(), rng.random()) for _ in range(4))
    state: Any = rng.choice(STATES)
    pose = MarkPose(id=id_, quad=quad, confidence=0.5, state=state)
    motion = Motion(rng.randrange(2), matrix) if rng.random() < 0.5 else None
    snapshot, edit = rng.choice(("snap-1", "snap-2")), f"e-{rng.randrange(4)}"
    return rng.choice(
        (
            StrokeBegin(id=id_, at=point, by=name),
            StrokePoints(id=id_, points=(point, point)),
            StrokeEnd(id=id_, fade_s=rng.choice((0.0, 0.5, 4.0))),
            StrokePin(id=id_, anchor=rng.randrange(2), matrix=matrix),
            Pointer(at=rng.choice((point, None)), by=name),
            Mark(id=id_, by=name, colour="#0db9ff", label=rng.choice(("", "valve")), state=state),
            Mark(id=id_, by=name, colour="#0db9ff", label="", state=state),
            MarkGone(id=id_),
            PosesAt((pose,), motion),
            PosesAt((pose,), motion),
            SnapshotOpen(id=snapshot, by=name, width=9, height=9, bytes=1, chunks=1),
            Edit(id=edit, snapshot=snapshot, points=(point,), tool="step", n=3),
            Undo(snapshot=snapshot, id=edit),
            SnapshotClose(),
        )
    )


def wild(seed: int) -> list[Line]:
    rng = random.Random(seed)
    return [Line(round(n * 0.07 + rng.choice((0.0, 0.0, -0.3)), 3), whatever(rng)) for n in range(5, 200)]


def by_desk(lines: list[Line], at_s: float) -> dict[str, Any]:
    replay = Replay(lines)
    overlay, snapshot = replay.overlay(at_s), replay.snapshot(at_s)
    edits = [[e.tool, [list(p) for p in e.points], e.n] for e in snapshot.edits] if snapshot else []
    return {
        "strokes": [
            [s.id, s.colour, flat(s.points), s.ended_s, s.fade_s, list(s.carried or ())] for s in overlay.strokes
        ],
        "marks": [[m.id, m.by, m.colour, m.label, m.state, flat(m.quad)] for m in overlay.marks],
        "pointers": [[p.by, p.colour, list(p.at)] for p in overlay.pointers],
        "snapshot": [snapshot.id, edits] if snapshot else None,
    }


def by_page(shown: dict[str, Any]) -> dict[str, Any]:
    snapshot = shown["snapshot"]
    return {
        "strokes": [
            [s["id"], s["colour"], flat(s["points"]), ended(s["endedMs"]), s["fadeS"], s["carried"] or []]
            for s in shown["strokes"]
        ],
        "marks": [[m["id"], m["by"], m["colour"], m["label"], m["state"], flat(m["quad"])] for m in shown["marks"]],
        "pointers": [[p["by"], p["colour"], p["at"]] for p in shown["pointers"]],
        "snapshot": snapshot and [snapshot["id"], [[e["tool"], e["points"], e["n"]] for e in snapshot["edits"]]],
    }


def flat(points: Any) -> list[float]:
    return [value for point in points for value in point]


def ended(ms: float | None) -> float | None:
    return None if ms is None else ms / 1000


def close(a: Any, b: Any) -> bool:
    """Alike to rounding; matrices up to a factor, which a homography does not mind."""
    if isinstance(a, list) and isinstance(b, list):
        if len(a) == len(b) == 9 and all(isinstance(v, float | int) for v in a + b):
            return all(
                abs(x / (a[8] or 1) - y / (b[8] or 1)) < 1e-4 * max(1, abs(x / (a[8] or 1)))
                for x, y in zip(a, b, strict=True)
            )
        return len(a) == len(b) and all(close(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, int | float) and isinstance(b, int | float):
        return abs(a - b) < 1e-6
    return bool(a == b)


@pytest.mark.parametrize("lines", [story(), *(wild(seed) for seed in range(12))])
def test_desk_and_page_play_the_same(page: Page, lines: list[Line]) -> None:  # noqa: F811 - the fixture
    text = "\n".join(msgspec.json.encode(line).decode() for line in lines)
    times = [n * 0.113 for n in range(140)]
    told = page.evaluate(PLAY, [text, times])
    assert told["bad"] == 0
    for at_s, shown in zip(times, told["shown"], strict=True):
        desk, there = by_desk(lines, at_s), by_page(shown)
        for key, value in desk.items():
            assert close(value, there[key]) or value == there[key], f"{at_s}: {key}: {value} and {there[key]}"


def test_both_leave_out_the_same_lines(page: Page) -> None:  # noqa: F811
    good = msgspec.json.encode(story()[3]).decode()
    bad = ["{", "null", "[]", "7", good[:-9], '{"at_s":-1,"what":{"kind":"snapshot-close"}}', '{"at_s":1}',
           '{"at_s":1,"what":{"kind":"__proto__"}}', '{"at_s":1,"what":{"kind":"stroke-begin","id":"x-1","at":[0.1]}}',
           '{"at_s":1,"what":{"kind":"mark","id":"x-1","by":"A","colour":"red","label":"","state":"lost"}}',
           '{"at_s":1,"what":{"kind":"poses","marks":[{"id":"x-1","quad":[[0,0]],"confidence":1,"state":"lost"}]}}',
           "[" * 20_000]  # fmt: skip
    text = "\n".join([good, *bad, "", good])
    lines, unread = read(text.encode().split(b"\n"))
    told = page.evaluate(PLAY, [text, [1.1]])
    assert (len(lines), unread) == (2, len(bad))
    assert told["bad"] == unread
    assert len(told["shown"][0]["strokes"]) == 1


def test_what_happened_can_be_jumped_to(page: Page) -> None:  # noqa: F811
    again = [Line(7.0, StrokeBegin(id="s-2", at=(0.1, 0.1), by="Ben", colour="#00c58a")),
             Line(7.1, StrokeEnd(id="s-2")),
             Line(7.9, StrokeBegin(id="s-3", at=(0.1, 0.1), by="Ben", colour="#00c58a")),
             Line(8.0, MarkGone(id="m-1")), Line(9.0, Person("Ben", "#00c58a", "left"))]  # fmt: skip
    text = "\n".join(msgspec.json.encode(line).decode() for line in (*story(), *again))
    events = page.evaluate(PLAY, [text, []])["events"]
    assert [(e["atS"], e["kind"]) for e in events] == [
        (0.1, "recording-on"), (0.5, "joined"), (1, "stroke"), (2, "mark"), (4, "lost"), (4.2, "camera-lost"),
        (4.4, "camera-back"), (4.6, "found"), (5, "snapshot"), (5.5, "live"), (5.8, "left"), (7, "stroke"),
        (8, "mark-gone"), (9, "left"),
    ]  # fmt: skip
    assert events[3] | {"atS": 0} == {
        "atS": 0, "kind": "mark", "by": "Anna", "colour": "#e69f00", "name": "Ventil", "number": 1,
    }  # fmt: skip
