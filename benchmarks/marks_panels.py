"""Drawn machine fronts: plates with labels, screws, gauges, buttons, terminals, grilles and bare places."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import cos, pi, sin
from typing import Literal

import cv2
import numpy as np

from benchmarks.marks_photos import Colour

WIDTH, HEIGHT = 2600, 1700
CELL = 300
What = Literal["label", "screw", "gauge", "button", "terminal", "bare", "display", "switch"]
Box = tuple[int, int, int, int]
"""x0, y0, x1, y1 px of the canvas."""


@dataclass(slots=True)
class Panel:
    canvas: Colour
    elements: list[tuple[What, Box]] = field(default_factory=list)

    def near_middle(self, *whats: What) -> list[Box]:
        """Elements of these kinds, those nearest to the middle first."""
        found = [box for what, box in self.elements if what in whats]
        return sorted(found, key=lambda b: abs(b[0] + b[2] - WIDTH) + abs(b[1] + b[3] - HEIGHT))


def draw(rng: np.random.Generator, bare_share: float = 0.0) -> Panel:
    """bare_share: of the plates have next to nothing on them, and no screws; 0: as it comes."""
    panel = Panel(ground(rng))
    fillers: list[Callable[[Panel, np.random.Generator, int, int], None]] = [
        _label,
        _gauge,
        _buttons,
        _terminals,
        _grille,
        _display,
        _switches,
        _bare,
    ]
    for y in range(20, HEIGHT - CELL, CELL + 14):
        for x in range(20, WIDTH - CELL, CELL + 14):
            if rng.random() < bare_share:
                _bare(panel, rng, x, y)
                continue
            _plate(panel, rng, x, y)
            fillers[int(rng.integers(len(fillers)))](panel, rng, x, y)
    _scratches(panel.canvas, rng)
    panel.canvas = np.asarray(cv2.GaussianBlur(panel.canvas, (0, 0), 0.8), np.uint8)
    return panel


def ground(rng: np.random.Generator) -> Colour:
    """Painted metal: a tone, broad shades, a fine grain."""
    tone = rng.uniform(70, 190, 3) * 0.3 + rng.uniform(80, 170) * 0.7
    shade = cv2.resize(rng.normal(0, 1, (7, 10)).astype(np.float32), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    grain = rng.normal(0, 1, (HEIGHT // 2, WIDTH // 2)).astype(np.float32)
    grain = np.asarray(cv2.resize(cv2.GaussianBlur(grain, (0, 0), 1.2), (WIDTH, HEIGHT)), np.float32)
    relief = (10 * shade + rng.uniform(2, 9) * grain)[:, :, None]
    return np.clip(tone.astype(np.float32) + relief, 0, 255).astype(np.uint8)


def _tone(rng: np.random.Generator, low: int = 20, high: int = 240) -> tuple[int, int, int]:
    b, g, r = (int(v) for v in rng.integers(low, high, 3))
    return b, g, r


def _grey(rng: np.random.Generator, low: int, high: int) -> tuple[int, int, int]:
    v = int(rng.integers(low, high))
    return v, v, v


def _plate(panel: Panel, rng: np.random.Generator, x: int, y: int) -> None:
    if rng.random() < 0.75:
        patch = panel.canvas[y : y + CELL, x : x + CELL]
        shift = rng.integers(-45, 45, 3)
        patch[:] = np.clip(patch.astype(np.int16) + shift, 0, 255).astype(np.uint8)
        cv2.rectangle(panel.canvas, (x, y), (x + CELL, y + CELL), _grey(rng, 10, 90), int(rng.integers(2, 5)))
    if rng.random() < 0.7:
        for dx, dy in ((22, 22), (CELL - 22, 22), (22, CELL - 22), (CELL - 22, CELL - 22)):
            _screw(panel, rng, x + dx, y + dy)


def _screw(panel: Panel, rng: np.random.Generator, x: int, y: int) -> None:
    r, turn = int(rng.integers(9, 16)), rng.uniform(0, pi)
    cv2.circle(panel.canvas, (x + 2, y + 2), r + 1, (40, 40, 40), -1, cv2.LINE_AA)
    cv2.circle(panel.canvas, (x, y), r, _grey(rng, 130, 225), -1, cv2.LINE_AA)
    for angle in (turn, turn + pi / 2)[: int(rng.integers(1, 3))]:
        dx, dy = int(0.8 * r * cos(angle)), int(0.8 * r * sin(angle))
        cv2.line(panel.canvas, (x - dx, y - dy), (x + dx, y + dy), (35, 35, 35), 3, cv2.LINE_AA)
    panel.elements.append(("screw", (x - r - 2, y - r - 2, x + r + 2, y + r + 2)))


def _word(rng: np.random.Generator, least: int, most: int) -> str:
    return "".join(rng.choice(list("ABCDEFGHKLMNPRSTUVXZ0123456789-"), int(rng.integers(least, most))))


def _label(panel: Panel, rng: np.random.Generator, x: int, y: int) -> None:
    w, h = int(rng.integers(120, 230)), int(rng.integers(60, 170))
    x, y = x + (CELL - w) // 2, y + (CELL - h) // 2
    cv2.rectangle(panel.canvas, (x, y), (x + w, y + h), _tone(rng, 120, 250), -1)
    cv2.rectangle(panel.canvas, (x, y), (x + w, y + h), _tone(rng, 0, 90), 2)
    for top in range(y + 24, y + h - 6, 26):
        text, size = _word(rng, 5, 14), rng.uniform(0.4, 0.8)
        cv2.putText(
            panel.canvas, text, (x + 8, top), cv2.FONT_HERSHEY_SIMPLEX, size, _tone(rng, 0, 100), 2, cv2.LINE_AA
        )
    panel.elements.append(("label", (x, y, x + w, y + h)))


def _gauge(panel: Panel, rng: np.random.Generator, x: int, y: int) -> None:
    r = int(rng.integers(55, 105))
    cx, cy = x + CELL // 2, y + CELL // 2
    cv2.circle(panel.canvas, (cx, cy), r + 7, _grey(rng, 20, 80), -1, cv2.LINE_AA)
    cv2.circle(panel.canvas, (cx, cy), r, _grey(rng, 215, 250), -1, cv2.LINE_AA)
    for n, angle in enumerate(np.linspace(0.75 * pi, 2.25 * pi, 21)):
        inner = r * (0.76 if n % 5 == 0 else 0.86)
        a = (int(cx + inner * cos(angle)), int(cy + inner * sin(angle)))
        b = (int(cx + 0.94 * r * cos(angle)), int(cy + 0.94 * r * sin(angle)))
        cv2.line(panel.canvas, a, b, (30, 30, 30), 2, cv2.LINE_AA)
    angle = rng.uniform(0.8 * pi, 2.2 * pi)
    tip = (int(cx + 0.8 * r * cos(angle)), int(cy + 0.8 * r * sin(angle)))
    cv2.line(panel.canvas, (cx, cy), tip, (30, 30, 190), 4, cv2.LINE_AA)
    cv2.putText(
        panel.canvas,
        _word(rng, 3, 5),
        (cx - 24, cy + r // 2),
        cv2.FONT_HERSHEY_SIMPLEX,
        0.6,
        (40, 40, 40),
        2,
        cv2.LINE_AA,
    )
    panel.elements.append(("gauge", (cx - r - 8, cy - r - 8, cx + r + 8, cy + r + 8)))


def _buttons(panel: Panel, rng: np.random.Generator, x: int, y: int) -> None:
    """A row or a field of the same button."""
    step, r, tone = int(rng.integers(62, 90)), int(rng.integers(18, 27)), _tone(rng, 30, 220)
    for cy in range(y + 55, y + CELL - 40, step):
        for cx in range(x + 55, x + CELL - 40, step):
            cv2.circle(panel.canvas, (cx, cy), r + 5, (50, 50, 50), -1, cv2.LINE_AA)
            cv2.circle(panel.canvas, (cx, cy), r, tone, -1, cv2.LINE_AA)
            cv2.ellipse(panel.canvas, (cx - 3, cy - 5), (r // 2, r // 3), 20, 180, 330, (235, 235, 235), 2, cv2.LINE_AA)
            panel.elements.append(("button", (cx - r - 6, cy - r - 6, cx + r + 6, cy + r + 6)))


def _terminals(panel: Panel, rng: np.random.Generator, x: int, y: int) -> None:
    """A strip of terminals that differ by their number only, if at all."""
    step, numbered = int(rng.integers(48, 64)), rng.random() < 0.5
    body, top = _grey(rng, 110, 210), y + int(rng.integers(40, 120))
    for n, left in enumerate(range(x + 12, x + CELL - step, step)):
        cv2.rectangle(panel.canvas, (left, top), (left + step - 4, top + 110), body, -1)
        cv2.rectangle(panel.canvas, (left, top), (left + step - 4, top + 110), (30, 30, 30), 2)
        cv2.circle(panel.canvas, (left + step // 2 - 2, top + 32), step // 4, (70, 70, 70), -1, cv2.LINE_AA)
        middle = (left + step // 2, top + 32)
        cv2.line(panel.canvas, (middle[0] - 9, middle[1] - 3), (middle[0] + 7, middle[1] + 4), (210, 210, 210), 3)
        cv2.rectangle(panel.canvas, (left + 9, top + 72), (left + step - 13, top + 100), (60, 60, 60), -1)
        if numbered:
            cv2.putText(
                panel.canvas, str(n + 1), (left + 12, top + 66), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (20, 20, 20), 1
            )
        panel.elements.append(("terminal", (left - 2, top - 2, left + step - 2, top + 112)))


def _grille(panel: Panel, rng: np.random.Generator, x: int, y: int) -> None:
    step = int(rng.integers(16, 30))
    for top in range(y + 45, y + CELL - 50, step):
        cv2.rectangle(panel.canvas, (x + 45, top), (x + CELL - 45, top + step // 2), (25, 25, 25), -1)


def _display(panel: Panel, rng: np.random.Generator, x: int, y: int) -> None:
    w, h = int(rng.integers(140, 230)), int(rng.integers(70, 130))
    x, y = x + (CELL - w) // 2, y + (CELL - h) // 2
    cv2.rectangle(panel.canvas, (x - 8, y - 8), (x + w + 8, y + h + 8), (30, 30, 30), -1)
    cv2.rectangle(panel.canvas, (x, y), (x + w, y + h), _tone(rng, 60, 150), -1)
    text = _word(rng, 4, 8)
    cv2.putText(panel.canvas, text, (x + 10, y + h - 20), cv2.FONT_HERSHEY_DUPLEX, 1.1, (20, 20, 20), 2, cv2.LINE_AA)
    panel.elements.append(("display", (x - 8, y - 8, x + w + 8, y + h + 8)))


def _switches(panel: Panel, rng: np.random.Generator, x: int, y: int) -> None:
    for k in range(2):
        cx, cy, r = x + 95 + 110 * k, y + CELL // 2, int(rng.integers(30, 46))
        angle = rng.uniform(0, pi)
        cv2.circle(panel.canvas, (cx, cy), r, _grey(rng, 30, 90), -1, cv2.LINE_AA)
        dx, dy = int(r * cos(angle)), int(r * sin(angle))
        cv2.line(panel.canvas, (cx - dx, cy - dy), (cx + dx, cy + dy), _grey(rng, 140, 200), 14, cv2.LINE_AA)
        cv2.putText(
            panel.canvas,
            _word(rng, 2, 4),
            (cx - 20, cy - r - 8),
            cv2.FONT_HERSHEY_SIMPLEX,
            0.6,
            (15, 15, 15),
            2,
            cv2.LINE_AA,
        )
        panel.elements.append(("switch", (cx - r - 4, cy - r - 4, cx + r + 4, cy + r + 4)))


def _bare(panel: Panel, rng: np.random.Generator, x: int, y: int) -> None:
    """A plate with nothing on it, or with a faint cover."""
    w, h = int(rng.integers(80, 170)), int(rng.integers(80, 170))
    x, y = x + (CELL - w) // 2, y + (CELL - h) // 2
    if rng.random() < 0.6:
        cv2.rectangle(panel.canvas, (x, y), (x + w, y + h), panel.canvas[y, x].astype(int).tolist(), 1)
        edge = (panel.canvas[y, x].astype(int) - int(rng.integers(6, 16))).clip(0, 255).tolist()
        cv2.rectangle(panel.canvas, (x, y), (x + w, y + h), edge, 2)
    panel.elements.append(("bare", (x, y, x + w, y + h)))


def _scratches(canvas: Colour, rng: np.random.Generator) -> None:
    for _ in range(110):
        x, y = int(rng.integers(WIDTH)), int(rng.integers(HEIGHT))
        dx, dy = (int(v) for v in rng.normal(0, 50, 2))
        cv2.line(canvas, (x, y), (x + dx, y + dy), _grey(rng, 60, 210), 1, cv2.LINE_AA)
