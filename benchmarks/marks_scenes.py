"""The kinds of sequences that marks are measured on, each deterministic by its seed."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from math import cos, pi, sin

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks import marks_panels
from benchmarks.marks_camera import Hand, Wobble, path, ramp, there_and_back
from benchmarks.marks_film import Film, Grip, Light, Moved, Part, Shade
from benchmarks.marks_panels import Panel
from benchmarks.marks_photos import NAMES, Colour, Split, load
from kiosk.call import poses
from kiosk.call.poses import Points

Box = tuple[float, float, float, float]
FRAMES = 120
BARE: dict[Split, tuple[str, ...]] = {
    "dev": ("stuff.jpg", "ela_original.jpg", "basketball1.png", "right.jpg", "sudoku.png", "coffee.png", "camera.png"),
    "held": ("astronaut.png", "china.jpg", "scenetext_segmented_word05.jpg", "aero3.jpg"),
}
"""Photographs with large bare places."""


@dataclass(frozen=True, slots=True)
class Front:
    """A machine front and the element on it that is marked."""

    canvas: Colour
    box: Box

    @property
    def middle(self) -> tuple[float, float]:
        return (self.box[0] + self.box[2]) / 2, (self.box[1] + self.box[3]) / 2

    @property
    def size(self) -> float:
        return max(self.box[2] - self.box[0], self.box[3] - self.box[1])


def film(kind: str, number: int, split: Split, count: int = FRAMES) -> Film:
    """The `number`-th sequence of a kind: real photographs and drawn panels in turn."""
    seed = 7919 * zlib.crc32(kind.encode()) % 100_003 + 1_000_003 * number + (500_000 if split == "held" else 0)
    rng = np.random.default_rng(seed)
    made = KINDS[kind](rng, number, split)
    made.name, made.kind, made.seed, made.count = f"{kind}-{split}-{number}", kind, seed, count
    return made


# --- fronts


def _front(
    rng: np.random.Generator, number: int, split: Split, least: float = 55, most: float = 150, share: float = 0.75
) -> Front:
    if number % 2:
        panel = marks_panels.draw(rng)
        boxes = panel.near_middle("label", "gauge", "button", "switch", "display", "terminal")[:14]
        return Front(panel.canvas, _grown(boxes[int(rng.integers(len(boxes)))], rng))
    return _photographed(rng, split, least, most, share)


def _grown(box: marks_panels.Box, rng: np.random.Generator) -> Box:
    """As a person draws it: not quite on the outline."""
    x0, y0, x1, y1 = (v + d for v, d in zip(box, rng.normal(0, 2, 4), strict=True))
    return x0, y0, x1, y1


def _photographed(
    rng: np.random.Generator, split: Split, least: float, most: float, share: float = 0.75, name: str = ""
) -> Front:
    canvas, (left, top, width, height) = _wall(rng, split, name)
    w, h = rng.uniform(least, most, 2)
    strength = _gradients(canvas[top : top + height, left : left + width])
    x, y = _spot(rng, strength, w, h, share)
    x0, y0 = left + x - w / 2, top + y - h / 2
    return Front(canvas, (x0, y0, x0 + w, y0 + h))


def _wall(rng: np.random.Generator, split: Split, name: str = "") -> tuple[Colour, tuple[int, int, int, int]]:
    """A photograph in the middle, parts of others around it; where the one in the middle is."""
    names = list(NAMES[split])
    name = name or names[int(rng.integers(len(names)))]
    canvas = marks_panels.ground(rng)
    height, width = canvas.shape[:2]
    others = [n for n in names if n != name]
    for y in (0, height // 2):
        for x in (0, width // 2):
            other = load(others[int(rng.integers(len(others)))])
            canvas[y : y + height // 2, x : x + width // 2] = _fill(other, width // 2, height // 2)
    picture = _fit(load(name), 1500, 1100)
    h, w = picture.shape[:2]
    left, top = (width - w) // 2, (height - h) // 2
    canvas[top : top + h, left : left + w] = picture
    return canvas, (left, top, w, h)


def _fit(picture: Colour, width: int, height: int) -> Colour:
    factor = min(width / picture.shape[1], height / picture.shape[0])
    return np.asarray(cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC), np.uint8)


def _fill(picture: Colour, width: int, height: int) -> Colour:
    factor = max(width / picture.shape[1], height / picture.shape[0]) * 1.001
    large = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    return np.asarray(large[:height, :width], np.uint8)


def _gradients(picture: Colour) -> NDArray[np.float32]:
    grey = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), (0, 0), 2.0)
    dx, dy = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    return np.asarray(cv2.magnitude(dx, dy), np.float32)


def _spot(
    rng: np.random.Generator, strength: NDArray[np.float32], w: float, h: float, share: float
) -> tuple[float, float]:
    """Somewhere in the middle three quarters: more texture than this share of all places there."""
    height, width = strength.shape
    mean = np.asarray(cv2.blur(strength, (int(w), int(h))))
    spots = rng.uniform((0.18 * width, 0.18 * height), (0.82 * width, 0.82 * height), (60, 2))
    values = np.array([float(mean[int(y), int(x)]) for x, y in spots])
    wanted = np.quantile(values, share)
    x, y = spots[int(np.abs(values - wanted).argmin())]
    return float(x), float(y)


# --- kinds


Make = Callable[[np.random.Generator, int, Split], Film]


def _steady(rng: np.random.Generator, front: Front, hand: Hand | None = None) -> Film:
    x, y = front.middle
    dx, dy = rng.uniform((-180, -100), (180, 100))
    camera = path(rng, hand or Hand(), x + dx, y + dy)
    return Film("", "", front.canvas, camera, front.box, FRAMES)


def _sway(rng: np.random.Generator, number: int, split: Split) -> Film:
    return _steady(rng, _front(rng, number, split))


def _dark(rng: np.random.Generator, number: int, split: Split) -> Film:
    made = _sway(rng, number, split)
    gain = float(rng.uniform(0.16, 0.3))
    made.light = Light(gain=lambda t: gain, noise=5.0, exposure_s=0.02)
    return made


def _light(rng: np.random.Generator, number: int, split: Split) -> Film:
    """The exposure jumps, lamps flicker, a shadow wanders over the front."""
    made = _sway(rng, number, split)
    steps = rng.uniform(0.45, 1.5, 40)
    ramped, flicker = Wobble.of(rng, 0.3, 0.8), float(rng.uniform(0, 0.12))
    drift = Wobble.of(rng, 0.15, 0.4)

    def gain(t: float) -> float:
        return float(steps[int(t / 0.7)]) * (1 + 0.15 * ramped(t)) * (1 + flicker * sin(2 * pi * 11 * t))

    def shadow(t: float) -> Shade:
        xs = np.linspace(-1, 1, 64, dtype=np.float32)[None, :] + np.linspace(-0.4, 0.4, 36, dtype=np.float32)[:, None]
        return np.asarray(1 - 0.5 / (1 + np.exp(-22 * (xs - 0.8 * drift(t)))), np.float32)

    made.light = Light(gain=gain, shadow=shadow)
    return made


def _leave(rng: np.random.Generator, number: int, split: Split) -> Film:
    front = _front(rng, number, split)
    angle = rng.uniform(0, 2 * pi)
    far = 1050.0
    gone = there_and_back(0.5, 1.3, 1.7, 2.5)
    x, y = front.middle
    made = _steady(rng, front)
    made.camera = path(rng, Hand(), x, y, lambda t: (far * gone(t) * cos(angle), 0.75 * far * gone(t) * sin(angle)))
    return made


def _low_fps(rng: np.random.Generator, number: int, split: Split) -> Film:
    made = _sway(rng, number, split)
    made.period_s = 0.1
    return made


def _occluded(rng: np.random.Generator, number: int, split: Split) -> Film:
    front = _front(rng, number, split)
    made = _steady(rng, front, Hand(sway_px=40))
    size = 2.4 * front.size + 120
    made.grips = [_grip(rng, size, there_and_back(0.6, 1.1, 2.1, 2.6))]
    return made


def _orbit(rng: np.random.Generator, number: int, split: Split) -> Film:
    return _steady(rng, _front(rng, number, split), Hand(turn=0.6, sway_px=30))


def _partly_out(rng: np.random.Generator, number: int, split: Split) -> Film:
    """The picture's edge cuts through the element for a while."""
    front = _front(rng, number, split, 90, 170)
    made = _steady(rng, front)
    x, y = front.middle
    side = there_and_back(0.4, 1.4, 2.6, 3.4)
    right = 1 if rng.random() < 0.5 else -1
    made.camera = path(rng, Hand(sway_px=18, step_px=5), x, y, lambda t: (right * side(t) * 625, 40 * side(t)))
    return made


def _repeated(rng: np.random.Generator, number: int, split: Split) -> Film:
    """One of many that look alike."""
    panel: Panel = marks_panels.draw(rng)
    boxes = panel.near_middle("button", "terminal")[:20]
    front = Front(panel.canvas, _grown(boxes[int(rng.integers(len(boxes)))], rng))
    return _steady(rng, front, Hand(step_px=14, quick_px=8))


def _roll(rng: np.random.Generator, number: int, split: Split) -> Film:
    return _steady(rng, _front(rng, number, split), Hand(roll=0.9, sway_px=35))


def _scale(rng: np.random.Generator, number: int, split: Split) -> Film:
    """Steps up to the machine and back; the focus hunts."""
    made = _steady(rng, _front(rng, number, split), Hand(zoom=0.6, sway_px=30))
    focus = Wobble.of(rng, 0.3, 0.9)
    made.light = Light(defocus_px=lambda t: 1.6 * max(0.0, focus(t)))
    return made


def _shake(rng: np.random.Generator, number: int, split: Split) -> Film:
    made = _steady(rng, _front(rng, number, split), Hand(quick_px=38, tremble_px=4))
    made.light = Light(exposure_s=0.016)
    return made


def _small(rng: np.random.Generator, number: int, split: Split) -> Film:
    if number % 2:
        panel = marks_panels.draw(rng)
        boxes = panel.near_middle("screw")[:14]
        return _steady(rng, Front(panel.canvas, boxes[int(rng.integers(len(boxes)))]))
    return _steady(rng, _photographed(rng, split, 22, 34))


def _weak(rng: np.random.Generator, number: int, split: Split) -> Film:
    """Hardly any texture on the element; what is around it says where it is."""
    return _steady(rng, _plain(rng, number, split, 0.0))


def _bare(rng: np.random.Generator, number: int, split: Split) -> Film:
    """Hardly any texture on the element, and little around it; a hand comes by."""
    front = _plain(rng, number, split, 0.8)
    made = _steady(rng, front, Hand(sway_px=40))
    made.grips = [_grip(rng, front.size + 140, there_and_back(1.6, 2.0, 2.5, 2.9))]
    return made


def _plain(rng: np.random.Generator, number: int, split: Split, bare_share: float) -> Front:
    if number % 2:
        panel = marks_panels.draw(rng, bare_share)
        boxes = panel.near_middle("bare")[:4]
        return Front(panel.canvas, boxes[int(rng.integers(len(boxes)))])
    name = BARE[split][int(rng.integers(len(BARE[split])))] if bare_share else ""
    return _photographed(rng, split, 55, 120, share=0.12, name=name)


def _moving(rng: np.random.Generator, number: int, split: Split) -> Film:
    """Other things move beside the element: a fan, a belt, a door; they take up to half of the picture."""
    front = _front(rng, number, split, 55, 110)
    made = _steady(rng, front, Hand(sway_px=30))
    x, y = front.middle
    first = rng.uniform(0, 2 * pi)
    for angle in (first, first + pi * rng.uniform(0.5, 0.8), first - pi * rng.uniform(0.5, 0.8)):
        size = int(rng.integers(260, 440))
        off = front.size / 2 + size * 0.78
        at = (x + off * cos(angle), y + off * sin(angle))
        made.parts.append(_mover(rng, split, size, at))
    return made


def _part(rng: np.random.Generator, number: int, split: Split) -> Film:
    """The element itself is moved: a drawer, a lever, a cover that somebody turns."""
    front = _front(rng, number, split, 70, 140, share=0.9)
    made = _steady(rng, front, Hand(sway_px=30))
    x0, y0, x1, y1 = front.box
    pad = 0.12 * front.size
    cut = (int(x0 - pad), int(y0 - pad), int(x1 + pad), int(y1 + pad))
    dx, dy = (rng.uniform(60, 150, 2) * rng.choice([-1, 1], 2)).tolist()
    turn, course = float(rng.uniform(-0.5, 0.5)), ramp(0.8, float(rng.uniform(1.8, 2.8)))
    moved = _travel(front.middle, course, (dx, dy), turn)
    picture = front.canvas[cut[1] : cut[3], cut[0] : cut[2]].copy()
    made.carrier = Part(picture, np.full(picture.shape[:2], 255, np.uint8), (cut[0], cut[1]), moved)
    hole = made.front = front.canvas.copy()
    patch = hole[cut[1] : cut[3], cut[0] : cut[2]]
    patch[:] = np.asarray(cv2.GaussianBlur(patch, (0, 0), 25), np.uint8) // 2
    made.parts = [made.carrier]
    return made


def _depth(rng: np.random.Generator, number: int, split: Split) -> Film:
    """The element stands out from the front: what is behind it moves otherwise."""
    front = _front(rng, number, split, 70, 140, share=0.9)
    made = _steady(rng, front, Hand(sway_px=70, turn=0.16))
    pad = 0.12 * front.size
    x0, y0, x1, y1 = (int(v + d) for v, d in zip(front.box, (-pad, -pad, pad, pad), strict=True))
    picture = front.canvas[y0:y1, x0:x1].copy()
    raised = float(rng.uniform(50, 130))
    made.carrier = Part(picture, np.full(picture.shape[:2], 255, np.uint8), (x0, y0), raised_px=raised)
    made.front = front.canvas.copy()
    around = made.front[max(0, y0 - 40) : y1 + 40, max(0, x0 - 40) : x1 + 40]
    around[:] = np.asarray(cv2.flip(around, 1), np.uint8)  # its own picture must not be behind it once more
    made.parts = [made.carrier]
    return made


def _hands(rng: np.random.Generator, number: int, split: Split) -> Film:
    """Hands at work beside the element, now and then over a part of it."""
    front = _front(rng, number, split)
    made = _steady(rng, front, Hand(sway_px=40))
    made.grips = [_worker(rng, 260 + front.size, front.size * 0.5 + 110) for _ in range(2)]
    return made


# --- what moves


def _travel(
    middle: tuple[float, float], course: Callable[[float], float], way: tuple[float, float], turn: float
) -> Moved:
    def moved(t: float) -> poses.Pose:
        share = course(t)
        c, s = cos(turn * share), sin(turn * share)
        turned = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])
        to = poses.shift(middle[0] + share * way[0], middle[1] + share * way[1])
        return poses.chain(poses.shift(-middle[0], -middle[1]), turned, to)

    return moved


def _mover(rng: np.random.Generator, split: Split, size: int, at: tuple[float, float]) -> Part:
    """A disc that turns, or a plate that goes to and fro."""
    picture = _fill(load(NAMES[split][int(rng.integers(len(NAMES[split])))]), size, size)
    solid = np.zeros((size, size), np.uint8)
    if rng.random() < 0.5:
        cv2.circle(solid, (size // 2, size // 2), size // 2 - 2, 255.0, -1, cv2.LINE_AA)
        speed = float(rng.uniform(0.6, 4.0) * rng.choice([-1, 1]))
        moved = _travel(at, lambda t: t, (0.0, 0.0), speed)
    else:
        solid[:] = 255
        wobble, reach = Wobble.of(rng, 0.2, 0.8), float(rng.uniform(50, 120))
        angle = rng.uniform(0, 2 * pi)
        moved = _travel(at, wobble, (reach * cos(angle), reach * sin(angle)), float(rng.uniform(-0.2, 0.2)))
    return Part(picture, solid, (at[0] - size / 2, at[1] - size / 2), moved)


def _grip(rng: np.random.Generator, size: float, over: Callable[[float], float]) -> Grip:
    """A hand that comes in from below, stays over the element and goes."""
    skin, shape = _hand_picture(rng, int(size))
    nervous = Wobble.of(rng, 0.4, 1.2), Wobble.of(rng, 0.4, 1.2)
    side = float(rng.uniform(-400, 400))

    def at(t: float, quad: Points) -> tuple[float, float]:
        (x, y), share = poses.centre(quad), over(t)
        out = 720 + size / 2 + 30
        return x + (1 - share) * side + 8 * nervous[0](t), y * share + (1 - share) * out + 8 * nervous[1](t) * share

    return Grip(at, size, skin, shape)


def _worker(rng: np.random.Generator, size: float, distance: float) -> Grip:
    """A hand around the element, in px of the picture: comes close, covers a part now and then."""
    skin, shape = _hand_picture(rng, int(size))
    round_, near = Wobble.of(rng, 0.1, 0.4), Wobble.of(rng, 0.2, 0.7)
    start = rng.uniform(0.1, 0.9) * pi

    def at(t: float, quad: Points) -> tuple[float, float]:
        x, y = poses.centre(quad)
        far = distance + 70 + 70 * near(t)
        angle = start + 0.7 * round_(t)
        return x + far * cos(angle), y + far * sin(angle)

    return Grip(at, size, skin, shape)


def _hand_picture(rng: np.random.Generator, side: int) -> tuple[Colour, NDArray[np.uint8]]:
    """(side, side, 3) skin and (side, side) where it is: a palm and fingers, or a glove."""
    shape = np.zeros((side, side), np.uint8)
    cv2.ellipse(shape, (side // 2, int(0.55 * side)), (int(0.33 * side), int(0.36 * side)), 0, 0, 360, 255.0, -1)
    for k in range(4):
        x = int(side * (0.27 + 0.15 * k))
        cv2.line(shape, (x, int(0.5 * side)), (x + int(rng.integers(-9, 9)), int(0.08 * side)), 255.0, int(0.1 * side))
    shape = np.asarray(cv2.GaussianBlur(shape, (0, 0), 1.5), np.uint8)
    tone = np.array((95, 130, 185) if rng.random() < 0.6 else rng.uniform(30, 200, 3), np.float32)
    relief = np.asarray(cv2.GaussianBlur(rng.standard_normal((side, side), np.float32), (0, 0), side / 25), np.float32)
    fine = np.asarray(cv2.GaussianBlur(rng.standard_normal((side, side), np.float32), (0, 0), 1.5), np.float32)
    shaded = 1 + 0.25 * relief / float(relief.std()) + 0.05 * fine / float(fine.std())
    return np.clip(tone * shaded[:, :, None], 0, 255).astype(np.uint8), shape


KINDS: dict[str, Make] = {
    "bare": _bare,
    "dark": _dark,
    "depth": _depth,
    "hands": _hands,
    "leave": _leave,
    "light": _light,
    "low fps": _low_fps,
    "moving": _moving,
    "occluded": _occluded,
    "orbit": _orbit,
    "part": _part,
    "partly out": _partly_out,
    "repeated": _repeated,
    "roll": _roll,
    "scale": _scale,
    "shake": _shake,
    "small": _small,
    "sway": _sway,
    "weak": _weak,
}
