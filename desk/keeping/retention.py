"""Files that were kept for as long as the settings say are deleted, each desk looking once an hour.

The time counts from when the desk had the whole file: its own clock, which several desks share, and not a kiosk's,
which may be wrong. Where its own has jumped, nothing is decided (desk.keeping.clock). Rules are one provider's, or
everybody's else. What was decided is carried out by desk.keeping.deletions, also what was decided before the desk was
started.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.exc import SQLAlchemyError

from desk.config import Retention
from desk.keeping.clock import DAY_S, Clock
from desk.keeping.deletions import FILM, OVER, Cause, Deletions
from desk.sessions.store import Store
from desk.tables import ArtifactRow, FilmRow, KioskRow, SessionRow
from kiosk.errors import StoreTrouble
from kiosk.session.record import ArtifactKind

log = logging.getLogger(__name__)

LOOK_S = 3600.0
AGAIN_S = 300.0
"""After trouble."""
BATCH = 100

KINDS: dict[str, tuple[ArtifactKind, ...]] = {
    "recordings": (ArtifactKind.RECORDING, ArtifactKind.TIMELINE),
    "snapshots": (ArtifactKind.SNAPSHOT, ArtifactKind.LAYERS, ArtifactKind.FLATTENED),
    "session_data": (ArtifactKind.SESSION_DATA,),
}
"""What the settings call them. Films are no artifacts."""


@dataclass(frozen=True, slots=True)
class Rule:
    """`providers`: whose; empty: of all but `others`."""

    what: str
    days: float
    provider: str
    others: tuple[str, ...]

    @property
    def cause(self) -> Cause:
        whose = f" ({self.provider})" if self.provider else ""
        return Cause(f"{self.what.replace('_', ' ')} are kept for {self.days:g} days{whose}"[:200])

    @property
    def of_provider(self) -> ColumnElement[bool]:
        known = func.coalesce(KioskRow.provider, "")
        return known == self.provider if self.provider else known.not_in(self.others)


def rules(settings: Sequence[Retention]) -> Iterator[Rule]:
    named = tuple(each.provider for each in settings if each.provider)
    for each in settings:
        for what in (*KINDS, f"{FILM}s"):
            days: float | None = getattr(each, f"{what}_days")
            if days is not None:
                yield Rule(what, days, each.provider, named)


class Keeper:
    """`run` is its task. `now`: wall time."""

    def __init__(
        self, store: Store, deletions: Deletions, settings: Sequence[Retention], now: Callable[[], float]
    ) -> None:
        self._begin, self._deletions = store.transactions.begin, deletions
        self.clock = Clock(store, now)
        self._rules = tuple(rules(settings))
        self._asked = asyncio.Event()

    def ask(self) -> None:
        """Something was decided by hand: it is carried out now."""
        self._asked.set()

    async def run(self, wait: Callable[[float], Awaitable[None]] | None = None) -> None:
        """Until cancelled. Trouble with database or store only makes it late, and is logged once."""
        wait, troubled = wait or self._wait, False
        while True:
            try:
                await self.look()
                troubled = False
            except (SQLAlchemyError, StoreTrouble) as error:
                if not troubled:
                    log.warning("files that should be deleted wait: %s", type(error).__name__)
                troubled = True
            await wait(AGAIN_S if troubled else LOOK_S)

    async def look(self) -> int:
        """Decides what the rules say, carries out all that is decided; how many files are gone.

        Raises:
            SQLAlchemyError, StoreTrouble: the rest waits for the next time.
        """
        self._asked.clear()
        now_s = await self.clock.look() if self._rules else None
        if now_s is not None:
            for rule in self._rules:
                while await self._decide(rule, now_s):
                    pass
        gone = await self._deletions.carry_out()
        if gone:
            log.info("%d files were deleted", gone)
        return gone

    async def _decide(self, rule: Rule, now_s: float) -> bool:
        """Whether there may be more."""
        before_s = now_s - DAY_S * rule.days
        if rule.what == f"{FILM}s":
            return await self._decide_films(rule, before_s)
        query = (
            select(ArtifactRow)
            .join(SessionRow, SessionRow.id == ArtifactRow.session)
            .join(KioskRow, KioskRow.id == SessionRow.kiosk, isouter=True)
            .where(ArtifactRow.kind.in_([kind.value for kind in KINDS[rule.what]]))
            .where(ArtifactRow.verified_s < before_s, SessionRow.state.in_(OVER), rule.of_provider)
            .order_by(ArtifactRow.verified_s)
            .limit(BATCH)
            .with_for_update(of=ArtifactRow, skip_locked=True)
        )
        async with self._begin() as db:
            rows = list(await db.scalars(query))
            await self._deletions.decide(db, rows, rule.cause)
            return len(rows) == BATCH

    async def _decide_films(self, rule: Rule, before_s: float) -> bool:
        query = (
            select(FilmRow)
            .join(SessionRow, SessionRow.id == FilmRow.session)
            .join(KioskRow, KioskRow.id == SessionRow.kiosk, isouter=True)
            .where(FilmRow.state == "done", FilmRow.asked_s < before_s)
            .where(SessionRow.state.in_(OVER), rule.of_provider)
            .limit(BATCH)
            .with_for_update(of=FilmRow, skip_locked=True)
        )
        async with self._begin() as db:
            rows = list(await db.scalars(query))
            await self._deletions.decide_films(db, rows, rule.cause)
            return len(rows) == BATCH

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._asked.wait()
        except TimeoutError:
            pass
