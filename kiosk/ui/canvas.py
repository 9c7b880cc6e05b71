"""The overlay as a display list: compared with what was painted before, and only what changed is painted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Protocol

import cv2
import numpy as np
import segno

from kiosk.hw.ports import Pixels, Rect
from kiosk.ui import icons, text
from kiosk.ui.fit import overlap, union
from kiosk.ui.text import Weight
from kiosk.ui.theme import CLEAR, Colour, colour
from kiosk.wire.overlay import DARK

_SHIFT = 4  # cv2's fixed point: 1/16 px
_MOST_RECTS = 12


class Item(Protocol):
    """Something to paint; hashable, and nothing of it lies outside `rect`."""

    @property
    def rect(self) -> Rect: ...

    def draw(self, view: Pixels, x: int, y: int) -> None:
        """Onto `view`, the (h, w, 4) part of the overlay whose top left corner is (x, y) on the display."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rounded rectangle, filled, with an optional border."""

    rect: Rect
    fill: Colour
    radius: int = 0
    border: int = 0
    edge: Colour = CLEAR

    def draw(self, view: Pixels, x: int, y: int) -> None:
        if self.border:
            outer = _rounded(self.rect.w, self.rect.h, self.radius, self.border)
            if self.fill[3]:
                _lay(view, self.rect, _rounded(self.rect.w, self.rect.h, self.radius), self.fill, x, y)
            _lay(view, self.rect, outer, self.edge, x, y)
        elif self.radius and self.fill[3] == 255:
            self._draw_solid(view, x, y)
        elif self.radius:
            _lay(view, self.rect, _rounded(self.rect.w, self.rect.h, self.radius), self.fill, x, y)
        else:
            _fill(view, self.rect, self.fill, x, y)

    def _draw_solid(self, view: Pixels, x: int, y: int) -> None:
        """Opaque: only its corners are mixed with what is below, which is most of the work of a page."""
        box, r = self.rect, min(self.radius, self.rect.w // 2, self.rect.h // 2)
        _fill(view, Rect(box.x, box.y + r, box.w, box.h - 2 * r), self.fill, x, y)
        corner = _corner(r)
        for top, rows in ((box.y, corner), (box.y + box.h - r, corner[::-1])):
            _fill(view, Rect(box.x + r, top, box.w - 2 * r, r), self.fill, x, y)
            _lay(view, Rect(box.x, top, r, r), rows, self.fill, x, y)
            _lay(view, Rect(box.x + box.w - r, top, r, r), rows[:, ::-1], self.fill, x, y)


@dataclass(frozen=True, slots=True)
class Words:
    """One line of text, its line box's top left corner at (rect.x, rect.y)."""

    rect: Rect
    text: str
    weight: Weight
    px: int
    ink: Colour

    def draw(self, view: Pixels, x: int, y: int) -> None:
        _lay(view, self.rect, text.mask(self.text, self.weight, self.px), self.ink, x, y)


@dataclass(frozen=True, slots=True)
class Sign:
    """An icon; the rectangle is square."""

    rect: Rect
    name: str
    ink: Colour

    def draw(self, view: Pixels, x: int, y: int) -> None:
        _lay(view, self.rect, icons.mask(self.name, self.rect.w), self.ink, x, y)


@dataclass(frozen=True, slots=True)
class Ring:
    """An arc from 12 o'clock, clockwise; the rectangle is square."""

    rect: Rect
    part: float
    width: int
    ink: Colour

    def draw(self, view: Pixels, x: int, y: int) -> None:
        r, mask = self.rect, np.zeros((self.rect.h, self.rect.w), np.uint8)
        middle, radius = (r.w * 8, r.h * 8), (r.w - self.width - 2) * 8
        points = cv2.ellipse2Poly((0, 0), (1000, 1000), -90, 0, max(1, round(360 * self.part)), 3)
        path = np.array(points, np.float64) * radius / 1000 + middle
        cv2.polylines(mask, [path.astype(np.int32)], False, 255, self.width, cv2.LINE_AA, _SHIFT)
        _lay(view, r, mask, self.ink, x, y)


@dataclass(frozen=True, slots=True)
class Path:
    """A line through `points` (display px) with a dark border, so that it is seen on any picture."""

    rect: Rect
    points: tuple[tuple[float, float], ...]
    width: float
    ink: Colour
    halo: float = 2
    closed: bool = False

    def draw(self, view: Pixels, x: int, y: int) -> None:
        # display px count from the picture's corner, OpenCV's from the middle of the first pixel
        points = np.round((np.array(self.points) - (x + 0.5, y + 0.5)) * (1 << _SHIFT)).astype(np.int32)
        # drawn as it is, alpha too: the dark border lies under all edges of the line, so no fringe can be seen
        both = ((colour(DARK, self.ink[3] / 255), self.width + 2 * self.halo), (self.ink, self.width))
        for ink, width in both if self.halo else both[1:]:
            if len(points) == 1:
                cv2.circle(
                    view, points[0], max(4, round((width - 1) * (1 << _SHIFT - 1))), ink, -1, cv2.LINE_AA, _SHIFT
                )
            else:
                cv2.polylines(view, [points], self.closed, ink, _thickness(width), cv2.LINE_AA, _SHIFT)


def _thickness(width: float) -> int:
    """What OpenCV must be told: its smoothed lines are 1.4 px wide at 1, and 2 k + 1.4 px at 2 k (measured)."""
    return max(1, 2 * round((width - 1.4) / 2))


def path(
    points: tuple[tuple[float, float], ...], width: float, ink: Colour, halo: float = 2, closed: bool = False
) -> Path:
    """A Path with the rectangle that holds it."""
    reach = width / 2 + halo + 2
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    left, top = int(min(xs) - reach), int(min(ys) - reach)
    rect = Rect(left, top, int(max(xs) + reach) + 1 - left, int(max(ys) + reach) + 1 - top)
    return Path(rect, points, width, ink, halo, closed)


def moved(item: Item, dx: int, dy: int) -> Item:
    """The same, so many px to the right and down."""
    assert isinstance(item, Box | Words | Sign | Ring | Code | Path)
    there = Rect(item.rect.x + dx, item.rect.y + dy, item.rect.w, item.rect.h)
    if isinstance(item, Path):
        return replace(item, rect=there, points=tuple((x + dx, y + dy) for x, y in item.points))
    return replace(item, rect=there)


@dataclass(frozen=True, slots=True)
class Code:
    """A QR code on white, with its quiet zone."""

    rect: Rect
    content: str

    def draw(self, view: Pixels, x: int, y: int) -> None:
        _lay(view, self.rect, np.full((self.rect.h, self.rect.w), 255, np.uint8), (255, 255, 255, 255), x, y)
        _lay(view, self.rect, _qr(self.content, self.rect.w), (0, 0, 0, 255), x, y)


class Canvas:
    """The overlay of one display. Used by one thread."""

    def __init__(self, size: tuple[int, int]) -> None:
        """size: (width, height) in px."""
        self.pixels: Pixels = np.zeros((size[1], size[0], 4), np.uint8)
        self._all = Rect(0, 0, *size)
        self._items: tuple[Item, ...] = ()
        self._ground = CLEAR
        self._fresh = True

    def update(self, items: tuple[Item, ...], ground: Colour) -> tuple[Rect, ...]:
        """Paints what differs from the items before; returns the rectangles that changed, none of them overlapping."""
        if self._fresh or ground != self._ground:
            changed: tuple[Rect, ...] = (self._all,)
        else:
            differ = set(self._items) ^ set(items)
            inside = (overlap(i.rect, self._all) for i in differ)
            changed = merged([r for r in inside if r])
        self._items, self._ground, self._fresh = items, ground, False
        for rect in changed:
            self._paint(rect)
        return changed

    def _paint(self, rect: Rect) -> None:
        view = self.pixels[rect.y : rect.y + rect.h, rect.x : rect.x + rect.w]
        view[:] = self._ground
        for item in self._items:
            if overlap(item.rect, rect):
                item.draw(view, rect.x, rect.y)


def merged(rects: list[Rect]) -> tuple[Rect, ...]:
    """Rectangles that cover all of `rects`: those that overlap become one, and at most _MOST_RECTS are left."""
    done: list[Rect] = []
    for rect in rects:
        grown, rest = rect, done
        while True:
            touching = [d for d in rest if overlap(d, grown)]
            if not touching:
                break
            rest = [d for d in rest if d not in touching]
            for other in touching:
                grown = union(grown, other)
        done = [*rest, grown]
    if len(done) > _MOST_RECTS:
        whole = done[0]
        for rect in done[1:]:
            whole = union(whole, rect)
        return (whole,)
    return tuple(done)


def _fill(view: Pixels, rect: Rect, ink: Colour, x: int, y: int) -> None:
    part = overlap(rect, Rect(x, y, view.shape[1], view.shape[0]))
    if part:
        view[part.y - y : part.y - y + part.h, part.x - x : part.x - x + part.w] = ink


def _lay(view: Pixels, rect: Rect, mask: Pixels, ink: Colour, x: int, y: int) -> None:
    """Lays `ink` through `mask` (of the size of `rect`) over `view`, both with straight alpha."""
    h, w = min(rect.h, mask.shape[0]), min(rect.w, mask.shape[1])
    part = overlap(Rect(rect.x, rect.y, w, h), Rect(x, y, view.shape[1], view.shape[0]))
    if part is None:
        return
    cover = mask[part.y - rect.y : part.y - rect.y + part.h, part.x - rect.x : part.x - rect.x + part.w]
    under = view[part.y - y : part.y - y + part.h, part.x - x : part.x - x + part.w]
    over = cover.astype(np.float32) * (ink[3] / (255 * 255))
    below = under[..., 3].astype(np.float32) * (1 / 255)
    alpha = over + below * (1 - over)
    share = (over / np.maximum(alpha, 1e-6))[..., None]
    colour = under[..., :3] + (np.array(ink[:3], np.float32) - under[..., :3]) * share
    under[..., :3] = np.rint(colour)
    under[..., 3] = np.rint(alpha * 255)


@lru_cache(128)
def _rounded(w: int, h: int, radius: int, border: int = 0) -> Pixels:
    """(h, w) uint8 coverage of a rounded rectangle; only its border where that is given."""
    mask = _solid(w, h, radius)
    if border and w > 2 * border and h > 2 * border:
        inner = _solid(w - 2 * border, h - 2 * border, max(0, radius - border))
        mask[border : h - border, border : w - border] -= inner
    mask.flags.writeable = False
    return mask


def _solid(w: int, h: int, radius: int) -> Pixels:
    mask = np.full((h, w), 255, np.uint8)
    r = min(radius, w // 2, h // 2)
    if r > 0:
        small = _corner(r)
        mask[:r, :r], mask[:r, w - r :] = small, small[:, ::-1]
        mask[h - r :, :r], mask[h - r :, w - r :] = small[::-1], small[::-1, ::-1]
    return mask


@lru_cache(32)
def _corner(r: int) -> Pixels:
    """(r, r) uint8 coverage of the upper left corner."""
    corner = np.zeros((r * 4, r * 4), np.uint8)
    cv2.circle(corner, (r * 4, r * 4), r * 4, 255, -1)
    return np.asarray(cv2.resize(corner, (r, r), interpolation=cv2.INTER_AREA), np.uint8)


@lru_cache(4)
def _qr(content: str, side: int) -> Pixels:
    """(side, side) uint8: 255 where the code is dark; modules are whole px, the rest is quiet zone."""
    modules = np.array([list(row) for row in segno.make(content, error="m", micro=False).matrix], np.uint8) * 255
    each = max(1, side // (modules.shape[0] + 8))
    code = np.kron(modules, np.ones((each, each), np.uint8))[:side, :side]
    mask = np.zeros((side, side), np.uint8)
    at = (side - code.shape[0]) // 2
    mask[at : at + code.shape[0], at : at + code.shape[1]] = code
    return mask
