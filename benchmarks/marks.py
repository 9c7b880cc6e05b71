"""Marks against everything that OpenCV offers without model files, on sequences with exact ground truth.

Nineteen kinds of motion and trouble, in front of real photographs and drawn panels. The tracker is worked on with the
sequences called `dev` only; `held` are other photographs and other seeds, and what they say is reported beside it.

MARKS_SIZE: quick (one sequence of each kind, default) or full (two of each kind and split). All times are CPU time of
one thread: other programs on the machine do not count.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks import marks_photos
from benchmarks.marks_camera import HEIGHT, WIDTH
from benchmarks.marks_film import Film, Truth
from benchmarks.marks_photos import Colour, Split
from benchmarks.marks_rivals import Rivals, install
from benchmarks.marks_scenes import KINDS, film
from benchmarks.marks_score import Answer, Score, judge, together
from kiosk.call.poses import Points
from kiosk.call.tracker import Bench, Make, Report
from kiosk.hw.ports import Picture, Pixels
from kiosk.wire.channel import MarkPose

OURS = "ours"
FOLDER = Path("build/marks")
DELAY_S = 0.25
DELAY_KINDS = ("sway", "shake", "light", "orbit", "roll", "scale", "small", "dark")
MANY = 4
MANY_KINDS = ("sway", "orbit", "scale", "shake")


@dataclass(frozen=True, slots=True)
class Plan:
    """Which sequences, and how long."""

    wanted: tuple[tuple[str, int, Split], ...]
    count: int


def plan() -> Plan:
    size = os.environ.get("MARKS_SIZE", "quick")
    if size == "full":
        splits: tuple[Split, Split] = ("dev", "held")
        wanted = tuple((kind, n, split) for split in splits for kind in KINDS for n in (0, 1))
        return Plan(wanted, 120)
    if size != "quick":
        raise SystemExit("MARKS_SIZE is quick or full")
    turns: tuple[Split, Split] = ("dev", "held")
    return Plan(tuple((kind, k % 2, turns[k // 2 % 2]) for k, kind in enumerate(KINDS)), 90)


# --- one sequence


@dataclass(frozen=True, slots=True)
class Take:
    """A sequence as it was filmed. frames: (N, 720, 1280, 3) BGR in a file that the rivals read as well."""

    film: Film
    frames: Colour
    truths: list[Truth]
    path: Path


def shoot(made: Film, path: Path) -> Take:
    frames = np.memmap(path, np.uint8, "w+", shape=(made.count, HEIGHT, WIDTH, 3))
    truths = []
    for n in range(made.count):
        frames[n], truth = made.frame(n)
        truths.append(truth)
    frames.flush()
    return Take(made, np.asarray(frames), truths, path)


def as_picture(frame: Colour, captured_s: float) -> Picture:
    luma: Pixels = np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), np.uint8)
    grey = np.full((HEIGHT // 2, WIDTH // 2), 128, np.uint8)
    return Picture(luma, grey, grey, captured_s)


def make_mark(id_: str, quad: Points, captured_s: float | None = None) -> Make:
    x0, y0 = (quad.min(axis=0) + 0.5) / (WIDTH, HEIGHT)
    x1, y1 = (quad.max(axis=0) + 0.5) / (WIDTH, HEIGHT)
    return Make(id_, captured_s, box=((float(x0), float(y0)), (float(x1), float(y1))))


def answer_of(pose: MarkPose, took_ms: float) -> Answer:
    quad = np.array(pose.quad) * (WIDTH, HEIGHT) - 0.5
    return Answer(None if pose.state == "lost" else quad, pose.state == "tracked", took_ms)


def timed_step(bench: Bench, picture: Picture, orders: Sequence[Make] = ()) -> tuple[Report | None, float]:
    began = time.thread_time()
    report = bench.step(picture, orders)
    return report, 1000 * (time.thread_time() - began)


def follow(take: Take) -> list[Answer]:
    """Our tracker, exactly as a call runs it: pictures and orders in, reports out."""
    bench, answers = Bench(), list[Answer]()
    period = take.film.period_s
    for n, frame in enumerate(take.frames):
        orders = [make_mark("m", take.truths[0].quad)] if n == 0 else []
        report, took_ms = timed_step(bench, as_picture(frame, n * period), orders)
        if n:
            assert report is not None
            answers.append(answer_of(report.poses[0], took_ms))
    return answers


# --- delay, several marks


@dataclass(frozen=True, slots=True)
class Start:
    """A mark made on a frame 250 ms old. off_px: at once, against the truth now; newest_px: had it been put onto the
    newest frame instead; took_ms: making it and following it to now."""

    off_px: float
    newest_px: float
    took_ms: float


def start_late(take: Take) -> list[Start]:
    bench, starts = Bench(), list[Start]()
    period, back = take.film.period_s, round(DELAY_S / take.film.period_s)
    for n, frame in enumerate(take.frames):
        picture = as_picture(frame, n * period)
        if n < 15 or n % 15:
            bench.step(picture)
            continue
        seen, now = take.truths[n - back].quad, take.truths[n].quad
        _, plain_ms = timed_step(Bench(), picture)
        report, took_ms = timed_step(bench, picture, [make_mark("m", seen, (n - back) * period)])
        assert report is not None
        off = float("inf") if not report.poses else _off(answer_of(report.poses[0], 0.0).quad, seen, now)
        starts.append(Start(off, float(np.linalg.norm(_centre(now) - _centre(seen))), took_ms - plain_ms))
        bench = _kept(take, n)
    return starts


def _kept(take: Take, n: int) -> Bench:
    """A fresh bench that has seen the last frames: each start is a first one."""
    bench = Bench()
    for k in range(max(0, n - 8), n + 1):
        bench.step(as_picture(take.frames[k], k * take.film.period_s))
    return bench


def _off(quad: Points | None, seen: Points, now: Points) -> float:
    """Distance of the middle of what was marked. The box drawn is upright, its middle is the element's."""
    return float("inf") if quad is None else float(np.linalg.norm(_centre(quad) - _centre(now)))


def _centre(quad: Points) -> Points:
    """Where the diagonals cross: the same point of the element in every perspective."""
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = quad.tolist()
    t = ((bx - ax) * (dy - by) - (by - ay) * (dx - bx)) / ((cx - ax) * (dy - by) - (cy - ay) * (dx - bx))
    return np.array([ax + t * (cx - ax), ay + t * (cy - ay)])


def each_further(take: Take, first_ms: float) -> float:
    """CPU ms per frame for each mark after the first, median."""
    bench, times = Bench(), list[float]()
    quad = take.truths[0].quad
    for n, frame in enumerate(take.frames[:60]):
        shifts = [(0, 0), (-150, 40), (140, -60), (30, 130)][:MANY]
        marks = [_shifted(quad, dx, dy) for dx, dy in shifts]
        orders = [make_mark(f"m{k}", m) for k, m in enumerate(marks)] if n == 0 else []
        _, took_ms = timed_step(bench, as_picture(frame, n * take.film.period_s), orders)
        if n:
            times.append(took_ms)
    return (float(np.median(times)) - first_ms) / (MANY - 1)


def _shifted(quad: Points, dx: float, dy: float) -> Points:
    low = np.clip(quad.min(axis=0) + np.array([dx, dy]), 5, (WIDTH - 70, HEIGHT - 70))
    return np.asarray(low + (quad - quad.min(axis=0)), np.float64)


# --- all of it


@dataclass(slots=True)
class Results:
    """By split, kind and tracker; starts and ms of further marks over all."""

    scores: dict[tuple[Split, str, str], list[Score]]
    starts: list[Start]
    further_ms: list[float]

    def score(self, tracker: str, split: Split | None = None, kind: str | None = None) -> Score:
        return together(
            s
            for (its_split, its_kind, its_tracker), scores in self.scores.items()
            if its_tracker == tracker and split in (None, its_split) and kind in (None, its_kind)
            for s in scores
        )

    @property
    def trackers(self) -> list[str]:
        return list(dict.fromkeys(tracker for _, _, tracker in self.scores))


def measure(planned: Plan) -> Results:
    results = Results({}, [], [])
    FOLDER.mkdir(parents=True, exist_ok=True)
    with Rivals() as rivals:
        names = rivals.names
        pending: tuple[Take, Split] | None = None
        for k, (kind, number, split) in enumerate(planned.wanted):
            take = shoot(film(kind, number, split, planned.count), FOLDER / f"frames-{k % 2}.bgr")
            _collect(results, rivals, pending)
            rivals.ask(take.path, planned.count, take.truths[0].quad, names)
            pending = take, split
            _ours(results, take, split)
            print(f"{k + 1}/{len(planned.wanted)} {take.film.name}", file=sys.stderr)
        _collect(results, rivals, pending)
    for path in FOLDER.glob("frames-*.bgr"):
        path.unlink()
    return results


def _collect(results: Results, rivals: Rivals, pending: tuple[Take, Split] | None) -> None:
    if pending is None:
        return
    take, split = pending
    for name, answers in rivals.answers().items():
        score = judge(take.truths[1:], answers, take.film.period_s)
        results.scores.setdefault((split, take.film.kind, name), []).append(score)


def _ours(results: Results, take: Take, split: Split) -> None:
    score = judge(take.truths[1:], follow(take), take.film.period_s)
    results.scores.setdefault((split, take.film.kind, OURS), []).append(score)
    if take.film.kind in DELAY_KINDS:
        results.starts += start_late(take)
    if take.film.kind in MANY_KINDS:
        results.further_ms.append(each_further(take, score.ms(0.5)))


# --- what it comes to


@dataclass(frozen=True, slots=True)
class Bar:
    what: str
    value: float
    bound: float
    at_most: bool

    @property
    def holds(self) -> bool:
        return not isnan(self.value) and (self.value <= self.bound if self.at_most else self.value >= self.bound)


def bars(results: Results) -> list[Bar]:
    ours = results.score(OURS)
    best = max(results.score(t).success for t in results.trackers if t != OURS)
    best_close = max(results.score(t).precision for t in results.trackers if t != OURS)
    starts = results.starts
    return [
        Bar("success (AUC), %", ours.success, 92, False),
        Bar("ahead of the best rival, AUC points", ours.success - best, 8, False),
        Bar("centre within 5 px, %", ours.precision, 95, False),
        Bar("ahead of the best rival, % within 5 px", ours.precision - best_close, 0, False),
        Bar("found again, %", ours.found_percent, 95, False),
        Bar("found again after, ms (median)", ours.found_ms, 300, True),
        Bar("wrong while claiming tracked, %", ours.false_percent, 1, True),
        Bar("covered: centre within 10 px, %", ours.covered_percent, 65, False),
        Bar("first mark, CPU ms a frame (median)", ours.ms(0.5), 5, True),
        Bar("first mark, CPU ms a frame (95 %)", ours.ms(0.95), 12, True),
        Bar("each further mark, CPU ms a frame (median)", float(np.median(results.further_ms)), 3, True),
        Bar("start on the frame seen 250 ms ago, px (median)", float(np.median([s.off_px for s in starts])), 2, True),
        Bar("making and fast-forward, CPU ms (median)", float(np.median([s.took_ms for s in starts])), 50, True),
    ]


def _row(score: Score) -> list[str]:
    values = (score.success, score.precision, score.found_percent, score.found_ms, score.false_percent)
    shown = [*values, score.covered_percent, score.ms(0.5), score.ms(0.95)]
    return ["–" if isnan(v) else f"{v:.1f}" for v in shown]


def _told(score: Score) -> dict[str, float | None]:
    names = ("auc", "within_5_px", "found_again", "found_ms", "false", "covered_10_px", "ms", "ms_p95")
    values = (score.success, score.precision, score.found_percent, score.found_ms, score.false_percent)
    shown = (*values, score.covered_percent, score.ms(0.5), score.ms(0.95))
    return {n: None if isnan(v) else round(v, 2) for n, v in zip(names, shown, strict=True)}


def tell(results: Results) -> bool:
    console = Console(width=120)
    columns = ("AUC", "≤ 5 px %", "found %", "after ms", "false %", "covered %", "ms", "ms 95 %")
    kinds = Table("kind", *columns, "best rival's AUC", title="Ours, by kind (both splits)")
    for kind in dict.fromkeys(k for _, k, _ in results.scores):
        rivals = {t: results.score(t, kind=kind).success for t in results.trackers if t != OURS}
        best = max(rivals, key=lambda t: rivals[t])
        kinds.add_row(kind, *_row(results.score(OURS, kind=kind)), f"{rivals[best]:.1f} {best}")
    console.print(kinds)
    all_of = Table("tracker", *columns, title="All kinds")
    for tracker in results.trackers:
        all_of.add_row(tracker, *_row(results.score(tracker)))
    for split in ("dev", "held"):
        all_of.add_row(f"{OURS}, {split} only", *_row(results.score(OURS, split)))
    console.print(all_of)
    judged = bars(results)
    table = Table("what must be reached", "bound", "measured", "", title="Bars")
    for bar in judged:
        bound = f"{'≤' if bar.at_most else '≥'} {bar.bound:g}"
        table.add_row(bar.what, bound, f"{bar.value:.2f}", "" if bar.holds else "NO")
    console.print(table)
    print(json.dumps(_figures(results, judged)))
    return all(bar.holds for bar in judged)


def _figures(results: Results, judged: list[Bar]) -> dict[str, object]:
    kinds = dict.fromkeys(k for _, k, _ in results.scores)
    return {
        "benchmark": "marks",
        "trackers": {t: _told(results.score(t)) for t in results.trackers},
        "kinds": {k: _told(results.score(OURS, kind=k)) for k in kinds},
        "dev": _told(results.score(OURS, "dev")),
        "held": _told(results.score(OURS, "held")),
        "newest_frame_px": round(float(np.median([s.newest_px for s in results.starts])), 2),
        "bars": {b.what: {"value": round(b.value, 3), "bound": b.bound, "holds": b.holds} for b in judged},
    }


def main() -> int:
    cv2.setNumThreads(1)
    marks_photos.fetch()
    install()
    return 0 if tell(measure(plan())) else 1


if __name__ == "__main__":
    sys.exit(main())
