"""What a power cut left on disk before the book heard of it comes to the book at the next start."""

from __future__ import annotations

import hashlib
from pathlib import Path

from kiosk.call.left_behind import left_behind
from kiosk.session.record import Artifact, ArtifactKind

CALL = "call-1"


def artifact(name: str, kind: ArtifactKind, data: bytes, group: str, *, uploaded: bool = False) -> Artifact:
    sha256 = hashlib.sha256(data).hexdigest()
    return Artifact(f"id-{name.replace('.', '-')}", kind, name, "x", len(data), sha256, CALL, group, uploaded)


def test_a_snapshot_nobody_was_told_of_is_adopted_with_its_layers_as_one_group(tmp_path: Path) -> None:
    for name in ("snapshot-1.jpg", "snapshot-1.svg", "snapshot-1-flat.jpg", "snapshot-2.jpg"):
        (tmp_path / name).write_bytes(name.encode())
    found = {a.name: a for a in left_behind(tmp_path, (), CALL)}
    assert {name: a.kind for name, a in found.items()} == {
        "snapshot-1.jpg": ArtifactKind.SNAPSHOT,
        "snapshot-1.svg": ArtifactKind.LAYERS,
        "snapshot-1-flat.jpg": ArtifactKind.FLATTENED,
        "snapshot-2.jpg": ArtifactKind.SNAPSHOT,
    }
    first = found["snapshot-1.jpg"]
    assert first.group == found["snapshot-1.svg"].group == found["snapshot-1-flat.jpg"].group
    assert first.group != found["snapshot-2.jpg"].group
    assert (first.sha256, first.bytes, first.call) == (hashlib.sha256(b"snapshot-1.jpg").hexdigest(), 14, CALL)
    assert left_behind(tmp_path, found.values(), CALL) == (), "once"


def test_layers_that_are_newer_than_their_record_come_again_under_its_id(tmp_path: Path) -> None:
    told = artifact("snapshot-1.svg", ArtifactKind.LAYERS, b"as told", "snap-1")
    (tmp_path / "snapshot-1.svg").write_bytes(b"drawn on since")
    (found,) = left_behind(tmp_path, [told], CALL)
    assert (found.id, found.group, found.uploaded) == (told.id, "snap-1", False)
    assert found.sha256 == hashlib.sha256(b"drawn on since").hexdigest()


def test_layers_join_the_original_that_is_known(tmp_path: Path) -> None:
    original = artifact("snapshot-1.jpg", ArtifactKind.SNAPSHOT, b"picture", "snap-1")
    (tmp_path / "snapshot-1.jpg").write_bytes(b"picture")
    (tmp_path / "snapshot-1.svg").write_bytes(b"layers")
    (found,) = left_behind(tmp_path, [original], CALL)
    assert (found.name, found.group) == ("snapshot-1.svg", "snap-1")


def test_the_same_name_of_an_earlier_call_is_another_file(tmp_path: Path) -> None:
    (tmp_path / "snapshot-1.jpg").write_bytes(b"picture")
    earlier = artifact("snapshot-1.jpg", ArtifactKind.SNAPSHOT, b"another", "snap-1")
    (found,) = left_behind(tmp_path, [earlier], "call-2")
    assert found.id != earlier.id


def test_a_timeline_goes_with_its_recording_and_loses_only_a_torn_last_line(tmp_path: Path) -> None:
    recording = artifact("recording-1.mp4", ArtifactKind.RECORDING, b"mp4", "rec-1")
    lines = b'{"at_s":0.1,"what":{}}\n{"at_s":0.2,"what":{}}\n'
    path = tmp_path / "recording-1.timeline.jsonl"
    for torn in (b'{"at_s":0.3,"wh', bytes(40), b'{"at_s":3}'):
        path.write_bytes(lines + torn)
        (found,) = left_behind(tmp_path, [recording], CALL)
        assert (found.kind, found.group) == (ArtifactKind.TIMELINE, "rec-1")
        assert path.read_bytes() == lines
        assert found.sha256 == hashlib.sha256(lines).hexdigest()


def test_a_timeline_without_a_recording_or_without_a_line_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "recording-1.timeline.jsonl").write_bytes(b'{"at_s":0.1}\n')
    assert left_behind(tmp_path, (), CALL) == ()
    (tmp_path / "recording-1.timeline.jsonl").write_bytes(b"")
    recording = artifact("recording-1.mp4", ArtifactKind.RECORDING, b"mp4", "rec-1")
    assert left_behind(tmp_path, [recording], CALL) == ()


def test_half_written_pictures_are_let_go_of_and_strange_files_are_not_touched(tmp_path: Path) -> None:
    (tmp_path / "snapshot-1.jpg.new").write_bytes(b"half")
    (tmp_path / "notes.txt").write_bytes(b"whose?")
    assert left_behind(tmp_path, (), CALL) == ()
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]


def test_what_the_desk_has_and_a_folder_that_is_gone_need_nothing(tmp_path: Path) -> None:
    (tmp_path / "snapshot-1.jpg").write_bytes(b"picture")
    there = artifact("snapshot-1.jpg", ArtifactKind.SNAPSHOT, b"picture", "snap-1", uploaded=True)
    assert left_behind(tmp_path, [there], CALL) == ()
    assert left_behind(tmp_path / "gone", [there], CALL) == ()
