"""Debian trees in which the appliance is tried: made by mmdebstrap, once, and kept under build/appliance/.

A tree is a folder that holds a whole system. It is named by a hash of what went into it, so that a changed list of
packages makes a new one, and is moved to its place only when it is whole. Making one needs root, mmdebstrap and
Debian's archive.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / "build" / "appliance"

SUITE = "trixie"
PYTHON = "3.13"
"""The suite's Python, for which packages of pip are chosen."""

MIRROR = os.environ.get("DEBIAN_MIRROR", "http://deb.debian.org/debian")
_KEYRINGS = Path("/usr/share/keyrings")
_MAKE_S = 900
_LEFT_OUT = ("doc", "man", "info", "locale", "lintian", "bug")
_DEPENDABLE = ["--aptopt=Acquire::Retries 5", "--aptopt=Acquire::http::Timeout 30"]


class NoTree(RuntimeError):
    """A tree cannot be made or used here; the text says why."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What goes into a tree. Any change makes another tree.

    packages: of the suite, or with "/trixie-backports" behind the name, from there.
    """

    name: str
    packages: tuple[str, ...]
    edition: int = 1
    """Counted up by hand where the steps after mmdebstrap have changed."""

    @property
    def key(self) -> str:
        said = repr((SUITE, sorted(self.packages), self.edition))
        return f"{self.name}-{hashlib.sha256(said.encode()).hexdigest()[:12]}"


def why_not() -> str | None:
    """Why no tree can be made or entered here, in words; None where it can."""
    if sys.platform != "linux":
        return "needs Linux"
    if os.geteuid() != 0:
        return "needs root (mmdebstrap and chroot)"
    if shutil.which("mmdebstrap") is None:
        return "needs mmdebstrap (make appliance-tools)"
    return None


def tree(recipe: Recipe, finish: Callable[[Path], None] | None = None, cache: Path = CACHE) -> Path:
    """The folder of the recipe's tree; made where it is not there yet, together with what `finish` does to it.

    Two processes that want the same tree make it once.

    Raises:
        NoTree: it cannot be made here, or making it failed; with the last lines of what was said.
    """
    return made(cache / recipe.key, lambda place: _fill(recipe, place, finish))


def made(place: Path, make: Callable[[Path], None]) -> Path:
    """`place`, whole: `make` fills a folder or file beside it, which is moved there when it is done."""
    if place.exists():
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    with _alone(place.with_name(place.name + ".lock")):
        if not place.exists():
            begun = place.with_name(place.name + ".part")
            remove(begun)
            make(begun)
            begun.rename(place)
    return place


def remove(place: Path) -> None:
    """A file or a whole tree, which must have nothing mounted in it."""
    if place.is_dir():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)


def said(command: Sequence[str | Path], limit_s: float = _MAKE_S) -> str:
    """Runs a command and returns what it said.

    Raises:
        NoTree: it failed or took longer than `limit_s`; with its last lines.
    """
    try:
        words = [str(word) for word in command]
        out = subprocess.PIPE
        done = subprocess.run(words, check=False, stdout=out, stderr=subprocess.STDOUT, text=True, timeout=limit_s)
    except subprocess.TimeoutExpired as error:
        raise NoTree(f"{command[0]}: not done after {limit_s:.0f} s") from error
    if done.returncode:
        raise NoTree(f"{command[0]} failed ({done.returncode}):\n" + "\n".join(done.stdout.splitlines()[-30:]))
    return done.stdout


def _fill(recipe: Recipe, place: Path, finish: Callable[[Path], None] | None) -> None:
    if why := why_not():
        raise NoTree(why)
    print(f"making {recipe.key}: {len(recipe.packages)} packages and what they need ...", flush=True)
    options = ["--variant=minbase", f"--keyring={_KEYRINGS}", "--skip=check/empty", *_DEPENDABLE]
    options += ["--dpkgopt=force-unsafe-io"]  # what is half made by a power cut is made anew
    options += [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in _LEFT_OUT]
    options += [f"--include={','.join(recipe.packages)}"]
    suites = [f"deb {MIRROR} {suite} main" for suite in (SUITE, f"{SUITE}-backports")]
    # In a mount namespace of its own: killed, it leaves nothing mounted in what `remove` or a `make clean` takes away.
    said(["unshare", "--mount", "mmdebstrap", *options, SUITE, place, *suites])
    if finish:
        finish(place)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
