"""What the desk remembers, on SQLite and on PostgreSQL alike; and how a database comes to the newest revision."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from msgspec.structs import replace
from sqlalchemy import text
from sqlalchemy.engine import URL, Connection
from sqlalchemy.exc import OperationalError
from typer.testing import CliRunner

from desk import database as db
from desk.cli import app
from desk.config import Config
from desk.database import database_url, engine_of, migrate, newest_revision
from desk.people import tables as tables_people
from desk.sessions.store import Store, StoredFile, Told, open_store
from desk.sessions.wanted import Wanted
from desk.tables import Base
from kiosk.demo.site import free_ports
from kiosk.errors import ConfigError
from kiosk.session.record import ArtifactKind, Device
from kiosk.session.states import State
from kiosk.wire.messages import About, Health, Presence
from tests.contract.desk_site import ANNA, BEN, KIOSK, a_session, next_rev

NOW = 1_772_000_000.0
BIG = 5 * 2**40
EARLIER_DESK = """
CREATE TABLE kiosks (id VARCHAR(40) NOT NULL, device_id VARCHAR(40) NOT NULL, device_name VARCHAR(200) NOT NULL,
  online BOOLEAN NOT NULL, boot VARCHAR(40) NOT NULL, connection INTEGER NOT NULL, old_boots TEXT NOT NULL, about BLOB,
  health BLOB, changed_s DOUBLE NOT NULL, PRIMARY KEY (id));
CREATE TABLE artifacts (session VARCHAR(40) NOT NULL, artifact VARCHAR(40) NOT NULL, sha256 VARCHAR(64) NOT NULL,
  bytes INTEGER NOT NULL, content_type VARCHAR(200) NOT NULL, path VARCHAR(200) NOT NULL, verified_s DOUBLE NOT NULL,
  PRIMARY KEY (session, artifact, sha256));
CREATE TABLE audit (id INTEGER NOT NULL, at_s DOUBLE NOT NULL, person VARCHAR(40) NOT NULL, what VARCHAR(100) NOT NULL,
  target VARCHAR(100) NOT NULL, outcome VARCHAR(100) NOT NULL, PRIMARY KEY (id));
INSERT INTO kiosks VALUES ('kiosk-1', 'press-7', 'Press 7', 1, 'b-1', 3, '', NULL, NULL, 5.0);
INSERT INTO artifacts VALUES ('s-1', 'a-1', 'aa', 3000000000, 'image/jpeg', 's-1/a-1', 5.0);
INSERT INTO audit VALUES (7, 5.0, 'anna', 'enter', '', '');
"""


@pytest.fixture
def url(database: str) -> URL:
    return database_url(Config(database=database))


@pytest.fixture
async def store(url: URL) -> AsyncIterator[Store]:
    store = await open_store(url, now=lambda: NOW)
    yield store
    await store.close()


async def test_a_desk_that_begins_while_another_writes_waits_for_it(tmp_path: Path) -> None:
    """Before there is a write-ahead log, SQLite refuses to begin one at once, whatever its time-out."""
    with contextlib.closing(sqlite3.connect(tmp_path / "desk.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        opening = asyncio.create_task(open_store(f"sqlite+aiosqlite:///{tmp_path}/desk.sqlite"))
        done, _ = await asyncio.wait({opening}, timeout=0.3)
        assert not done
        other.execute("COMMIT")
        store = await opening
        await store.close()


async def test_the_revisions_lead_to_the_tables_as_they_are_in_the_code(url: URL) -> None:
    engine = engine_of(url)
    assert await migrate(engine) == ("", newest_revision())
    assert await migrate(engine) == (newest_revision(), newest_revision())

    assert tables_people.AccountRow.metadata is Base.metadata

    def differences(connection: Connection) -> list[object]:
        options = {"include_name": lambda name, *_: name != "sessions_by_words"}  # of PostgreSQL alone
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata))

    async with engine.begin() as connection:
        found = await connection.run_sync(differences)
    await engine.dispose()
    assert found == []


async def test_the_revisions_lead_back_as_well(url: URL) -> None:
    engine = engine_of(url)
    await migrate(engine)

    def back(connection: Connection) -> None:
        settings = db._alembic()
        settings.attributes["connection"] = connection
        command.downgrade(settings, "base")

    async with engine.begin() as connection:
        await connection.run_sync(back)
    assert await migrate(engine) == ("", newest_revision())
    await engine.dispose()


async def test_desks_that_start_at_once_on_a_new_database_all_come_up(url: URL) -> None:
    stores = await asyncio.gather(*(open_store(url) for _ in range(4)))
    await asyncio.gather(*(store.audit("anna", "enter") for store in stores))
    assert len(await stores[0].audited()) == 4
    for store in stores:
        await store.close()


async def test_what_an_earlier_desk_made_without_revisions_is_taken_over_with_its_contents(tmp_path: Path) -> None:
    path = tmp_path / "desk.sqlite"
    with sqlite3.connect(path) as file:
        file.executescript(EARLIER_DESK)
    file.close()
    store = await open_store(f"sqlite+aiosqlite:///{path}", now=lambda: NOW)
    assert [kiosk.id for kiosk in (await store.kiosks())[0]] == ["kiosk-1"]
    kept = await store.file("s-1", "a-1", "aa")
    assert kept is not None
    assert kept.bytes == 3_000_000_000
    assert await store.take_session(a_session()) is Told.NEW, "tables that it did not have yet are there"
    await store.audit("ben", "enter")
    assert [person for person, *_ in await store.audited()] == ["anna", "ben"]
    await store.close()


async def test_the_database_of_a_newer_desk_is_left_alone(url: URL) -> None:
    engine = engine_of(url)
    await migrate(engine)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigError, match="newer desk"):
        await migrate(engine)
    await engine.dispose()


async def test_a_database_that_cannot_be_reached_is_said_so_without_its_password(tmp_path: Path) -> None:
    nobody = URL.create("postgresql+asyncpg", "desk", "hidden-words", "127.0.0.1", 1, "desk")
    (tmp_path / "a file").touch()
    places = [
        nobody,
        *(URL.create("sqlite+aiosqlite", database=str(tmp_path / p)) for p in (".", "a file/desk.sqlite")),
    ]
    for place in places:
        with pytest.raises(ConfigError) as error:
            await open_store(place)
        assert "database" in error.value.text
        assert "hidden" not in error.value.text


def test_the_command_migrates_and_says_what_it_did(database: str, tmp_path: Path) -> None:
    settings = tmp_path / "desk.toml"
    settings.write_text(f'data = "{tmp_path}"\ndatabase = "{database}"\n')
    first, second = (CliRunner().invoke(app, ["migrate", "--config", str(settings)]) for _ in range(2))
    assert first.output == f"database: at revision {newest_revision()} (before: none)\n"
    assert second.output == f"database: at revision {newest_revision()}\n"


async def test_of_two_desks_that_hear_the_same_session_one_takes_it(url: URL, store: Store) -> None:
    other = await open_store(url, now=lambda: NOW)
    for n in range(10):
        told = a_session(f"s-{n}")
        outcomes = await asyncio.gather(*(desk.take_session(told) for desk in (store, other, store, other)))
        assert sorted(o.value for o in outcomes) == ["known", "known", "known", "new"]
    assert len((await store.sessions(Wanted())).sessions) == 10
    await other.close()


async def test_only_what_is_newer_changes_a_session(store: Store) -> None:
    first = a_session()
    later = next_rev(first, state=State.CONFIRMED, assigned=(BEN,))
    assert await store.take_session(first) is Told.NEW
    assert await store.take_session(later) is Told.NEW
    assert await store.take_session(first) is Told.PAST
    assert await store.take_session(later) is Told.KNOWN
    assert await store.take_session(replace(later, kiosk="kiosk-2", rev=9)) is Told.FOREIGN
    restored = replace(first, epoch="e2")
    assert await store.take_session(restored) is Told.NEW
    assert await store.take_session(next_rev(later)) is Told.OLD
    assert await store.session("s-1") == restored


async def test_who_may_see_a_session_follows_each_revision(store: Store) -> None:
    await store.take_session(a_session())
    await store.take_session(next_rev(a_session(), asked=(), assigned=(BEN,)))
    assert not (await store.sessions(Wanted(seen_by=ANNA.id))).sessions
    assert len((await store.sessions(Wanted(seen_by=BEN.id))).sessions) == 1
    assert not (await store.sessions(Wanted(states=("RUNNING",)))).sessions
    assert len((await store.sessions(Wanted(states=("REQUESTED",), kiosk=KIOSK))).sessions) == 1


async def test_what_is_large_and_what_is_long_and_all_letters_are_kept(store: Store) -> None:
    file = StoredFile("s-1", "a-1", "f" * 64, BIG, "video/mp4; codecs=" + "x" * 300, "p" * 300)
    await store.add_file(file, ArtifactKind.SNAPSHOT)
    await store.add_file(replace_bytes(file), ArtifactKind.SNAPSHOT)
    assert await store.file("s-1", "a-1", "f" * 64) == file
    assert await store.files("s-1") == {("a-1", "f" * 64): file}
    name = "Hydraulikpresse Ä\u4e16\U0001f527" + "m" * 180
    await store.take_about(KIOSK, About(Device("press-7", name), "1", "pi"))
    await store.take_session(a_session(epoch="e" * 500, rev=2**31 - 1, reason="\U0001f527" * 2000))
    kiosk, session = await store.kiosk(KIOSK), await store.session("s-1")
    assert kiosk is not None
    assert kiosk.device is not None
    assert kiosk.device.name == name
    assert session is not None
    assert session.reason == "\U0001f527" * 2000


def replace_bytes(file: StoredFile) -> StoredFile:
    return StoredFile(file.session, file.artifact, file.sha256, 1, file.content_type, file.path)


async def test_a_postgresql_that_is_away_is_trouble_of_the_database_like_any_other() -> None:
    (port,) = free_ports(1)
    engine = engine_of(f"postgresql+asyncpg://desk@127.0.0.1:{port}/desk")
    with pytest.raises(OperationalError):
        await engine.connect()
    await engine.dispose()


async def test_a_late_will_and_a_known_presence_are_no_news(store: Store) -> None:
    assert await store.take_presence(KIOSK, Presence(True, "b-1", 1))
    assert not await store.take_presence(KIOSK, Presence(True, "b-1", 2))
    assert not await store.take_presence(KIOSK, Presence(False, "b-1", 1)), "the will of a former connection"
    assert not await store.take_presence(KIOSK, Presence(True, "b-2", 1))
    assert not await store.take_presence(KIOSK, Presence(False, "b-1", 9)), "of a former boot"
    assert await store.take_presence(KIOSK, Presence(False, "b-2", 1))
    assert await store.take_health(KIOSK, Health(1.0, {"camera": "ok"}))
    assert not await store.take_health(KIOSK, Health(2.0, {"camera": "ok"}))


async def test_two_desks_hear_of_a_kiosk_for_the_first_time_at_once(url: URL, store: Store) -> None:
    other = await open_store(url, now=lambda: NOW)
    for n in range(5):
        told = [desk.take_presence(f"kiosk-{n}", Presence(True, "b-1", 1)) for desk in (store, other, store, other)]
        assert sorted(await asyncio.gather(*told)) == [False, False, False, True]
    assert len((await store.kiosks())[0]) == 5
    await other.close()


async def test_a_nonce_is_used_once_whoever_comes_at_the_same_time(url: URL, store: Store) -> None:
    other = await open_store(url, now=lambda: NOW)
    used = [desk.use_nonce("n-1", int(NOW) + 60) for desk in (store, other) * 4]
    assert sum(await asyncio.gather(*used)) == 1
    assert await store.is_used("n-1")
    assert await store.use_nonce("n-2", 2**40)
    assert not await store.is_used("n-3")
    await other.close()


async def test_a_lost_session_is_shown_as_over_and_found_again(store: Store) -> None:
    await store.take_presence(KIOSK, Presence(True, "b-1", 1))
    await store.take_session(a_session())
    assert await store.take_held(KIOSK, Presence(True, "b-1", 1, n=1, held=())) == ["s-1"]
    lost = await store.session("s-1")
    assert lost is not None
    assert lost.state is State.CANCELLED
    assert [s.id for s in (await store.sessions(Wanted(states=("CANCELLED",)))).sessions] == ["s-1"]
    assert await store.take_held(KIOSK, Presence(True, "b-1", 1, n=2, held=("s-1",))) == ["s-1"]
    found = await store.session("s-1")
    assert found is not None
    assert found.state is State.REQUESTED
