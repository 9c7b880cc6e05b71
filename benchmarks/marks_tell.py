"""What the benchmark of marks comes to: bars, tables, figures."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from math import isnan

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.marks_ours import Start
from benchmarks.marks_photos import Split
from benchmarks.marks_score import Score, together

OURS = "ours"


@dataclass(frozen=True, slots=True)
class Result:
    """Of one sequence. scores: by tracker; further_ms: for each mark after the first, where that was measured."""

    split: Split
    kind: str
    scores: dict[str, Score]
    starts: tuple[Start, ...]
    further_ms: float | None


class Results:
    """Of all sequences."""

    def __init__(self, each: Iterable[Result]) -> None:
        self._each = tuple(each)
        self.trackers = list(dict.fromkeys(t for r in self._each for t in r.scores))
        self.kinds = list(dict.fromkeys(r.kind for r in self._each))
        self.starts = [s for r in self._each for s in r.starts]
        self.further_ms = [r.further_ms for r in self._each if r.further_ms is not None]

    def score(self, tracker: str, split: Split | None = None, kind: str | None = None) -> Score:
        return together(
            r.scores[tracker]
            for r in self._each
            if tracker in r.scores and split in (None, r.split) and kind in (None, r.kind)
        )


@dataclass(frozen=True, slots=True)
class Bar:
    what: str
    value: float
    bound: float
    at_most: bool

    @property
    def told(self) -> dict[str, float | bool | None]:
        return {"value": None if isnan(self.value) else round(self.value, 3), "bound": self.bound, "holds": self.holds}

    @property
    def holds(self) -> bool:
        return not isnan(self.value) and (self.value <= self.bound if self.at_most else self.value >= self.bound)


def _median(values: Iterable[float]) -> float:
    return float(np.median(list(values)))


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
        Bar("each further mark, CPU ms a frame (median)", _median(results.further_ms), 3, True),
        Bar("start on the frame seen 250 ms ago: off by px (median)", _median(s.off_px for s in starts), 2, True),
        Bar("… on the newest frame instead: off by px (median)", _median(s.newest_px for s in starts), 4, False),
        Bar("making and fast-forward, CPU ms (median)", _median(s.took_ms for s in starts), 50, True),
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


def tell(results: Results, took_s: float) -> bool:
    """took_s: for all of it, in however many pieces."""
    console = Console(width=120)
    columns = ("AUC", "≤ 5 px %", "found %", "after ms", "false %", "covered %", "ms", "ms 95 %")
    kinds = Table("kind", *columns, "best rival's AUC", title="Ours, by kind (both splits)")
    for kind in results.kinds:
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
    console.print(f"{len(results.starts)} late starts; took {took_s / 60:.1f} min")
    print(json.dumps(_figures(results, judged, took_s)))
    return all(bar.holds for bar in judged)


def _figures(results: Results, judged: list[Bar], took_s: float) -> dict[str, object]:
    return {
        "benchmark": "marks",
        "took_s": round(took_s),
        "trackers": {t: _told(results.score(t)) for t in results.trackers},
        "kinds": {k: _told(results.score(OURS, kind=k)) for k in results.kinds},
        "dev": _told(results.score(OURS, "dev")),
        "held": _told(results.score(OURS, "held")),
        "newest_frame_px": round(_median(s.newest_px for s in results.starts), 2),
        "bars": {bar.what: bar.told for bar in judged},
    }
