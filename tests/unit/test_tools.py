"""The tools together: who is told what, what is refused, what is saved. The clock jumps; the camera is handed in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import TypeVar

import cv2
import msgspec
import numpy as np
import pytest

from kiosk.call.author import Author, code_user
from kiosk.call.layers import shape_of
from kiosk.call.timeline import Person, PosesAt, What
from kiosk.call.tools import Told, Tools
from kiosk.config import CallSettings
from kiosk.errors import DeviceTrouble, Full, Malformed, WrongState
from kiosk.hw.ports import Picture, Still
from kiosk.session.record import Artifact
from kiosk.wire.channel import (
    Edit,
    EditDelete,
    Heartbeat,
    Mark,
    MarkCreate,
    MarkGone,
    MarkPose,
    MarkRemove,
    Motion,
    Pointer,
    SnapshotClose,
    SnapshotOpen,
    SnapshotTake,
    StrokeBegin,
    StrokeEnd,
    StrokePin,
    StrokePoints,
    Trouble,
    Undo,
)
from kiosk.wire.overlay import carried

T = TypeVar("T")

ANNA = Author("peer-a", "Anna", "#e69f00")
BEN = Author("peer-b", "Ben", "#0db9ff")
KIOSK = code_user("Machine 7")


class Room:
    """Everything around the tools: what they tell is written down, and the clock and the camera do as they are told."""

    def __init__(self, folder: Path) -> None:
        self.now_s = 1000.0
        self.told: list[tuple[Told, Author | None]] = []
        self.poses: list[tuple[float, tuple[MarkPose, ...]]] = []
        self.motions: list[tuple[float, Motion | None]] = []
        self.artifacts: dict[str, Artifact] = {}
        self.timeline: list[tuple[float, What]] = []
        self.camera_fails = False
        self.session_is_full = False
        self.news = asyncio.Event()
        self.tools = Tools(
            call_id="call-1",
            tell=self._tell,
            tell_poses=self._tell_poses,
            still=self._still,
            folder=folder,
            artifact=self._artifact,
            settings=CallSettings(fade_s=4.0),
            changed=self.news.set,
            timeline=self,
            takes_a_snapshot=lambda: not self.session_is_full,
            now=lambda: self.now_s,
        )

    def write(self, captured_s: float, what: What) -> None:
        self.timeline.append((captured_s, what))

    def of(self, kind: type[T]) -> list[T]:
        return [event for event, _ in self.told if isinstance(event, kind)]

    async def until(self, kind: type[T], count: int = 1) -> list[T]:
        while len(self.of(kind)) < count:
            self.news.clear()
            await self.news.wait()
        return self.of(kind)

    async def pose_of_frame(self, captured_s: float) -> tuple[MarkPose, ...]:
        while not any(at == captured_s for at, _ in self.poses):
            self.news.clear()
            await self.news.wait()
        return next(poses for at, poses in self.poses if at == captured_s)

    def _tell(self, event: Told, but: Author | None) -> None:
        self.told.append((event, but))

    def _tell_poses(self, captured_s: float, poses: tuple[MarkPose, ...], motion: Motion | None) -> None:
        self.poses.append((captured_s, poses))
        self.motions.append((captured_s, motion))

    def _artifact(self, artifact: Artifact) -> None:
        self.artifacts[artifact.name] = artifact
        self.news.set()

    async def _still(self) -> Still:
        await asyncio.sleep(0)
        if self.camera_fails:
            raise DeviceTrouble("The camera is unplugged.")
        jpeg = cv2.imencode(".jpg", np.full((60, 80, 3), 128, np.uint8))[1].tobytes()
        return Still(jpeg, 80, 60, self.now_s)


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    made = Room(tmp_path)
    async with made.tools:
        yield made


def pattern(captured_s: float, dx: int = 0) -> Picture:
    """A textured picture, moved right by `dx` px."""
    noise = np.random.default_rng(7).integers(0, 255, (360, 640), np.uint8)
    y = np.roll(cv2.resize(cv2.GaussianBlur(noise, (0, 0), 3), (1280, 720)), dx, axis=1).astype(np.uint8)
    y = np.clip((y.astype(float) - 128) * 4 + 128, 0, 255).astype(np.uint8)
    grey = np.full((360, 640), 128, np.uint8)
    return Picture(y, grey, grey, captured_s)


def begin(id_: str = "s-1") -> StrokeBegin:
    return StrokeBegin(id=id_, at=(0.1, 0.2))


# --- strokes and pointers


async def test_a_stroke_is_told_to_all_others_while_it_is_drawn(room: Room) -> None:
    await room.tools.handle(ANNA, begin(), 999.9)
    await room.tools.handle(ANNA, StrokePoints(id="s-1", points=((0.2, 0.2),)), 999.95)
    await room.tools.handle(ANNA, StrokeEnd(id="s-1", fade_s=60.0), None)
    assert room.told == [
        (StrokeBegin(id="s-1", at=(0.1, 0.2), by="Anna", colour=ANNA.colour), ANNA),
        (StrokePoints(id="s-1", points=((0.2, 0.2),)), ANNA),
        (StrokeEnd(id="s-1", fade_s=4.0), ANNA),
    ]


async def test_the_overlay_shows_a_stroke_until_it_has_faded(room: Room) -> None:
    await room.tools.handle(KIOSK, begin(), None)
    assert [s.by for s in room.tools.overlay(5000.0).strokes] == ["Machine 7"]
    await room.tools.handle(KIOSK, StrokeEnd(id="s-1"), None)
    assert len(room.tools.overlay(1003.9).strokes) == 1
    assert room.tools.overlay(1004.1).strokes == ()


async def test_an_author_who_vanishes_lifts_the_pen_and_takes_the_pointer_away(room: Room) -> None:
    await room.tools.handle(ANNA, begin(), None)
    await room.tools.handle(ANNA, Pointer(at=(0.5, 0.5)), None)
    room.tools.leave(ANNA)
    assert room.of(StrokeEnd) == [StrokeEnd(id="s-1", fade_s=4.0)]
    assert room.of(Pointer)[-1].at is None
    assert room.tools.overlay(1000.0).pointers == ()
    assert room.tools.overlay(1004.1).strokes == ()


async def test_a_stroke_that_grows_too_long_ends_and_its_author_is_told_once(room: Room) -> None:
    await room.tools.handle(ANNA, begin(), None)
    many = StrokePoints(id="s-1", points=((0.5, 0.5),) * 200)
    for _ in range(24):
        await room.tools.handle(ANNA, many, None)
    with pytest.raises(Full):
        await room.tools.handle(ANNA, many, None)
    assert room.of(StrokeEnd) == [StrokeEnd(id="s-1", fade_s=4.0)]
    await room.tools.handle(ANNA, many, None)  # what was on its way is dropped without a word


async def test_what_is_drawn_goes_to_the_timeline_at_the_frame_its_author_saw(room: Room) -> None:
    room.tools.join(ANNA)
    await room.tools.handle(ANNA, begin(), 999.7)
    await room.tools.handle(ANNA, Pointer(at=(0.1, 0.1)), 999.8)
    (joined_s, joined), (stroke_s, stroke), (pointer_s, pointer) = room.timeline
    assert (joined_s, joined) == (1000.0, Person("Anna", ANNA.colour, "joined"))
    assert (stroke_s, type(stroke)) == (999.7, StrokeBegin)
    assert (pointer_s, type(pointer)) == (999.8, Pointer)


async def test_what_is_not_for_the_tools_is_ignored(room: Room) -> None:
    await room.tools.handle(ANNA, Heartbeat(n=1), None)
    assert room.told == []


# --- marks


async def test_a_mark_is_told_at_once_and_its_pose_with_each_frame(room: Room) -> None:
    room.tools.feed(pattern(1.0))
    await room.tools.handle(ANNA, MarkCreate(id="m-1", box=((0.4, 0.4), (0.5, 0.55)), label="valve"), None)
    assert room.of(Mark) == [Mark(id="m-1", by="Anna", colour=ANNA.colour, label="valve", state="unsure")]
    room.tools.feed(pattern(2.0))
    (pose,) = await room.pose_of_frame(2.0)
    assert pose.state == "tracked"
    assert pose.quad[0] == pytest.approx((0.4, 0.4), abs=0.002)
    assert pose.quad[2] == pytest.approx((0.5, 0.55), abs=0.002)
    assert (await room.until(Mark, 2))[-1].state == "tracked"
    room.tools.feed(pattern(2.03, dx=8))
    (pose,) = await room.pose_of_frame(2.03)
    assert pose.quad[0] == pytest.approx((0.4 + 8 / 1280, 0.4), abs=0.002)
    (shape,) = room.tools.overlay(room.now_s).marks
    assert (shape.label, shape.quad, shape.state) == ("valve", pose.quad, "tracked")
    assert room.tools.overlay(room.now_s).captured_s == 2.03
    assert any(isinstance(what, PosesAt) and at == 2.03 for at, what in room.timeline)


async def test_two_authors_with_one_id_make_two_marks_and_each_removes_the_own(room: Room) -> None:
    for author in (ANNA, BEN):
        await room.tools.handle(author, MarkCreate(id="m-1", at=(0.5, 0.5)), None)
    annas, bens = room.of(Mark)
    assert annas.id != bens.id
    await room.tools.handle(BEN, MarkRemove(id="m-1"), None)
    assert room.of(MarkGone) == [MarkGone(id=bens.id)]
    await room.tools.handle(BEN, MarkRemove(id=annas.id), None)
    await room.tools.handle(ANNA, MarkRemove(id=annas.id), None)  # both press at once: told once
    assert room.of(MarkGone) == [MarkGone(id=bens.id), MarkGone(id=annas.id)]


async def test_the_ninth_mark_is_refused(room: Room) -> None:
    for k in range(8):
        await room.tools.handle(ANNA, MarkCreate(id=f"m-{k}", at=(0.5, 0.5)), None)
    with pytest.raises(Full):
        await room.tools.handle(BEN, MarkCreate(id="m-9", at=(0.5, 0.5)), None)
    with pytest.raises(Malformed):
        await room.tools.handle(BEN, MarkCreate(id="m-10"), None)


async def test_a_mark_on_nothing_is_taken_away_with_a_sentence(room: Room) -> None:
    flat = np.full((720, 1280), 90, np.uint8)
    await room.tools.handle(ANNA, MarkCreate(id="m-1", at=(0.5, 0.5)), None)
    room.tools.feed(Picture(flat, flat[:360, :640], flat[:360, :640], 1.0))
    (gone,) = await room.until(MarkGone)
    assert gone.text
    assert room.tools.overlay(room.now_s).marks == ()


async def test_a_tracker_that_fails_switches_marks_off_and_the_call_goes_on(room: Room) -> None:
    await room.tools.handle(ANNA, MarkCreate(id="m-1", at=(0.5, 0.5)), None)
    nothing = np.zeros((0, 0), np.uint8)
    room.tools.feed(Picture(nothing, nothing, nothing, 1.0))
    (trouble,) = await room.until(Trouble)
    assert trouble.code == "device"
    assert [g.id for g in room.of(MarkGone)] == ["m-1"]
    await asyncio.sleep(0)
    with pytest.raises(DeviceTrouble):
        await room.tools.handle(ANNA, MarkCreate(id="m-2", at=(0.5, 0.5)), None)
    room.tools.feed(pattern(2.0))
    await room.tools.handle(ANNA, begin(), None)


# --- snapshots


async def opened(room: Room, author: Author = ANNA) -> str:
    await room.tools.handle(author, SnapshotTake(), None)
    return room.of(SnapshotOpen)[-1].id


def line(id_: str, snapshot: str) -> Edit:
    return Edit(id=id_, snapshot=snapshot, points=((0.1, 0.1), (0.9, 0.9)))


async def test_a_snapshot_opens_for_everybody_the_author_too(room: Room) -> None:
    id_ = await opened(room, KIOSK)
    opening, but = room.told[0]
    assert isinstance(opening, SnapshotOpen)
    assert (opening.by, but) == ("Machine 7", None)
    assert len(room.of(bytes)) == opening.chunks
    assert room.tools.snapshot is not None
    assert room.tools.snapshot.id == id_


async def test_edits_are_put_in_order_and_told_to_all_which_acknowledges_them(room: Room) -> None:
    id_ = await opened(room)
    await room.tools.handle(ANNA, line("e-1", id_), None)
    await room.tools.handle(KIOSK, line("e-1", id_), None)
    first, second = room.of(Edit)
    assert (first.id, first.by) == ("e-1", "Anna")
    assert (second.by, second.colour) == ("Machine 7", KIOSK.colour)
    assert first.id != second.id
    assert all(but is None for event, but in room.told if isinstance(event, Edit))
    assert room.tools.snapshot is not None
    assert room.tools.snapshot.edits == (first, second)


async def test_an_edit_sent_again_is_acknowledged_again_and_counts_once(room: Room) -> None:
    id_ = await opened(room)
    for _ in range(2):
        await room.tools.handle(ANNA, line("e-1", id_), None)
    assert len(room.of(Edit)) == 2
    assert room.tools.snapshot is not None
    assert len(room.tools.snapshot.edits) == 1


async def test_undo_takes_back_ones_own_newest_and_nobody_elses(room: Room) -> None:
    id_ = await opened(room)
    for author, own in ((ANNA, "e-1"), (ANNA, "e-2"), (BEN, "e-3")):
        await room.tools.handle(author, line(own, id_), None)
    for _ in range(3):
        await room.tools.handle(ANNA, Undo(snapshot=id_, id="e-3"), None)
    assert [u.id for u in room.of(Undo)] == ["e-2", "e-1"]
    assert room.tools.snapshot is not None
    assert [e.id for e in room.tools.snapshot.edits] == ["e-3"]


async def test_an_undo_that_comes_again_is_carried_out_once_and_answered_twice(room: Room) -> None:
    id_ = await opened(room)
    for own in ("e-1", "e-2"):
        await room.tools.handle(ANNA, line(own, id_), None)
    for _ in range(2):
        await room.tools.handle(ANNA, Undo(snapshot=id_, op="u-1"), None)
    assert [(u.id, u.op) for u in room.of(Undo)] == [("e-2", "u-1")] * 2
    assert room.tools.snapshot is not None
    assert [e.id for e in room.tools.snapshot.edits] == ["e-1"]


async def test_anybody_takes_an_edit_away_and_one_that_is_sent_again_does_not_come_back(room: Room) -> None:
    id_ = await opened(room)
    await room.tools.handle(ANNA, line("e-1", id_), None)
    for _ in range(2):
        await room.tools.handle(BEN, EditDelete(snapshot=id_, id="e-1"), None)
    await room.tools.handle(ANNA, line("e-1", id_), None)  # its acknowledgement was lost
    assert [u.id for u in room.of(Undo)] == ["e-1"] * 3
    assert room.tools.snapshot is not None
    assert room.tools.snapshot.edits == ()


async def test_who_comes_back_under_another_peer_has_the_own_edits_still(room: Room) -> None:
    id_ = await opened(room)
    before, after = (Author(peer, "Anna", ANNA.colour, "person-anna") for peer in ("peer-1", "peer-2"))
    await room.tools.handle(before, line("e-1", id_), None)
    await room.tools.handle(after, line("e-1", id_), None)
    await room.tools.handle(after, Undo(snapshot=id_), None)
    assert len(room.of(Edit)) == 2
    assert room.of(Undo) == [Undo(snapshot=id_, id="e-1")]


async def test_the_display_knows_an_edit_by_the_id_under_which_it_is_deleted(room: Room) -> None:
    id_ = await opened(room)
    await room.tools.handle(ANNA, line("e-1", id_), None)
    await room.tools.handle(BEN, line("e-1", id_), None)
    assert room.tools.snapshot is not None
    shown = [shape_of(edit).id for edit in room.tools.snapshot.edits]
    await room.tools.handle(BEN, EditDelete(snapshot=id_, id=shown[1]), None)
    assert [edit.id for edit in room.tools.snapshot.edits] == shown[:1]


async def test_steps_are_numbered_by_the_kiosk_and_a_number_that_was_said_stays(room: Room) -> None:
    id_ = await opened(room)
    for author, own in ((ANNA, "e-1"), (BEN, "e-2"), (ANNA, "e-3")):
        step = Edit(id=own, snapshot=id_, tool="step", points=((0.5, 0.5),), n=7)
        await room.tools.handle(author, step, None)
    await room.tools.handle(ANNA, EditDelete(snapshot=id_, id="e-2"), None)
    assert [e.n for e in room.of(Edit)] == [1, 2, 3]
    assert room.tools.snapshot is not None
    assert [e.n for e in room.tools.snapshot.edits] == [1, 3]


@pytest.mark.parametrize(
    "wrong",
    [
        Edit(id="e-1", snapshot="s-1", tool="arrow", points=((0.1, 0.1),)),
        Edit(id="e-1", snapshot="s-1", tool="box", points=((0.1, 0.1),) * 3),
        Edit(id="e-1", snapshot="s-1", tool="text", points=((0.1, 0.1),), text=" \n\u0007"),
    ],
)
async def test_an_edit_without_what_its_tool_needs_is_refused(room: Room, wrong: Edit) -> None:
    id_ = await opened(room)
    with pytest.raises(Malformed):
        await room.tools.handle(ANNA, msgspec.structs.replace(wrong, snapshot=id_), None)
    assert room.tools.snapshot is not None
    assert room.tools.snapshot.edits == ()


async def test_a_snapshot_stands_in_the_timeline_at_the_picture_that_was_seen(room: Room) -> None:
    await room.tools.handle(ANNA, SnapshotTake(t=1), 999.5)
    assert [at for at, what in room.timeline if isinstance(what, SnapshotOpen)] == [999.5]


# --- pinned strokes


def moved(matrix: tuple[float, ...], point: tuple[float, float]) -> tuple[float, float]:
    (place,) = carried((point,), tuple(matrix))  # type: ignore[arg-type]  # nine numbers
    return place


async def test_a_pinned_stroke_is_carried_by_the_scene_from_the_frame_its_author_saw(room: Room) -> None:
    for k in range(4):
        room.tools.feed(pattern(1.0 + k / 30, dx=8 * k))
        await asyncio.sleep(0.05)
    await room.tools.handle(ANNA, StrokeBegin(id="s-1", at=(0.5, 0.5), pinned=True), 1.0)
    room.tools.feed(pattern(1.0 + 4 / 30, dx=32))
    (pin,) = await room.until(StrokePin)
    room.tools.feed(pattern(1.0 + 5 / 30, dx=40))
    while not any(at == 1.0 + 5 / 30 for at, _ in room.motions):
        await asyncio.sleep(0.01)
    motion = next(motion for at, motion in room.motions if at == 1.0 + 5 / 30)
    assert motion is not None
    assert motion.anchor == pin.anchor
    place = moved(motion.matrix, moved(pin.matrix, (0.5, 0.5)))
    assert place == pytest.approx((0.5 + 40 / 1280, 0.5), abs=0.002)
    (shape,) = room.tools.overlay(room.now_s).strokes
    assert carried(shape.points, shape.carried)[0] == pytest.approx(place, abs=1e-4)
    assert [type(e) for e in room.tools.greet()] == [StrokeBegin, StrokePin]


async def test_a_pinned_stroke_is_let_go_of_when_the_scene_is_lost_and_its_author_is_told(room: Room) -> None:
    room.tools.feed(pattern(1.0))
    await room.tools.handle(ANNA, StrokeBegin(id="s-1", at=(0.5, 0.5), pinned=True), 1.0)
    room.tools.feed(pattern(1.03))
    await room.until(StrokePin)
    dark = np.full((720, 1280), 10, np.uint8)
    for k in range(20):
        room.tools.feed(Picture(dark, dark[:360, :640], dark[:360, :640], 1.1 + k / 20))
        await asyncio.sleep(0.02)
    (end,) = await room.until(StrokeEnd)
    assert end.fade_s <= 0.5
    assert all(but is None for event, but in room.told if isinstance(event, StrokeEnd))


async def test_either_side_goes_back_to_live_and_late_edits_are_refused(room: Room) -> None:
    id_ = await opened(room)
    await room.tools.handle(KIOSK, SnapshotClose(), None)
    await room.tools.handle(ANNA, SnapshotClose(), None)
    assert room.of(SnapshotClose) == [SnapshotClose()]
    assert room.tools.snapshot is None
    for late in (line("e-1", id_), Undo(snapshot=id_)):
        with pytest.raises(WrongState):
            await room.tools.handle(ANNA, late, None)


async def test_a_session_that_holds_all_it_can_refuses_a_snapshot_before_it_is_taken(
    room: Room, tmp_path: Path
) -> None:
    room.session_is_full = True
    with pytest.raises(Full):
        await room.tools.handle(ANNA, SnapshotTake(), None)
    assert room.tools.snapshot is None
    assert not list(tmp_path.iterdir())


async def test_two_who_press_at_once_get_one_picture(room: Room) -> None:
    await asyncio.gather(
        room.tools.handle(ANNA, SnapshotTake(), None),
        room.tools.handle(BEN, SnapshotTake(), None),
    )
    assert len(room.of(SnapshotOpen)) == 1
    with pytest.raises(WrongState):
        await room.tools.handle(BEN, SnapshotTake(), None)


async def test_a_camera_without_a_picture_is_told_and_leaves_all_as_it_was(room: Room) -> None:
    room.camera_fails = True
    with pytest.raises(DeviceTrouble):
        await room.tools.handle(ANNA, SnapshotTake(), None)
    assert room.told == []
    room.camera_fails = False
    await opened(room)


async def test_the_five_hundred_and_first_edit_is_refused(room: Room) -> None:
    id_ = await opened(room)
    for k in range(500):
        await room.tools.handle(ANNA, line(f"e-{k}", id_), None)
    with pytest.raises(Full):
        await room.tools.handle(ANNA, line("e-500", id_), None)


async def test_one_who_comes_late_gets_all_that_is_on_the_picture(room: Room) -> None:
    await room.tools.handle(ANNA, begin(), None)
    await room.tools.handle(ANNA, MarkCreate(id="m-1", at=(0.5, 0.5), label="valve"), None)
    id_ = await opened(room)
    await room.tools.handle(BEN, line("e-1", id_), None)
    told = [event for event, _ in room.told]
    assert list(room.tools.greet()) == told
    room.tools.leave(ANNA)
    await room.tools.handle(BEN, SnapshotClose(), None)
    room.now_s = 1010.0
    assert [type(e) for e in room.tools.greet()] == [Mark]


def names(artifacts: Sequence[Artifact]) -> list[str]:
    return sorted(a.name for a in artifacts)


async def test_everything_is_saved_when_the_call_ends(tmp_path: Path) -> None:
    room = Room(tmp_path)
    async with room.tools:
        first = await opened(room)
        await room.tools.handle(ANNA, line("e-1", first), None)
        await room.tools.handle(ANNA, SnapshotClose(), None)
        second = await opened(room)
        await room.tools.handle(ANNA, line("e-2", second), None)
    kinds = [".jpg", ".svg", "-flat.jpg"]
    assert names(list(room.artifacts.values())) == sorted(f"snapshot-{n}{k}" for n in (1, 2) for k in kinds)
    assert {a.group for a in room.artifacts.values()} == {first, second}
    assert 'id="e-1"' in (tmp_path / "snapshot-1.svg").read_text()
    assert 'id="e-2"' in (tmp_path / "snapshot-2.svg").read_text()


async def test_the_original_is_on_disk_while_the_picture_is_still_open(room: Room, tmp_path: Path) -> None:
    await opened(room)
    while "snapshot-1.jpg" not in room.artifacts:
        room.news.clear()
        await room.news.wait()
    assert room.tools.snapshot is not None
    assert (tmp_path / "snapshot-1.jpg").read_bytes() == room.tools.snapshot.still.jpeg


async def test_a_full_disk_is_told_once_and_the_call_goes_on(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    room = Room(tmp_path / "file")
    async with room.tools:
        id_ = await opened(room)
        (trouble,) = await room.until(Trouble)
        assert trouble.code == "store"
        await room.tools.handle(ANNA, line("e-1", id_), None)
        await room.tools.handle(ANNA, SnapshotClose(), None)
    assert len(room.of(Trouble)) == 1
    assert len(room.of(Edit)) == 1
