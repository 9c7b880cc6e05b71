"""The look-back: what is held of a call before its recording, never more than asked for, and gone without a trace."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from kiosk.call.held_lines import MOST, HeldLines
from kiosk.call.look_back import LookBack
from kiosk.call.recorder import Block, Item
from kiosk.call.relay import Relay
from kiosk.call.timeline import Line, Person, PictureStep, PosesAt, Timeline, What
from kiosk.hw.ports import SAMPLES_PER_BLOCK, AccessUnit
from kiosk.wire.channel import (
    Edit,
    Mark,
    MarkGone,
    MarkPose,
    MarkState,
    SnapshotClose,
    SnapshotOpen,
    StrokeBegin,
    StrokeEnd,
    StrokePoints,
)
from tests.unit.test_relay import made

FPS = 30
BLOCK_S = 0.02
SILENT = np.zeros(SAMPLES_PER_BLOCK, np.int16)


class Camera:
    """30 frames a second, with a keyframe each ten seconds and where one was asked for."""

    def __init__(self, seconds: float, frame_bytes: int = 100, most_bytes: int = 10**9) -> None:
        self.relay, self.encoder, self.clock = made()
        self.held = LookBack(seconds, self.relay, most_bytes)
        self._frame, self._bytes, self._served = 0, frame_bytes, 0
        self.begin_s = self.clock.now_s

    def run(self, seconds: float, with_picture: bool = True) -> None:
        for _ in range(round(seconds / BLOCK_S)):
            self.clock.jump(BLOCK_S)
            while with_picture and self.begin_s + self._frame / FPS <= self.clock.now_s:
                self._shoot()
            self.held.sound(SILENT.copy(), self.clock.now_s - BLOCK_S)

    def _shoot(self) -> None:
        key = self.encoder.asked > self._served or self._frame % (10 * FPS) == 0
        self._served = self.encoder.asked
        self.relay.pass_on(AccessUnit(bytes(self._bytes), self.begin_s + self._frame / FPS, keyframe=key))
        self._frame += 1

    def resume(self) -> None:
        """Frames have no times of the pause."""
        self._frame = round((self.clock.now_s - self.begin_s) * FPS) + 1


def time_of(item: Item) -> float:
    return item.at_s if isinstance(item, Block) else item.captured_s


def units(items: Iterator[Item] | list[Item]) -> list[AccessUnit]:
    return [item for item in items if isinstance(item, AccessUnit)]


@pytest.mark.parametrize("seconds", [1, 5, 10, 30])
def test_it_begins_with_a_keyframe_and_holds_at_most_what_was_asked_and_most_of_it(seconds: int) -> None:
    camera = Camera(seconds)
    for _ in range(20):
        camera.run(seconds * 0.37 + 1)
    camera.run(2 * seconds)
    items, _ = camera.held.take()
    first = items[0]
    assert isinstance(first, AccessUnit)
    assert first.keyframe
    age_s = camera.clock.now_s - first.captured_s
    assert seconds * 0.75 - 0.6 <= age_s <= seconds + 1e-6


def test_nothing_is_missing_or_doubled_and_all_is_in_the_order_of_time() -> None:
    camera = Camera(10)
    camera.run(25)
    items = list(camera.held.take()[0])
    times = [time_of(item) for item in items]
    assert times == sorted(times)
    frames = [round((u.captured_s - camera.begin_s) * FPS) for u in units(items)]
    assert frames == list(range(frames[0], frames[0] + len(frames)))
    assert len(items) - len(frames) == pytest.approx(len(frames) / FPS / BLOCK_S, abs=3)


def test_what_comes_after_it_goes_on_where_it_ends() -> None:
    camera = Camera(10)
    camera.run(12)
    items, outlet = camera.held.take()
    last = units(list(items))[-1]
    camera._shoot()
    following = next(outlet.waiting())
    assert following.captured_s - last.captured_s == pytest.approx(1 / FPS)
    assert len(camera.relay) == 1


def test_asked_keyframes_are_few() -> None:
    camera = Camera(30)
    camera.run(60)
    assert camera.encoder.asked <= 14


def test_a_call_younger_than_the_look_back_is_held_from_its_first_frame() -> None:
    camera = Camera(30)
    camera.run(3)
    assert units(list(camera.held.take()[0]))[0].captured_s == camera.begin_s


def test_a_camera_that_is_away_for_long_leaves_no_picture_older_than_asked_for() -> None:
    camera = Camera(5)
    camera.run(6)
    camera.run(20, with_picture=False)
    assert list(camera.held.take()[0]) == []
    again = Camera(5)
    again.run(6)
    again.run(20, with_picture=False)
    again.resume()
    again.run(3)
    items = list(again.held.take()[0])
    assert isinstance(items[0], AccessUnit)
    assert items[0].keyframe
    assert again.clock.now_s - items[0].captured_s <= 5


def test_its_memory_is_bounded_by_bytes_whatever_the_camera_sends() -> None:
    most = 2_000_000
    camera = Camera(30, frame_bytes=20_000, most_bytes=most)
    tracemalloc.start()
    try:
        peaks = []
        for _ in range(60):
            camera.run(1)
            assert camera.held.bytes <= most
            peaks.append(tracemalloc.get_traced_memory()[0])
        assert max(peaks) <= 1.3 * most
        items = list(camera.held.take()[0])
    finally:
        tracemalloc.stop()
    assert units(items)[0].keyframe
    assert camera.held.bytes == 0


def test_one_group_that_is_larger_than_the_bound_is_not_held() -> None:
    camera = Camera(30, frame_bytes=500_000, most_bytes=1_000_000)
    camera.run(5)
    assert camera.held.bytes <= 1_000_000


def test_let_go_it_holds_nothing_and_reads_nothing_more() -> None:
    camera = Camera(10)
    camera.run(5)
    camera.held.let_go()
    assert camera.held.bytes == 0
    assert len(camera.relay) == 0
    camera._shoot()
    assert list(camera.held.take()[0]) == []


def test_a_relay_that_is_closed_meanwhile_is_no_trouble() -> None:
    camera = Camera(10)
    camera.run(5)
    relay: Relay = camera.relay
    relay.close()
    camera.held.sound(SILENT, camera.clock.now_s)
    camera.held.let_go()


# --- what was told over the picture -----------------------------------------------------------------------------------


def begin(id_: str) -> StrokeBegin:
    return StrokeBegin(id=id_, at=(0.1, 0.2), by="Anna")


def mark(id_: str, state: MarkState = "tracked") -> Mark:
    return Mark(id=id_, by="Anna", colour="#e69f00", label="valve", state=state)


def opened(id_: str) -> SnapshotOpen:
    return SnapshotOpen(id=id_, by="Anna", width=64, height=48, bytes=10, chunks=1)


def edit(snapshot: str) -> Edit:
    return Edit(id="e-1", snapshot=snapshot, points=((0.1, 0.1),))


POSES = PosesAt((MarkPose(id="m-1", quad=((0.1, 0.1),) * 4, confidence=0.9, state="tracked"),))


def test_what_was_told_since_then_stands_at_its_time() -> None:
    held = HeldLines(10)
    told: list[tuple[float, What]]
    told = [(100.0, begin("s-1")), (100.5, StrokePoints(id="s-1", points=((0.2, 0.2),))), (101.0, StrokeEnd(id="s-1"))]
    for at_s, what in told:
        held.put(at_s, what)
    assert held.since(99.0) == told


def test_what_is_still_on_the_picture_stands_at_the_beginning_and_what_is_over_is_forgotten() -> None:
    held = HeldLines(30)
    for at_s, what in (
        (100.0, Person("Anna", "#e69f00", "joined")),
        (100.0, begin("faded")),
        (101.0, StrokeEnd(id="faded", fade_s=4.0)),
        (100.0, mark("m-1", "unsure")),
        (101.0, mark("m-1", "tracked")),
        (102.0, mark("m-2")),
        (103.0, MarkGone(id="m-2")),
        (103.0, opened("closed")),
        (104.0, SnapshotClose()),
        (104.5, opened("open")),
        (104.6, edit("open")),
        (105.0, POSES),
        (102.0, PictureStep(1280, 720)),
        (106.0, PictureStep(960, 540)),
        (107.0, begin("drawn")),
        (108.0, begin("fading")),
        (109.0, StrokeEnd(id="fading", fade_s=4.0)),
        (112.0, POSES),
    ):
        held.put(at_s, what)
    assert sorted(held.since(110.0), key=lambda line: (line[0], str(line[1]))) == sorted(
        [
            (110.0, begin("drawn")),
            (110.0, begin("fading")),
            (110.0, StrokeEnd(id="fading", fade_s=3.0)),
            (110.0, mark("m-1", "tracked")),
            (110.0, PictureStep(960, 540)),
            (110.0, opened("open")),
            (110.0, edit("open")),
            (112.0, POSES),
        ],
        key=lambda line: (line[0], str(line[1])),
    )


def test_lines_held_are_bounded() -> None:
    held = HeldLines(30)
    for n in range(20_000):
        held.put(n / 10, POSES)
        assert len(held) <= 312
    for n in range(MOST + 100):
        held.put(2000.0, begin(f"s-{n}"))
    assert len(held) <= MOST


async def test_a_timeline_that_held_begins_with_what_it_held(tmp_path: Path) -> None:
    timeline = Timeline("call-1")
    timeline.hold(10)
    for n in range(300):
        timeline.write(100 + n / 30, POSES)
    timeline.write(105.0, begin("s-1"))
    await timeline.start(tmp_path / "r.jsonl", 104.0, already=(mark("greeted"),))
    timeline.write(111.0, StrokeEnd(id="s-1"))
    await timeline.stop("tl-1")
    lines = [msgspec.json.decode(line, type=Line) for line in (tmp_path / "r.jsonl").read_bytes().splitlines()]
    poses = [line.at_s for line in lines if isinstance(line.what, PosesAt)]
    assert poses == pytest.approx([n / 10 for n in range(60)], abs=0.04)
    assert [(line.at_s, line.what) for line in lines if not isinstance(line.what, PosesAt)] == [
        (1.0, begin("s-1")),
        (7.0, StrokeEnd(id="s-1")),
    ]


async def test_a_timeline_that_has_let_go_has_nothing_of_before(tmp_path: Path) -> None:
    timeline = Timeline("call-1")
    timeline.hold(10)
    timeline.write(100.0, begin("s-1"))
    timeline.let_go()
    timeline.write(101.0, begin("s-2"))
    await timeline.start(tmp_path / "r.jsonl", 99.0)
    await timeline.stop("tl-1")
    assert (tmp_path / "r.jsonl").read_bytes() == b""
