"""What marks are judged by. Pure: truths and answers in, figures out. All px are those of the 720p picture.

Boxes are compared as upright boxes, cut off at the picture's edge: most rivals know no others.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.marks_camera import HEIGHT, WIDTH
from benchmarks.marks_film import Truth
from kiosk.call.poses import Points

THRESHOLDS = np.linspace(0, 1, 101)[1:]
CLOSE_PX, WRONG_PX, COVERED_PX = 5.0, 20.0, 10.0
SEEN_SHARE, AWAY_SHARE, BACK_SHARE = 0.5, 0.5, 0.9
AWAY_FRAMES = 5
"""Shorter than that the element was not away."""
PATIENCE_S = 1.0


@dataclass(frozen=True, slots=True)
class Answer:
    """quad: (4, 2) or None where the tracker shows nothing; claimed: it says that it is sure."""

    quad: Points | None
    claimed: bool
    took_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Score:
    """Of any number of frames, kept as values for each, so that scores can be put together.

    overlaps, close: of frames in which the element is to be seen; covered_close: of those in which it is hidden;
    false: of all frames, claimed but wrong; back_s: time until found again for each time that it came back.
    """

    overlaps: tuple[float, ...] = ()
    close: tuple[bool, ...] = ()
    covered_close: tuple[bool, ...] = ()
    false: tuple[bool, ...] = ()
    claimed: tuple[bool, ...] = ()
    back_s: tuple[float | None, ...] = ()
    took_ms: tuple[float, ...] = ()

    @property
    def success(self) -> float:
        """Area under the curve of frames whose overlap is above a threshold, %."""
        if not self.overlaps:
            return float("nan")
        overlaps: NDArray[np.float64] = np.array(self.overlaps)
        return 100 * float(np.mean([(overlaps > t).mean() for t in THRESHOLDS]))

    @property
    def precision(self) -> float:
        return _percent(self.close)

    @property
    def false_percent(self) -> float:
        return _percent(self.false)

    @property
    def claimed_percent(self) -> float:
        """Of frames in which the element is to be seen."""
        return _percent(self.claimed)

    @property
    def covered_percent(self) -> float:
        return _percent(self.covered_close)

    @property
    def found_percent(self) -> float:
        return _percent([b is not None for b in self.back_s])

    @property
    def found_ms(self) -> float:
        times = [1000 * b for b in self.back_s if b is not None]
        return float(np.median(times)) if times else float("nan")

    def ms(self, quantile: float) -> float:
        return float(np.quantile(self.took_ms, quantile)) if self.took_ms else float("nan")


def _percent(values: Sequence[bool]) -> float:
    return 100 * sum(values) / len(values) if values else float("nan")


def together(scores: Iterable[Score]) -> Score:
    all_of = list(scores)
    return Score(*(tuple(v for s in all_of for v in getattr(s, name)) for name in Score.__slots__))


def judge(truths: Sequence[Truth], answers: Sequence[Answer], period_s: float) -> Score:
    """Truth and answer for each frame after the one that the mark was made on."""
    pairs = list(zip(truths, answers, strict=True))
    seen = [(t, a) for t, a in pairs if to_be_seen(t)]
    hidden = [(t, a) for t, a in pairs if t.covered >= AWAY_SHARE and t.in_view >= BACK_SHARE]
    return Score(
        overlaps=tuple(overlap(t, a) for t, a in seen),
        close=tuple(distance(t, a) <= CLOSE_PX for t, a in seen),
        covered_close=tuple(distance(t, a) <= COVERED_PX for t, a in hidden),
        false=tuple(is_wrong(t, a) for t, a in pairs),
        claimed=tuple(a.claimed for t, a in seen),
        back_s=tuple(_returns(pairs, period_s)),
        took_ms=tuple(a.took_ms for a in answers),
    )


def to_be_seen(truth: Truth) -> bool:
    return truth.in_view >= SEEN_SHARE and truth.covered < AWAY_SHARE


def is_wrong(truth: Truth, answer: Answer) -> bool:
    """Claims to be on the element and is not. Of a hidden one only the place counts."""
    if not answer.claimed:
        return False
    return truth.in_view < 0.1 or overlap(truth, answer) < 0.5 or distance(truth, answer) > WRONG_PX


def overlap(truth: Truth, answer: Answer) -> float:
    """Intersection over union, 0..1."""
    if answer.quad is None:
        return 0.0
    a, b = _box(truth.quad), _box(answer.quad)
    low, high = np.maximum(a[0], b[0]), np.minimum(a[1], b[1])
    inner = float(np.prod(np.maximum(high - low, 0)))
    both = float(np.prod(a[1] - a[0]) + np.prod(b[1] - b[0])) - inner
    return inner / both if both > 0 else 0.0


def distance(truth: Truth, answer: Answer) -> float:
    if answer.quad is None:
        return float("inf")
    return float(np.linalg.norm(_middle(truth.quad) - _middle(answer.quad)))


def _middle(quad: Points) -> NDArray[np.float64]:
    return np.asarray((quad.min(axis=0) + quad.max(axis=0)) / 2, np.float64)


def _box(quad: Points) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return np.clip(quad.min(axis=0), 0, (WIDTH, HEIGHT)), np.clip(quad.max(axis=0), 0, (WIDTH, HEIGHT))


def _returns(pairs: Sequence[tuple[Truth, Answer]], period_s: float) -> Iterable[float | None]:
    """For each time the element came back for long enough: after what time it was found again, if it was."""
    away = 0
    for n, (truth, _) in enumerate(pairs):
        if not to_be_seen(truth):
            away += 1
        elif truth.in_view >= BACK_SHARE and truth.covered < 1 - BACK_SHARE:
            if away >= AWAY_FRAMES:
                yield from _found_in(pairs[n:], period_s)
            away = 0


def _found_in(pairs: Sequence[tuple[Truth, Answer]], period_s: float) -> Iterable[float | None]:
    """Nothing where it went away again, or the sequence ended, before one could tell."""
    for k, (truth, answer) in enumerate(pairs):
        if k * period_s > PATIENCE_S:
            yield None
            return
        if not to_be_seen(truth):
            return
        if answer.claimed and not is_wrong(truth, answer):
            yield k * period_s
            return
