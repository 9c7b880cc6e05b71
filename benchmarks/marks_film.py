"""Frames of one sequence with exactly known truth: what the camera would have seen, and where the element is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.marks_camera import HEIGHT, WIDTH, Course, Stand
from benchmarks.marks_photos import Colour
from kiosk.call import poses
from kiosk.call.poses import Points, Pose

Shade = NDArray[np.float32]
"""(H, W) float32, 0..1."""
Moved = Callable[[float], Pose]
"""By seconds: px of the front -> px of the front."""
NOISE_MARGIN = 160


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of the front that moves by itself or stands out from it.

    picture: (h, w, 3); solid: (h, w) uint8, 0 where one looks through it; corner: its place on the front.
    """

    picture: Colour
    solid: NDArray[np.uint8]
    corner: tuple[float, float]
    moved: Moved = lambda t: poses.STAY
    raised_px: float = 0.0

    def pose(self, stand: Stand, t: float) -> Pose:
        """px of the front, where the part was at rest, -> px of the picture."""
        return poses.chain(self.moved(t), stand.pose(self.raised_px))


@dataclass(frozen=True, slots=True)
class Grip:
    """A hand before the camera. at: its middle in px of the picture, by time and where the element is; size in px."""

    at: Callable[[float, Points], tuple[float, float]]
    size_px: float
    skin: Colour
    shape: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Light:
    gain: Course = lambda t: 1.0
    shadow: Callable[[float], Shade | None] = lambda t: None
    noise: float = 2.5
    exposure_s: float = 0.008
    defocus_px: Course = lambda t: 0.0


@dataclass(frozen=True, slots=True)
class Truth:
    """Of one frame. quad: (4, 2) px of the 720p picture; in_view, covered: 0..1 of its area."""

    quad: Points
    in_view: float
    covered: float


@dataclass(slots=True)
class Film:
    """One sequence. box: the element on the front; part: the one that carries it, if any."""

    name: str
    kind: str
    front: Colour
    camera: Callable[[float], Stand]
    box: tuple[float, float, float, float]
    count: int
    period_s: float = 1 / 30
    parts: list[Part] = field(default_factory=list)
    carrier: Part | None = None
    grips: list[Grip] = field(default_factory=list)
    light: Light = field(default_factory=Light)
    seed: int = 0
    _marked: Points | None = None
    _half: Colour | None = None
    _noise: NDArray[np.uint8] | None = None

    def quad(self, t: float) -> Points:
        """What was marked: the upright box around the element in the first frame, as people and rivals draw it."""
        if self._marked is None:
            first = self._element_pose(0.0)
            drawn = poses.apply(first, poses.box_quad(*self.box))
            (x0, y0), (x1, y1) = drawn.min(axis=0).tolist(), drawn.max(axis=0).tolist()
            self._marked = poses.apply(poses.inverse(first), poses.box_quad(x0, y0, x1, y1))
        return poses.apply(self._element_pose(t), self._marked)

    def _element_pose(self, t: float) -> Pose:
        stand = self.camera(t)
        return self.carrier.pose(stand, t) if self.carrier else stand.pose()

    def frame(self, n: int) -> tuple[Colour, Truth]:
        """(720, 1280, 3) uint8 BGR, and the truth in the middle of its exposure."""
        t = n * self.period_s
        picture = self._exposed(t)
        quad = self.quad(t)
        covered = self._behind_parts(quad, t)
        for grip in self.grips:
            covered = max(covered, _hold(picture, grip, grip.at(t, quad), quad))
        return self._developed(picture, t, n), Truth(quad, share_in_view(quad), covered)

    def _behind_parts(self, quad: Points, t: float) -> float:
        """How much of the element is behind parts that move before it, 0..1: the most that one of them covers."""
        stand, most = self.camera(t), 0.0
        for part in self.parts:
            if part is self.carrier:
                continue
            pose = poses.inverse(poses.chain(poses.shift(*part.corner), part.pose(stand, t)))
            element = np.zeros(part.solid.shape, np.uint8)
            cv2.fillConvexPoly(element, np.round(poses.apply(pose, quad)).astype(np.int32), 255.0)
            area = max(1.0, float(cv2.contourArea(poses.apply(pose, quad).astype(np.float32))))
            most = max(most, float(np.count_nonzero((element > 0) & (part.solid > 127))) / area)
        return min(1.0, most)

    def _exposed(self, t: float) -> Colour:
        """The mean of what is seen while the shutter is open."""
        open_s = self.light.exposure_s
        a, b = self.quad(t - open_s / 2), self.quad(t + open_s / 2)
        steps = int(np.clip(np.ceil(np.abs(a - b).max() / 1.5), 1, 7))
        if steps == 1:
            return self._seen(t)
        total = np.zeros((HEIGHT, WIDTH, 3), np.float32)
        for k in range(steps):
            cv2.accumulate(self._seen(t + open_s * ((k + 0.5) / steps - 0.5)), total)
        return np.asarray(cv2.convertScaleAbs(total, alpha=1 / steps), np.uint8)

    def _seen(self, t: float) -> Colour:
        stand = self.camera(t)
        picture = self._through(stand)
        for part in self.parts:
            _lay(picture, part, poses.chain(poses.shift(*part.corner), part.pose(stand, t)))
        return picture

    def _through(self, stand: Stand) -> Colour:
        pose = stand.pose()
        source = self.front
        if stand.zoom < 0.7:
            if self._half is None:
                self._half = np.asarray(cv2.resize(self.front, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
            source, pose = self._half, poses.chain(poses.scaling(2.0), pose)
        warped = cv2.warpPerspective(
            source, pose, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
        )
        return np.asarray(warped, np.uint8)

    def _developed(self, picture: Colour, t: float, n: int) -> Colour:
        blur = self.light.defocus_px(t)
        if blur > 0.3:
            picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), blur), np.uint8)
        shadow = self.light.shadow(t)
        gain = self.light.gain(t)
        if shadow is not None:
            shaded = picture * (np.asarray(cv2.resize(shadow, (WIDTH, HEIGHT)), np.float32) * gain)[:, :, None]
            picture = np.clip(shaded, 0, 255).astype(np.uint8)
        elif gain != 1.0:
            picture = np.asarray(cv2.convertScaleAbs(picture, alpha=gain), np.uint8)
        x, y = np.random.default_rng((self.seed, n)).integers(0, NOISE_MARGIN, 2)
        noise = self._noise_tile()[y : y + HEIGHT, x : x + WIDTH]
        return np.asarray(cv2.addWeighted(picture, 1, noise, 1, -128), np.uint8)

    def _noise_tile(self) -> NDArray[np.uint8]:
        """A sensor's noise, a little soft as a camera's own processing leaves it; 128 is none."""
        if self._noise is None:
            shape = (HEIGHT + NOISE_MARGIN, WIDTH + NOISE_MARGIN, 3)
            raw = np.random.default_rng(self.seed).standard_normal(shape, np.float32)
            soft = np.asarray(cv2.GaussianBlur(raw, (0, 0), 0.6), np.float32)
            soft *= self.light.noise / float(soft.std())
            self._noise = np.clip(soft + 128, 0, 255).astype(np.uint8)
        return self._noise


def share_in_view(quad: Points) -> float:
    rim = poses.box_quad(0, 0, WIDTH - 1, HEIGHT - 1).astype(np.float32)
    area = float(cv2.contourArea(quad.astype(np.float32)))
    if area < 1:
        return 0.0
    return float(cv2.intersectConvexConvex(quad.astype(np.float32), rim)[0]) / area


def _lay(picture: Colour, part: Part, pose: Pose) -> None:
    """Puts the part into the picture, where it comes to lie."""
    height, width = part.solid.shape
    rim = poses.apply(pose, poses.box_quad(0, 0, width, height))
    x0, y0 = np.clip(np.floor(rim.min(axis=0)), 0, (WIDTH, HEIGHT)).astype(int).tolist()
    x1, y1 = np.clip(np.ceil(rim.max(axis=0)) + 1, 0, (WIDTH, HEIGHT)).astype(int).tolist()
    if x1 <= x0 or y1 <= y0:
        return
    local = poses.chain(pose, poses.shift(-x0, -y0))
    size = (x1 - x0, y1 - y0)
    seen = cv2.warpPerspective(part.picture, local, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    solid = cv2.warpPerspective(part.solid, local, size, flags=cv2.INTER_LINEAR)
    _blend(picture[y0:y1, x0:x1], np.asarray(seen, np.uint8), np.asarray(solid, np.uint8))


def _blend(under: Colour, over: Colour, solid: NDArray[np.uint8]) -> None:
    share = (solid.astype(np.float32) / 255)[:, :, None]
    under[:] = (under + (over.astype(np.float32) - under) * share + 0.5).astype(np.uint8)


def _hold(picture: Colour, grip: Grip, at: tuple[float, float], quad: Points) -> float:
    """Puts a hand into the picture; how much of the quad it covers."""
    side = int(grip.size_px)
    left, top = int(at[0] - side / 2), int(at[1] - side / 2)
    x0, y0, x1, y1 = max(0, left), max(0, top), min(WIDTH, left + side), min(HEIGHT, top + side)
    if x1 <= x0 or y1 <= y0:
        return 0.0
    inner = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
    _blend(picture[y0:y1, x0:x1], grip.skin[inner], grip.shape[inner])
    element = np.zeros((side, side), np.uint8)
    cv2.fillConvexPoly(element, np.round(quad - (left, top)).astype(np.int32), 255.0)
    area = max(1.0, float(cv2.contourArea(quad.astype(np.float32))))
    return min(1.0, float(np.count_nonzero((element > 0) & (grip.shape > 127))) / area)
