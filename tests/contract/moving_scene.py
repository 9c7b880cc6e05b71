"""A drawn machine front, and a hand-held camera that looks at it: frames with exactly known homographies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import cos, pi, sin

import cv2
import numpy as np

from kiosk.call import poses
from kiosk.call.poses import Points, Pose
from kiosk.hw.ports import Picture, Pixels

WIDTH, HEIGHT = 1280, 720
FPS = 30.0


def front(seed: int = 1) -> Pixels:
    """(1300, 2200) uint8: plates, screws, labels, terminals and scratches."""
    rng = np.random.default_rng(seed)
    canvas = np.full((1300, 2200), 150, np.uint8)
    noise = rng.normal(0, 1, (325, 550)).astype(np.float32)
    cloud = cv2.resize(cv2.GaussianBlur(noise, (0, 0), 3), (2200, 1300))
    canvas = np.clip(canvas + 60 * cloud + rng.normal(0, 3, canvas.shape), 0, 255).astype(np.uint8)
    for _ in range(90):
        x, y = (int(v) for v in rng.integers((0, 0), (2100, 1200)))
        w, h = (int(v) for v in rng.integers(40, 190, 2))
        cv2.rectangle(canvas, (x, y), (x + w, y + h), float(rng.integers(40, 230)), -1)
        cv2.rectangle(canvas, (x, y), (x + w, y + h), float(rng.integers(0, 90)), 3)
        text = "".join(rng.choice(list("ABCDEFGHK0123456789"), 5))
        cv2.putText(canvas, text, (x + 6, y + h // 2), cv2.FONT_HERSHEY_SIMPLEX, 0.8, float(rng.integers(0, 255)), 2)
    for _ in range(120):
        x, y = (int(v) for v in rng.integers((20, 20), (2180, 1280)))
        r = int(rng.integers(8, 22))
        cv2.circle(canvas, (x, y), r, float(rng.integers(120, 250)), -1, cv2.LINE_AA)
        turn = rng.uniform(0, pi)
        dx, dy = int(r * cos(turn)), int(r * sin(turn))
        cv2.line(canvas, (x - dx, y - dy), (x + dx, y + dy), 30.0, 3, cv2.LINE_AA)
    return canvas


def terminals(canvas: Pixels) -> Pixels:
    """The front with four rows of terminals on it that all look alike but for noise."""
    one = np.full((120, 90), 160, np.uint8)
    cv2.circle(one, (45, 40), 22, 60.0, -1)
    cv2.line(one, (30, 30), (60, 50), 200.0, 4)
    cv2.rectangle(one, (10, 80), (80, 110), 90.0, 2)
    rows = np.tile(one, (4, 14)) + np.random.default_rng(1).normal(0, 6, (480, 1260))
    changed = canvas.copy()
    changed[400:880, 500:1760] = np.clip(rows, 0, 255)
    return changed


def plain_plate(canvas: Pixels) -> Pixels:
    """The front with a bare grey plate in its middle, 500 x 400 px."""
    changed = canvas.copy()
    changed[450:850, 850:1350] = 150
    return changed


@dataclass(frozen=True, slots=True)
class View:
    """Where the camera looks: canvas px in the middle of the picture, size factor, roll, tilt."""

    x: float
    y: float
    zoom: float = 1.0
    roll: float = 0.0
    tilt_x: float = 0.0
    tilt_y: float = 0.0

    def pose(self) -> Pose:
        """px of the canvas -> px of the 720p picture."""
        c, s = self.zoom * cos(self.roll), self.zoom * sin(self.roll)
        turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])
        tilt = np.array([[1, 0, 0], [0, 1, 0], [self.tilt_x, self.tilt_y, 1.0]])
        return poses.chain(poses.shift(-self.x, -self.y), turn, tilt, poses.shift(WIDTH / 2, HEIGHT / 2))


def hand_held(n: int) -> View:
    """The n-th frame of somebody who walks up, turns the wrist and trembles."""
    t = n / FPS
    return View(
        x=1100 + 120 * sin(0.9 * t) + 8 * sin(7.1 * t) + 3 * sin(17 * t),
        y=650 + 70 * sin(1.3 * t + 1) + 6 * sin(8.3 * t),
        zoom=1.1 + 0.3 * sin(0.8 * t),
        roll=0.18 * sin(0.7 * t) + 0.01 * sin(9 * t),
        tilt_x=6e-5 * sin(0.6 * t),
        tilt_y=5e-5 * sin(0.5 * t + 2),
    )


class Scene:
    """Frames of the front as the camera sees them, with noise."""

    def __init__(self, seed: int = 1, change: Callable[[Pixels], Pixels] = lambda canvas: canvas) -> None:
        self.canvas = change(front(seed))
        self._noise = np.random.default_rng(seed + 100).normal(0, 2.5, (HEIGHT + 64, WIDTH + 64)).astype(np.float32)

    def luma(self, view: View, n: int = 0, light: float = 1.0) -> Pixels:
        """(720, 1280) uint8."""
        seen = cv2.warpPerspective(self.canvas, view.pose(), (WIDTH, HEIGHT), flags=cv2.INTER_AREA)
        dx, dy = (n * 17) % 64, (n * 29) % 64
        noisy = seen * np.float32(light) + self._noise[dy : dy + HEIGHT, dx : dx + WIDTH]
        luma: Pixels = np.clip(noisy, 0, 255).astype(np.uint8)
        return luma


def picture(luma: Pixels, captured_s: float) -> Picture:
    grey = np.full((luma.shape[0] // 2, luma.shape[1] // 2), 128, np.uint8)
    return Picture(luma, grey, grey, captured_s)


def cover(luma: Pixels, quad: Points, seed: int) -> Pixels:
    """The picture with a hand-like, textured thing over the quad (720p px) and its neighbourhood."""
    rng = np.random.default_rng(seed)
    x, y = (int(v) for v in quad.mean(axis=0))
    r = int(max(np.ptp(quad, axis=0)) * 0.9) + 20
    hand = np.zeros_like(luma)
    cv2.ellipse(hand, (x, y), (r, int(1.2 * r)), 20, 0, 360, 255.0, -1)
    skin = cv2.GaussianBlur(rng.normal(0, 1, luma.shape).astype(np.float32), (0, 0), 9)
    tone = np.clip(170 + 350 * skin, 0, 255).astype(np.uint8)
    covered: Pixels = np.where(hand > 0, tone, luma).astype(np.uint8)
    return covered


def where(view: View, quad_on_canvas: Points) -> Points:
    """The quad in px of the 720p picture."""
    return poses.apply(view.pose(), quad_on_canvas)


def to_canvas(view: View, quad: Points) -> Points:
    return poses.apply(poses.inverse(view.pose()), quad)
