"""The default scene's subject: the front of a press with its cabinet open, drawn by ourselves. PURE, always the same.

About a second of drawing for a 2560 x 1440 canvas with texture everywhere, as a tracker and an encoder meet it in a
real factory. Lamps and the pressure gauge move: they are `Moving` patches, drawn once in all their states.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from kiosk.hw.ports import Pixels
from kiosk.hw.sim.drawing import (
    Color,
    disc,
    dome,
    fill,
    grain,
    hollow,
    label,
    lamp,
    line,
    panel,
    screw,
    shadow,
    text,
    texture,
    wire,
)
from kiosk.hw.sim.machine_parts import circuit_board, fuse_row, gauge, gauge_needle, terminal_row

WIDTH, HEIGHT = 2560, 1440

_RED: Color = (44, 40, 205)
_GREEN: Color = (70, 175, 45)
_BLUE: Color = (190, 95, 30)
_AMBER: Color = (30, 165, 250)
_YELLOW: Color = (35, 200, 245)
_WHITE: Color = (235, 238, 240)
_BLACK: Color = (28, 27, 26)
_CABINET: Color = (196, 203, 204)  # about RAL 7035


@dataclass(frozen=True, slots=True)
class Moving:
    """A part in all its states: (h, w, 3) uint8 BGR each, even in place and size; `state` chooses one at t seconds."""

    x: int
    y: int
    states: tuple[Pixels, ...]
    state: Callable[[float], int]


def draw() -> tuple[Pixels, tuple[Moving, ...]]:
    """The canvas, (1440, 2560, 3) uint8 BGR, and what moves on it."""
    rng = np.random.default_rng(20_240)
    image = np.full((HEIGHT, WIDTH, 3), (150, 152, 150), np.uint8)
    _sheet_metal(image, rng)
    _operator_panel(image, rng)
    _gauges(image)
    _compartment(image, rng)
    _slots(image, 1010, 620, 600, 12)
    _type_plate(image, rng)
    _warning_sign(image, 1150, 1010, 240)
    _note(image, 1470, 950)
    _hose(image)
    moving = _moving(image)
    clean = image.astype(np.int16)
    _wear(image, rng)
    wear = image - clean
    return image, tuple(_worn(part, wear) for part in moving)


# --- the machine's body -----------------------------------------------------------------------------------------------


def _sheet_metal(image: Pixels, rng: np.random.Generator) -> None:
    """Brushed steel in three sheets, bolted."""
    texture(image, 0, 0, grain(HEIGHT, WIDTH, rng, 40, 0.6), 9)
    texture(image, 0, 0, grain(HEIGHT, WIDTH, rng, 6, 0.5), 6)
    for x in (960, 1680):
        line(image, [(x, 0), (x, HEIGHT)], (40, 40, 40), 4)
        line(image, [(x + 3, 0), (x + 3, HEIGHT)], (205, 205, 205), 2)
    for x in (30, 930, 992, 1650, 1712, 2530):
        for y in range(40, HEIGHT, 226):
            screw(image, x, y, 15, rng.uniform(0, 3), cross=True)


def _slots(image: Pixels, x: int, y: int, width: int, count: int) -> None:
    """Ventilation slots with a dark inside."""
    for i in range(count):
        top = y + i * 21
        hollow(image, x, top, width, 11, (18, 18, 18), radius=5)
        line(image, [(x + 5, top + 12), (x + width - 5, top + 12)], (210, 212, 212), 1)


def _wear(image: Pixels, rng: np.random.Generator) -> None:
    """Grease around what hands touch, runs of oil, scratches and the grain that every camera sees."""
    texture(image, 0, 0, grain(HEIGHT // 8, WIDTH // 8, rng, 9, 9).repeat(8, 0).repeat(8, 1), 4)
    for _ in range(70):
        x, y = rng.uniform(0, WIDTH), rng.uniform(0, HEIGHT)
        angle, length = rng.uniform(-0.5, 0.5), rng.gamma(2.0, 12.0)
        shade = int(rng.choice([80, 180, 196]))
        end = (x + length * np.cos(angle), y + length * np.sin(angle))
        line(image, [(x, y), end], (shade, shade, shade), 1)
    for _ in range(260):
        disc(image, rng.uniform(0, WIDTH), rng.uniform(0, HEIGHT), rng.uniform(0.8, 3.2), (30, 38, 44), 0.5)
    for x, y, length in ((1205, 480, 130), (1490, 470, 160), (420, 1010, 200), (2180, 1180, 180)):
        _run_of_oil(image, x, y, length)
    texture(image, 0, 0, grain(HEIGHT, WIDTH, rng, 0.8, 0.8), 3.2)
    _daylight(image)


def _run_of_oil(image: Pixels, x: int, y: int, length: int) -> None:
    for i in range(length):
        disc(image, x + 3 * np.sin(i / 17), y + i, 5 * (1 - i / length) + 1.5, (22, 34, 44), 0.07)


def _daylight(image: Pixels) -> None:
    """Brighter towards the window on the left."""
    xs = np.linspace(1.07, 0.86, WIDTH, dtype=np.float32)[None, :]
    ys = np.linspace(1.04, 0.93, HEIGHT, dtype=np.float32)[:, None]
    image[:] = (image * (xs * ys)[..., None]).clip(0, 255).astype(np.uint8)


def _hose(image: Pixels) -> None:
    """A braided hydraulic hose along the lower edge."""
    points = [(x, 1410 + 9 * np.sin(x / 190)) for x in range(-20, WIDTH + 20, 4)]
    line(image, [(x + 8, y + 16) for x, y in points], (32, 32, 32), 40)
    line(image, points, (34, 34, 36), 36)
    for i in range(0, len(points) - 3, 2):
        x, y = points[i]
        line(image, [(x - 5, y - 16), (x + 7, y + 15)], (86, 88, 92), 2)
        line(image, [(x + 7, y - 16), (x - 5, y + 15)], (66, 68, 70), 1)
    line(image, [(x, y - 9) for x, y in points], (120, 122, 126), 2)


# --- operator panel (left) --------------------------------------------------------------------------------------------


def _operator_panel(image: Pixels, rng: np.random.Generator) -> None:
    panel(image, 70, 60, 820, 1320, _CABINET, radius=18, depth=18, slope=0.1)
    texture(image, 76, 66, grain(1308, 808, rng, 1.6, 1.6), 3.4)
    for x, y in ((100, 92), (860, 92), (100, 1348), (860, 1348)):
        screw(image, x, y, 13, rng.uniform(0, 3))
    panel(image, 130, 105, 700, 74, (92, 60, 18), radius=8, depth=5)
    text(image, 158, 143, "HYDRAULIKPRESSE  HP 250", 37, (245, 245, 245), font="RobotoBold", anchor="lm")
    text(image, 806, 143, "Anlage 7", 26, (225, 210, 180), anchor="rm")
    _screen(image)
    _pushbuttons(image)
    _selector(image, 230, 1000, "HAND    0    AUTO", -0.7, "Betriebsart")
    _selector(image, 480, 1000, "AUF        ZU", 0.6, "Stößel")
    _key_switch(image, 720, 1000)
    _emergency_stop(image, 255, 1215)
    _lamp_labels(image)


def _screen(image: Pixels) -> None:
    """The machine's own small display with a curve."""
    panel(image, 130, 215, 460, 330, (48, 46, 44), radius=12, depth=8)
    hollow(image, 158, 240, 404, 262, (64, 34, 12), radius=4)
    text(image, 174, 262, "Störung 214: Öldruck zu niedrig", 23, (120, 225, 255), font="RobotoBold", anchor="lm")
    for i in range(5):
        line(image, [(176, 300 + i * 34), (545, 300 + i * 34)], (110, 70, 36), 1)
        text(image, 168, 300 + i * 34, str(200 - i * 50), 13, (190, 150, 110), anchor="rm")
    for i in range(13):
        line(image, [(176 + i * 30, 292), (176 + i * 30, 440)], (96, 60, 30), 1)
    xs = np.arange(176, 545, 3)
    ys = 345 + 22 * np.sin(xs / 21) + 14 * np.sin(xs / 7.3) + (xs > 430) * (xs - 430) * 0.55
    line(image, list(zip(xs.tolist(), ys.tolist(), strict=True)), (120, 240, 140), 2)
    for i, words in enumerate(("Übersicht", "Aufträge", "Meldungen", "Wartung")):
        panel(image, 166 + i * 98, 458, 90, 34, (120, 80, 40), radius=4, depth=0)
        text(image, 211 + i * 98, 475, words, 16, (245, 240, 230))
    text(image, 360, 524, "KOMMANDOTAFEL  ·  F1   F2   F3   F4", 14, (170, 170, 170))


def _pushbuttons(image: Pixels) -> None:
    rows: tuple[tuple[tuple[Color, str], ...], ...] = (
        ((_GREEN, "EIN"), (_RED, "AUS"), (_BLUE, "QUITT."), (_WHITE, "Licht")),
        ((_BLACK, "Vor"), (_BLACK, "Zurück"), (_YELLOW, "Einrichten"), (_WHITE, "Kühlung")),
    )
    for row, buttons in enumerate(rows):
        for column, (color, words) in enumerate(buttons):
            x, y = 200 + column * 175, 655 + row * 160
            _pushbutton(image, x, y, color)
            label(image, x, y + 72, words, 19)
    for column, words in enumerate(("-S1", "-S2", "-S3", "-S4")):
        text(image, 200 + column * 175, 588, words, 15, (92, 92, 92))


def _pushbutton(image: Pixels, x: int, y: int, color: Color) -> None:
    shadow(image, x - 47, y - 47, 94, 94, 47, 9)
    dome(image, x, y, 47, (150, 154, 158), flat=0.85)
    disc(image, x, y, 37, (36, 36, 38))
    dome(image, x, y, 34, color, flat=0.75)


def _selector(image: Pixels, x: int, y: int, scale: str, turn: float, words: str) -> None:
    """A turning switch that points to one of the words above it."""
    text(image, x, y - 68, scale, 17, (60, 60, 60), font="RobotoBold")
    shadow(image, x - 46, y - 46, 92, 92, 46, 9)
    dome(image, x, y, 46, (150, 154, 158), flat=0.85)
    dome(image, x, y, 36, (44, 44, 46), flat=0.8)
    dx, dy = np.sin(turn), -np.cos(turn)
    grip = [(x + dx * a - dy * b, y + dy * a + dx * b) for a, b in ((38, -8), (38, 8), (-34, 13), (-34, -13))]
    fill(image, [(px + 4, py + 6) for px, py in grip], (20, 20, 22))
    fill(image, grip, (70, 70, 74))
    line(image, [(x + dx * 8, y + dy * 8), (x + dx * 36, y + dy * 36)], (245, 245, 245), 4)
    label(image, x, y + 76, words, 19)


def _key_switch(image: Pixels, x: int, y: int) -> None:
    text(image, x, y - 68, "0          I", 18, (60, 60, 60), font="RobotoBold")
    dome(image, x, y, 46, (150, 154, 158), flat=0.85)
    dome(image, x, y, 33, (120, 160, 176), flat=0.7)
    hollow(image, x - 5, y - 20, 10, 40, (15, 15, 15), radius=4)
    label(image, x, y + 76, "Schlüssel", 19)


def _emergency_stop(image: Pixels, x: int, y: int) -> None:
    shadow(image, x - 105, y - 105, 210, 210, 105, 10)
    disc(image, x, y, 106, (20, 20, 20))
    disc(image, x, y, 103, (30, 205, 250))
    for turn, words in ((-1, "NOT-HALT"), (1, "EMERGENCY")):
        text(image, x, y + turn * 84, words, 17 if turn < 0 else 14, _BLACK, font="RobotoBlack")
    shadow(image, x - 62, y - 62, 124, 124, 62, 14)
    dome(image, x, y, 68, (60, 60, 62), flat=0.9)
    dome(image, x, y, 63, (36, 30, 200), flat=0.45)
    for angle in (0.4, 2.5, 4.6):
        px, py = x + 36 * np.cos(angle), y + 36 * np.sin(angle)
        tip = (x + 36 * np.cos(angle + 0.8), y + 36 * np.sin(angle + 0.8))
        line(image, [(px, py), tip], (225, 225, 235), 4)
        disc(image, tip[0], tip[1], 6, (225, 225, 235))


def _lamp_labels(image: Pixels) -> None:
    panel(image, 430, 1120, 400, 200, (206, 212, 214), radius=6, depth=4)
    for i, words in enumerate(("Betrieb", "Störung", "Öl", "Tür", "Pumpe")):
        text(image, 478 + i * 76, 1240, words, 17, (50, 50, 50))
        text(image, 478 + i * 76, 1146, f"H{i + 1}", 14, (110, 110, 110))
    text(image, 630, 1290, "Vor dem Öffnen Hauptschalter ausschalten!", 18, (30, 30, 160), font="RobotoBold")
    hollow(image, 620, 215, 210, 330, (60, 60, 60), radius=8)
    text(image, 725, 240, "TAKT / min", 18, (220, 220, 220))


# --- gauges (middle) --------------------------------------------------------------------------------------------------


def _gauges(image: Pixels) -> None:
    panel(image, 1000, 70, 640, 500, (112, 110, 108), radius=14, depth=14, slope=0.12)
    gauge(image, 1165, 245, 140, "bar", "Öldruck", 250)
    gauge(image, 1475, 245, 140, "°C", "Öltemperatur", 120)
    gauge_needle(image, 1475, 245, 140, 0.46)
    label(image, 1165, 425, "-P1  Öldruck", 20, dark=True)
    label(image, 1475, 425, "-B4  Öltemperatur", 20, dark=True)
    _counter(image, 1165, 495)
    _counter(image, 1475, 495)


def _counter(image: Pixels, x: int, y: int) -> None:
    """A mechanical hour counter."""
    panel(image, x - 98, y - 34, 196, 68, (52, 52, 52), radius=5, depth=5)
    for i, digit in enumerate("0418753" if x < 1300 else "0026119"):
        left = x - 84 + i * 24
        paper: Color = (40, 36, 190) if i == 6 else (18, 18, 18)
        hollow(image, left, y - 22, 22, 34, paper, radius=2)
        text(image, left + 11, y - 5, digit, 25, (240, 240, 240))
    text(image, x, y + 23, "h   Betriebsstunden" if x < 1300 else "Hübe × 100", 13, (200, 200, 200))


def _type_plate(image: Pixels, rng: np.random.Generator) -> None:
    panel(image, 1330, 1130, 310, 205, (178, 184, 188), radius=6, depth=5)
    texture(image, 1336, 1136, grain(193, 298, rng, 12, 0.5), 7)
    lines = (
        "MÜLLER & SÖHNE  Pressen",
        "Typ  HP 250 / 3-S",
        "Nr.  04-77-1183      Bj. 2009",
        "3~ 400 V  50 Hz  18,5 kW",
    )
    for i, words in enumerate(lines):
        text(image, 1352, 1162 + i * 33, words, 21 if i == 0 else 18, (42, 40, 38), anchor="lm")
        line(image, [(1350, 1178 + i * 33), (1622, 1178 + i * 33)], (110, 112, 114), 1)
    left = 1352
    while left < 1600:
        width = int(rng.integers(2, 7))
        fill(image, [(left, 1290), (left + width, 1290), (left + width, 1322), (left, 1322)], (34, 34, 34))
        left += width + int(rng.integers(2, 7))
    for x, y in ((1341, 1141), (1629, 1141), (1341, 1324), (1629, 1324)):
        screw(image, x, y, 5, rng.uniform(0, 3))


def _warning_sign(image: Pixels, x: int, y: int, size: int) -> None:
    """Danger of electric voltage, and what to do."""
    top, half = y - size * 0.45, size * 0.55
    base = y + size * 0.45
    fill(image, [(x + 5, top + 5), (x + half + 9, base + 7), (x - half + 3, base + 7)], (50, 50, 50))
    fill(image, [(x, top), (x + half, base), (x - half, base)], (18, 18, 18))
    fill(image, [(x, top + 30), (x + half - 26, base - 14), (x - half + 26, base - 14)], (20, 205, 252))
    bolt = ((14, -52), (-20, 22), (2, 18), (-14, 74), (-26, 66), (-10, 100), (16, 78), (4, 72), (28, -6), (6, 0))
    fill(image, [(x + px * 0.8, y + 4 + py * 0.8) for px, py in bolt], (16, 16, 16))
    panel(image, x - 130, y + 130, 260, 84, (20, 205, 252), radius=4, depth=2)
    text(image, x, y + 155, "Gefährliche Spannung", 23, _BLACK, font="RobotoBold")
    text(image, x, y + 188, "5 min nach Abschalten warten", 17, _BLACK)


def _note(image: Pixels, x: int, y: int) -> None:
    """What somebody left there for the night shift."""
    shadow(image, x - 100, y - 70, 215, 170, 2, 6)
    fill(image, [(x - 104, y - 74), (x + 112, y - 66), (x + 106, y + 108), (x - 110, y + 98)], (120, 238, 250))
    for i, words in enumerate(("Ölstand prüfen!", "Filter F3 bestellt", "Gruß, Jürgen  12.3.")):
        text(
            image,
            x - 88,
            y - 28 + i * 42,
            words,
            27 if i == 0 else 22,
            (120, 50, 30),
            font="RobotoMediumItalic",
            anchor="lm",
        )
    line(image, [(x - 88, y - 10), (x + 88, y - 6)], (50, 40, 190), 2)
    fill(image, [(x - 34, y - 92), (x + 38, y - 88), (x + 36, y - 58), (x - 36, y - 60)], (200, 214, 218))


# --- open compartment (right) -----------------------------------------------------------------------------------------


def _compartment(image: Pixels, rng: np.random.Generator) -> None:
    panel(image, 1745, 60, 760, 1320, (172, 178, 180), radius=12, depth=16)
    hollow(image, 1765, 80, 720, 1280, (92, 96, 98), radius=6)
    texture(image, 1769, 84, grain(1270, 712, rng, 1.2, 1.2), 3.5)
    circuit_board(image, 1800, 115, 650, 430, rng)
    _duct(image, 1790, 575, 670)
    fuse_row(image, 1800, 640, 9, rng)
    _duct(image, 1790, 870, 670)
    terminal_row(image, 1806, 960, 20, rng)
    _cables(image, rng)
    label(image, 2125, 1330, "24 V DC  Steuerstromkreis   -X3", 18)


def _duct(image: Pixels, x: int, y: int, width: int) -> None:
    """A slotted cable duct."""
    panel(image, x, y, width, 46, (158, 160, 158), radius=2, depth=6, slope=0.25)
    for i in range(width // 14 - 1):
        hollow(image, x + 8 + i * 14, y + 5, 6, 36, (62, 62, 62), radius=2)


def _cables(image: Pixels, rng: np.random.Generator) -> None:
    """From the terminals down and out, and from the fuses up into the duct."""
    colors: tuple[Color, ...] = (_BLUE, _RED, (60, 60, 60), (70, 110, 150), (60, 170, 190), _BLUE, (40, 150, 235))
    for i in range(20):
        color = colors[int(rng.integers(len(colors)))]
        x = 1824 + i * 32
        wire(image, (x, 1085), (1850 + i * 27, 1352), color, 9, int(rng.integers(-30, 60)))
        wire(image, (x, 914), (x, 968), colors[int(rng.integers(len(colors)))], 8)
    for i in range(9):
        wire(image, (1836 + i * 72, 618), (1836 + i * 72, 664), colors[i % 3], 9)
        wire(image, (1836 + i * 72, 820), (1836 + i * 72, 872), colors[(i + 1) % 3], 9)


# --- what moves -------------------------------------------------------------------------------------------------------


def _moving(image: Pixels) -> list[Moving]:
    for i, (color, on) in enumerate(((_GREEN, True), (_AMBER, False), (_AMBER, True), (_GREEN, False), (_GREEN, True))):
        if i != 1:
            lamp(image, 478 + i * 76, 1194, 19, color, on)
    needle = [partial(gauge_needle, x=145, y=145, radius=140, value=0.16 + 0.004 * i) for i in range(24)]
    fault = [partial(lamp, cx=34, cy=34, radius=19, color=_AMBER, on=on) for on in (False, True)]
    bars = [partial(_bar, height=i) for i in range(16)]
    return [
        Moving(1020, 100, _states(image, 1020, 100, 290, 290, needle), _pressure),
        Moving(520, 1160, _states(image, 520, 1160, 68, 68, fault), lambda t: int(t * 1.6) % 2),
        Moving(640, 262, _states(image, 640, 262, 170, 270, bars), lambda t: round(7.5 + 7.4 * math.sin(t * 0.9))),
    ]


def _pressure(t: float) -> int:
    """The needle trembles as the pump runs."""
    return round(11.5 + 6 * math.sin(t * 1.9) + 5 * math.sin(t * 5.3))


def _bar(part: Pixels, height: int) -> None:
    """A bar of lights in the operator panel."""
    for i in range(16):
        on, y = i <= height, 246 - i * 15
        color = (_GREEN if i < 10 else _AMBER if i < 14 else _RED) if on else (40, 44, 44)
        for column in range(2):
            panel(part, 24 + column * 64, y, 54, 11, color, radius=2, depth=0)
    for i in range(0, 17, 4):
        text(part, 160, 252 - i * 15, str(i), 13, (210, 210, 210))


def _states(
    image: Pixels, x: int, y: int, width: int, height: int, painters: Sequence[Callable[[Pixels], None]]
) -> tuple[Pixels, ...]:
    states = []
    for paint in painters:
        part = image[y : y + height, x : x + width].copy()
        paint(part)
        states.append(part)
    return tuple(states)


def _worn(part: Moving, wear: NDArray[np.int16]) -> Moving:
    """The part with the wear and daylight that lie over the whole canvas."""
    height, width = part.states[0].shape[:2]
    here = wear[part.y : part.y + height, part.x : part.x + width]
    states = tuple((state + here).clip(0, 255).astype(np.uint8) for state in part.states)
    return Moving(part.x, part.y, states, part.state)
