"""Snapshots: what goes over the wire, the layers, the files."""

from __future__ import annotations

import hashlib
from pathlib import Path
from xml.etree import ElementTree

import cv2
import msgspec
import numpy as np
import pytest

from kiosk.call import snapshot
from kiosk.call.snapshot import CHUNK_BYTES, SnapshotState
from kiosk.errors import StoreTrouble
from kiosk.hw.ports import Still
from kiosk.session.record import Artifact, ArtifactKind
from kiosk.wire import codec
from kiosk.wire.channel import Edit, EditTool, FromKiosk, SnapshotOpen

WIDTH, HEIGHT = 400, 300
SVG = "{http://www.w3.org/2000/svg}"


def still() -> Still:
    noise = np.random.default_rng(1).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
    picture = cv2.GaussianBlur(noise, (0, 0), 1)
    return Still(cv2.imencode(".jpg", picture)[1].tobytes(), WIDTH, HEIGHT, 12.0)


def edit(id_: str, *points: tuple[float, float], by: str = "Anna", colour: str = "#ff0000") -> Edit:
    return Edit(id=id_, snapshot="snap-1", points=points, by=by, colour=colour)


def opened(*edits: Edit) -> SnapshotState:
    return SnapshotState("snap-1", 1, "Anna", still(), edits)


def test_the_picture_arrives_whole_in_numbered_chunks() -> None:
    state = opened()
    opening, *chunks = snapshot.messages(state)
    assert isinstance(opening, SnapshotOpen)
    assert (opening.width, opening.height, opening.bytes) == (WIDTH, HEIGHT, len(state.still.jpeg))
    assert opening.chunks == len(chunks)
    assert len(chunks) > 1
    parts = [c for c in chunks if isinstance(c, bytes)]
    assert {p[:16] for p in parts} == {b"snap-1          "}
    assert [int.from_bytes(p[16:20], "big") for p in parts] == list(range(len(parts)))
    assert b"".join(p[20:] for p in parts) == state.still.jpeg
    assert all(len(p) <= CHUNK_BYTES + 20 <= codec.MAX_EVENT for p in parts)


def test_what_is_told_can_be_read_back_by_the_schema() -> None:
    opening, *_, line = snapshot.messages(opened(edit("e-1", (0.1, 0.2), (0.3, 0.4))))
    assert isinstance(opening, SnapshotOpen)
    assert codec.decode(msgspec.json.encode(opening), FromKiosk) == opening
    assert line == edit("e-1", (0.1, 0.2), (0.3, 0.4))


def test_the_layers_lie_in_order_over_the_untouched_original_and_name_their_authors() -> None:
    state = opened(edit("e-1", (0.1, 0.2), (0.3, 0.4)), edit("e-2", (0.5, 0.5), by='<"Ben">', colour="#00ff00"))
    svg = ElementTree.fromstring(snapshot.to_svg(state))
    assert svg.get("viewBox") == f"0 0 {WIDTH} {HEIGHT}"
    picture = svg.find(f"{SVG}image")
    assert picture is not None
    assert picture.get("href") == "snapshot-1.jpg"
    groups = svg.findall(f"{SVG}g")
    assert [g.get("id") for g in groups] == ["e-1", "e-2"]
    assert [g.get("data-author") for g in groups] == ["Anna", '<"Ben">']
    lines = groups[0].findall(f"{SVG}polyline")
    assert {line.get("points") for line in lines} == {"40.0,60.0 120.0,120.0"}
    assert lines[-1].get("stroke") == "#ff0000"


def test_the_flattened_picture_shows_the_line_where_it_was_drawn_and_nothing_elsewhere() -> None:
    state = opened(edit("e-1", (0.25, 0.5), (0.75, 0.5)))
    flat = snapshot.flatten(state)
    assert flat is not None
    before = cv2.imdecode(np.frombuffer(state.still.jpeg, np.uint8), cv2.IMREAD_COLOR)
    after = cv2.imdecode(np.frombuffer(flat, np.uint8), cv2.IMREAD_COLOR)
    assert before is not None
    assert after is not None
    blue, green, red = (int(v) for v in after[HEIGHT // 2, WIDTH // 2])
    assert red > 150 > max(blue, green)
    away = np.abs(after[:100].astype(int) - before[:100].astype(int))
    assert away.mean() < 6


def made(tool: EditTool, *points: tuple[float, float], text: str = "", n: int = 0) -> Edit:
    return Edit(id="e-1", snapshot="snap-1", tool=tool, points=points, text=text, n=n, by="Anna", colour="#ff0000")


ALL_TOOLS = (
    made("pen", (0.1, 0.1), (0.2, 0.3), (0.3, 0.1)),
    made("arrow", (0.2, 0.8), (0.4, 0.5)),
    made("box", (0.5, 0.2), (0.9, 0.4)),
    made("text", (0.5, 0.6), text="Größe <prüfen> & drehen"),
    made("step", (0.7, 0.85), n=3),
)


@pytest.mark.parametrize("edit_made", ALL_TOOLS, ids=lambda e: str(e.tool))
def test_every_tool_is_in_the_layers_and_in_the_flattened_picture_where_it_was_drawn(edit_made: Edit) -> None:
    state = opened(edit_made)
    (group,) = ElementTree.fromstring(snapshot.to_svg(state)).findall(f"{SVG}g")
    assert group.get("data-tool") == edit_made.tool
    if edit_made.text:
        assert [t.text for t in group.findall(f"{SVG}text")] == [edit_made.text]
    plain, flat = snapshot.flatten(opened()), snapshot.flatten(state)
    assert plain is not None
    assert flat is not None
    before, after = (cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR) for jpeg in (plain, flat))
    assert before is not None
    assert after is not None
    rows, columns = np.nonzero(np.abs(after.astype(int) - before).max(axis=2) > 60)
    x, y = edit_made.points[0][0] * WIDTH, edit_made.points[0][1] * HEIGHT
    assert np.hypot(columns - x, rows - y).min() < 12
    low, high = np.min(edit_made.points, axis=0), np.max(edit_made.points, axis=0)
    reach = 25 if edit_made.tool != "text" else WIDTH
    assert columns.min() >= low[0] * WIDTH - 25
    assert columns.max() <= high[0] * WIDTH + reach


def test_a_single_point_is_a_dot() -> None:
    flat = snapshot.flatten(opened(edit("e-1", (0.5, 0.5))))
    plain = snapshot.flatten(opened())
    assert flat != plain


def test_a_still_that_is_no_picture_is_kept_and_only_not_flattened(tmp_path: Path) -> None:
    for data in (b"", b"no picture"):
        state = SnapshotState("snap-1", 1, "Anna", Still(data, 1, 1, 0.0))
        assert snapshot.flatten(state) is None
        assert [a.kind for a in snapshot.save_layers(tmp_path, state, "call-1")] == [ArtifactKind.LAYERS]


def test_files_are_reported_with_size_checksum_group_and_call(tmp_path: Path) -> None:
    state = opened(edit("e-1", (0.1, 0.2)))
    artifacts = (snapshot.save_original(tmp_path, state, "call-1"), *snapshot.save_layers(tmp_path, state, "call-1"))
    assert [a.name for a in artifacts] == ["snapshot-1.jpg", "snapshot-1.svg", "snapshot-1-flat.jpg"]
    for artifact in artifacts:
        data = (tmp_path / artifact.name).read_bytes()
        assert (artifact.bytes, artifact.sha256) == (len(data), hashlib.sha256(data).hexdigest())
        assert (artifact.group, artifact.call) == ("snap-1", "call-1")
        assert msgspec.json.decode(msgspec.json.encode(artifact), type=Artifact) == artifact
    assert (tmp_path / "snapshot-1.jpg").read_bytes() == state.still.jpeg
    assert len({a.id for a in artifacts}) == 3


def test_a_file_keeps_its_id_when_it_is_saved_again(tmp_path: Path) -> None:
    before = snapshot.save_layers(tmp_path, opened(), "call-1")
    after = snapshot.save_layers(tmp_path, opened(edit("e-1", (0.1, 0.2))), "call-1")
    assert [a.id for a in before] == [a.id for a in after]
    assert [a.sha256 for a in before] != [a.sha256 for a in after]
    assert not list(tmp_path.glob("*.new"))


def test_numbers_go_on_after_what_an_earlier_call_left(tmp_path: Path) -> None:
    assert snapshot.next_number(tmp_path / "not there yet") == 1
    for name in ("snapshot-1.jpg", "snapshot-1-flat.jpg", "snapshot-2.jpg"):
        (tmp_path / name).write_bytes(b"")
    assert snapshot.next_number(tmp_path) == 3


def test_a_disk_that_does_not_take_it_is_trouble_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreTrouble, match="could not be saved"):
        snapshot.save_original(tmp_path / "file", opened(), "call-1")
