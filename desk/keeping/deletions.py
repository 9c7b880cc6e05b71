"""Files are deleted, by a rule (desk.keeping.retention) or by somebody with a reason; a receipt of each stays for good.

Two steps, so that neither a power cut nor a second desk leaves anything half done. *Decided*: in one transaction the
file is no more the session's, and the receipt stands there, open. *Done*: a desk claims an open one, deletes the bytes
(on disk or in S3) and closes the receipt, with a line in the audit log. A desk that dies in between leaves its claim to
whoever looks after STALE_S; deleting twice does no harm.

Nothing of a session that is not over is deleted. What kiosks still hold is asked for no more once the desk has deleted
it: they are told that it was stored, so that they let go of it as well (desk.files.uploads).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from msgspec import Struct
from sqlalchemy import and_, exists, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from desk.database import insert_missing
from desk.files.store import Files
from desk.keeping.tables import DeletionRow
from desk.people.tables import AccountRow
from desk.sessions.store import Store
from desk.tables import ArtifactRow, AuditRow, FilmRow
from kiosk.session.record import Artifact, ArtifactKind, Session
from kiosk.session.states import ENDED

log = logging.getLogger(__name__)

STALE_S = 120.0
FILM = "film"
OVER = tuple(state.value for state in ENDED)


class DeletionReceipt(Struct, frozen=True):
    """What was deleted, when, by whom or by which rule. sha256: of the content. at_s: when it was decided; from then on
    nobody could have it. done_s: when it was gone from the store; 0: it still goes. person: empty where a rule did it.
    """

    n: int
    session: str
    artifact: str
    kind: str
    name: str
    bytes: int
    sha256: str
    at_s: float
    done_s: float
    person: str
    person_name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Cause:
    """person: empty for a rule, which then is the reason in words."""

    reason: str
    person: str = ""


class Deletions:
    """`now`: wall time, which several desks share well enough for STALE_S."""

    def __init__(self, store: Store, files: Files, now: Callable[[], float]) -> None:
        self._store, self._files, self._now = store, files, now
        self._begin, self._read = store.transactions.begin, store.transactions.read

    # --- decided ------------------------------------------------------------------------------------------------------

    async def by_hand(self, session: Session, artifacts: Sequence[str], cause: Cause) -> list[DeletionReceipt]:
        """Of these artifacts (none named: of all) what is here, with what belongs to them: drawings, layers, films.
        The open receipts; `carry_out` does it.

        Precondition: the session is over, and the cause has a person and a reason.
        """
        wanted = [a.id for a in session.artifacts if not artifacts or a.id in _with_groups(session, artifacts)]
        query = select(ArtifactRow).where(ArtifactRow.session == session.id, ArtifactRow.artifact.in_(wanted))
        async with self._begin() as db:
            await self.decide(db, list(await db.scalars(query.with_for_update())), cause)
            await self._store.notices.add(db, "session", [session.id])
        return [r for r in await self.receipts(session.id) if not r.done_s]

    async def decide(self, db: AsyncSession, rows: Iterable[ArtifactRow], cause: Cause) -> None:
        """These files are nobody's any more. With a recording go the films that were made of it."""
        for row in rows:
            await self._open(db, row.session, row.artifact, row.sha256, row.kind, row.bytes, row.path, cause)
            await db.delete(row)
            made_of_it = select(FilmRow).where(FilmRow.session == row.session, FilmRow.artifact == row.artifact)
            await self.decide_films(db, list(await db.scalars(made_of_it)), cause)

    async def decide_films(self, db: AsyncSession, rows: Iterable[FilmRow], cause: Cause) -> None:
        for row in rows:
            if row.state == "done":
                await self._open(db, row.session, row.artifact, row.sha256, FILM, row.bytes, row.path, cause)
            await db.delete(row)

    async def _open(
        self, db: AsyncSession, session: str, artifact: str, sha256: str, kind: str, size: int, path: str, cause: Cause
    ) -> None:
        """A film may be made again of the same, and deleted again: then the receipt is that of the last time."""
        key = {"session": session, "artifact": artifact, "sha256": sha256, "kind": kind}
        told = {"bytes": size, "path": path, "person": cause.person, "reason": cause.reason, "at_s": self._now()}
        name = f"{artifact} ({kind})"
        values = {**told, "done_s": None, "claimed_s": 0.0, "name": name}
        if not await insert_missing(db, DeletionRow, **key, **values):
            same = [getattr(DeletionRow, column) == value for column, value in key.items()]
            await db.execute(update(DeletionRow).where(*same).values(**values))

    # --- done ---------------------------------------------------------------------------------------------------------

    async def carry_out(self) -> int:
        """Deletes what is decided and claimed by no other desk; how many.

        Raises:
            StoreTrouble: the store does not do it; it stays open, and is tried again after STALE_S.
        """
        n = 0
        while (row := await self._claim()) is not None:
            if not await self._is_used(row):
                await self._files.remove(row.path)
            await self._close(row)
            n += 1
        return n

    async def _claim(self) -> DeletionRow | None:
        stale_s = self._now() - STALE_S
        query = (
            select(DeletionRow)
            .where(DeletionRow.done_s.is_(None), DeletionRow.claimed_s <= stale_s)
            .order_by(DeletionRow.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        async with self._begin() as db:
            if row := await db.scalar(query):
                row.claimed_s = self._now()
            return row

    async def _is_used(self, row: DeletionRow) -> bool:
        """Files are named by their content: another artifact of the session may be just the same."""
        async with self._read() as db:
            kept = exists().where(ArtifactRow.path == row.path, ArtifactRow.session == row.session)
            film = exists().where(FilmRow.path == row.path, FilmRow.session == row.session)
            return bool(await db.scalar(select(or_(kept, film))))

    async def _close(self, row: DeletionRow) -> None:
        async with self._begin() as db:
            mine = and_(DeletionRow.id == row.id, DeletionRow.done_s.is_(None))
            done = await db.execute(update(DeletionRow).where(mine).values(done_s=self._now()))
            if getattr(done, "rowcount", 0):
                told = f"{row.kind} {row.artifact}: {row.reason}"[:100]
                line = {"person": row.person, "what": "delete_file", "target": row.session, "outcome": told}
                db.add(AuditRow(at_s=self._now(), address="", **line))
                await self._store.notices.add(db, "session", [row.session])

    # --- receipts -----------------------------------------------------------------------------------------------------

    async def receipts(self, session: str) -> list[DeletionReceipt]:
        """Oldest first."""
        query = select(DeletionRow, AccountRow.name).join(AccountRow, AccountRow.id == DeletionRow.person, isouter=True)
        async with self._read() as db:
            rows = await db.execute(query.where(DeletionRow.session == session).order_by(DeletionRow.id))
            return [_receipt(row, name or "") for row, name in rows]


def _receipt(row: DeletionRow, person_name: str) -> DeletionReceipt:
    own = {name: getattr(row, name) for name in DeletionReceipt.__struct_fields__ if hasattr(row, name)}
    return DeletionReceipt(**{**own, "n": row.id, "done_s": row.done_s or 0.0, "person_name": person_name})


def _with_groups(session: Session, artifacts: Sequence[str]) -> set[str]:
    """These, and what is bound to them: a snapshot's layers, a recording's timeline."""
    groups = {_group(a) for a in session.artifacts if a.id in artifacts} - {""}
    return {a.id for a in session.artifacts if a.id in artifacts or _group(a) in groups}


def _group(artifact: Artifact) -> str:
    """Timelines of earlier kiosks are bound to their recording by the call alone."""
    by_call = artifact.kind in (ArtifactKind.RECORDING, ArtifactKind.TIMELINE) and artifact.call
    return artifact.group or (f"call {artifact.call}" if by_call else "")
