"""Many rows by one statement. On PostgreSQL each column goes there as one array: neither side has parameters of each
row to count, and the statement is the same for any number of rows, so it is prepared once. SQLite takes row by row.

Used inside of transactions. Nothing is put in order here: who changes rows has locked them in the order of their keys.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, any_, bindparam, func, literal, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from desk.tables import Base

Rows = Sequence[Mapping[str, Any]]


def on_postgres(db: AsyncSession) -> bool:
    return db.get_bind().dialect.name == "postgresql"


def among(db: AsyncSession, column: InstrumentedAttribute[str], values: Collection[str]) -> ColumnElement[bool]:
    """That the column has one of these values."""
    if on_postgres(db):
        return column == any_(literal(list(values), postgresql.ARRAY(column.type)))
    return column.in_(values)


class Many:
    """These columns of a table, of many rows. Statements are made once, and are for either kind of database."""

    def __init__(self, table: type[Base], key: str, columns: Iterable[str], *, keep: bool = False) -> None:
        """`keep`: where an update brings None, the column stays as it is."""
        self._names = (key, *columns)
        core: Any = table.__table__
        kinds = {name: core.c[name].type for name in self._names}
        arrays = (bindparam(f"b_{name}", type_=postgresql.ARRAY(kind)) for name, kind in kinds.items())
        new = func.unnest(*arrays).table_valued(*self._names, name="new_rows").render_derived()
        each = {name: bindparam(f"b_{name}", type_=kind) for name, kind in kinds.items()}

        def values(given: Any) -> dict[str, Any]:
            return {n: func.coalesce(given[n], core.c[n]) if keep else given[n] for n in self._names if n != key}

        self._key = core.c[key]
        self._alone = sqlite.insert(core)
        self._all = postgresql.insert(core).from_select(self._names, select(*(new.c[name] for name in self._names)))
        self._update_all = update(core).where(self._key == new.c[key]).values(values(new.c))
        self._update_one = update(core).where(self._key == each[key]).values(values(each))

    async def insert(self, db: AsyncSession, rows: Rows) -> list[Any]:
        """The keys of those that were not there; the others stay as they are."""
        return await self._insert(db, rows, lambda put: put.on_conflict_do_nothing().returning(self._key))

    async def put(self, db: AsyncSession, rows: Rows) -> None:
        """Those that are there become as these."""
        await self._insert(db, rows, self._or_update)

    def _or_update(self, put: Any) -> Any:
        others = {name: put.excluded[name] for name in self._names if name != self._key.name}
        return put.on_conflict_do_update(index_elements=[self._key], set_=others).returning(self._key)

    async def _insert(self, db: AsyncSession, rows: Rows, conflict: Callable[[Any], Any]) -> list[Any]:
        if not rows:
            return []
        connection = await db.connection()
        if on_postgres(db):
            done = await connection.execute(conflict(self._all), self._arrays(rows))
        else:
            done = await connection.execute(conflict(self._alone), [{n: row[n] for n in self._names} for row in rows])
        return list(done.scalars())

    async def update(self, db: AsyncSession, rows: Rows) -> None:
        if not rows:
            return
        connection = await db.connection()
        if on_postgres(db):
            await connection.execute(self._update_all, self._arrays(rows))
        else:
            each = [{f"b_{name}": row[name] for name in self._names} for row in rows]
            await connection.execute(self._update_one, each)

    def _arrays(self, rows: Rows) -> dict[str, list[Any]]:
        return {f"b_{name}": [row[name] for row in rows] for name in self._names}
