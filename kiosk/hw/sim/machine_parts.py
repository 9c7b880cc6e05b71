"""Gauges, fuses, terminals and a circuit board for the drawn machine front. PURE."""

from __future__ import annotations

import numpy as np

from kiosk.hw.ports import Pixels
from kiosk.hw.sim.drawing import (
    Color,
    disc,
    dome,
    fill,
    grain,
    hollow,
    lamp,
    line,
    panel,
    screw,
    shadow,
    text,
    texture,
)

_SWEEP = 1.5 * np.pi
_START = 0.75 * np.pi
"""A dial begins at the lower left and ends at the lower right."""


def gauge(image: Pixels, x: int, y: int, radius: int, unit: str, words: str, top: int) -> None:
    """A dial with its scale, without a needle."""
    shadow(image, x - radius, y - radius, 2 * radius, 2 * radius, radius, 12)
    dome(image, x, y, radius, (150, 156, 160), flat=0.9)
    disc(image, x, y, radius * 0.9, (60, 60, 62))
    disc(image, x, y, radius * 0.87, (238, 242, 243))
    _scale(image, x, y, radius, top)
    text(image, x, y + radius // 3, unit, radius // 5, (40, 40, 40), font="RobotoBold")
    text(image, x, y + radius * 58 // 100, words, radius // 9, (80, 80, 80))
    text(image, x, y - radius // 3, "WIKOMA  Kl. 1,6", radius // 12, (120, 120, 120))


def _scale(image: Pixels, x: int, y: int, radius: int, top: int) -> None:
    for i in range(51):
        angle = _START + _SWEEP * i / 50
        dx, dy = np.cos(angle), np.sin(angle)
        inner = 0.70 if i % 10 == 0 else 0.74 if i % 5 == 0 else 0.78
        color: Color = (36, 30, 200) if i > 40 else (30, 30, 30)
        ends = [(x + dx * radius * inner, y + dy * radius * inner), (x + dx * radius * 0.82, y + dy * radius * 0.82)]
        line(image, ends, color, 3 if i % 10 == 0 else 2 if i % 5 == 0 else 1)
        if i % 10 == 0:
            place = (round(x + dx * radius * 0.57), round(y + dy * radius * 0.57))
            text(image, *place, str(top * i // 50), radius // 7, (30, 30, 30), font="RobotoBold")


def gauge_needle(image: Pixels, x: int, y: int, radius: int, value: float) -> None:
    """value: 0..1 of the scale."""
    angle = _START + _SWEEP * value
    dx, dy = np.cos(angle), np.sin(angle)
    tip, tail = 0.74 * radius, -0.2 * radius
    needle = [(x + dx * a - dy * b, y + dy * a + dx * b) for a, b in ((tip, 0), (0, 5), (tail, 7), (tail, -7), (0, -5))]
    fill(image, [(px + 4, py + 6) for px, py in needle], (190, 194, 196))
    fill(image, needle, (24, 22, 24))
    dome(image, x, y, radius * 0.1, (90, 90, 94), flat=0.4)


def fuse_row(image: Pixels, x: int, y: int, count: int, rng: np.random.Generator) -> None:
    """Circuit breakers on their rail."""
    panel(image, x - 20, y + 70, count * 72 + 30, 40, (176, 182, 184), radius=2, depth=6, slope=0.5)
    for i in range(count):
        left = x + i * 72
        panel(image, left, y, 68, 200, (214, 218, 219), radius=4, depth=8)
        panel(image, left + 6, y + 52, 56, 96, (198, 202, 204), radius=3, depth=4)
        for dy in (24, 178):
            hollow(image, left + 18, y + dy - 15, 32, 30, (70, 72, 74), radius=14)
            screw(image, left + 34, y + dy, 10, float(rng.uniform(0, 3)), cross=True)
        _toggle(image, left + 34, y + 98, on=i != 5)
        text(image, left + 34, y + 62, ("C16", "C10", "B6")[i % 3], 16, (40, 40, 40), font="RobotoBold")
        text(image, left + 34, y + 138, f"-F{i + 1}", 15, (120, 50, 20), font="RobotoBold")


def _toggle(image: Pixels, x: int, y: int, *, on: bool) -> None:
    hollow(image, x - 14, y - 22, 28, 46, (40, 40, 42), radius=3)
    color: Color = (40, 40, 44) if on else (50, 130, 40)
    panel(image, x - 12, y - 20 if on else y + 2, 24, 22, color, radius=3, depth=3, edge=0.6)
    text(image, x, y - 9 if on else y + 13, "I" if on else "0", 13, (235, 235, 235), font="RobotoBold")


def terminal_row(image: Pixels, x: int, y: int, count: int, rng: np.random.Generator) -> None:
    """Numbered terminals with two screws each; some are for earth."""
    panel(image, x - 12, y + 44, count * 32 + 20, 40, (176, 182, 184), radius=2, depth=6, slope=0.5)
    for i in range(count):
        left = x + i * 32
        color: Color = (60, 190, 120) if i % 7 == 6 else (190, 130, 60) if i % 7 == 5 else (158, 166, 168)
        panel(image, left, y, 30, 130, color, radius=2, depth=5)
        for dy in (26, 104):
            hollow(image, left + 4, y + dy - 12, 22, 24, (46, 46, 48), radius=11)
            screw(image, left + 15, y + dy, 8, float(rng.uniform(0, 3)))
        panel(image, left + 3, y + 52, 24, 26, (240, 242, 243), radius=2, depth=0)
        text(image, left + 15, y + 65, "PE" if i % 7 == 6 else str(i + 1), 14, (30, 30, 30))


def circuit_board(image: Pixels, x: int, y: int, width: int, height: int, rng: np.random.Generator) -> None:
    """A controller board, about 650 x 430 px."""
    panel(image, x, y, width, height, (58, 92, 22), radius=6, depth=10, slope=0.08)
    texture(image, x + 4, y + 4, grain(height - 8, width - 8, rng, 1, 1), 2.5)
    _traces(image, x, y, width, height, rng)
    for dx, dy in ((18, 18), (width - 18, 18), (18, height - 18), (width - 18, height - 18)):
        disc(image, x + dx, y + dy, 14, (120, 190, 205))
        screw(image, x + dx, y + dy, 9, float(rng.uniform(0, 3)), cross=True)
    _chip(image, x + 230, y + 130, 130, 130, "STM-407\nVGT6  0911")
    _chip(image, x + 60, y + 70, 110, 54, "AM29F040\n-70JC")
    _chip(image, x + 60, y + 170, 110, 54, "74HC595D")
    _chip(image, x + 60, y + 260, 110, 54, "MAX485\nCSA")
    _crystal(image, x + 405, y + 100)
    _capacitors(image, x, y)
    _small_parts(image, x, y, rng)
    _connectors(image, x, y, width, height)
    for i in range(8):
        lamp(image, x + 430 + i * 24, y + 40, 6, (70, 230, 90) if i < 6 else (40, 60, 240), on=i in (0, 1, 3, 4, 7))
        text(image, x + 430 + i * 24, y + 62, f"D{i}", 11, (225, 235, 225))
    text(image, x + 52, y + 36, "CTRL-7  Rev. C   © 2009", 19, (225, 235, 225), font="RobotoBold", anchor="lm")


def _traces(image: Pixels, x: int, y: int, width: int, height: int, rng: np.random.Generator) -> None:
    """Copper under the green: straight with 45° bends, ending in vias."""
    for _ in range(110):
        px, py = x + int(rng.integers(20, width - 20)), y + int(rng.integers(20, height - 20))
        points = [(float(px), float(py))]
        for _ in range(int(rng.integers(2, 5))):
            angle = int(rng.integers(8)) * np.pi / 4
            length = float(rng.integers(15, 75))
            px = int(np.clip(px + np.cos(angle) * length, x + 12, x + width - 12))
            py = int(np.clip(py + np.sin(angle) * length, y + 12, y + height - 12))
            points.append((px, py))
        line(image, points, (80, 122, 44), int(rng.integers(2, 5)))
        for ex, ey in (points[0], points[-1]):
            disc(image, ex, ey, 4, (130, 176, 180))
            disc(image, ex, ey, 1.8, (30, 40, 24))


def _chip(image: Pixels, x: int, y: int, width: int, height: int, words: str) -> None:
    for px in range(x + 6, x + width - 6, 10):
        for top in (y - 9, y + height - 2):
            panel(image, px, top, 5, 12, (190, 196, 200), radius=1, depth=0, edge=0.6)
    if width == height:
        for py in range(y + 6, y + height - 6, 10):
            for left in (x - 9, x + width - 2):
                panel(image, left, py, 12, 5, (190, 196, 200), radius=1, depth=0, edge=0.6)
    panel(image, x, y, width, height, (42, 42, 44), radius=3, depth=5)
    disc(image, x + 12, y + 12, 4, (28, 28, 30))
    lines = words.split("\n")
    for i, words_ in enumerate(lines):
        place = y + height // 2 + round((i - (len(lines) - 1) / 2) * 19)
        text(image, x + width // 2, place, words_, 15, (176, 178, 180))


def _crystal(image: Pixels, x: int, y: int) -> None:
    panel(image, x, y, 70, 30, (190, 194, 198), radius=14, depth=5, edge=0.7)
    text(image, x + 35, y + 15, "8.000", 13, (70, 70, 70))


def _capacitors(image: Pixels, x: int, y: int) -> None:
    for dx, dy, radius in ((440, 190, 34), (520, 190, 34), (600, 185, 28), (455, 280, 22), (515, 280, 22)):
        cx, cy = x + dx, y + dy
        shadow(image, cx - radius, cy - radius, 2 * radius, 2 * radius, radius, 10)
        disc(image, cx, cy, radius, (60, 44, 30))
        disc(image, cx, cy, radius - 4, (176, 182, 186))
        for angle in (0.5, 2.6, 4.7):
            line(
                image,
                [(cx, cy), (cx + np.cos(angle) * radius * 0.7, cy + np.sin(angle) * radius * 0.7)],
                (120, 124, 128),
                2,
            )
        text(image, cx + radius + 4, cy + radius + 2, f"C{dx % 37}", 11, (225, 235, 225))


def _small_parts(image: Pixels, x: int, y: int, rng: np.random.Generator) -> None:
    """Resistors and capacitors of a millimetre or two, with their names."""
    for i in range(54):
        px, py = x + 190 + (i % 9) * 24, y + 290 + (i // 9) * 12
        if i >= 36:
            px, py = x + 200 + (i % 9) * 22, y + 66 + (i // 9 - 4) * 22
        body: Color = (36, 36, 40) if rng.random() < 0.6 else (110, 150, 186)
        panel(image, px, py, 16, 8, (196, 200, 204), radius=1, depth=0)
        panel(image, px + 4, py, 8, 8, body, radius=0, depth=0)
        if i % 3 == 0:
            text(image, px + 8, py - 5, f"R{i + 11}", 9, (215, 228, 215))


def _connectors(image: Pixels, x: int, y: int, width: int, height: int) -> None:
    """Plugs with screws along the lower edge, a row of DIP switches, a 9-pin socket."""
    for i in range(14):
        left = x + 44 + i * 40
        panel(image, left, y + height - 66, 38, 56, (52, 140, 62), radius=2, depth=5)
        hollow(image, left + 7, y + height - 58, 24, 24, (40, 46, 40), radius=12)
        screw(image, left + 19, y + height - 46, 8, 0.4 * i)
        hollow(image, left + 9, y + height - 28, 20, 14, (24, 28, 24), radius=2)
    panel(image, x + 540, y + 250, 84, 84, (38, 32, 190), radius=3, depth=5)
    for i in range(8):
        hollow(image, x + 545 + i * 10, y + 268, 7, 48, (20, 20, 90), radius=1)
        panel(image, x + 545 + i * 10, y + 270 + 22 * ((i * 5) % 3 % 2), 7, 20, (236, 238, 240), radius=1, depth=0)
    text(image, x + 582, y + 258, "1 2 3 4 5 6 7 8", 10, (240, 240, 240))
