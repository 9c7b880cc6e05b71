"""Files and folders that are on disk when a call returns, and what is kept free for those that matter most.

A name (a new file, a rename, a new folder) is on disk only when the folder it stands in is synced. Everything here
blocks and raises OSError.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

SPARE_BYTES = 32 * 1024 * 1024
"""So much stays free for the book, session data and manifests: pictures stop before that."""
RECORDINGS_LEAVE = 256 * 1024 * 1024
"""So much recordings leave free, at each fragment: room for pictures, and for what others write to the disk."""


def sync_folder(folder: Path) -> None:
    """Which names stand in it is safe from now on."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_folder(folder: Path) -> None:
    """With all above it that are missing; on disk when this returns."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def write_through(path: Path, data: bytes) -> None:
    """The content is on disk when this returns; the name is only when its folder is synced."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def write_whole(path: Path, data: bytes) -> None:
    """The old content or the new one, whatever happens, and the new one when this returns."""
    beside = path.with_name(path.name + ".new")
    write_through(beside, data)
    beside.replace(path)
    sync_folder(path.parent)


def demand_spare(place: Path | int, size: int = 0, leave: int = SPARE_BYTES) -> None:
    """Refuses `size` bytes more on the disk of `place` (a path or an open file), as a full disk would.

    For what may be done without: the last `leave` bytes are not for it.
    """
    there = os.statvfs(place)
    if there.f_bavail * there.f_frsize < leave + size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
