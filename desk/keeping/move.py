"""Everything a desk remembers, from one database into another: `desk move-data`.

The target is brought to the newest revision and must be empty; all of it is written in one transaction, counted on both
sides, and only then committed. The source is read as it is at one moment, brought to the newest revision before. Desks
should stand still meanwhile: what they write afterwards stays behind.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Table, func, select, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from desk.database import READING, engine_of, in_words, migrate
from desk.tables_all import every_table
from kiosk.errors import ConfigError

BATCH = 500


@dataclass(frozen=True, slots=True)
class Moved:
    table: str
    rows: int


async def move(source: URL, target: URL, tell: Callable[[Moved], None] = lambda _: None) -> int:
    """How many rows were moved; `tell` is called after each table.

    Raises:
        ConfigError: they are the same, one cannot be reached, or is of a newer desk; the target is not empty; the
            counts do not fit. The target is then as it was (at the newest revision).
    """
    if source == target:
        raise ConfigError("source and target are the same database")
    _must_be_there(source)
    here, there = engine_of(source), engine_of(target)
    try:
        await migrate(here)
        await migrate(there)
        async with here.execution_options(**_one_moment(source)).connect() as old, there.begin() as new:
            await _must_be_empty(new)
            total = 0
            for table in every_table().sorted_tables:
                moved = Moved(table.name, await _copy(table, old, new))
                tell(moved)
                total += moved.rows
            await _count_on(new)
            return total
    except (SQLAlchemyError, OSError) as error:
        raise ConfigError(f"database: {in_words(error)}") from error
    finally:
        await here.dispose()
        await there.dispose()


def _must_be_there(source: URL) -> None:
    """SQLite would make a new one."""
    if source.get_backend_name() == "sqlite" and not Path(source.database or "").is_file():
        raise ConfigError(f"database: {source.database}: there is no such file")


def _one_moment(source: URL) -> dict[str, Any]:
    """SQLite's readers see one moment by themselves, from when they began to read."""
    return {READING: True} | ({"isolation_level": "REPEATABLE READ"} if _is_postgres(source) else {})


def _is_postgres(url: URL) -> bool:
    return url.get_backend_name() == "postgresql"


async def _must_be_empty(new: AsyncConnection) -> None:
    for table in every_table().sorted_tables:
        if await new.scalar(select(func.count()).select_from(table)):
            raise ConfigError(f"the target is not empty: there are rows in {table.name} already; nothing was changed")


async def _copy(table: Table, old: AsyncConnection, new: AsyncConnection) -> int:
    there_are, copied = await old.scalar(select(func.count()).select_from(table)), 0
    async with old.stream(select(table).execution_options(yield_per=BATCH)) as rows:
        async for part in rows.mappings().partitions(BATCH):
            await new.execute(table.insert(), [dict(row) for row in part])
            copied += len(part)
    arrived = await new.scalar(select(func.count()).select_from(table))
    if not there_are == copied == arrived:
        raise ConfigError(f"{table.name}: {there_are} rows here, {arrived} there: does a desk still write? Not moved")
    return copied


async def _count_on(new: AsyncConnection) -> None:
    """PostgreSQL numbers new rows by sequences, which know nothing of rows that came with their numbers."""
    if new.dialect.name != "postgresql":
        return
    for table in every_table().sorted_tables:
        for column in table.primary_key:
            if column is table.autoincrement_column:
                highest = select(func.coalesce(func.max(column), 0) + 1).select_from(table).scalar_subquery()
                sequence = func.pg_get_serial_sequence(text(f"'{table.name}'"), text(f"'{column.name}'"))
                await new.execute(select(func.setval(sequence, highest, False)))
