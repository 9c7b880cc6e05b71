"""A call on a disk that takes nothing: it goes on, what cannot be kept is refused in words, and nothing is recorded."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from kiosk.book.book import Book
from kiosk.book.storage import CrashSafeStorage
from kiosk.calls import Calls, Equipment
from kiosk.config import CallSettings
from kiosk.errors import StoreTrouble
from kiosk.fleet.board import Board
from kiosk.hw.ports import Still
from kiosk.mailbox import Queue
from kiosk.session import inputs as do
from kiosk.session.record import CODE_USER, SYSTEM, Consent
from kiosk.session.states import State
from kiosk.upload.spool import Spool
from kiosk.wire.channel import SnapshotTake
from tests.contract.fakes import FakeCamera, FakeMicrophone, FakeSpeaker
from tests.unit.test_book import ANNA, BEN, open_book, staff

YES = Consent(True, "2026-11-22T10:00:00Z", "May we?", "en", "creation_flow")


class StillCamera(FakeCamera):
    async def still(self) -> Still:
        jpeg = cv2.imencode(".jpg", np.zeros((60, 80, 3), np.uint8))[1].tobytes()
        return Still(jpeg, 80, 60, 0.0)


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.005)


async def running(book: Book) -> str:
    session = await book.put(None, do.Request(consent=YES), CODE_USER)
    await book.put(session.id, do.Confirm(), staff(ANNA))
    return (await book.put(session.id, do.Start(other_present=True), CODE_USER)).id


async def test_a_call_runs_on_a_read_only_disk_and_records_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book, board = await open_book(tmp_path), Board(lambda: None)
    calls = Calls(
        book=book,
        equipment=Equipment(StillCamera(), FakeMicrophone(), FakeSpeaker()),
        settings=CallSettings(loopback=True),
        spool=Spool(tmp_path / "spool"),
        board=board,
        on_picture=lambda _: None,
        on_staff_picture=lambda _: None,
        changed=lambda: None,
    )

    async def answer(_session: str, _body: object) -> None:
        """Nobody has asked."""

    with monkeypatch.context() as broken:
        for name in ("mkdir", "replace", "link"):
            broken.setattr(os, name, read_only)
        task = asyncio.create_task(calls.run(answer, Queue(1)))
        session = await running(book)
        await book.put(session, do.AskRecording(), staff(ANNA))
        await until(lambda: calls.camera_is_live and calls.view(book.sessions[session]))
        await calls.tool(SnapshotTake())
        assert calls.open_snapshot, "it can be drawn on, though it is not kept"
        await until(lambda: "disk" in board.failing())
        assert book.sessions[session].state is State.RUNNING
        assert book.trouble
        await until(lambda: not book.sessions[session].recording.running)
        await book.put(session, do.End(), CODE_USER)
        await calls.over()
        assert book.sessions[session].artifacts == ()
        assert not (tmp_path / "spool").exists()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    await book.close()


async def test_no_recording_begins_while_the_consent_is_not_on_disk_and_then_it_begins_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = await open_book(tmp_path)
    calls = Calls(
        book=book,
        equipment=Equipment(FakeCamera(), FakeMicrophone(), FakeSpeaker()),
        settings=CallSettings(loopback=True),
        spool=Spool(tmp_path / "spool"),
        board=Board(lambda: None),
        on_picture=lambda _: None,
        on_staff_picture=lambda _: None,
        changed=lambda: None,
    )
    book.disk_changed = calls.book_changed

    async def answer(_session: str, _body: object) -> None:
        """Nobody has asked."""

    def recorded() -> list[Path]:
        return list((tmp_path / "spool").rglob("recording-*"))

    task = asyncio.create_task(calls.run(answer, Queue(1)))
    with monkeypatch.context() as broken:
        broken.setattr(CrashSafeStorage, "write", takes_nothing)
        session = await running(book)  # with consent from the creation flow
        await book.put(session, do.AskRecording(), staff(ANNA))
        await until(lambda: calls.view(book.sessions[session]))
        assert book.sessions[session].recording.wanted
        for person in (ANNA, BEN):  # each news of the session is a chance to begin
            await book.put(session, do.Seen(person), SYSTEM)
            await asyncio.sleep(0)
        call = calls._call
        assert call is not None
        assert (call.recording, recorded(), book.sessions[session].recording.running) == (False, [], False)
    await book.put(session, do.Joined(BEN), SYSTEM)
    assert not book.trouble
    await until(lambda: book.sessions[session].recording.running)

    with monkeypatch.context() as broken:
        broken.setattr(CrashSafeStorage, "write", takes_nothing)
        await book.put(session, do.Seen(ANNA), SYSTEM)
        assert book.sessions[session].recording.running, "its consent is on disk"
        await book.put(session, do.StopRecording(), staff(ANNA))
        await until(lambda: not book.sessions[session].recording.running)
        await book.put(session, do.AskRecording(), staff(ANNA))
        await asyncio.sleep(0)
        assert not call.recording
    await book.put(session, do.End(), CODE_USER)
    await calls.over()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    await book.close()


def takes_nothing(*_args: object) -> None:
    raise StoreTrouble("the disk takes nothing")


def read_only(*_args: object, **_more: object) -> None:
    raise OSError(errno.EROFS, os.strerror(errno.EROFS))
