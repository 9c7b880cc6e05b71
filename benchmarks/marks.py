"""Marks against everything that OpenCV offers without model files, on sequences with exact ground truth.

Nineteen kinds of motion and trouble, in front of real photographs and drawn panels. The tracker is worked on with the
sequences called `dev` only; `held` are other photographs and other seeds, and what they say is reported beside it.

MARKS_SIZE: quick (one sequence of each kind, two of those where the mark goes and comes back; default), or full (two of
each kind and split). All times are CPU time of one thread: other programs on the machine do not count.
MARKS_MINUTES: stop after so many, and go on with the next run (exit 2); what was measured before with the very same
programs counts.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import msgspec

from benchmarks import marks_photos
from benchmarks.marks_ours import Take, each_further, follow, shoot, start_late
from benchmarks.marks_photos import Split
from benchmarks.marks_rivals import Rivals, install
from benchmarks.marks_scenes import KINDS, film
from benchmarks.marks_score import judge
from benchmarks.marks_tell import OURS, Result, Results, tell
from kiosk.call import scene_pins

FOLDER = Path("build/marks")
DELAY_KINDS = ("sway", "shake", "light", "orbit", "roll", "scale", "small", "dark")
MANY_KINDS = ("sway", "orbit", "scale", "shake")
RETURNING_KINDS = ("leave", "occluded", "partly out")
AGAIN = 2
"""Exit status: not done yet."""


@dataclass(frozen=True, slots=True)
class Wanted:
    kind: str
    number: int
    split: Split
    count: int

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.split}-{self.number}-{self.count}".replace(" ", "-")


@dataclass(frozen=True, slots=True)
class Kept:
    """What is on disk of a sequence that was measured; took_s: since the one before was."""

    result: Result
    took_s: float


def plan() -> list[Wanted]:
    size = os.environ.get("MARKS_SIZE", "quick")
    splits: tuple[Split, Split] = ("dev", "held")
    if size == "full":
        return [Wanted(kind, n, split, 120) for n in (0, 1) for split in reversed(splits) for kind in KINDS]
    if size != "quick":
        raise SystemExit("MARKS_SIZE is quick or full")
    once = [Wanted(kind, k % 2, splits[k // 2 % 2], 90) for k, kind in enumerate(KINDS)]
    others = [Wanted(w.kind, 1 - w.number, "held", 90) for w in once if w.kind in RETURNING_KINDS]
    return once + others


class Memory:
    """What was measured with these very programs, so that a long run may be made in pieces."""

    def __init__(self) -> None:
        ours = {str(m.__file__) for name, m in sys.modules.items() if name.startswith(("kiosk.call.", "benchmarks."))}
        ours.discard(str(scene_pins.__file__))  # of strokes, not of marks
        sources = [*(Path(path) for path in sorted(ours)), *RIVAL_SOURCES]
        digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
        self._folder = FOLDER / "measured" / digest[:16]
        self._folder.mkdir(parents=True, exist_ok=True)

    def find(self, wanted: Wanted) -> Kept | None:
        path = self._path(wanted)
        return msgspec.json.decode(path.read_bytes(), type=Kept) if path.exists() else None

    def keep(self, wanted: Wanted, kept: Kept) -> None:
        unfinished = self._path(wanted).with_suffix(".part")
        unfinished.write_bytes(msgspec.json.encode(kept))
        unfinished.replace(self._path(wanted))

    def _path(self, wanted: Wanted) -> Path:
        return self._folder / f"{wanted.name}.json"


RIVAL_SOURCES = (Path("benchmarks/rivals/cv_trackers.py"), Path("benchmarks/rivals/cv_features.py"))


def measure(wanted: list[Wanted], until_s: float) -> Iterator[tuple[Wanted, Kept]]:
    """While the rivals work on one sequence, the next is filmed; no more is begun after `until_s`."""
    with Rivals() as rivals:
        before: _Begun | None = None
        since_s = time.monotonic()
        for n, one in enumerate(wanted):
            if time.monotonic() > until_s:
                break
            take = shoot(film(one.kind, one.number, one.split, one.count), FOLDER / f"frames-{n % 2}.bgr")
            if before is not None:
                yield before.one, before.finished(rivals, since_s)
                since_s = time.monotonic()
            rivals.ask(take.path, one.count, take.truths[0].quad, rivals.names)
            before = _Begun(one, take, _ours(take, one))
            print(f"{n + 1}/{len(wanted)} {take.film.name}", file=sys.stderr)
        if before is not None:
            yield before.one, before.finished(rivals, since_s)
    for path in FOLDER.glob("frames-*.bgr"):
        path.unlink()


@dataclass(frozen=True, slots=True)
class _Begun:
    """Ours is measured, the rivals are at work."""

    one: Wanted
    take: Take
    ours: Result

    def finished(self, rivals: Rivals, since_s: float) -> Kept:
        period_s = self.take.film.period_s
        theirs = {name: judge(self.take.truths[1:], answers, period_s) for name, answers in rivals.answers().items()}
        return Kept(replace(self.ours, scores=theirs | self.ours.scores), time.monotonic() - since_s)


def _ours(take: Take, one: Wanted) -> Result:
    score = judge(take.truths[1:], follow(take), take.film.period_s)
    starts = tuple(start_late(take)) if one.kind in DELAY_KINDS else ()
    further_ms = each_further(take, score.ms(0.5)) if one.kind in MANY_KINDS else None
    return Result(one.split, one.kind, {OURS: score}, starts, further_ms)


def main() -> int:
    cv2.setNumThreads(1)
    marks_photos.fetch()
    install()
    planned, memory = plan(), Memory()
    in_pieces = "MARKS_MINUTES" in os.environ
    minutes = float(os.environ.get("MARKS_MINUTES", "inf"))
    missing = [w for w in planned if not in_pieces or memory.find(w) is None]
    for wanted, kept in measure(missing, time.monotonic() + 60 * minutes):
        memory.keep(wanted, kept)
    done = [kept for kept in map(memory.find, planned) if kept is not None]
    if len(done) < len(planned):
        print(f"{len(done)} of {len(planned)} sequences are measured; run it again to go on", file=sys.stderr)
        return AGAIN
    return 0 if tell(Results(kept.result for kept in done), sum(kept.took_s for kept in done)) else 1


if __name__ == "__main__":
    sys.exit(main())
