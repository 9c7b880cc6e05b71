"""A generation on disk: whole or not believed, and one whole one there at every instant."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from kiosk.book import storage
from kiosk.book.storage import CrashSafeStorage, Tables
from kiosk.book.store import Settled, Store
from kiosk.errors import StoreTrouble


def tables(n: int) -> Tables:
    return {"meta": {"1": {"n": n, "text": "x" * 200}}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Three generations were written there."""
    path = tmp_path / "book.json"
    store = CrashSafeStorage(path)
    for n in (1, 2, 3):
        store.read()
        store.write(tables(n))
    return path


def previous_of(path: Path) -> Path:
    return path.with_name("book.json.previous")


def beside(path: Path) -> Path:
    return path.with_name("book.json.new")


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "torn": lambda data: data[: len(data) // 2],
    "without its last byte": lambda data: data[:-1],
    "zeros": lambda data: bytes(len(data)),
    "zeros at the end": lambda data: data[:100] + bytes(len(data) - 100),
    "one bit turned": lambda data: data[:150] + bytes([data[150] ^ 1]) + data[151:],
    "not text": lambda data: b"\xff" * len(data),
    "something else": lambda data: b'{"meta": {}}',
    "null": lambda data: b"null",
}


def damage(path: Path, kind: str) -> None:
    data = path.read_bytes()
    path.unlink()  # a new file: the other generation is not to be hurt with it
    path.write_bytes(DAMAGE[kind](data))


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_file_is_not_believed_and_the_one_before_stands_in(path: Path, kind: str) -> None:
    damage(path, kind)
    again = CrashSafeStorage(path)
    assert again.read() == tables(2)
    assert again.fell_back


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_file_before_hurts_nobody(path: Path, kind: str) -> None:
    damage(previous_of(path), kind)
    again = CrashSafeStorage(path)
    assert again.read() == tables(3)
    assert not again.fell_back
    again.write(tables(4))
    assert CrashSafeStorage(path).read() == tables(4)


@pytest.mark.parametrize("kind", DAMAGE)
def test_where_neither_is_whole_nothing_is_silently_begun_anew(path: Path, kind: str) -> None:
    for file in (path, previous_of(path)):
        damage(file, kind)
    with pytest.raises(StoreTrouble):
        CrashSafeStorage(path).read()


def test_a_damaged_file_never_takes_the_place_of_the_good_one_before(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damage(path, "torn")
    again = CrashSafeStorage(path)
    again.read()
    with monkeypatch.context() as broken:
        broken.setattr(os, "replace", failing(errno.EIO))
        with pytest.raises(StoreTrouble):
            again.write(tables(4))
    assert CrashSafeStorage(path).read() == tables(2)


def test_two_whole_generations_are_there_at_every_instant(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever of the files then turns out to be damaged."""
    store = CrashSafeStorage(path)
    store.read()
    seen = []
    for name in ("replace", "link", "unlink", "fsync"):
        real = getattr(os, name)

        def look(*args: object, real: object = real) -> None:
            assert callable(real)
            real(*args)
            files = {p.stat().st_ino: p for p in path.parent.iterdir()}.values()
            seen.append(sum(storage._read(p) is not None for p in files))

        monkeypatch.setattr(os, name, look)
    store.write(tables(4))
    assert len(seen) >= 4
    assert min(seen) >= 2


def test_what_was_whole_beside_the_damaged_file_is_the_newest(path: Path) -> None:
    newest = path.read_bytes()
    damage(path, "zeros")
    beside(path).write_bytes(newest)
    again = CrashSafeStorage(path)
    assert again.read() == tables(3)
    assert path.read_bytes() == newest, "in its place, before the next is written in its own"


def test_a_half_written_file_beside_is_not_looked_at(path: Path) -> None:
    beside(path).write_bytes(b'{"number":4,')
    again = CrashSafeStorage(path)
    assert again.read() == tables(3)
    assert not again.fell_back


@pytest.mark.parametrize("name", ["fsync", "replace", "link"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_what_is_refused_by_the_disk_is_found_by_no_restart(
    path: Path, monkeypatch: pytest.MonkeyPatch, name: str, code: int
) -> None:
    store = CrashSafeStorage(path)
    store.read()
    with monkeypatch.context() as broken:
        broken.setattr(os, name, failing(code))
        with pytest.raises(StoreTrouble):
            store.write(tables(4))
    assert CrashSafeStorage(path).read() == tables(3)
    store.write(tables(5))
    assert CrashSafeStorage(path).read() == tables(5)


def test_a_folder_that_cannot_be_synced_takes_the_change_back(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = CrashSafeStorage(path)
    store.read()
    with monkeypatch.context() as broken:
        broken.setattr(storage, "sync_folder", failing(errno.EIO))
        with pytest.raises(StoreTrouble):
            store.write(tables(4))
    assert CrashSafeStorage(path).read() == tables(3), "told refused, and not there"


def test_a_store_that_was_refused_a_write_closes_without_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path / "book.json")
    epoch = store.load().epoch
    before = (tmp_path / "book.json").read_bytes()
    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", failing(errno.ENOSPC))
        store.settle("s-1", Settled(3, 0.0))
        assert "No space left" in store.trouble
        store.close()
    assert (tmp_path / "book.json").read_bytes() == before
    assert Store(tmp_path / "book.json").load().epoch == epoch


def test_what_a_store_was_refused_is_written_when_the_disk_takes_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / "book.json")
    store.load()
    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", failing(errno.EROFS))
        store.settle("s-1", Settled(3, 0.0))
    assert not Store(tmp_path / "book.json").load().settled
    store.try_again()
    assert not store.trouble
    assert Store(tmp_path / "book.json").load().settled == {"s-1": Settled(3, 0.0)}


def test_two_writes_never_overlap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A waiter that was cancelled leaves its write behind in a thread; closing waits for it."""
    store = Store(tmp_path / "book.json")
    store.load()
    under_way, go_on = threading.Event(), threading.Event()
    real = CrashSafeStorage.write

    def slow(self: CrashSafeStorage, data: Tables) -> None:
        under_way.set()
        assert go_on.wait(10)
        real(self, data)

    monkeypatch.setattr(CrashSafeStorage, "write", slow)
    saving = threading.Thread(target=store.settle, args=("s-1", Settled(3, 0.0)))
    closing = threading.Thread(target=store.close)
    saving.start()
    assert under_way.wait(10)
    closing.start()
    closing.join(0.05)
    assert closing.is_alive()
    go_on.set()
    saving.join()
    closing.join()
    assert Store(tmp_path / "book.json").load().settled == {"s-1": Settled(3, 0.0)}


def failing(code: int) -> object:
    def fail(*_args: object) -> None:
        raise OSError(code, os.strerror(code))

    return fail
