"""A whole database goes into another one, of either kind, or nothing of it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Boolean, Column, Float, Integer, LargeBinary, Table, select, text
from sqlalchemy.engine import URL, make_url
from typer.testing import CliRunner

from desk.cli import app
from desk.config import Config
from desk.database import database_url, engine_of, migrate
from desk.keeping.move import Moved, move
from desk.sessions.store import open_store
from desk.tables_all import every_table
from kiosk.errors import ConfigError
from tests.contract.postgres_site import Postgres

ROWS = 7


@pytest.fixture
def sqlite(tmp_path: Path) -> URL:
    return database_url(Config(database=str(tmp_path / "old.sqlite")))


@pytest.fixture
def empty_postgres(postgres: Postgres) -> Iterator[URL]:
    with postgres.database(f"move-{secrets.token_hex(4)}") as url:
        yield database_url(Config(database=url))


def a_value(column: Column[Any], n: int) -> Any:
    """One that fits the column; of a reference, the same as in the row that it refers to."""
    for key in column.foreign_keys:
        return a_value(key.column, n)
    if column.nullable and n % 3 == 0:
        return None
    plain = {Boolean: n % 2 == 0, LargeBinary: bytes([0, 255, n]), Float: n + 0.25, Integer: n}
    known = [value for kind, value in plain.items() if isinstance(column.type, kind)]
    return known[0] if known else f"{n}-{column.name}-ä"[: getattr(column.type, "length", None)]


async def fill(url: URL) -> None:
    """Rows in every table that there is."""
    engine = engine_of(url)
    await migrate(engine)
    async with engine.begin() as db:
        for table in every_table().sorted_tables:
            rows = [{c.name: a_value(c, n) for c in table.columns} for n in range(1, ROWS + 1)]
            await db.execute(table.insert(), rows)
    await engine.dispose()


async def rows_of(url: URL) -> dict[str, list[tuple[Any, ...]]]:
    engine = engine_of(url)
    async with engine.connect() as db:
        found = {table.name: await _rows(db, table) for table in every_table().sorted_tables}
    await engine.dispose()
    return found


async def _rows(db: Any, table: Table) -> list[tuple[Any, ...]]:
    return sorted((tuple(row) for row in await db.execute(select(table))), key=str)


async def test_everything_goes_to_postgresql_and_back_and_counting_goes_on(
    sqlite: URL, empty_postgres: URL, tmp_path: Path
) -> None:
    await fill(sqlite)
    before, told = await rows_of(sqlite), list[Moved]()
    total = await move(sqlite, empty_postgres, told.append)
    assert await rows_of(empty_postgres) == before
    assert {moved.table: moved.rows for moved in told} == dict.fromkeys(before, ROWS)
    assert total == ROWS * len(before)
    store = await open_store(empty_postgres)
    await store.audit("anna", "enter")
    assert len(await store.audited()) == ROWS + 1, "a new row has a number of its own"
    await store.close()
    again = make_url(f"sqlite+aiosqlite:///{tmp_path / 'again.sqlite'}")
    assert await move(empty_postgres, again) == total + 1
    assert {name: len(rows) for name, rows in (await rows_of(again)).items()}["audit"] == ROWS + 1


async def test_a_target_that_is_not_empty_is_left_as_it_is(sqlite: URL, empty_postgres: URL) -> None:
    await fill(sqlite)
    store = await open_store(empty_postgres)
    await store.audit("somebody", "enter")
    await store.close()
    with pytest.raises(ConfigError, match="not empty: there are rows in audit"):
        await move(sqlite, empty_postgres)
    assert [name for name, rows in (await rows_of(empty_postgres)).items() if rows] == ["audit"]


async def test_what_cannot_be_moved_whole_is_not_moved_at_all(sqlite: URL, empty_postgres: URL) -> None:
    """A row that PostgreSQL does not take, in the last table but one."""
    await fill(sqlite)
    engine = engine_of(sqlite)
    async with engine.begin() as db:
        await db.execute(text("UPDATE audit SET person = :long WHERE id = 3"), {"long": "x" * 60})
    await engine.dispose()
    with pytest.raises(ConfigError):
        await move(sqlite, empty_postgres)
    assert not [name for name, rows in (await rows_of(empty_postgres)).items() if rows]


async def test_there_must_be_something_to_move(tmp_path: Path, sqlite: URL) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        await move(sqlite, make_url(f"sqlite+aiosqlite:///{tmp_path / 'new.sqlite'}"))
    assert not (tmp_path / "old.sqlite").exists()
    await fill(sqlite)
    with pytest.raises(ConfigError, match="same"):
        await move(sqlite, sqlite)


def test_the_command_says_what_it_moved(tmp_path: Path, sqlite: URL, empty_postgres: URL) -> None:
    asyncio.run(fill(sqlite))
    plain = str(empty_postgres.set(drivername="postgresql"))
    done = CliRunner().invoke(app, ["move-data", "--from", str(tmp_path / "old.sqlite"), "--to", plain])
    assert done.exit_code == 0, done.output
    assert f"{ROWS}  sessions" in done.output
    again = CliRunner().invoke(app, ["move-data", "--from", str(tmp_path / "old.sqlite"), "--to", plain])
    assert (again.exit_code, "not empty" in again.output) == (1, True)
    wrong = CliRunner().invoke(app, ["move-data", "--from", "mysql://x/y", "--to", plain])
    assert (wrong.exit_code, "only SQLite and PostgreSQL" in wrong.output) == (1, True)
