"""The power goes, at any instant: the book is in the state last told or the next, and its files are whole."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from kiosk.disk import sync_folder, write_through
from kiosk.session import inputs as do
from kiosk.session.record import CODE_USER
from tests.contract.book_life import BOOK, Life, check, live, open_book
from tests.contract.power_cut import How, recorded

INPUTS = 200
RANDOM_CUTS = 600


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Life:
    return asyncio.run(live(tmp_path_factory.mktemp("life"), INPUTS, random.Random(7)))


async def test_killed_after_any_step_the_book_is_in_the_state_last_told_or_the_next(life: Life, tmp_path: Path) -> None:
    for after in range(len(life.disk.steps) + 1):
        await cut(life, tmp_path, after, "killed", random.Random(after))


@pytest.mark.parametrize("how", ["journal", "any"])
async def test_a_power_cut_at_any_instant_loses_and_doubles_nothing(life: Life, tmp_path: Path, how: How) -> None:
    luck = random.Random(11)
    for _ in range(RANDOM_CUTS):
        await cut(life, tmp_path, luck.randint(0, len(life.disk.steps)), how, luck)


async def cut(life: Life, tmp_path: Path, after: int, how: How, luck: random.Random) -> None:
    folder = tmp_path / f"{how}-{after}-{luck.getrandbits(64):x}"
    folder.mkdir()
    try:
        await check(life, folder, after, how, luck)
    except Exception as error:
        error.add_note(f"cut off after step {after} of {len(life.disk.steps)} ({how}); see {folder}")
        raise


@pytest.mark.parametrize("how", ["killed", "journal"])
async def test_while_a_damaged_book_is_set_aside_the_power_may_go_at_any_instant(tmp_path: Path, how: How) -> None:
    root = tmp_path / "life"
    root.mkdir()
    zeros = bytes(300)
    with recorded(root) as disk:
        book = await open_book(root)
        before = await book.put(None, do.Request(), CODE_USER)
        await book.close()
        for name in (BOOK, f"{BOOK}.previous"):
            write_through(root / name, zeros)
        sync_folder(root)
        damaged = len(disk.steps)
        book = await open_book(root)
        request = await book.put(None, do.Request(), CODE_USER)
        told = len(disk.steps)
        await book.close()
    for after in range(damaged, len(disk.steps) + 1):
        folder = tmp_path / f"{how}-{after}"
        folder.mkdir()
        disk.leave(after, folder, how, random.Random(after))
        again = await open_book(folder)
        assert again.begun_anew, "a restart says it as well"
        assert again.epoch != before.epoch
        assert set(again.sessions) <= {request.id}
        assert after < told or again.sessions
        assert any(p.read_bytes() == zeros for p in folder.glob(f"{BOOK}*damaged*")), "kept"
        await again.close()
