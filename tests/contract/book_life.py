"""A long random life of the book and its spool on a disk that is written down, and what must hold when it is cut off.

Used by test_power_cut.py and by benchmarks/kill.py.
"""

from __future__ import annotations

import hashlib
import os
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kiosk.book.book import Book
from kiosk.book.storage import CrashSafeStorage, Tables
from kiosk.errors import Refused
from kiosk.session import inputs as do
from kiosk.session.provider import Provider
from kiosk.session.record import CODE_USER, SYSTEM, Actor, ArtifactKind, Device, Person, Session, Ticket
from kiosk.session.states import Role
from kiosk.upload.spool import Spool
from kiosk.wire.messages import Answer, Command
from tests.contract.power_cut import Disk, How, recorded

ANNA = Person("anna", "Anna Berg")
STAFF = Actor(Role.STAFF, ANNA.id, ANNA.name)
DEVICE = Device("press-7", "Press 7")
PROVIDER = Provider(staff=(ANNA,), recording_allowed=True)
BOOK = Path("kiosk/book.json")
SPOOL = Path("kiosk/spool")
ASKED_AGAIN = 10
"""So many of the last answers are asked for again after each cut."""


@dataclass(frozen=True, slots=True)
class Write:
    """One generation: `begin` and `end` count the disk's steps."""

    begin: int
    end: int
    tables: Tables


@dataclass(frozen=True, slots=True)
class Asked:
    """One command: told at `end`; how sessions stood then."""

    command: Command
    answer: Answer
    begin: int
    end: int
    stood: list[tuple[Any, ...]]


@dataclass
class Life:
    """What was written, and what was asked and answered, on the way."""

    disk: Disk
    epoch: str = ""
    writes: list[Write] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)


async def open_book(folder: Path) -> Book:
    return await Book.open(folder / BOOK, "kiosk-1", DEVICE, PROVIDER)


async def live(folder: Path, inputs: int, luck: random.Random) -> Life:
    """So many inputs and commands, some refused, some repeated, with restarts, from an empty disk on."""
    with recorded(folder) as disk, pytest.MonkeyPatch.context() as patch:
        life = Life(disk)
        real = CrashSafeStorage.write

        def write(storage: CrashSafeStorage, data: Tables) -> None:
            begin = len(disk.steps)
            real(storage, data)
            life.writes.append(Write(begin, len(disk.steps), _copy(data)))

        patch.setattr(CrashSafeStorage, "write", write)
        book = await open_book(folder)
        life.epoch = book.epoch
        for n in range(inputs):
            await _one(life, book, Spool(folder / SPOOL), n, luck)
            _told_is_written(life, book)
            if luck.random() < 0.04:
                await book.close()
                book = await open_book(folder)
        await book.close()
    return life


def _copy(data: Tables) -> Tables:
    return msgspec.json.decode(msgspec.json.encode(data), type=Tables)


def _told_is_written(life: Life, book: Book) -> None:
    rows = life.writes[-1].tables["sessions"].values()
    assert {row["id"]: row["body"]["rev"] for row in rows} == {s.id: s.rev for s in book.sessions.values()}


async def _one(life: Life, book: Book, spool: Spool, n: int, luck: random.Random) -> None:
    """Something that somebody might do now, sensible or not."""
    session = luck.choice([*book.sessions.values(), None]) if luck.random() < 0.3 else book.open_session
    kind = luck.random()
    if kind < 0.1 and life.asked:
        again = luck.choice(life.asked[-20:])
        assert await book.command(again.command) == again.answer
    elif kind < 0.5:
        await _ask(life, book, _wish(session, n, luck))
    elif kind < 0.6 and session:
        await _keep_file(book, spool, session, n, luck)
    elif kind < 0.7 and session:
        await book.settle(session)
    else:
        await _press(book, session, luck)


def _wish(session: Session | None, n: int, luck: random.Random) -> Command:
    wishes: tuple[do.Command, ...] = (
        do.Confirm(),
        do.Start(),
        do.End(),
        do.Close(),
        do.Cancel(),
        do.Reopen(),
        do.LinkTicket(Ticket(f"T-{n}")),
    )
    if session is None:
        return Command(f"cmd-{n}", STAFF, do.Create(reason=f"wish {n}"))
    return Command(f"cmd-{n}", STAFF, luck.choice(wishes), session.id)


async def _ask(life: Life, book: Book, command: Command) -> None:
    begin = len(life.disk.steps)
    answer = await book.command(command)
    life.asked.append(Asked(command, answer, begin, len(life.disk.steps), standing(book)))


async def _keep_file(book: Book, spool: Spool, session: Session, n: int, luck: random.Random) -> None:
    """As the kiosk does it: the file, then its record."""
    data = luck.randbytes(luck.randint(0, 3000))
    artifact = spool.keep(session.id, f"data-{n}", ArtifactKind.SESSION_DATA, f"data-{n}.json", "text/plain", data)
    spool.follow(await book.put(session.id, do.AddArtifact(artifact), SYSTEM))
    if luck.random() < 0.5:
        spool.follow(await book.put(session.id, do.Uploaded(artifact.id, artifact.sha256), SYSTEM))


async def _press(book: Book, session: Session | None, luck: random.Random) -> None:
    wishes = (do.Start(other_present=True), do.End(), do.Cancel(), do.GiveUp(), do.Seen(ANNA))
    try:
        if session is None:
            await book.put(None, do.Request(reason="pressed"), CODE_USER)
        else:
            what = luck.choice(wishes)
            await book.put(session.id, what, SYSTEM if isinstance(what, do.Seen) else CODE_USER)
    except Refused:
        pass


def standing(book: Book) -> list[tuple[Any, ...]]:
    """What must be the same when a command is asked again: all but ids and times, which are drawn anew."""
    return sorted(
        (s.state, s.rev, s.reason, len(s.history), [t.id for t in s.tickets], len(s.artifacts))
        for s in book.sessions.values()
    )


# --- after a cut ------------------------------------------------------------------------------------------------------


async def check(life: Life, folder: Path, after: int, how: How, luck: random.Random) -> None:
    """Cuts the life off after so many steps, into the empty `folder`. AssertionError tells what does not hold there."""
    life.disk.leave(after, folder, how, luck)
    revisions = _is_told_or_later(life, folder, after)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _handle: None)  # for its speed
        book = await open_book(folder)
        assert book.epoch == life.epoch or not any(w.end <= after for w in life.writes), "the epoch was told"
        _files_are_whole(book, folder)
        as_left = revisions == {s.id: s.rev for s in book.sessions.values()}  # no call or ringing ended by the restart
        await _answers_are_remembered(life, book, after, as_left)
        await book.close()


def _is_told_or_later(life: Life, folder: Path, after: int) -> dict[str, int]:
    """The sessions' revisions that are found there."""
    told = [w for w in life.writes if w.end <= after]
    coming = [w.tables for w in life.writes if w.begin <= after < w.end]
    storage = CrashSafeStorage(folder / BOOK)
    found = storage.read()
    assert found in [told[-1].tables if told else None, *coming], "neither what was told nor the next"
    assert not told or not storage.fell_back, "nothing was damaged"
    return {row["id"]: row["body"]["rev"] for row in (found or {}).get("sessions", {}).values()}


def _files_are_whole(book: Book, folder: Path) -> None:
    spool = Spool(folder / SPOOL)
    for session in book.sessions.values():
        assert not spool.forgotten(session), "the manifest is never ahead of the book"
        for artifact in session.artifacts:
            if not artifact.uploaded:
                data = spool.path(session.id, artifact).read_bytes()
                assert hashlib.sha256(data).hexdigest() == artifact.sha256, f"{artifact.name} is not whole"


async def _answers_are_remembered(life: Life, book: Book, after: int, as_left: bool) -> None:
    """Those told are given again; one that was under way is applied once, whether or not it was before the cut."""
    for asked in [a for a in life.asked if a.end <= after][-ASKED_AGAIN:]:
        assert await book.command(asked.command) == asked.answer
    for asked in life.asked:
        if asked.begin <= after < asked.end:
            again = await book.command(asked.command)
            assert await book.command(asked.command) == again
            if as_left:
                assert (again.ok, again.code) == (asked.answer.ok, asked.answer.code)
                assert standing(book) == asked.stood, "applied once"
