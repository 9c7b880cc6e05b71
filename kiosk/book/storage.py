"""TinyDB on a disk that may lose power at any instruction, and may give back garbage.

A generation is written beside the file, fsynced, and put in its place in one step; the one before it is kept as
`.previous`. Each carries its number and a SHA-256, so that what was torn, zero-filled or has rotted is not believed.
At every instant two whole generations lie there: in place and before, or beside and in place.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from tinydb.storages import Storage

from kiosk.disk import make_folder, sync_folder, write_through
from kiosk.errors import StoreTrouble

log = logging.getLogger(__name__)

Tables = dict[str, dict[str, Any]]

KEPT_ASIDE = 3
"""So many damaged books are kept for whoever may read something out of them yet."""


class _Generation(Struct):
    number: int
    sha256: str  # of number and tables, as they are written
    tables: msgspec.Raw


class CrashSafeStorage(Storage):
    """Blocking; one thread at a time.

    fell_back: the newest generation was damaged and another stands in for it. Revisions told since then may come again
    with another content: whoever counts them needs a new epoch.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._beside = path.with_name(path.name + ".new")
        self._previous = path.with_name(path.name + ".previous")
        self._number = 0
        self._whole = False  # the file in place can be read: only then may it take the place of `.previous`
        self._counts = True  # what lies there; not where it is to be set aside
        self.fell_back = False

    def read(self) -> Tables | None:
        """The newest whole generation; None where there is none yet.

        Raises:
            StoreTrouble: there are files, but none of them is whole.
        """
        if not self._counts:
            return None
        in_place = _read(self._path)
        if in_place is not None:
            self._number, tables = in_place
            self._whole = True
            return tables
        found = self._stand_in()
        if found is not None:
            self._number, tables = found
            self.fell_back = True
            log.error("%s is damaged or missing; generation %d stands in", self._path.name, self._number)
            return tables
        if self._path.exists() or self._previous.exists():
            raise StoreTrouble(f"no whole copy of {self._path.name} can be read")
        return None

    def write(self, data: Tables) -> None:
        """Raises StoreTrouble; the generation before is then still in force."""
        try:
            make_folder(self._path.parent)
            if not self._counts:
                self._set_aside()
            write_through(self._beside, _encode(self._number + 1, data))
            self._keep_previous()
            self._beside.replace(self._path)
        except OSError as error:
            with contextlib.suppress(OSError):  # refused: it must not stand in for anything later
                self._beside.unlink(missing_ok=True)
            raise StoreTrouble(f"{self._path.name} cannot be written: {error.strerror}") from error
        try:
            sync_folder(self._path.parent)
        except OSError as error:
            self._take_back()
            raise StoreTrouble(f"{self._path.name} may not be on disk: {error.strerror}") from error
        self._number += 1
        self._whole = True

    def begin_anew(self) -> None:
        """What lies there counts no more. It is set aside, and kept, with the next write: not before, since the disk
        may take nothing now."""
        self._counts, self._whole, self.fell_back, self._number = False, False, False, 0

    @property
    def aside(self) -> list[str]:
        """The names of what was set aside, or is to be; the newest last."""
        due = [] if self._counts else [p.name for p in (self._path, self._previous) if p.exists()]
        return [p.name for n in self._numbers_aside() for p in self._aside(n) if p.exists()] + due

    def _set_aside(self) -> None:
        """Under the next number, KEPT_ASIDE of them. Raises OSError; what is not moved yet counts no more all the same.

        A power cut in between leaves files that are understood no better, and are set aside at the next start.
        """
        numbers = self._numbers_aside()
        number = max(numbers, default=0) + 1
        for path, aside in zip((self._path, self._previous), self._aside(number), strict=True):
            if path.exists():
                path.replace(aside)
        self._beside.unlink(missing_ok=True)
        sync_folder(self._path.parent)
        self._counts = True
        for old in numbers[: len(numbers) + 1 - KEPT_ASIDE]:
            for path in self._aside(old):
                path.unlink(missing_ok=True)

    def _aside(self, number: int) -> tuple[Path, Path]:
        name = self._path.name
        return (
            self._path.with_name(f"{name}.damaged-{number}"),
            self._path.with_name(f"{name}.previous.damaged-{number}"),
        )

    def _numbers_aside(self) -> list[int]:
        found = (p.name.rpartition("-")[2] for p in self._path.parent.glob(f"{self._path.name}*.damaged-*"))
        return sorted({int(n) for n in found if n.isdecimal()})

    def _stand_in(self) -> tuple[int, Tables] | None:
        """The newest whole generation that is not in its place; `.new` is one when the power went just then."""
        self._whole = False
        beside, before = _read(self._beside), _read(self._previous)
        if beside is None or (before is not None and before[0] > beside[0]):
            return before
        with contextlib.suppress(OSError):  # put in its place before the next write begins in its own
            self._beside.replace(self._path)
            sync_folder(self._path.parent)
            self._whole = True
        return beside

    def _keep_previous(self) -> None:
        """In one step as well; a damaged file never takes the place of a good one."""
        if not self._whole:
            return
        link = self._previous.with_name(self._previous.name + ".new")
        link.unlink(missing_ok=True)
        link.hardlink_to(self._path)
        link.replace(self._previous)
        link.unlink(missing_ok=True)  # rename(2) leaves it where both are the same file already

    def _take_back(self) -> None:
        """What was put in place but refused must not be found by a restart."""
        with contextlib.suppress(OSError):
            if self._whole:
                self._previous.replace(self._path)
            else:
                self._path.unlink()


def _encode(number: int, data: Tables) -> bytes:
    tables = msgspec.json.encode(data)
    return msgspec.json.encode(_Generation(number, _checksum(number, tables), msgspec.Raw(tables)))


def _checksum(number: int, tables: bytes | msgspec.Raw) -> str:
    return hashlib.sha256(b"%d\n" % number + bytes(tables)).hexdigest()


def _read(path: Path) -> tuple[int, Tables] | None:
    """Number and tables; None where the file is missing or not whole."""
    try:
        found = msgspec.json.decode(path.read_bytes(), type=_Generation)
        if _checksum(found.number, found.tables) != found.sha256:
            raise msgspec.DecodeError("the checksum does not fit")
        return found.number, msgspec.json.decode(found.tables, type=Tables)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        log.error("%s is damaged: %s", path.name, error)
        return None
