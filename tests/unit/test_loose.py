"""Random lives of a book whose disk comes and goes, with power cuts, and a desk that follows: who is told what.

Whatever is lost, no revision is ever told with two contents, and in the end the desk has each session that the kiosk
holds exactly as it holds it.
"""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kiosk.book.book import Book
from kiosk.book.storage import CrashSafeStorage, Tables
from kiosk.errors import Refused, StoreTrouble
from kiosk.session import inputs as do
from kiosk.session.record import CODE_USER, Session, Ticket
from tests.unit.test_book import ANNA, open_book, staff

LIVES = int(os.environ.get("LOOSE_LIVES", "60"))
STEPS = 40


@dataclass
class Desk:
    """Follows as desk.sessions.store does: a higher revision or a new epoch changes something, a former one nothing."""

    sessions: dict[str, Session] = field(default_factory=dict)
    former: dict[str, set[str]] = field(default_factory=dict)
    heard: dict[tuple[str, str, int], Session] = field(default_factory=dict)

    def take(self, told: Session) -> bool:
        """False: of an epoch that is over."""
        same = self.heard.setdefault((told.id, told.epoch, told.rev), told)
        assert same == told, "one revision was told with two contents"
        known = self.sessions.get(told.id)
        former = self.former.setdefault(told.id, set())
        if told.epoch in former:
            return False
        if known is not None and told.epoch == known.epoch and told.rev <= known.rev:
            return True
        if known is not None and told.epoch != known.epoch:
            former.add(known.epoch)
        self.sessions[told.id] = told
        return True


@dataclass
class World:
    folder: Path
    luck: random.Random
    full: bool = False
    desk: Desk = field(default_factory=Desk)

    async def live(self) -> None:
        book = await open_book(self.folder)
        for n in range(STEPS):
            chance = self.luck.random()
            if chance < 0.12:
                self.full = not self.full
            elif chance < 0.2:
                book = await open_book(self.folder)  # the power went, and came back
            elif chance < 0.45:
                await self.tell(book)
            else:
                await self.act(book, n)
        self.full = False
        await self.tell(book)
        for session in book.sessions.values():
            assert self.desk.sessions[session.id] == session
        await book.close()

    async def tell(self, book: Book) -> None:
        """All that is held, as at each connect; some of it as it was told before, once more and late."""
        late = self.luck.sample([*self.desk.heard.values()], min(3, len(self.desk.heard)))
        for session in [*late, *book.sessions.values()]:
            if not self.desk.take(session):
                await book.renew(session.id, session.epoch)
        for session in book.sessions.values():
            if self.desk.sessions[session.id] != session:
                assert self.desk.take(session), "once renewed, it is taken"

    async def act(self, book: Book, n: int) -> None:
        session = book.open_session or self.luck.choice([*book.sessions.values(), None])
        wishes = (do.Confirm(), do.Cancel(), do.Start(other_present=True), do.End(), do.Reopen(), link(n), link(n))
        try:
            if session is None:
                await book.put(None, do.Request(reason=f"{n}"), CODE_USER)
            else:
                await book.put(session.id, self.luck.choice(wishes), staff(ANNA))
        except Refused:
            pass


def link(n: int) -> do.LinkTicket:
    return do.LinkTicket(Ticket(f"T-{n}"))


async def test_no_revision_is_told_twice_with_different_content_and_all_are_right_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = CrashSafeStorage.write
    monkeypatch.setattr(os, "fsync", lambda _handle: None)  # for its speed
    for seed in range(LIVES):
        (tmp_path / f"{seed}").mkdir()
        world = World(tmp_path / f"{seed}", random.Random(seed))

        def may_write(storage: CrashSafeStorage, data: Tables, world: World = world) -> None:
            if world.full:
                raise StoreTrouble("No space left on device")
            write(storage, data)

        monkeypatch.setattr(CrashSafeStorage, "write", may_write)
        try:
            await world.live()
        except AssertionError as error:
            error.add_note(f"life {seed}")
            raise
