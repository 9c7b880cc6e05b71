"""A pinhole camera in somebody's hand before a flat machine front: smooth paths, exact homographies.

Lengths on the front are px of its canvas; at a zoom of 1 one of them is one px of the 720p picture.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import cos, exp, pi, sin

import numpy as np

from kiosk.call import poses
from kiosk.call.poses import Pose

WIDTH, HEIGHT = 1280, 720
FOCAL_PX = 1100.0
_INTO_PICTURE = np.array([[FOCAL_PX, 0, WIDTH / 2], [0, FOCAL_PX, HEIGHT / 2], [0, 0, 1.0]])

Course = Callable[[float], float]
"""A value by seconds since the first frame."""


@dataclass(frozen=True, slots=True)
class Stand:
    """The point of the front in the picture's middle, how near the camera is, how it is turned (radians)."""

    x: float
    y: float
    zoom: float = 1.0
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0

    def pose(self, raised_px: float = 0.0) -> Pose:
        """From px of a plane that stands out from the front by `raised_px` to px of the picture."""
        turn = _roll(self.roll) @ _pitch(self.pitch) @ _yaw(self.yaw)
        camera = np.array([self.x, self.y, 0.0]) - FOCAL_PX / self.zoom * turn[2]
        plane = np.column_stack([turn[:, 0], turn[:, 1], turn @ (np.array([0, 0, -raised_px]) - camera)])
        return poses.normalised(_INTO_PICTURE @ plane)


def _yaw(a: float) -> Pose:
    return np.array([[cos(a), 0, -sin(a)], [0, 1, 0], [sin(a), 0, cos(a)]])


def _pitch(a: float) -> Pose:
    return np.array([[1, 0, 0], [0, cos(a), -sin(a)], [0, sin(a), cos(a)]])


def _roll(a: float) -> Pose:
    return np.array([[cos(a), -sin(a), 0], [sin(a), cos(a), 0], [0, 0, 1]])


@dataclass(frozen=True, slots=True)
class Wobble:
    """A sum of sines of random phase, about -1..1, that starts anywhere in its course."""

    hz: tuple[float, ...]
    phase: tuple[float, ...]

    @classmethod
    def of(cls, rng: np.random.Generator, low_hz: float, high_hz: float, count: int = 3) -> Wobble:
        return cls(tuple(rng.uniform(low_hz, high_hz, count)), tuple(rng.uniform(0, 2 * pi, count)))

    def __call__(self, t: float) -> float:
        total = sum(sin(2 * pi * f * t + p) for f, p in zip(self.hz, self.phase, strict=True))
        return float(total / len(self.hz) ** 0.5)


@dataclass(frozen=True, slots=True)
class Hand:
    """How strongly the hand does what: ways in px (quick: at 2 to 4 Hz), zoom as a logarithm, angles in radians."""

    sway_px: float = 55.0
    step_px: float = 9.0
    tremble_px: float = 1.2
    quick_px: float = 0.0
    zoom: float = 0.12
    turn: float = 0.10
    roll: float = 0.08


def path(
    rng: np.random.Generator,
    hand: Hand,
    x: float,
    y: float,
    away: Callable[[float], tuple[float, float]] = lambda t: (0.0, 0.0),
) -> Callable[[float], Stand]:
    """A hand-held camera that looks at (x, y) of the front, moved `away` from there."""
    slow = [Wobble.of(rng, 0.12, 0.5) for _ in range(6)]
    quick = [Wobble.of(rng, 1.0, 2.2) for _ in range(2)]
    shake = [Wobble.of(rng, 2.0, 3.8) for _ in range(3)]
    tremor = [Wobble.of(rng, 5.0, 9.0) for _ in range(3)]

    def at(t: float) -> Stand:
        dx, dy = away(t)
        sides = [
            hand.sway_px * slow[k](t)
            + hand.step_px * quick[k](t)
            + hand.quick_px * shake[k](t)
            + hand.tremble_px * tremor[k](t)
            for k in (0, 1)
        ]
        return Stand(
            x + dx + sides[0],
            y + dy + sides[1],
            exp(hand.zoom * slow[2](t)),
            hand.turn * slow[3](t),
            hand.turn * slow[4](t),
            hand.roll * slow[5](t) + 0.0012 * hand.tremble_px * tremor[2](t),
        )

    return at


def ramp(begin: float, end: float) -> Course:
    """0 before `begin`, 1 after `end`, smooth in between."""

    def at(t: float) -> float:
        share = min(1.0, max(0.0, (t - begin) / (end - begin)))
        return share * share * (3 - 2 * share)

    return at


def there_and_back(go: float, gone: float, turn: float, back: float) -> Course:
    """0, then 1 from `gone` to `turn`, then 0 again from `back` on."""
    there, home = ramp(go, gone), ramp(turn, back)
    return lambda t: there(t) - home(t)
