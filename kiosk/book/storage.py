"""TinyDB on a disk that may lose power at any instruction.

A generation is written beside the file, fsynced, and put in its place in one step; the generation before it is kept as
`.previous`, for a disk that gives back garbage. The only module that imports tinydb's storages.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import msgspec
from tinydb.storages import Storage

from kiosk.errors import StoreTrouble

log = logging.getLogger(__name__)

Tables = dict[str, dict[str, Any]]


class CrashSafeStorage(Storage):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._previous = path.with_suffix(path.suffix + ".previous")
        path.parent.mkdir(parents=True, exist_ok=True)

    def read(self) -> Tables | None:
        """The newest whole generation; None where there is none yet.

        Raises:
            StoreTrouble: there are files, but none of them is whole.
        """
        found = [p for p in (self._path, self._previous) if p.exists()]
        for path in found:
            try:
                return msgspec.json.decode(path.read_bytes(), type=Tables)
            except (OSError, msgspec.DecodeError) as error:
                log.error("%s is damaged: %s", path.name, error)
        if found:
            raise StoreTrouble(f"no whole copy of {self._path.name} can be read")
        return None

    def write(self, data: Tables) -> None:
        """Raises StoreTrouble; the generation before is then still in force."""
        beside = self._path.with_suffix(".new")
        try:
            with beside.open("wb") as file:
                file.write(msgspec.json.encode(data))
                file.flush()
                os.fsync(file.fileno())
            if self._path.exists():
                self._previous.unlink(missing_ok=True)
                self._previous.hardlink_to(self._path)
            beside.replace(self._path)
            sync_folder(self._path.parent)
        except OSError as error:
            raise StoreTrouble(f"{self._path.name} cannot be written: {error.strerror}") from error


def sync_folder(folder: Path) -> None:
    """A rename is on disk only when its folder is."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
