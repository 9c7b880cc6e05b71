"""A fleet's past in PostgreSQL, made there by a few statements: 10 000 kiosks and a million sessions, with documents as
kiosks tell them. It takes minutes, so it is kept under build/ for the next time."""

from __future__ import annotations

import asyncio
import os
import re
import time

import msgspec
from msgspec.structs import replace

from benchmarks.desk_hold import a_document
from desk.config import Config
from desk.database import database_url, engine_of, migrate
from kiosk.session.record import Device, Person, Ticket
from kiosk.wire.messages import About, Health
from tests.contract.postgres_site import Postgres

SESSIONS = int(os.environ.get("DESK_PAST_SESSIONS", "1000000"))
KIOSKS = min(10_000, max(100, SESSIONS // 100))
STAFF = 500
NOW_S = 1_780_000_000
APART_S = 60
DATABASE = f"past-{SESSIONS}"
REASONS = (
    "The machine has stopped and shows error 4711", "Spindle makes a noise", "Tool change does not end",
    "Question about operation", "Coolant is leaking", "Door lock does not open", "Belt slips at start",
    "Sensor reports no part", "Hydraulic pressure drops", "Robot arm out of position", "Printer head blocked",
    "Conveyor stops after a minute",
)  # fmt: skip
NAMES = ("Max Otto", "Ida Lind", "Jonas Weber", "Mia Schulz", "Paul Krug", "Lea Brandt", "Tom Haas", "Nora Vogt")
STATES = ("REQUESTED", "CONFIRMED", "COMPLETED", "CANCELLED")
TOKENS = ("ID", "KIOSK", "DEVICE", "NUMBER", "STATE", "AT", "REASON", "NAME", "STAFF")


def kiosk_id(n: int) -> str:
    return f"kiosk-{n:05}"


def session_id(n: int) -> str:
    return f"s-{n:07}"


def ticket(n: int) -> str:
    return f"INC-{n:07}"


def make(postgres: Postgres) -> float:
    """Seconds that it took; 0 where it was there."""
    if postgres.sql(f"SELECT 1 FROM pg_database WHERE datname = '{DATABASE}'"):
        asyncio.run(_migrate(postgres))
        return 0.0
    began_s = time.monotonic()
    postgres.sql('CREATE DATABASE "making"')
    asyncio.run(_migrate(postgres, "making"))
    indexes = postgres.sql(
        "SELECT indexdef FROM pg_indexes WHERE tablename IN ('sessions', 'session_people') "
        "AND indexname NOT LIKE '%pkey'",
        "making",
    ).splitlines()
    for name in (re.search(r"INDEX (\S+)", line) for line in indexes):
        assert name
        postgres.sql(f"DROP INDEX {name[1]}", "making")
    for statement in (_kiosks(), _sessions(), _people(), *indexes, "VACUUM ANALYZE"):
        postgres.sql(statement, "making", limit_s=1200)
    postgres.sql(f'ALTER DATABASE making RENAME TO "{DATABASE}"')
    return time.monotonic() - began_s


async def _migrate(postgres: Postgres, name: str = DATABASE) -> None:
    engine = engine_of(database_url(Config(database=postgres.url(name))))
    await migrate(engine)
    await engine.dispose()


def _kiosks() -> str:
    about = msgspec.json.encode(About(Device("@DEVICE@", "Press @NUMBER@"), "1.4.0", "Raspberry Pi 5")).decode()
    health = msgspec.json.encode(Health(86_400.0, {"camera": "ok", "broker": "ok", "disk": "ok"})).decode()
    return f"""
        INSERT INTO kiosks (id, device_id, device_name, online, boot, connection, old_boots, about, health, changed_s,
            healthy_s, provider, search)
        SELECT 'kiosk-' || k, 'press-' || k, 'Press ' || n, n % 50 <> 0, 'boot-1', 1, '',
            convert_to(replace(replace('{about}', '@DEVICE@', 'press-' || k), '@NUMBER@', n::text), 'UTF8'),
            convert_to('{health}', 'UTF8'), {NOW_S}, {NOW_S}, 'Service ' || n % 20,
            'kiosk-' || k || E'\\n' || 'press-' || k || E'\\n' || 'press ' || n
        FROM (SELECT n, lpad(n::text, 5, '0') AS k FROM generate_series(0, {KIOSKS - 1}) n) numbers"""


def _sessions() -> str:
    names, reasons, states = (_array(words) for words in (NAMES, REASONS, STATES))
    replaced = "d.document"
    for token in TOKENS:
        replaced = f"replace({replaced}, '@{token}@', {token.lower()}_)"
    return f"""
        INSERT INTO sessions (id, kiosk, device_id, epoch, rev, old_epochs, state, document, created_s, updated_s,
            search)
        SELECT id_, kiosk_, device_, 'e-1', 9, '', state_, convert_to({replaced}, 'UTF8'), at_s, at_s + 900,
            lower(concat_ws(E'\\n', 'press ' || n % {KIOSKS}, device_, reason_, name_, '', id_, 'INC-' || number_,
                'Spindle stands still', 'Staff ' || staff_))
        FROM (
            SELECT n, 's-' || lpad(n::text, 7, '0') AS id_, 'kiosk-' || lpad((n % {KIOSKS})::text, 5, '0') AS kiosk_,
                'press-' || lpad((n % {KIOSKS})::text, 5, '0') AS device_, lpad(n::text, 7, '0') AS number_,
                CASE WHEN n % 1000 < 8 THEN ({states})[1 + (n % 4)::int] ELSE 'CLOSED' END AS state_,
                {NOW_S} - {APART_S} * ({SESSIONS} - n) AS at_s,
                to_char(to_timestamp({NOW_S} - {APART_S} * ({SESSIONS} - n)) AT TIME ZONE 'UTC',
                    'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS at_,
                ({reasons})[1 + ((n * 7919 / 13) % {len(REASONS)})::int] AS reason_,
                ({names})[1 + ((n * 104729 / 17) % {len(NAMES)})::int] AS name_,
                lpad((n * 31 % {STAFF})::text, 3, '0') AS staff_
            FROM generate_series(0::bigint, {SESSIONS - 1}) n
        ) numbers, (SELECT '{_document()}'::text AS document) d"""


def _people() -> str:
    """Of each session one; Anna, who signs in here, of every fiftieth as well."""
    at_s = f"{NOW_S} - {APART_S} * ({SESSIONS} - n)"
    return f"""
        INSERT INTO session_people (session, person, assigned, created_s)
        SELECT 's-' || lpad(n::text, 7, '0'), 'p-' || lpad((n * 31 % {STAFF})::text, 3, '0'), true, {at_s}
        FROM generate_series(0::bigint, {SESSIONS - 1}) n
        UNION ALL
        SELECT 's-' || lpad(n::text, 7, '0'), 'anna', true, {at_s}
        FROM generate_series(0::bigint, {SESSIONS - 1}, 50) n"""


def _document() -> str:
    told = a_document(0, 9)
    staff = (Person("p-@STAFF@", "Staff @STAFF@"),)
    tickets = (Ticket("INC-@NUMBER@", "Spindle stands still", "https://tickets.example/INC-@NUMBER@"),)
    device = Device("@DEVICE@", "Press @KIOSK@")
    told = replace(told, id="@ID@", kiosk="@KIOSK@", device=device, reason="@REASON@", requester="@NAME@")
    told = replace(told, tickets=tickets, asked=staff, assigned=staff, created_at="@AT@")
    text = msgspec.json.encode(told).decode().replace('"state":"CLOSED"', '"state":"@STATE@"')
    return text.replace("'", "''")


def _array(words: tuple[str, ...]) -> str:
    return "ARRAY[" + ", ".join(f"'{word}'" for word in words) + "]"
