"""How fast one desk takes in what a fleet tells: it starts, and everything that kiosks hold is told to it at once.
First the mix that it really is (desk_mix); then session documents alone, the dearest of it: all new, and a later
revision of each. The bar of 5000 messages per second is held against each of the three.

Each message comes by QoS 1 from a real Mosquitto and is committed by a PostgreSQL with fsync; the desk acknowledges it
to the broker, and receipts a document to its kiosk, after that. Documents are counted by the time of their
transactions. The rival commits the same documents one by one: INSERT … ON CONFLICT, by asyncpg.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]  # ships no types

from benchmarks import desk_mix
from benchmarks.desk_hold import Taken, Watch, a_document, hold
from benchmarks.desk_site import BenchSite, bench_site
from kiosk.wire.codec import encode
from kiosk.wire.messages import SessionTold
from tests.contract.postgres_site import Postgres

DOCUMENTS = 30_000
RIVAL = 2_000


@dataclass(frozen=True, slots=True)
class Ingest:
    """mix: all that a fleet holds. rival: documents per second."""

    mix: Taken
    new: Taken
    changed: Taken
    rival: float


async def measure(folder: Path, postgres: Postgres) -> Ingest:
    async with _empty(folder / "mix", postgres) as site:
        mix = await desk_mix.measure(site)
    async with _empty(folder / "documents", postgres) as site:
        new = await _catch_up(site, 1)
        changed = await _catch_up(site, 2)
    return Ingest(mix, new, changed, await _rival(postgres))


@contextlib.asynccontextmanager
async def _empty(folder: Path, postgres: Postgres) -> AsyncIterator[BenchSite]:
    """A desk that has never heard of a kiosk, not running."""
    postgres.sql("DROP DATABASE IF EXISTS ingest")
    postgres.sql("CREATE DATABASE ingest")
    async with bench_site(folder, postgres.url("ingest")) as site:
        await site.start()  # the tables are there
        await site.stop()
        yield site


async def _catch_up(site: BenchSite, rev: int) -> Taken:
    await hold(site, _all(rev))
    database: asyncpg.Connection = await asyncpg.connect(site.database)
    try:
        await site.start()
        watch = Watch(site, DOCUMENTS)
        while await database.fetchval("SELECT count(*) FROM sessions WHERE rev = $1", rev) < DOCUMENTS:
            watch.check()
            await asyncio.sleep(0.1)
        return watch.end(*await database.fetchrow("SELECT min(updated_s), max(updated_s) FROM sessions"))
    finally:
        await site.stop()
        await database.close()


def _all(rev: int) -> Iterator[tuple[str, bytes]]:
    for n in range(DOCUMENTS):
        told = a_document(n, rev)
        yield f"kiosk/1/{told.kiosk}/up/session/{told.id}", encode(SessionTold(told))


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
