"""The timeline beside a recording: what is written, when it counts from, what is on disk."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import msgspec
import pytest

from kiosk.call.timeline import Line, Person, PosesAt, Timeline
from kiosk.errors import StoreTrouble
from kiosk.session.record import ArtifactKind
from kiosk.wire.channel import Mark, MarkPose, StrokeBegin, StrokeEnd

POSE = MarkPose(id="m-1", quad=((0.1, 0.1), (0.2, 0.1), (0.2, 0.2), (0.1, 0.2)), confidence=0.9, state="tracked")


def lines(path: Path) -> list[Line]:
    return [msgspec.json.decode(line, type=Line) for line in path.read_bytes().splitlines()]


async def test_times_count_from_the_recordings_first_frame(tmp_path: Path) -> None:
    timeline = Timeline("call-1")
    await timeline.start(tmp_path / "r.jsonl", t0_s=1000.0)
    timeline.write(1001.25, StrokeBegin(id="s-1", at=(0.1, 0.2), by="Anna"))
    timeline.write(1002.5, StrokeEnd(id="s-1"))
    await timeline.stop("tl-1")
    first, second = lines(tmp_path / "r.jsonl")
    assert (first.at_s, first.what) == (1.25, StrokeBegin(id="s-1", at=(0.1, 0.2), by="Anna"))
    assert (second.at_s, second.what) == (2.5, StrokeEnd(id="s-1"))


async def test_the_finished_file_is_an_artifact_with_its_own_checksum(tmp_path: Path) -> None:
    timeline = Timeline("call-1")
    await timeline.start(tmp_path / "r.jsonl", 0.0)
    timeline.write(0.5, Person("Anna", "#e69f00", "joined"))
    artifact = await timeline.stop("tl-1", group="rec-1")
    data = (tmp_path / "r.jsonl").read_bytes()
    assert artifact is not None
    assert (artifact.kind, artifact.name, artifact.bytes) == (ArtifactKind.TIMELINE, "r.jsonl", len(data))
    assert (artifact.sha256, artifact.call, artifact.group) == (hashlib.sha256(data).hexdigest(), "call-1", "rec-1")


async def test_nothing_is_kept_while_no_recording_runs(tmp_path: Path) -> None:
    timeline = Timeline("call-1")
    timeline.write(0.5, StrokeEnd(id="s-1"))
    await timeline.start(tmp_path / "r.jsonl", 1.0)
    await timeline.stop("tl-1")
    timeline.write(2.0, StrokeEnd(id="s-1"))
    assert await timeline.stop("tl-1") is None
    assert lines(tmp_path / "r.jsonl") == []


async def test_what_is_on_the_picture_when_recording_begins_stands_at_its_first_frame(tmp_path: Path) -> None:
    mark = Mark(id="m-1", by="Anna", colour="#e69f00", label="valve", state="tracked")
    timeline = Timeline("call-1")
    await timeline.start(tmp_path / "r.jsonl", 100.0, already=(mark, b"a chunk of a picture"))
    await timeline.stop("tl-1")
    assert lines(tmp_path / "r.jsonl") == [Line(0.0, mark)]


async def test_poses_are_thinned_to_ten_a_second(tmp_path: Path) -> None:
    timeline = Timeline("call-1")
    await timeline.start(tmp_path / "r.jsonl", 0.0)
    for n in range(60):
        timeline.write(n / 30, PosesAt((POSE,)))
    await timeline.stop("tl-1")
    assert len(lines(tmp_path / "r.jsonl")) == 20


async def test_lines_are_on_disk_while_the_recording_still_runs(tmp_path: Path) -> None:
    timeline = Timeline("call-1", flush_s=0.0)
    await timeline.start(tmp_path / "r.jsonl", 0.0)
    timeline.write(0.5, StrokeEnd(id="s-1"))
    while not (tmp_path / "r.jsonl").read_bytes():
        await asyncio.sleep(0)
    assert len(lines(tmp_path / "r.jsonl")) == 1
    await timeline.stop("tl-1")


async def test_a_place_that_cannot_be_written_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreTrouble):
        await Timeline("call-1").start(tmp_path / "file" / "r.jsonl", 0.0)
