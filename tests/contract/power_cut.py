"""A disk that loses power: what programs do to files is written down, and what would be left of it at any instant.

Nothing is on disk but what was fsynced: a file's content may be torn, empty or zeros until then, and a name that was
given, changed or taken away may be there or not until its folder was.
"""

from __future__ import annotations

import io
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

SECTOR = 512

How = Literal["killed", "journal", "any"]
"""Of names that were not synced: all are there (only the process died), those before some instant, or any of them."""


@dataclass(frozen=True, slots=True)
class Dirty:
    """The file is being written."""

    file: int


@dataclass(frozen=True, slots=True)
class Synced:
    """The file's content is on disk."""

    file: int
    content: bytes


@dataclass(frozen=True, slots=True)
class Named:
    """A step that changes names: name -> file, or None for no longer; `folder` for a folder that was made."""

    names: tuple[tuple[Path, int | None], ...]
    folder: Path | None = None

    @property
    def where(self) -> Path:
        """The folder whose sync puts it on disk."""
        return (self.folder or self.names[-1][0]).parent


@dataclass(frozen=True, slots=True)
class FolderSynced:
    folder: Path


Step = Dirty | Synced | Named | FolderSynced


@dataclass
class Disk:
    """What was done below `root`, in order. Paths are relative to it."""

    root: Path
    steps: list[Step] = field(default_factory=list)
    _names: dict[Path, int] = field(default_factory=dict)
    _handles: dict[int, Path] = field(default_factory=dict)
    _files: int = 0

    def inside(self, path: Any) -> Path | None:
        if not isinstance(path, str | os.PathLike):
            return None
        absolute = Path(path)
        return absolute.relative_to(self.root) if absolute.is_relative_to(self.root) else None

    def opened(self, path: Path, handle: int, *, writing: bool) -> None:
        self._handles[handle] = path
        if not writing:
            return
        if path not in self._names:
            self._files += 1
            self._names[path] = self._files
            self.steps.append(Named(((path, self._files),)))
        self.steps.append(Dirty(self._names[path]))

    def synced(self, handle: int) -> None:
        path = self._handles[handle]
        whole = self.root / path
        self.steps.append(FolderSynced(path) if whole.is_dir() else Synced(self._names[path], whole.read_bytes()))

    def renamed(self, source: Path, target: Path) -> None:
        file = self._names[source]
        if self._names.get(target) == file:
            return  # rename(2) does nothing where both are the same file
        del self._names[source]
        self._names[target] = file
        self.steps.append(Named(((source, None), (target, file))))

    def linked(self, source: Path, target: Path) -> None:
        self._names[target] = self._names[source]
        self.steps.append(Named(((target, self._names[source]),)))

    def removed(self, path: Path) -> None:
        self._names.pop(path, None)
        self.steps.append(Named(((path, None),)))

    def made(self, path: Path) -> None:
        self.steps.append(Named((), path))

    # --- after the power went -----------------------------------------------------------------------------------------

    def leave(self, after: int, folder: Path, how: How, luck: random.Random) -> None:
        """Writes to `folder` what may be found when the power goes after so many steps."""
        done = self.steps[:after]
        there = {Path(): True}
        names: dict[Path, int] = {}
        for n in self._kept(done, how, luck):
            step = done[n]
            assert isinstance(step, Named)
            if step.folder is not None:
                there[step.folder] = there.get(step.folder.parent, False)
            for path, file in step.names:
                if file is None:
                    names.pop(path, None)
                else:
                    names[path] = file
        for path, kept in there.items():
            if kept:
                (folder / path).mkdir(exist_ok=True)
        self._put(folder, {p: f for p, f in names.items() if there.get(p.parent)}, after, luck)

    def _put(self, folder: Path, names: dict[Path, int], after: int, luck: random.Random) -> None:
        first: dict[int, Path] = {}
        for path, file in names.items():
            if file in first:
                os.link(first[file], folder / path)
                continue
            first[file] = folder / path
            (folder / path).write_bytes(self._content(file, after, luck))

    @staticmethod
    def _kept(done: list[Step], how: How, luck: random.Random) -> list[int]:
        """Which of the steps that change names are on disk."""
        named = [n for n, step in enumerate(done) if isinstance(step, Named)]
        if how == "killed":
            return named
        synced = {step.folder: n for n, step in enumerate(done) if isinstance(step, FolderSynced)}
        if how == "journal":
            reached = luck.randint(max(synced.values(), default=0), len(done))
            return [n for n in named if n < reached]
        sure = [n for n in named if (step := done[n]) and isinstance(step, Named) and n < synced.get(step.where, -1)]
        return sorted({*sure, *(n for n in named if luck.random() < 0.5)})

    def _content(self, file: int, after: int, luck: random.Random) -> bytes:
        content, dirty = b"", False
        for step in self.steps[:after]:
            match step:
                case Synced(f, data) if f == file:
                    content, dirty = data, False
                case Dirty(f) if f == file:
                    dirty = True
        if not dirty:
            return content + self._begun(file, after, content, luck)
        coming = next((s.content for s in self.steps[after:] if isinstance(s, Synced) and s.file == file), b"")
        return torn(coming, luck, content)

    def _begun(self, file: int, after: int, content: bytes, luck: random.Random) -> bytes:
        """What may be found of the piece that is being added to a file that only grows."""
        for step in self.steps[after:]:
            match step:
                case Dirty(f) if f == file:
                    return b""
                case Synced(f, data) if f == file:
                    return added(data[len(content) :], luck) if data.startswith(content) else b""
        return b""


def torn(data: bytes, luck: random.Random, before: bytes = b"") -> bytes:
    """What may be found of a file that was being written: also nothing, zeros, or what it was before."""
    cut = luck.randint(0, len(data))
    kinds = (data[:cut], b"", bytes(len(data)), data[:cut] + bytes(len(data) - cut), data, before)
    return luck.choice(kinds)


def added(data: bytes, luck: random.Random) -> bytes:
    """What may be found of a piece that was being added: as much as was written, or zeros by whole sectors."""
    sectors = (len(data) // SECTOR) * SECTOR
    cut = min(luck.randint(0, len(data)) // SECTOR * SECTOR, max(0, sectors - SECTOR))
    return luck.choice(
        (data[: luck.randint(0, len(data))], b"", bytes(len(data)), data[:cut] + bytes(len(data) - cut), data)
    )


@contextmanager
def recorded(root: Path) -> Iterator[Disk]:
    """Writes down what this process does to files below `root` until the end. Nothing is really synced meanwhile."""
    disk = Disk(root)
    real_open, real_os_open = io.open, os.open

    def open_file(file: Any, mode: str = "r", *args: Any, **more: Any) -> Any:
        opened = real_open(file, mode, *args, **more)
        if (path := disk.inside(file)) is not None:
            disk.opened(path, opened.fileno(), writing=bool(set(mode) & set("wxa+")))
        return opened

    def open_handle(path: Any, flags: int, *args: Any, **more: Any) -> int:
        handle = real_os_open(path, flags, *args, **more)
        if (known := disk.inside(path)) is not None:
            disk.opened(known, handle, writing=bool(flags & (os.O_WRONLY | os.O_RDWR)))
        return handle

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(io, "open", open_file)
        patch.setattr(os, "open", open_handle)
        patch.setattr(os, "fsync", disk.synced)
        for name, told in (
            ("replace", disk.renamed),
            ("rename", disk.renamed),
            ("link", disk.linked),
            ("unlink", disk.removed),
            ("mkdir", disk.made),
        ):
            patch.setattr(os, name, _telling(getattr(os, name), told, disk))
        yield disk


def _telling(real: Any, told: Any, disk: Disk) -> Any:
    paths = 2 if told in (disk.renamed, disk.linked) else 1

    def call(*args: Any, **more: Any) -> Any:
        result = real(*args, **more)
        inside = [disk.inside(path) for path in args[:paths]]
        if all(path is not None for path in inside):
            told(*inside)
        return result

    return call
