"""The book: one writer, on disk before anybody hears of it, commands applied once."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from kiosk.book.book import Book
from kiosk.book.storage import CrashSafeStorage
from kiosk.book.store import SAID_S
from kiosk.book.timers import close_after_review, give_up_ringing
from kiosk.errors import Busy, NoSuchSession
from kiosk.session import inputs as do
from kiosk.session.provider import Provider
from kiosk.session.record import CODE_USER, SYSTEM, Actor, Device, Person, Session
from kiosk.session.states import Role, State
from kiosk.wire.messages import Command, Guard
from tests.unit.test_spool import failing

ANNA, BEN = Person("anna", "Anna Berg"), Person("ben", "Ben Okoye")
PROVIDER = Provider(staff=(ANNA, BEN), recording_allowed=True)
DEVICE = Device("press-7", "Press 7")


def staff(person: Person) -> Actor:
    return Actor(Role.STAFF, person.id, person.name)


async def open_book(folder: Path) -> Book:
    return await Book.open(folder / "book.json", "kiosk-1", DEVICE, PROVIDER)


@pytest.fixture
async def book(tmp_path: Path) -> AsyncIterator[Book]:
    book = await open_book(tmp_path)
    yield book
    await book.close()


async def running(book: Book) -> Session:
    session = await book.put(None, do.Request(), CODE_USER)
    await book.put(session.id, do.Confirm(), staff(ANNA))
    return await book.put(session.id, do.Start(other_present=True), CODE_USER)


async def test_what_was_told_is_there_after_a_restart(book: Book, tmp_path: Path) -> None:
    session = await book.put(None, do.Request(reason="Jam"), CODE_USER)
    again = await open_book(tmp_path)
    assert again.sessions == {session.id: session}
    assert again.epoch == book.epoch
    await again.close()


async def test_a_call_that_a_restart_ended_is_completed(book: Book, tmp_path: Path) -> None:
    session = await running(book)
    again = await open_book(tmp_path)
    found = again.sessions[session.id]
    assert (found.state, found.history[-1].cause) == (State.COMPLETED, "restart")
    await again.close()


async def test_ringing_has_stopped_after_a_restart(book: Book, tmp_path: Path) -> None:
    session = await book.put(None, do.Create(), staff(ANNA))
    await book.put(session.id, do.Start(), staff(ANNA))
    again = await open_book(tmp_path)
    assert again.sessions[session.id].ringing is None
    assert again.sessions[session.id].rang_in_vain == "restart"
    await again.close()


async def test_pressed_twice_is_one_request(book: Book) -> None:
    results = await asyncio.gather(*(book.put(None, do.Request(), CODE_USER) for _ in range(2)), return_exceptions=True)
    assert [type(r) for r in results].count(Session) == 1
    assert isinstance(next(r for r in results if not isinstance(r, Session)), Busy)


async def test_two_staff_confirm_at_once_and_one_is_told(book: Book) -> None:
    session = await book.put(None, do.Request(), CODE_USER)
    commands = [
        Command(f"cmd-{p.id}", staff(p), do.Confirm(), session.id, Guard(State.REQUESTED, session.rev))
        for p in (ANNA, BEN)
    ]
    first, second = await asyncio.gather(*(book.command(c) for c in commands))
    assert first.ok
    assert (second.ok, second.code) == (False, "wrong_state")
    assert "Anna Berg" in second.text


async def test_a_command_that_comes_again_is_answered_from_memory_also_after_a_restart(
    book: Book, tmp_path: Path
) -> None:
    command = Command("cmd-1", staff(ANNA), do.Create())
    answer = await book.command(command)
    assert await book.command(command) == answer
    again = await open_book(tmp_path)
    assert await again.command(command) == answer
    assert len(again.sessions) == 1
    await again.close()


async def test_a_command_for_a_session_nobody_holds_is_refused(book: Book) -> None:
    answer = await book.command(Command("cmd-1", staff(ANNA), do.Confirm(), "s-unknown"))
    assert (answer.ok, answer.code) == (False, NoSuchSession.code)


async def test_followers_get_the_newest_and_miss_only_what_is_old(book: Book) -> None:
    first = await book.put(None, do.Request(), CODE_USER)
    follower = book.follow()
    assert await anext(follower) == first
    await book.put(first.id, do.Confirm(), staff(ANNA))
    newest = await book.put(first.id, do.Start(other_present=True), CODE_USER)
    assert await anext(follower) == newest


async def test_a_damaged_file_gives_way_to_the_generation_before(book: Book, tmp_path: Path) -> None:
    session = await book.put(None, do.Request(), CODE_USER)
    await book.put(session.id, do.Confirm(), staff(ANNA))
    path = tmp_path / "book.json"
    path.write_bytes(path.read_bytes()[:100])
    again = await open_book(tmp_path)
    found = again.sessions[session.id]
    assert found == replace(session, epoch=again.epoch)
    assert again.epoch != book.epoch, "revisions will come again with another content"
    await again.close()


async def lose(book: Book, folder: Path) -> Session:
    """Both generations turn into zeros while the power is off."""
    session = await book.put(None, do.Request(), CODE_USER)
    await book.close()
    for path in folder.glob("book.json*"):
        if "damaged" not in path.name:
            path.write_bytes(b"\0" * 50)
    return session


async def test_without_any_whole_copy_a_new_book_is_begun_that_says_so(book: Book, tmp_path: Path) -> None:
    before = await lose(book, tmp_path)
    again = await open_book(tmp_path)
    assert again.sessions == {}
    assert again.epoch != before.epoch
    assert "book.json.damaged-1" in again.begun_anew
    session = await again.put(None, do.Request(), CODE_USER)
    await again.close()
    third = await open_book(tmp_path)
    assert (set(third.sessions), third.epoch) == ({session.id}, again.epoch)
    assert third.begun_anew == again.begun_anew, "whoever looks after the next restart reads it as well"
    await third.close()


async def test_what_was_damaged_is_kept_as_it_was_and_no_more_than_three_of_it(book: Book, tmp_path: Path) -> None:
    for _ in range(5):
        await lose(book, tmp_path)
        book = await open_book(tmp_path)
    names = {p.name for p in tmp_path.iterdir() if "damaged" in p.name}
    assert names == {f"book.json{kind}.damaged-{n}" for kind in ("", ".previous") for n in (3, 4, 5)}
    assert (tmp_path / "book.json.damaged-5").read_bytes() == b"\0" * 50
    await book.close()


async def test_that_the_book_was_begun_anew_is_said_for_a_day_of_running(book: Book, tmp_path: Path) -> None:
    await lose(book, tmp_path)
    now_s = 0.0
    again = await Book.open(tmp_path / "book.json", "kiosk-1", DEVICE, PROVIDER, now=lambda: now_s)
    changes: list[str] = []
    again.disk_changed = lambda: changes.append(again.begun_anew)
    now_s = SAID_S - 1
    session = await again.put(None, do.Request(), CODE_USER)
    assert again.begun_anew
    now_s = SAID_S + 1
    await again.put(session.id, do.Cancel(), CODE_USER)
    assert changes == [""]
    await again.close()


async def test_a_book_of_a_later_version_is_set_aside_whole(book: Book, tmp_path: Path) -> None:
    """The software was rolled back: the kiosk comes up all the same, and nothing of the other's is destroyed."""
    session = await book.put(None, do.Request(), CODE_USER)
    await book.close()
    path = tmp_path / "book.json"
    storage = CrashSafeStorage(path)
    data = storage.read()
    assert data
    data["sessions"]["1"]["body"]["state"] = "HYPNOTISED"
    storage.write(data)
    storage.write(data)
    again = await open_book(tmp_path)
    assert (again.sessions, bool(again.begun_anew)) == ({}, True)
    kept = CrashSafeStorage(tmp_path / "book.json.damaged-1").read()
    assert kept is not None
    assert kept["sessions"]["1"]["id"] == session.id
    await again.close()


async def test_a_damaged_book_on_a_disk_that_takes_nothing_stays_and_the_kiosk_comes_up(
    book: Book, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await lose(book, tmp_path)
    with monkeypatch.context() as broken:
        broken.setattr(os, "replace", failing(errno.EROFS))
        again = await open_book(tmp_path)
        await again.put(None, do.Request(), CODE_USER)
        assert again.trouble
        assert again.begun_anew
    assert (tmp_path / "book.json").read_bytes() == b"\0" * 50
    await again.close()
    third = await open_book(tmp_path)
    assert len(third.sessions) == 1, "the disk took it at the end"
    await third.close()


async def test_an_ended_session_is_settled_when_its_last_revision_is_receipted(book: Book, tmp_path: Path) -> None:
    session = await book.put(None, do.Request(), CODE_USER)
    await book.settle(session)
    assert not book.is_settled(session), "it is not over yet"
    ended = await book.put(session.id, do.Cancel(), CODE_USER)
    await book.settle(ended)
    again = await open_book(tmp_path)
    assert again.is_settled(ended)
    reopened = await again.put(session.id, do.Reopen(), staff(ANNA))
    assert not again.is_settled(reopened)
    await again.close()


async def test_the_review_ends_by_time_and_not_after_a_reopening(book: Book) -> None:
    waits: list[tuple[float, asyncio.Event]] = []

    async def sleep(seconds: float) -> None:
        waits.append((seconds, asyncio.Event()))
        await waits[-1][1].wait()

    async def close(session: Session) -> Session:
        return await book.put(session.id, do.Close("review_over"), SYSTEM)

    timers = asyncio.create_task(close_after_review(book.follow(), close, sleep))
    session = await running(book)
    await book.put(session.id, do.End(), CODE_USER)
    await until(lambda: len(waits) == 1)
    await book.put(session.id, do.Reopen(), staff(ANNA))
    await book.put(session.id, do.Start(other_present=True), CODE_USER)
    await book.put(session.id, do.End(), CODE_USER)
    await until(lambda: len(waits) == 2)
    assert waits[0][0] == PROVIDER.review_s
    waits[1][1].set()
    await until(lambda: book.sessions[session.id].state is State.CLOSED)
    timers.cancel()


async def test_without_a_review_time_a_session_closes_at_once(book: Book) -> None:
    book.provider = replace(PROVIDER, review_s=0.0)

    async def close(session: Session) -> Session:
        return await book.put(session.id, do.Close("review_over"), SYSTEM)

    timers = asyncio.create_task(close_after_review(book.follow(), close))
    session = await running(book)
    await book.put(session.id, do.End(), CODE_USER)
    await until(lambda: book.sessions[session.id].state is State.CLOSED)
    assert book.sessions[session.id].history[-1].actor == SYSTEM
    timers.cancel()


async def test_ringing_that_nobody_answers_is_given_up_and_a_later_ringing_has_its_own_time(book: Book) -> None:
    waits: list[tuple[float, asyncio.Event]] = []

    async def sleep(seconds: float) -> None:
        waits.append((seconds, asyncio.Event()))
        await waits[-1][1].wait()

    async def give_up(session: Session) -> Session:
        return await book.put(session.id, do.GiveUp("no_answer"), SYSTEM)

    session = await book.put(None, do.Create(), staff(ANNA))
    await book.put(session.id, do.Start(), CODE_USER)
    timers = asyncio.create_task(give_up_ringing(book.follow(), lambda: 45.0, give_up, sleep))
    await until(lambda: len(waits) == 1)
    await book.put(session.id, do.GiveUp(), CODE_USER)
    await asyncio.sleep(0.002)  # the next ringing begins at another time
    await book.put(session.id, do.Start(), staff(ANNA))
    await until(lambda: len(waits) == 2)
    waits[0][1].set()
    waits[1][1].set()
    await until(lambda: book.sessions[session.id].ringing is None)
    assert (waits[0][0], book.sessions[session.id].rang_in_vain) == (45.0, "no_answer")
    timers.cancel()


@pytest.mark.parametrize("role", [Role.CODE_USER, Role.SYSTEM])
async def test_no_message_stands_in_for_the_kiosks_own_buttons(book: Book, role: Role) -> None:
    session = await book.put(None, do.Request(), CODE_USER)
    answer = await book.command(Command("cmd-1", Actor(role, "anna"), do.Cancel(), session.id))
    assert (answer.ok, answer.code) == (False, "not_allowed")
    assert book.sessions[session.id] == session


async def until(condition: object) -> None:
    assert callable(condition)
    while not condition():
        await asyncio.sleep(0.001)
