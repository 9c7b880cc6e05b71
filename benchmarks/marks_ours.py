"""What marks are measured at: our own tracker on a sequence, exactly as a call runs it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from benchmarks.marks_camera import HEIGHT, WIDTH
from benchmarks.marks_film import Film, Truth
from benchmarks.marks_photos import Colour
from benchmarks.marks_score import Answer
from kiosk.call.poses import Points
from kiosk.call.tracker import Bench, Make, Report
from kiosk.hw.ports import Picture, Pixels
from kiosk.wire.channel import MarkPose

DELAY_S = 0.25
MANY = 4
REFUSED_PX = 9999.0
"""A mark that could not be made."""


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
        off = REFUSED_PX if not report.poses else _off(answer_of(report.poses[0], 0.0).quad, seen, now)
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
    return REFUSED_PX if quad is None else float(np.linalg.norm(_centre(quad) - _centre(now)))


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
