"""The database behind desk.sessions.store: SQLite or PostgreSQL, brought to the newest revision before anybody uses it.

Several desks may start at once on one database: whoever holds the lock migrates, the others find it done.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from functools import partial
from pathlib import Path
from typing import Any

import aiosqlite
import asyncpg  # type: ignore[import-untyped]  # ships no types
from alembic import command
from alembic.config import Config as Alembic
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import event, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from desk.config import Config, Database
from desk.tables import Base
from kiosk.errors import ConfigError
from kiosk.settings import read_secret

READING = "desk_reading"
"""Marks transactions that only read."""

MIGRATING = 0x6465736B
"""PostgreSQL's advisory lock that is ours ("desk")."""

BUSY_S = 10
"""So long is another desk waited for that writes to the same SQLite."""

DRIVERS = {"postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg", "sqlite": "sqlite+aiosqlite"}
REVISIONS = Path(__file__).parent / "migrations"


def database_url(config: Config) -> URL:
    """With the password, which is in no settings file.

    Raises:
        ConfigError: that is no address, it holds a password, or the password's file cannot be read.
    """
    given = config.database
    place = given.url if isinstance(given, Database) else given
    if "://" not in place:
        return make_url(f"sqlite+aiosqlite:///{place or Path(config.data) / 'desk.sqlite'}")
    try:
        url = make_url(place)
    except (ArgumentError, ValueError) as error:
        raise ConfigError("database: not an address: postgresql://user@host/name is one") from error
    driver = DRIVERS.get(url.drivername, url.drivername)
    if driver not in DRIVERS.values():
        raise ConfigError(f"database: {url.drivername}: only SQLite and PostgreSQL are known")
    if url.password is not None:
        raise ConfigError("database: the password belongs into a file of its own (database.password_file)")
    secret = read_secret(given.password_file) if isinstance(given, Database) else ""
    url = url.set(drivername=driver)
    return url.set(password=secret) if secret else url


def engine_of(url: str | URL) -> AsyncEngine:
    """For either kind of database. Nothing is connected to yet; SQLite's file is made.

    Raises:
        ConfigError: there can be no file.
    """
    place = make_url(url)
    if place.get_backend_name() != "sqlite":
        engine = create_async_engine(place, pool_pre_ping=True)
        event.listen(engine.sync_engine, "do_connect", _connect)
        return engine
    if place.database:
        _make_file(Path(place.database))
    engine = create_async_engine(place)
    event.listen(engine.sync_engine, "connect", _set_up_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _make_file(path: Path) -> None:
    """For its owner only. One that is there keeps its rights."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise ConfigError(f"database: {path}: {error.strerror}") from error


async def migrate(engine: AsyncEngine) -> tuple[str, str]:
    """(revision before, revision now), all or nothing; an empty one before is a database that had none.

    Raises:
        ConfigError: the database is of a newer desk, or cannot be reached or changed.
    """
    try:
        async with engine.begin() as db:
            return await db.run_sync(_migrate)
    except CommandError as error:
        raise ConfigError(f"database: {error} - it was made by a newer desk") from error
    except (SQLAlchemyError, OSError) as error:
        raise ConfigError(f"database: {engine.url.render_as_string()}: {in_words(error)}") from error


def newest_revision() -> str:
    return ScriptDirectory.from_config(_alembic()).get_current_head() or ""


def _migrate(connection: Connection) -> tuple[str, str]:
    """SQLite's lock is the transaction itself (BEGIN IMMEDIATE)."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATING})
    before = MigrationContext.configure(connection).get_current_revision() or ""
    settings = _alembic()
    settings.attributes["connection"] = connection
    command.upgrade(settings, "head")
    return before, newest_revision()


def _alembic() -> Alembic:
    settings = Alembic()
    settings.set_main_option("script_location", str(REVISIONS).replace("%", "%%"))
    settings.set_main_option("path_separator", "os")
    return settings


def in_words(error: BaseException) -> str:
    """Without the statement and its values: they may be somebody's."""
    return str(getattr(error, "orig", None) or error).splitlines()[0][:300]


class Transactions:
    """`async with transactions.begin() as db` writes, `.read()` only reads; each is one transaction."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.begin = async_sessionmaker(engine, expire_on_commit=False).begin
        self.read = async_sessionmaker(engine.execution_options(**{READING: True}), expire_on_commit=False).begin


async def insert_missing(db: AsyncSession, table: type[Base], **values: Any) -> bool:
    """Whether it was put there; a row with this key that is there already stays as it is. Two desks may try at once:
    the second waits for the first to commit."""
    if db.get_bind().dialect.name == "postgresql":
        done = await db.execute(postgresql.insert(table).values(**values).on_conflict_do_nothing())
    else:
        done = await db.execute(sqlite.insert(table).values(**values).on_conflict_do_nothing())
    return bool(getattr(done, "rowcount", 0))


def _connect(dialect: Any, _record: Any, arguments: Any, named: Any) -> Any:
    """A server that is away or just starting is trouble of the database like any other: asyncpg's own errors of that
    moment are none of SQLAlchemy's, and would end tasks that wait for those."""
    try:
        return dialect.connect(*arguments, **named)
    except (OSError, asyncpg.PostgresError) as error:
        raise dialect.loaded_dbapi.OperationalError(str(error)) from error


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    """FULL: what was receipted must survive a power cut, because the kiosk lets go of it."""
    connection.isolation_level = None  # transactions begin where _begin_sqlite says
    for pragma in (f"busy_timeout={1000 * BUSY_S}", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.run_async(partial(_insist, f"PRAGMA {pragma}"))


async def _insist(statement: str, connection: aiosqlite.Connection) -> None:
    """To begin a write-ahead log where another desk is just doing so is refused at once, and not waited for."""
    until_s = time.monotonic() + BUSY_S
    while True:
        try:
            await connection.execute(statement)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= until_s:
                raise
            await asyncio.sleep(0.05)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    """Who will write takes the lock at once and waits for it; a reader that turns into a writer would be thrown out."""
    reading = connection.get_execution_options().get(READING, False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
