"""How fast one desk takes in what a fleet tells: it starts, and everything that kiosks hold is told to it at once.

Each session document comes by QoS 1 from a real Mosquitto and is committed by a PostgreSQL with fsync; the desk
acknowledges it to the broker, and receipts it to its kiosk, after that. Counted is what is committed, by the time of
its transaction. The rival commits the same documents one by one: INSERT … ON CONFLICT, by asyncpg.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]  # ships no types

from benchmarks.desk_site import LOADER, BenchSite, bench_site
from kiosk.session.record import CODE_USER, Actor, Call, Change, Device, Person, Session, Ticket
from kiosk.session.states import Event, Role, State
from kiosk.wire.codec import encode
from kiosk.wire.messages import SessionTold
from tests.contract.postgres_site import Postgres

DOCUMENTS = 30_000
RIVAL = 2_000
KIOSKS = 400
PER_STEP = 250
LAST = f"kiosk/1/{LOADER}/down/command"
AT = "2026-03-01T10:00:00.000Z"


@dataclass(frozen=True, slots=True)
class Ingest:
    """Messages per second, committed; `load`: the share of a core that the desk's process took meanwhile."""

    new: float
    changed: float
    load: float
    rival: float


def a_document(n: int, rev: int) -> Session:
    """As most of those are that kiosks still hold: a call was on, the session is over."""
    anna = Person(f"p-{n % 50:03}", "Anna Berg")
    staff = Actor(Role.STAFF, anna.id, anna.name)
    steps = (
        (CODE_USER, Event.REQUEST, None, State.REQUESTED),
        (staff, Event.CONFIRM, State.REQUESTED, State.CONFIRMED),
        (staff, Event.START, State.CONFIRMED, State.RUNNING),
        (staff, Event.END, State.RUNNING, State.COMPLETED),
        (staff, Event.CLOSE, State.COMPLETED, State.CLOSED),
    )
    return Session(
        id=f"s-{n:07}",
        epoch="e-1",
        rev=rev,
        kiosk=f"kiosk-{n % KIOSKS:05}",
        device=Device(f"press-{n % KIOSKS:05}", f"Press {n % KIOSKS}"),
        state=State.CLOSED,
        origin="code_user",
        created_at=AT,
        reason="The machine has stopped and shows error 4711",
        requester="Max Otto",
        tickets=(Ticket(f"INC-{n:07}", "Spindle stands still", f"https://tickets.example/INC-{n:07}"),),
        asked=(anna,),
        assigned=(anna,),
        visibility="internal",
        calls=(Call(f"c-{n:07}", AT, AT, (anna,), {"duration_s": 312.0, "joins": 1.0}),),
        history=tuple(Change(AT, *step) for step in steps),
    )


async def measure(folder: Path, postgres: Postgres) -> Ingest:
    postgres.sql("DROP DATABASE IF EXISTS ingest")
    postgres.sql("CREATE DATABASE ingest")
    async with bench_site(folder, postgres.url("ingest")) as site:
        await site.start()  # the tables are there
        await site.stop()
        new, _ = await _catch_up(site, 1)
        changed, load = await _catch_up(site, 2)
    return Ingest(new, changed, load, await _rival(postgres))


async def _catch_up(site: BenchSite, rev: int) -> tuple[float, float]:
    """(messages per second, load)"""
    await _tell_all(site, rev)
    database: asyncpg.Connection = await asyncpg.connect(site.database)
    try:
        await site.start()
        began_s, cpu_s = time.monotonic(), site.cpu_s()
        while await database.fetchval("SELECT count(*) FROM sessions WHERE rev = $1", rev) < DOCUMENTS:
            assert time.monotonic() - began_s < 180, "it does not take them all"
            await asyncio.sleep(0.1)
        load = (site.cpu_s() - cpu_s) / (time.monotonic() - began_s)
        first_s, last_s = await database.fetchrow("SELECT min(updated_s), max(updated_s) FROM sessions")
        return DOCUMENTS / (last_s - first_s), load
    finally:
        await site.stop()
        await database.close()


async def _tell_all(site: BenchSite, rev: int) -> None:
    """Retained, as kiosks tell them."""
    async with site.loader() as client:
        await anext(client.connections())
        for n in range(DOCUMENTS):
            told = a_document(n, rev)
            topic = f"kiosk/1/{told.kiosk}/up/session/{told.id}"
            await client.publish(topic, encode(SessionTold(told)), retain=True)
            if n % PER_STEP == 0:
                await asyncio.sleep(0.03)
        await client.publish(LAST, b"{}")  # behind all of them: when it is back, the broker has them
        assert (await anext(client.messages())).topic == LAST


async def _rival(postgres: Postgres) -> float:
    database: asyncpg.Connection = await asyncpg.connect(postgres.url("ingest"))
    try:
        await database.execute("CREATE TABLE rival (id text PRIMARY KEY, rev bigint, document bytea)")
        began_s = time.monotonic()
        for n in range(RIVAL):
            await database.execute(
                "INSERT INTO rival VALUES ($1, $2, $3) ON CONFLICT (id) DO UPDATE SET rev = $2, document = $3",
                f"s-{n}",
                1,
                encode(a_document(n, 1)),
            )
        return RIVAL / (time.monotonic() - began_s)
    finally:
        await database.close()
