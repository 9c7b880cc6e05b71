"""Many rows by one statement, on both kinds of database."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import select

from desk.config import Config
from desk.database import database_url
from desk.sessions.many import Many, among
from desk.sessions.store import Store, open_store
from desk.tables import KioskRow, NonceRow

NONCES = Many(NonceRow, "nonce", ("expires_s",))
KIOSKS = Many(KioskRow, "id", ("search", "about", "connection"), keep=True)


@pytest.fixture
async def store(database: str) -> AsyncIterator[Store]:
    store = await open_store(database_url(Config(database=database)))
    yield store
    await store.close()


async def nonces(store: Store) -> dict[str, int]:
    async with store.transactions.read() as db:
        return {row.nonce: row.expires_s for row in await db.scalars(select(NonceRow))}


async def test_only_those_that_were_not_there_are_put_there_and_named(store: Store) -> None:
    async with store.transactions.begin() as db:
        assert await NONCES.insert(db, []) == []
        assert await NONCES.insert(db, [{"nonce": "n-1", "expires_s": 1}]) == ["n-1"]
        rows = [{"nonce": f"n-{n}", "expires_s": 2} for n in range(600)]
        assert sorted(await NONCES.insert(db, rows)) == sorted(f"n-{n}" for n in range(600) if n != 1)
        assert await NONCES.insert(db, rows) == []
    assert (await nonces(store))["n-1"] == 1


async def test_those_that_are_put_there_replace_what_was(store: Store) -> None:
    async with store.transactions.begin() as db:
        await NONCES.put(db, [{"nonce": "n-1", "expires_s": 1}])
        await NONCES.put(db, [{"nonce": "n-2", "expires_s": 2}, {"nonce": "n-1", "expires_s": 3}])
        await NONCES.put(db, [])
    assert await nonces(store) == {"n-1": 3, "n-2": 2}


async def test_an_update_changes_those_that_are_there_and_leaves_what_it_brings_nothing_of(store: Store) -> None:
    async with store.transactions.begin() as db:
        rows = [{"id": f"k-{n}", "search": "s", "about": None, "connection": 7} for n in range(3)]
        assert len(await KIOSKS.insert(db, rows)) == 3
        changed = {"search": None, "about": b"{}", "connection": None}
        await KIOSKS.update(db, [{"id": "k-1", **changed}, {"id": "k-9", **changed}])
        await KIOSKS.update(db, [{"id": "k-2", "search": "Ä", "about": None, "connection": 0}])
        await KIOSKS.update(db, [])
    async with store.transactions.read() as db:
        found = (await db.scalars(select(KioskRow).order_by(KioskRow.id))).all()
    assert [(k.id, k.search, k.about, k.connection) for k in found] == [
        ("k-0", "s", None, 7),
        ("k-1", "s", b"{}", 7),
        ("k-2", "Ä", None, 0),
    ]
    assert [(k.provider, k.healthy_s) for k in found] == [("", 0.0)] * 3, "what is not named is as for any new row"


async def test_those_among_many_are_found(store: Store) -> None:
    async with store.transactions.begin() as db:
        await NONCES.insert(db, [{"nonce": f"n-{n}", "expires_s": n} for n in range(20)])
        for wanted, count in (([], 0), (["n-1"], 1), ([f"n-{n}" for n in range(10, 1000)], 10)):
            found = await db.scalars(select(NonceRow).where(among(db, NonceRow.nonce, wanted)))
            assert len(found.all()) == count
