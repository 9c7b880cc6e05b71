"""A book whose disk takes nothing, and what it keeps for how long: by running time, never by a clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kiosk.book import book as books
from kiosk.book import memory
from kiosk.book.book import Book
from kiosk.book.storage import CrashSafeStorage, Tables
from kiosk.errors import StoreTrouble
from kiosk.session import inputs as do
from kiosk.session.record import CODE_USER, SYSTEM, Artifact, ArtifactKind, Session, Ticket
from kiosk.session.states import State
from kiosk.wire.messages import Command
from tests.unit.test_book import ANNA, DEVICE, PROVIDER, running, staff

DAY_S = 86_400.0


@dataclass
class Life:
    """A kiosk's life: its disk may be `full`, its running time and its wall clock jump."""

    folder: Path
    full: bool = False
    now_s: float = 0.0
    year: int = 2026

    async def open(self) -> Book:
        return await Book.open(
            self.folder / "book.json",
            "kiosk-1",
            DEVICE,
            PROVIDER,
            clock=lambda: datetime(self.year, 1, 1, tzinfo=UTC),
            now=lambda: self.now_s,
        )


@pytest.fixture
def life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Life:
    life = Life(tmp_path)
    write = CrashSafeStorage.write

    def may_write(storage: CrashSafeStorage, data: Tables) -> None:
        if life.full:
            raise StoreTrouble("No space left on device")
        write(storage, data)

    monkeypatch.setattr(CrashSafeStorage, "write", may_write)
    return life


@pytest.fixture
async def book(life: Life) -> AsyncIterator[Book]:
    book = await life.open()
    yield book
    await book.close()


async def test_a_request_is_made_and_told_though_the_disk_is_full(book: Book, life: Life) -> None:
    life.full = True
    told = book.follow()
    session = await book.put(None, do.Request(reason="Jam"), CODE_USER)
    assert await anext(told) == session
    assert "No space left" in book.trouble
    started = await running_on(book, session)
    assert started.state is State.RUNNING


async def test_what_is_held_in_memory_is_told_in_an_epoch_of_its_own(book: Book, life: Life) -> None:
    session = await book.put(None, do.Request(), CODE_USER)
    other = await ended(book, await book.put(session.id, do.Cancel(), CODE_USER))
    session = await book.put(None, do.Request(), CODE_USER)
    life.full = True
    loose = await book.put(session.id, do.Confirm(), staff(ANNA))
    again = await book.put(session.id, do.Seen(ANNA), SYSTEM)
    assert session.epoch == book.epoch != loose.epoch == again.epoch
    assert book.sessions[other.id].epoch == book.epoch, "nothing of it is lost"


async def test_when_the_disk_takes_it_again_all_is_there_without_anybody_doing_anything(book: Book, life: Life) -> None:
    said: list[str] = []
    book.disk_changed = lambda: said.append(book.trouble)
    life.full = True
    session = await book.put(None, do.Request(reason="Jam"), CODE_USER)
    slept = asyncio.Semaphore(0)

    async def sleep(_seconds: float) -> None:
        await slept.acquire()

    keeping = asyncio.create_task(book.keep(sleep))
    slept.release()
    await asyncio.sleep(0.05)
    assert book.trouble
    life.full = False
    slept.release()
    async with asyncio.timeout(10):
        while book.trouble:
            await asyncio.sleep(0.005)
    keeping.cancel()
    assert said == ["No space left on device", ""]
    again = await life.open()
    assert again.sessions == {session.id: session}
    later = await book.put(session.id, do.Confirm(), staff(ANNA))
    assert later.epoch == session.epoch


async def test_each_time_the_disk_takes_nothing_the_epoch_is_another(book: Book, life: Life) -> None:
    session = await book.put(None, do.Request(), CODE_USER)
    epochs = {session.epoch}
    for what in (do.Confirm(), do.Cancel()):
        life.full = True
        epochs.add((await book.put(session.id, what, staff(ANNA))).epoch)
        life.full = False
        await book.put(session.id, do.LinkTicket(ticket(str(len(epochs)))), staff(ANNA))
    assert len(epochs) == 3


@pytest.mark.parametrize("state", ["no book", "REQUESTED", "RUNNING", "ringing", "damaged"])
async def test_a_kiosk_whose_disk_is_full_at_boot_starts_and_comes_right_by_itself(life: Life, state: str) -> None:
    await leave(life, state)
    life.full = True
    book = await life.open()
    assert book.trouble
    for session in book.sessions.values():
        assert session.state is not State.RUNNING
        assert session.ringing is None
    session = book.open_session or await book.put(None, do.Request(), CODE_USER)
    life.full = False
    await book.put(session.id, do.Seen(ANNA), SYSTEM)
    assert not book.trouble
    again = await life.open()
    assert again.sessions == book.sessions
    assert again.epoch == book.epoch


async def leave(life: Life, state: str) -> None:
    """A book of such a kind on disk, and the power gone."""
    if state == "no book":
        return
    book = await life.open()
    if state in ("REQUESTED", "damaged"):
        await book.put(None, do.Request(), CODE_USER)
    elif state == "RUNNING":
        await running(book)
    else:
        await book.put((await book.put(None, do.Create(), staff(ANNA))).id, do.Start(), staff(ANNA))
    if state == "damaged":
        (life.folder / "book.json").write_bytes(b"\0" * 100)


async def test_told_from_memory_and_lost_it_goes_on_from_the_disk_in_an_epoch_of_its_own(
    book: Book, life: Life
) -> None:
    session = await book.put(None, do.Request(), CODE_USER)
    life.full = True
    loose = await book.put(session.id, do.Confirm(), staff(ANNA))
    again = await life.open()  # the power went
    life.full = False
    assert again.sessions == {session.id: session}, "a state that was told"
    await again.renew(session.id, loose.epoch)
    await again.renew("s-unknown", session.epoch)
    assert again.sessions == {session.id: session}, "only what was told is outdated"
    follower = again.follow()
    assert await anext(follower) == session
    await again.renew(session.id, session.epoch)
    renewed = await anext(follower)
    assert renewed.epoch not in (session.epoch, loose.epoch)
    await again.renew(session.id, session.epoch)
    assert again.sessions == {session.id: renewed}, "a second time changes nothing"


async def test_a_command_that_a_full_disk_does_not_take_is_applied_once_all_the_same(book: Book, life: Life) -> None:
    session = await book.put(None, do.Request(), CODE_USER)
    command = Command("cmd-1", staff(ANNA), do.Confirm(), session.id)
    life.full = True
    answer = await book.command(command)
    assert answer.ok
    assert await book.command(command) == answer
    life.full = False
    assert await book.command(command) == answer
    await book.put(session.id, do.Seen(ANNA), SYSTEM)
    again = await life.open()
    assert await again.command(command) == answer


# --- how long things are kept -----------------------------------------------------------------------------------------


async def test_an_answer_is_remembered_for_a_day_of_running_however_the_clock_jumps(life: Life) -> None:
    command = Command("cmd-1", staff(ANNA), do.Create())
    book = await life.open()
    answer = await book.command(command)
    for year in (1970, 2099, 2026):
        life.year, life.now_s = year, life.now_s + 7 * 3600
        await book.put(answer.session, do.LinkTicket(ticket(str(year))), staff(ANNA))
        await book.close()
        book = await life.open()
        assert await book.command(command) == answer
    life.now_s += 4 * 3600
    await book.command(Command("cmd-2", staff(ANNA), do.Cancel(), answer.session))
    assert (await book.command(command)).session != answer.session, "forgotten: it is another wish"
    await book.close()


async def test_while_the_power_is_off_nothing_grows_old(life: Life) -> None:
    command = Command("cmd-1", staff(ANNA), do.Create())
    book = await life.open()
    answer = await book.command(command)
    life.now_s, life.year = life.now_s + 100 * DAY_S, 2027  # of a clock that only counts while it runs
    again = await life.open()
    assert await again.command(command) == answer


async def test_more_commands_than_can_be_remembered_are_refused_with_a_code_and_ends_still_go(
    book: Book, life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "MOST_ANSWERS", 3)
    monkeypatch.setattr(memory, "ROOM_FOR_ENDS", 1)
    session = await book.put(None, do.Request(), CODE_USER)
    wishes = [Command(f"cmd-{n}", staff(ANNA), do.LinkTicket(ticket(str(n))), session.id) for n in range(5)]
    answers = [await book.command(w) for w in wishes]
    assert [a.code for a in answers] == ["", "", "", "too_many_commands", "too_many_commands"]
    assert [await book.command(w) for w in wishes] == answers, "none of them is forgotten, none applied later"
    assert (await book.command(Command("cmd-end", staff(ANNA), do.Cancel(), session.id))).ok
    last = await book.command(Command("cmd-close", staff(ANNA), do.Close(), session.id))
    assert last.code == "too_many_commands"
    life.now_s += DAY_S
    assert (await book.command(Command("cmd-later", staff(ANNA), do.Reopen(), session.id))).ok
    assert await book.command(wishes[4]) == answers[4]


async def test_old_sessions_leave_by_count_and_by_age_and_never_before_the_desk_has_all(
    book: Book, life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(books, "KEEP_ENDED", 2)
    first, second, third = [await ended(book) for _ in range(3)]
    held = await ended(book, upload=True)
    for session in (first, second, third, held):
        await book.settle(session)
    assert set(book.sessions) == {second.id, third.id, held.id}
    await life_goes_on(book, life, books.KEEP_ENDED_S + 1)
    assert set(book.sessions) == {held.id}, "its file is not at the desk"
    again = await life.open()
    assert set(again.sessions) == {held.id}


async def life_goes_on(book: Book, life: Life, seconds: float) -> None:
    life.now_s += seconds
    turns = 0

    async def sleep(_seconds: float) -> None:
        nonlocal turns
        turns += 1
        if turns > books.LOOK_FOR_OLD_S / books.TRY_AGAIN_S:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await book.keep(sleep)


# --- help -------------------------------------------------------------------------------------------------------------


def ticket(name: str) -> Ticket:
    return Ticket(f"T-{name}")


async def ended(book: Book, session: Session | None = None, *, upload: bool = False) -> Session:
    session = session or await book.put(None, do.Request(), CODE_USER)
    if upload:
        file = Artifact("a-1", ArtifactKind.SNAPSHOT, "a.jpg", "image/jpeg", 3, "1" * 64)
        session = await book.put(session.id, do.AddArtifact(file), SYSTEM)
    return await book.put(session.id, do.Cancel(), CODE_USER) if session.state is not State.CANCELLED else session


async def running_on(book: Book, session: Session) -> Session:
    await book.put(session.id, do.Confirm(), staff(ANNA))
    return await book.put(session.id, do.Start(other_present=True), CODE_USER)
