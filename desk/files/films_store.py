"""Films with drawings burned in, as the database knows them: asked for, being made by one of the desks, made, failed.

A desk that makes one says so again and again; where it has not for STALE_S, another one (or the same, started again)
begins anew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import and_, delete, func, or_, select, update

from desk.database import Transactions, insert_missing
from desk.tables import FilmRow
from kiosk.errors import Full

State = Literal["waiting", "running", "done", "failed"]

STALE_S = 60.0
MOST_WAITING = 50
MOST_TRIES = 3


@dataclass(frozen=True, slots=True)
class Film:
    """`key`: what it is made of. path, sha256, bytes: of one that is done. error: why one failed."""

    session: str
    artifact: str
    key: str
    state: State = "waiting"
    percent: int = 0
    error: str = ""
    path: str = ""
    sha256: str = ""
    bytes: int = 0


class FilmRows:
    """`now`: wall time, which several desks share well enough for STALE_S."""

    def __init__(self, transactions: Transactions, now: Callable[[], float]) -> None:
        self._begin, self._read, self._now = transactions.begin, transactions.read, now

    async def find(self, session: str, artifact: str) -> Film | None:
        async with self._read() as db:
            row = await db.get(FilmRow, (session, artifact))
            return _film(row) if row else None

    async def ask(self, session: str, artifact: str, key: str) -> Film:
        """One that is made, or on its way, from the same `key` stays as it is.

        Raises:
            Full: enough others wait.
        """
        async with self._begin() as db:
            waiting = await db.scalar(select(func.count()).select_from(FilmRow).where(FilmRow.state == "waiting"))
            if (waiting or 0) >= MOST_WAITING:
                raise Full("enough films are waiting to be made; please try again later")
            await insert_missing(db, FilmRow, session=session, artifact=artifact, key="", **_anew(self._now()))
            row = await db.get_one(FilmRow, (session, artifact), with_for_update=True)
            if row.key != key or row.state == "failed":
                row.key = key
                for name, value in _anew(self._now()).items():
                    setattr(row, name, value)
            return _film(row)

    async def drop(self, session: str, artifact: str) -> None:
        """Not wanted any more; one that is made stays."""
        async with self._begin() as db:
            mine = and_(FilmRow.session == session, FilmRow.artifact == artifact)
            await db.execute(delete(FilmRow).where(mine, FilmRow.state != "done"))

    async def take(self, desk: str) -> Film | None:
        """The one that has waited longest is this desk's from now on; of each session one at a time."""
        now_s = self._now()
        alive = and_(FilmRow.state == "running", FilmRow.beat_s > now_s - STALE_S)
        left = and_(FilmRow.state == "running", FilmRow.beat_s <= now_s - STALE_S)
        busy = select(FilmRow.session).where(alive).scalar_subquery()
        query = (
            select(FilmRow)
            .where(or_(FilmRow.state == "waiting", left), FilmRow.session.not_in(busy))
            .order_by(FilmRow.asked_s)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        async with self._begin() as db:
            row = await db.scalar(query)
            if row is None:
                return None
            row.tries += 1
            row.state, row.desk, row.beat_s, row.percent = "running", desk, now_s, 0
            if row.tries > MOST_TRIES:  # it has ended a desk each time
                row.state, row.error = "failed", "trouble"
                return None
            return _film(row)

    async def goes_on(self, film: Film, desk: str, percent: int) -> bool:
        """So far it is; False: it is not wanted any more, or another desk makes it."""
        return await self._change(film, desk, percent=percent, beat_s=self._now())

    async def done(self, film: Film, desk: str, path: str, sha256: str, size: int) -> bool:
        return await self._change(film, desk, state="done", percent=100, path=path, sha256=sha256, bytes=size)

    async def failed(self, film: Film, desk: str, error: str) -> bool:
        return await self._change(film, desk, state="failed", error=error)

    async def give_back(self, desk: str) -> None:
        """This desk ends: whoever comes next begins anew, and it counts as no try."""
        async with self._begin() as db:
            mine = and_(FilmRow.desk == desk, FilmRow.state == "running")
            await db.execute(update(FilmRow).where(mine).values(state="waiting", tries=FilmRow.tries - 1))

    async def _change(self, film: Film, desk: str, **values: str | float) -> bool:
        mine = (FilmRow.session == film.session, FilmRow.artifact == film.artifact, FilmRow.key == film.key)
        async with self._begin() as db:
            held = update(FilmRow).where(*mine, FilmRow.desk == desk, FilmRow.state == "running").values(**values)
            return bool(getattr(await db.execute(held), "rowcount", 0))


def _anew(now_s: float) -> dict[str, str | float]:
    plain: dict[str, str | float] = dict.fromkeys(("error", "path", "sha256", "desk"), "")
    return plain | {"state": "waiting", "percent": 0, "bytes": 0, "tries": 0, "asked_s": now_s, "beat_s": 0.0}


def _film(row: FilmRow) -> Film:
    return Film(**{name: getattr(row, name) for name in Film.__slots__})
