"""What a session's folder holds stands in a manifest beside it, and what a damaged book lost is found there."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from kiosk.book.book import Book
from kiosk.fleet.board import Board
from kiosk.session import inputs as do
from kiosk.session.record import CODE_USER, SYSTEM, Artifact, ArtifactKind, Consent, Session
from kiosk.spooling import Spooling
from kiosk.upload import manifest
from kiosk.upload.spool import Spool
from tests.unit.test_book import open_book, running


class Kiosk:
    """A book and its spool; `restart` as after a power cut."""

    def __init__(self, folder: Path, book: Book) -> None:
        self.folder, self.book = folder, book
        self.spool = Spool(folder / "spool")
        self.board = Board()

    async def restart(self) -> None:
        self.book = await open_book(self.folder)
        self.spool = Spool(self.folder / "spool")
        await self.spooling.adopt()

    @property
    def spooling(self) -> Spooling:
        return Spooling(self.book, self.spool, self.board, self)

    async def over(self) -> None:
        """No call is ever on."""

    async def add(self, session: Session, name: str, data: bytes = b"{}") -> Artifact:
        artifact = self.spool.keep(session.id, name, ArtifactKind.SESSION_DATA, f"{name}.json", "text/plain", data)
        self.spool.follow(await self.book.put(session.id, do.AddArtifact(artifact), SYSTEM))
        return artifact

    async def uploaded(self, session: Session, artifact: Artifact) -> None:
        changed = await self.book.put(session.id, do.Uploaded(artifact.id, artifact.sha256), SYSTEM)
        self.spool.follow(changed)

    def damage_newest(self) -> None:
        (self.folder / "book.json").write_bytes(b"\0" * 300)

    def manifest(self, session: Session) -> manifest.Manifest | None:
        return manifest.read(self.folder / "spool" / session.id)


@pytest.fixture
async def kiosk(tmp_path: Path) -> Kiosk:
    return Kiosk(tmp_path, await open_book(tmp_path))


async def cancelled(kiosk: Kiosk) -> Session:
    session = await kiosk.book.put(None, do.Request(), CODE_USER)
    return await kiosk.book.put(session.id, do.Cancel(), CODE_USER)


async def test_it_names_what_is_there_in_order_of_importance_and_what_was_receipted(kiosk: Kiosk) -> None:
    session = await cancelled(kiosk)
    first = await kiosk.add(session, "data-1")
    video = Artifact("rec-1", ArtifactKind.RECORDING, "recording-1.mp4", "video/mp4", 5, "a" * 64, "c-1")
    picture = Artifact("snap-1", ArtifactKind.SNAPSHOT, "snapshot-1.jpg", "image/jpeg", 9, "b" * 64, "c-1")
    for artifact in (video, picture):
        kiosk.spool.follow(await kiosk.book.put(session.id, do.AddArtifact(artifact), SYSTEM))
    await kiosk.uploaded(session, first)
    found = kiosk.manifest(session)
    assert found is not None
    assert [(a.id, a.uploaded) for a in found.artifacts] == [("data-1", True), ("snap-1", False), ("rec-1", False)]
    assert [(a.bytes, a.sha256) for a in found.artifacts[1:]] == [(9, "b" * 64), (5, "a" * 64)]
    assert found.rev == kiosk.book.sessions[session.id].rev


async def test_it_goes_with_the_last_file(kiosk: Kiosk) -> None:
    session = await cancelled(kiosk)
    first, second = await kiosk.add(session, "data-1"), await kiosk.add(session, "data-2")
    await kiosk.uploaded(session, first)
    assert kiosk.manifest(session) is not None
    await kiosk.uploaded(session, second)
    assert not list((kiosk.folder / "spool").iterdir())


async def test_a_file_that_a_damaged_book_forgot_is_found_again_with_its_kind_and_name(kiosk: Kiosk) -> None:
    session = await cancelled(kiosk)
    artifact = await kiosk.add(session, "data-1", b"precious")
    kiosk.damage_newest()
    await kiosk.restart()
    found = kiosk.book.sessions[session.id]
    assert found.artifacts == (artifact,)
    assert kiosk.spooling.find(session.id, artifact.id) == (kiosk.spool.path(session.id, artifact), artifact)


async def test_a_receipt_that_a_damaged_book_forgot_is_known_though_the_file_is_gone(kiosk: Kiosk) -> None:
    session = await cancelled(kiosk)
    first = await kiosk.add(session, "data-1")
    second = await kiosk.add(session, "data-2")
    await kiosk.uploaded(session, first)
    kiosk.damage_newest()
    await kiosk.restart()
    assert [(a.id, a.uploaded) for a in kiosk.book.sessions[session.id].artifacts] == [
        ("data-1", True),
        (second.id, False),
    ]


async def test_it_never_overrules_the_book(kiosk: Kiosk) -> None:
    """A manifest that is behind, as after each power cut before it was written, changes nothing."""
    session = await cancelled(kiosk)
    artifact = await kiosk.add(session, "data-1")
    behind = (kiosk.folder / "spool" / session.id / manifest.NAME).read_bytes()
    await kiosk.book.put(session.id, do.Lost(artifact.id, artifact.sha256, "damaged"), SYSTEM)
    (kiosk.folder / "spool" / session.id / manifest.NAME).write_bytes(behind)
    before = kiosk.book.sessions
    await kiosk.restart()
    assert kiosk.book.sessions == before


async def test_a_recording_that_was_withdrawn_comes_back_by_no_manifest(kiosk: Kiosk) -> None:
    session = await running(kiosk.book)
    call = session.calls[-1].id
    yes = Consent(True, "2026-11-22T10:00:00Z", "May we?", "en", "call")
    await kiosk.book.put(session.id, do.GiveConsent(yes), CODE_USER)
    folder = kiosk.spool.folder(session.id, call)
    (folder / "recording-1.mp4").write_bytes(b"video")
    sha256 = "a" * 64
    file = Artifact("rec-1", ArtifactKind.RECORDING, "recording-1.mp4", "video/mp4", 5, sha256, call, uploaded=False)
    kiosk.spool.follow(await kiosk.book.put(session.id, do.AddArtifact(file), SYSTEM))
    await kiosk.book.put(session.id, do.GiveConsent(replace(yes, given=False)), CODE_USER)
    await kiosk.book.put(session.id, do.RecordingDeleted(call, ("recording-1.mp4",)), SYSTEM)
    await kiosk.restart()
    assert kiosk.book.sessions[session.id].artifacts == ()
    assert not (folder / "recording-1.mp4").exists()


async def test_a_recording_whose_consent_never_reached_the_disk_is_not_kept(kiosk: Kiosk) -> None:
    session = await running(kiosk.book)
    folder = kiosk.spool.folder(session.id, session.calls[-1].id)
    (folder / "recording-1.mp4").write_bytes(b"video")
    await kiosk.restart()
    assert kiosk.book.sessions[session.id].artifacts == ()
    assert not (folder / "recording-1.mp4").exists()


@pytest.mark.parametrize("kind", ["torn", "zeros", "empty", "another"])
async def test_one_that_is_not_whole_is_not_believed(kiosk: Kiosk, kind: str) -> None:
    session = await cancelled(kiosk)
    await kiosk.add(session, "data-1")
    path = kiosk.folder / "spool" / session.id / manifest.NAME
    data = path.read_bytes()
    damaged = {
        "torn": data[:-9],
        "zeros": bytes(len(data)),
        "empty": b"",
        "another": data.replace(b"data-1", b"data-9"),
    }
    path.write_bytes(damaged[kind])
    assert kiosk.manifest(session) is None


async def test_what_the_disk_does_not_take_now_is_written_with_the_next_change(
    kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await cancelled(kiosk)
    await kiosk.add(session, "data-1")
    second = kiosk.spool.keep(session.id, "data-2", ArtifactKind.SESSION_DATA, "data-2.json", "text/plain", b"2")
    changed = await kiosk.book.put(session.id, do.AddArtifact(second), SYSTEM)
    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", full)
        kiosk.spool.follow(changed)
    assert (found := kiosk.manifest(session)) is not None
    assert len(found.artifacts) == 1
    kiosk.spool.follow(changed)
    assert (found := kiosk.manifest(session)) is not None
    assert len(found.artifacts) == 2


async def test_folders_of_sessions_that_left_go_and_those_that_nobody_knows_stay(kiosk: Kiosk) -> None:
    session = await cancelled(kiosk)
    artifact = await kiosk.add(session, "data-1")
    unknown = kiosk.spool.folder("s-unknown")
    waiting = await cancelled(kiosk)
    await kiosk.add(waiting, "data-1")
    lost = await kiosk.book.put(session.id, do.Lost(artifact.id, artifact.sha256, "damaged"), SYSTEM)
    kiosk.spool.follow(lost)
    assert kiosk.spool.path(session.id, artifact).exists(), "while the session is here"
    kiosk.spool.tidy(())
    assert not (kiosk.folder / "spool" / session.id).exists()
    assert unknown.exists()
    assert (kiosk.folder / "spool" / waiting.id / "data-1.json").exists()


async def lose_book(kiosk: Kiosk) -> Spooling:
    """Both generations are damaged; the kiosk starts with a new book, and the spool as it was."""
    await kiosk.book.close()
    for path in kiosk.folder.glob("book.json*"):
        path.write_bytes(b"\0" * 300)
    kiosk.book, kiosk.spool = await open_book(kiosk.folder), Spool(kiosk.folder / "spool")
    spooling = kiosk.spooling
    await spooling.adopt()
    return spooling


async def test_files_of_sessions_that_a_new_book_does_not_know_are_given_to_the_desk_and_named_until_then(
    kiosk: Kiosk,
) -> None:
    session = await cancelled(kiosk)
    first, second = await kiosk.add(session, "data-1"), await kiosk.add(session, "data-2", b"2")
    spooling = await lose_book(kiosk)
    assert session.id in kiosk.board.parts["spool"]
    assert spooling.waits_for_desk
    assert spooling.find(session.id, first.id) == (kiosk.spool.path(session.id, first), first)
    await spooling.stored(session.id, first.id, "0" * 64)
    assert kiosk.spool.path(session.id, first).exists(), "that is not what the desk has"
    await spooling.stored(session.id, first.id, first.sha256)
    assert not kiosk.spool.path(session.id, first).exists()
    assert spooling.find(session.id, first.id) is None
    await kiosk.restart()
    spooling = kiosk.spooling
    await spooling.adopt()
    assert spooling.find(session.id, first.id) is None, "a restart knows it too"
    await spooling.stored(session.id, second.id, second.sha256)
    assert not (kiosk.folder / "spool" / session.id).exists()
    assert (kiosk.board.parts["spool"], spooling.waits_for_desk) == ("ok", False)


async def test_what_has_no_manifest_either_is_kept_and_named(kiosk: Kiosk) -> None:
    kiosk.spool.folder("s-unknown", "c-1").joinpath("recording-1.mp4").write_bytes(b"film")
    spooling = await lose_book(kiosk)
    assert "s-unknown" in kiosk.board.parts["spool"]
    assert spooling.find("s-unknown", "rec-1") is None
    assert not spooling.waits_for_desk
    assert (kiosk.folder / "spool" / "s-unknown" / "c-1" / "recording-1.mp4").exists()


async def test_a_receipt_that_the_disk_cannot_note_deletes_nothing(
    kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await cancelled(kiosk)
    artifact = await kiosk.add(session, "data-1")
    spooling = await lose_book(kiosk)
    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", full)
        await spooling.stored(session.id, artifact.id, artifact.sha256)
    assert spooling.find(session.id, artifact.id)
    assert kiosk.spool.path(session.id, artifact).exists()


async def test_a_lost_file_settles_the_session_and_a_spool_that_is_away_says_nothing_of_any(kiosk: Kiosk) -> None:
    session = await cancelled(kiosk)
    artifact = await kiosk.add(session, "data-1")
    (kiosk.folder / "spool").rename(kiosk.folder / "away")
    await kiosk.spooling.lost(session.id, artifact, "missing")
    assert kiosk.book.sessions[session.id].artifacts[0].lost == ""
    (kiosk.folder / "away").rename(kiosk.folder / "spool")
    await kiosk.spooling.lost(session.id, artifact, "damaged")
    told = kiosk.book.sessions[session.id]
    assert told.artifacts[0].lost == "damaged"
    await kiosk.book.settle(told)
    assert kiosk.book.is_settled(told)
    await kiosk.spooling.lost("s-unknown", artifact, "damaged")


async def test_session_data_that_a_full_disk_does_not_take_is_written_when_it_does(
    kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await kiosk.book.put(None, do.Request(), CODE_USER)
    slept = 0
    with monkeypatch.context() as broken:

        async def sleep(_seconds: float) -> None:
            nonlocal slept
            slept += 1
            if slept == 3:
                broken.undo()

        spooling = Spooling(kiosk.book, kiosk.spool, Board(), kiosk, sleep)
        broken.setattr(Path, "replace", full)
        ended = await kiosk.book.put(session.id, do.Cancel(), CODE_USER)
        assert not await spooling._has_session_data(ended.id)
        while not await spooling._has_session_data(ended.id):
            await sleep(0.0)
    assert slept == 3
    assert [a.kind for a in kiosk.book.sessions[session.id].artifacts] == [ArtifactKind.SESSION_DATA]


def full(*_args: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
