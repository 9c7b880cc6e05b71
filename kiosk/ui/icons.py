"""Our own icons, drawn large with OpenCV in a square of 0..1 and scaled down, so that they are smooth at any size."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import cv2
import numpy as np

from kiosk.hw.ports import Pixels

_OVER = 4  # times larger than needed


class Pen:
    """Draws on a square mask in coordinates 0..1; `ink` 0 cuts out."""

    def __init__(self, side: int) -> None:
        self.mask: Pixels = np.zeros((side, side), np.uint8)
        self._side = side

    def line(self, *points: tuple[float, float], w: float = 0.08, closed: bool = False, ink: int = 255) -> None:
        cv2.polylines(self.mask, [self._at(points)], closed, ink, max(1, round(w * self._side)), cv2.LINE_AA)

    def area(self, *points: tuple[float, float], ink: int = 255) -> None:
        cv2.fillPoly(self.mask, [self._at(points)], ink, cv2.LINE_AA)

    def disc(self, x: float, y: float, r: float, ink: int = 255) -> None:
        cv2.circle(self.mask, self._one(x, y), round(r * self._side), ink, -1, cv2.LINE_AA)

    def arc(self, x: float, y: float, r: float, begin: float, end: float, w: float = 0.08, ink: int = 255) -> None:
        """Degrees, clockwise from 3 o'clock."""
        steps = [math.radians(begin + (end - begin) * i / 40) for i in range(41)]
        self.line(*[(x + r * math.cos(a), y + r * math.sin(a)) for a in steps], w=w, ink=ink)

    def box(self, x: float, y: float, w: float, h: float, r: float = 0.05, ink: int = 255) -> None:
        """A rounded rectangle."""
        self.area((x + r, y), (x + w - r, y), (x + w - r, y + h), (x + r, y + h), ink=ink)
        self.area((x, y + r), (x + w, y + r), (x + w, y + h - r), (x, y + h - r), ink=ink)
        for cx, cy in ((x + r, y + r), (x + w - r, y + r), (x + r, y + h - r), (x + w - r, y + h - r)):
            self.disc(cx, cy, r, ink)

    def _one(self, x: float, y: float) -> tuple[int, int]:
        return round(x * self._side), round(y * self._side)

    def _at(self, points: tuple[tuple[float, float], ...]) -> np.ndarray[tuple[int, int], np.dtype[np.int32]]:
        return np.array([self._one(*p) for p in points], np.int32)


@lru_cache(256)
def mask(name: str, side: int) -> Pixels:
    """(side, side) uint8 coverage of an icon; read only. Raises KeyError for a name that is not in ICONS."""
    pen = Pen(side * _OVER)
    ICONS[name](pen)
    small = cv2.resize(pen.mask, (side, side), interpolation=cv2.INTER_AREA)
    small.flags.writeable = False
    return np.asarray(small, np.uint8)


def _camera_plus(p: Pen) -> None:
    """A video camera with a plus cut out of its body."""
    p.box(0.05, 0.22, 0.62, 0.56, 0.11)
    p.area((0.71, 0.46), (0.93, 0.29), (0.93, 0.71), (0.71, 0.54))
    p.line((0.93, 0.31), (0.93, 0.69), w=0.05)
    p.line((0.36, 0.37), (0.36, 0.63), w=0.085, ink=0)
    p.line((0.23, 0.50), (0.49, 0.50), w=0.085, ink=0)


def _camera(p: Pen) -> None:
    p.box(0.05, 0.24, 0.62, 0.52, 0.11)
    p.area((0.71, 0.46), (0.93, 0.29), (0.93, 0.71), (0.71, 0.54))
    p.line((0.93, 0.31), (0.93, 0.69), w=0.05)


def _photo(p: Pen) -> None:
    """A still camera: the snapshot."""
    p.box(0.06, 0.26, 0.88, 0.58, 0.1)
    p.area((0.33, 0.28), (0.39, 0.15), (0.61, 0.15), (0.67, 0.28))
    p.disc(0.5, 0.54, 0.21, 0)
    p.disc(0.5, 0.54, 0.14)
    p.disc(0.81, 0.38, 0.04, 0)


def _phone(p: Pen, turned: float = 0.0) -> None:
    """A handset: a bow with an ear piece and a mouth piece."""
    turn = math.radians(turned)

    def at(x: float, y: float) -> tuple[float, float]:
        dx, dy = x - 0.5, y - 0.5
        return 0.5 + dx * math.cos(turn) - dy * math.sin(turn), 0.5 + dx * math.sin(turn) + dy * math.cos(turn)

    bow = [at(0.5 + 0.36 * math.cos(a), 0.78 + 0.36 * math.sin(a)) for a in np.linspace(math.pi * 1.04, math.pi * 1.96)]
    p.line(*bow, w=0.16)
    p.area(at(0.05, 0.52), at(0.28, 0.50), at(0.28, 0.70), at(0.07, 0.74))
    p.area(at(0.95, 0.52), at(0.72, 0.50), at(0.72, 0.70), at(0.93, 0.74))


def _phone_up(p: Pen) -> None:
    _phone(p, -135)


def _mic(p: Pen) -> None:
    p.box(0.37, 0.08, 0.26, 0.50, 0.13)
    p.arc(0.5, 0.45, 0.27, 0, 180, 0.07)
    p.line((0.5, 0.72), (0.5, 0.88), w=0.07)
    p.line((0.34, 0.90), (0.66, 0.90), w=0.07)


def _struck(p: Pen) -> None:
    p.line((0.14, 0.10), (0.88, 0.84), w=0.17, ink=0)
    p.line((0.12, 0.14), (0.86, 0.90), w=0.075)


def _mic_off(p: Pen) -> None:
    _mic(p)
    _struck(p)


def _turns(p: Pen) -> None:
    """Two arrows, there and back."""
    p.line((0.12, 0.33), (0.70, 0.33), w=0.11)
    p.area((0.62, 0.12), (0.92, 0.33), (0.62, 0.54))
    p.line((0.30, 0.69), (0.88, 0.69), w=0.11)
    p.area((0.38, 0.48), (0.08, 0.69), (0.38, 0.90))


def _check(p: Pen) -> None:
    p.line((0.15, 0.54), (0.40, 0.78), (0.86, 0.26), w=0.13)


def _cross(p: Pen) -> None:
    p.line((0.22, 0.22), (0.78, 0.78), w=0.12)
    p.line((0.78, 0.22), (0.22, 0.78), w=0.12)


def _back(p: Pen) -> None:
    p.line((0.50, 0.18), (0.18, 0.50), (0.50, 0.82), w=0.11)
    p.line((0.20, 0.50), (0.86, 0.50), w=0.11)


def _next(p: Pen) -> None:
    p.line((0.50, 0.18), (0.82, 0.50), (0.50, 0.82), w=0.11)
    p.line((0.14, 0.50), (0.80, 0.50), w=0.11)


def _open(p: Pen) -> None:
    p.line((0.38, 0.20), (0.66, 0.50), (0.38, 0.80), w=0.11)


def _undo(p: Pen) -> None:
    p.arc(0.52, 0.56, 0.30, -130, 150, 0.10)
    p.area((0.10, 0.32), (0.50, 0.14), (0.48, 0.54))


def _clock(p: Pen) -> None:
    p.arc(0.5, 0.5, 0.40, 0, 360, 0.09)
    p.line((0.5, 0.26), (0.5, 0.52), (0.68, 0.62), w=0.09)


def _network(p: Pen) -> None:
    p.disc(0.5, 0.80, 0.085)
    for r in (0.25, 0.44, 0.63):
        p.arc(0.5, 0.84, r, 225, 315, 0.095)


def _network_off(p: Pen) -> None:
    _network(p)
    _struck(p)


def _person(p: Pen) -> None:
    p.disc(0.5, 0.30, 0.20)
    p.area(*[(0.5 + 0.38 * math.cos(a), 0.92 + 0.36 * math.sin(a)) for a in np.linspace(math.pi, 2 * math.pi, 40)])


def _warning(p: Pen) -> None:
    p.area((0.5, 0.10), (0.95, 0.88), (0.05, 0.88))
    p.line((0.5, 0.18), (0.88, 0.84), (0.12, 0.84), w=0.08, closed=True)
    p.line((0.5, 0.38), (0.5, 0.60), w=0.09, ink=0)
    p.disc(0.5, 0.74, 0.055, 0)


def _dot(p: Pen) -> None:
    p.disc(0.5, 0.5, 0.34)


def _ring(p: Pen) -> None:
    p.arc(0.5, 0.5, 0.30, 0, 360, 0.09)


def _record(p: Pen) -> None:
    p.arc(0.5, 0.5, 0.41, 0, 360, 0.08)
    p.disc(0.5, 0.5, 0.24)


def _record_off(p: Pen) -> None:
    _record(p)
    _struck(p)


def _star(p: Pen) -> None:
    p.area(*_star_points(0.46))
    p.line(*_star_points(0.42), w=0.06, closed=True)


def _star_empty(p: Pen) -> None:
    p.line(*_star_points(0.42), w=0.06, closed=True)


def _star_points(r: float) -> list[tuple[float, float]]:
    turns = [(math.radians(36 * i - 90), r if i % 2 == 0 else r * 0.46) for i in range(10)]
    return [(0.5 + d * math.cos(a), 0.53 + d * math.sin(a)) for a, d in turns]


def _book(p: Pen) -> None:
    p.box(0.16, 0.08, 0.68, 0.84, 0.08)
    for y, end in ((0.30, 0.70), (0.48, 0.70), (0.66, 0.54)):
        p.line((0.31, y), (end, y), w=0.07, ink=0)


def _ticket(p: Pen) -> None:
    p.box(0.06, 0.24, 0.88, 0.52, 0.08)
    p.disc(0.06, 0.5, 0.10, 0)
    p.disc(0.94, 0.5, 0.10, 0)
    for y in (0.36, 0.50, 0.64):
        p.disc(0.66, y, 0.035, 0)


def _list(p: Pen) -> None:
    for y in (0.24, 0.5, 0.76):
        p.disc(0.15, y, 0.07)
        p.line((0.34, y), (0.88, y), w=0.10)


def _more(p: Pen) -> None:
    for x in (0.2, 0.5, 0.8):
        p.disc(x, 0.5, 0.09)


def _erase(p: Pen) -> None:
    p.area((0.04, 0.50), (0.32, 0.20), (0.96, 0.20), (0.96, 0.80), (0.32, 0.80))
    p.line((0.48, 0.37), (0.76, 0.63), w=0.08, ink=0)
    p.line((0.76, 0.37), (0.48, 0.63), w=0.08, ink=0)


def _shift(p: Pen) -> None:
    p.area((0.5, 0.10), (0.90, 0.52), (0.66, 0.52), (0.66, 0.86), (0.34, 0.86), (0.34, 0.52), (0.10, 0.52))


def _pen(p: Pen) -> None:
    p.area((0.10, 0.90), (0.16, 0.66), (0.68, 0.14), (0.86, 0.32), (0.34, 0.84))
    p.line((0.58, 0.22), (0.78, 0.42), w=0.05, ink=0)


def _arrow(p: Pen) -> None:
    p.line((0.14, 0.86), (0.82, 0.18), w=0.11)
    p.line((0.42, 0.16), (0.84, 0.16), (0.84, 0.58), w=0.11)


def _box(p: Pen) -> None:
    p.line((0.12, 0.20), (0.88, 0.20), (0.88, 0.80), (0.12, 0.80), w=0.10, closed=True)


def _step(p: Pen) -> None:
    p.disc(0.5, 0.5, 0.40)
    p.line((0.40, 0.40), (0.53, 0.30), (0.53, 0.72), w=0.09, ink=0)


def _text(p: Pen) -> None:
    p.line((0.16, 0.18), (0.84, 0.18), w=0.12)
    p.line((0.5, 0.18), (0.5, 0.86), w=0.12)


def _delete(p: Pen) -> None:
    """A bin."""
    p.line((0.16, 0.24), (0.84, 0.24), w=0.09)
    p.line((0.38, 0.22), (0.38, 0.12), (0.62, 0.12), (0.62, 0.22), w=0.07)
    p.area((0.22, 0.34), (0.78, 0.34), (0.73, 0.92), (0.27, 0.92))
    for x in (0.41, 0.59):
        p.line((x, 0.46), (x, 0.80), w=0.06, ink=0)


def _pin(p: Pen) -> None:
    p.area((0.34, 0.10), (0.66, 0.10), (0.62, 0.44), (0.80, 0.60), (0.20, 0.60), (0.38, 0.44))
    p.line((0.5, 0.60), (0.5, 0.92), w=0.08)


def _pointer(p: Pen) -> None:
    p.arc(0.5, 0.5, 0.36, 0, 360, w=0.09)
    p.disc(0.5, 0.5, 0.15)


ICONS: dict[str, Callable[[Pen], None]] = {
    "camera-plus": _camera_plus,
    "camera": _camera,
    "photo": _photo,
    "hang-up": _phone,
    "phone": _phone_up,
    "mic": _mic,
    "mic-off": _mic_off,
    "turns": _turns,
    "check": _check,
    "cross": _cross,
    "back": _back,
    "next": _next,
    "open": _open,
    "undo": _undo,
    "clock": _clock,
    "network": _network,
    "network-off": _network_off,
    "person": _person,
    "warning": _warning,
    "dot": _dot,
    "ring": _ring,
    "record": _record,
    "record-off": _record_off,
    "star": _star,
    "star-empty": _star_empty,
    "book": _book,
    "ticket": _ticket,
    "list": _list,
    "more": _more,
    "erase": _erase,
    "shift": _shift,
    "pen": _pen,
    "arrow": _arrow,
    "box": _box,
    "step": _step,
    "text": _text,
    "delete": _delete,
    "pin": _pin,
    "pointer": _pointer,
}
