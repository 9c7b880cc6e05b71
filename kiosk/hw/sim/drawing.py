"""Strokes of the brush for the drawn machine front: all on (H, W, 3) uint8 BGR, lit from the top left. PURE."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import cv2
import font_roboto
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from kiosk.hw.ports import Pixels

Color = tuple[int, int, int]
"""Blue, green, red."""

Alpha = NDArray[np.float32] | NDArray[np.float64]

_LIGHT = np.array([-0.45, -0.6, 0.66], np.float32)


def blend(image: Pixels, x: int, y: int, alpha: Alpha, color: Color | Alpha) -> None:
    """Lays `color` over the part of `image` at (x, y) that `alpha` ((h, w), 0..1) covers; cut at the edges."""
    height, width = image.shape[:2]
    left, top = max(0, -x), max(0, -y)
    right, bottom = min(alpha.shape[1], width - x), min(alpha.shape[0], height - y)
    if right <= left or bottom <= top:
        return
    part = image[y + top : y + bottom, x + left : x + right]
    paint = np.asarray(color, np.float32)
    if paint.ndim == 3:
        paint = paint[top:bottom, left:right]
    a = alpha[top:bottom, left:right, None]
    part[:] = (part * (1 - a) + paint * a + 0.5).clip(0, 255).astype(np.uint8)


def rounded(width: int, height: int, radius: int) -> Alpha:
    """(height, width): 1 inside of a rounded rectangle, with soft edges."""
    xs = np.abs(np.arange(width, dtype=np.float32) + 0.5 - width / 2) - (width / 2 - radius)
    ys = np.abs(np.arange(height, dtype=np.float32) + 0.5 - height / 2) - (height / 2 - radius)
    outside = np.hypot(np.maximum(xs, 0)[None, :], np.maximum(ys, 0)[:, None])
    flat = np.maximum(xs[None, :], ys[:, None]) - radius + 0.5
    alpha: Alpha = 1 - np.maximum(outside - radius + 0.5, flat).clip(0, 1)
    return alpha


def shadow(image: Pixels, x: int, y: int, width: int, height: int, radius: int = 6, depth: int = 10) -> None:
    pad = 2 * depth
    alpha = np.zeros((height + 2 * pad, width + 2 * pad), np.float32)
    alpha[pad : pad + height, pad : pad + width] = rounded(width, height, radius)
    alpha = 0.55 * np.asarray(cv2.GaussianBlur(alpha, (0, 0), depth * 0.6), np.float32)
    blend(image, x - pad + depth // 2, y - pad + depth * 2 // 3, alpha, (14, 12, 10))


def panel(
    image: Pixels,
    x: int,
    y: int,
    width: int,
    height: int,
    color: Color,
    *,
    radius: int = 6,
    depth: int = 10,
    slope: float = 0.16,
    edge: float = 0.3,
) -> None:
    """A raised plate: shadow, brighter above than below, a light upper and a dark lower edge."""
    if depth:
        shadow(image, x, y, width, height, radius, depth)
    alpha = rounded(width, height, radius)
    ramp = np.linspace(1 + slope / 2, 1 - slope / 2, height, dtype=np.float32)[:, None, None]
    blend(image, x, y, alpha, np.broadcast_to(np.array(color, np.float32) * ramp, (height, width, 3)))
    inner = np.zeros_like(alpha)
    inner[2:, 2:] = alpha[:-2, :-2]
    blend(image, x, y, (alpha - inner).clip(0, 1) * edge, (255, 255, 255))
    inner[:] = 0
    inner[:-2, :-2] = alpha[2:, 2:]
    blend(image, x, y, (alpha - inner).clip(0, 1) * edge * 1.4, (0, 0, 0))


def hollow(image: Pixels, x: int, y: int, width: int, height: int, color: Color, radius: int = 4) -> None:
    """A recess: dark along the upper and left inner edge."""
    alpha = rounded(width, height, radius)
    blend(image, x, y, alpha, color)
    inside = np.zeros((height + 24, width + 24), np.float32)
    inside[20:-4, 20:-4] = alpha
    shade = alpha * (1 - np.asarray(cv2.GaussianBlur(inside, (0, 0), 7), np.float32)[12:-12, 12:-12])
    blend(image, x, y, shade * 0.75, (0, 0, 0))


def dome(image: Pixels, cx: float, cy: float, radius: float, color: Color, *, flat: float = 0.35) -> None:
    """A round knob; flat = 1 is a disc, 0 a half sphere."""
    size = int(radius) + 3
    x0, y0 = int(cx) - size, int(cy) - size
    ys, xs = np.mgrid[0 : 2 * size + 1, 0 : 2 * size + 1].astype(np.float32)
    dx, dy = (xs + x0 - cx) / radius, (ys + y0 - cy) / radius
    distance = np.hypot(dx, dy)
    bend = 1 - flat * 0.8
    normal_z = np.sqrt((1 - (bend * distance).clip(0, 0.995) ** 2).clip(0.01, 1))
    diffuse = (dx * bend * _LIGHT[0] + dy * bend * _LIGHT[1] + normal_z * _LIGHT[2]).clip(0, 1)
    gloss = diffuse**18 * 130
    paint = np.array(color, np.float32) * (0.35 + 0.9 * diffuse[..., None]) + gloss[..., None]
    blend(image, x0, y0, ((1 - distance) * radius + 0.5).clip(0, 1), paint.astype(np.float32))


def disc(image: Pixels, cx: float, cy: float, radius: float, color: Color, alpha: float = 1.0) -> None:
    size = int(radius) + 3
    x0, y0 = int(cx) - size, int(cy) - size
    ys, xs = np.mgrid[0 : 2 * size + 1, 0 : 2 * size + 1].astype(np.float32)
    distance = np.hypot(xs + x0 - cx, ys + y0 - cy)
    blend(image, x0, y0, (radius - distance + 0.5).clip(0, 1) * np.float32(alpha), color)


def glow(image: Pixels, cx: int, cy: int, radius: int, color: Color, strength: float = 0.7) -> None:
    ys, xs = np.mgrid[-radius : radius + 1, -radius : radius + 1].astype(np.float32)
    alpha = (1 - np.hypot(xs, ys) / radius).clip(0, 1) ** 2 * np.float32(strength)
    blend(image, cx - radius, cy - radius, alpha, color)


def lamp(image: Pixels, cx: int, cy: int, radius: int, color: Color, on: bool) -> None:
    """A signal lamp or LED in a metal ring."""
    dome(image, cx, cy, radius * 1.35, (120, 124, 128), flat=0.8)
    if not on:
        dome(image, cx, cy, radius, (color[0] // 3, color[1] // 3, color[2] // 3), flat=0.2)
        return
    dome(image, cx, cy, radius, color, flat=0.3)
    glow(image, cx, cy, radius * 3, color, 0.45)
    glow(image, cx, cy, radius, (255, 255, 255), 0.8)


def screw(image: Pixels, cx: int, cy: int, radius: int, turn: float, cross: bool = False) -> None:
    disc(image, cx + radius * 0.18, cy + radius * 0.25, radius * 1.15, (15, 15, 15), 0.5)
    dome(image, cx, cy, radius, (168, 174, 178), flat=0.6)
    for angle in (turn, turn + np.pi / 2) if cross else (turn,):
        dx, dy = np.cos(angle) * radius * 0.72, np.sin(angle) * radius * 0.72
        line(image, [(cx - dx + 1, cy - dy + 1), (cx + dx + 1, cy + dy + 1)], (225, 228, 230), max(1, radius // 5))
        line(image, [(cx - dx, cy - dy), (cx + dx, cy + dy)], (38, 38, 40), max(2, radius // 4))


def line(image: Pixels, points: Sequence[tuple[float, float]], color: Color, width: int = 1) -> None:
    corners = np.round(np.array(points) * 16).astype(np.int32)
    cv2.polylines(image, [corners], False, color, width, cv2.LINE_AA, shift=4)


def fill(image: Pixels, points: Sequence[tuple[float, float]], color: Color) -> None:
    cv2.fillPoly(image, [np.round(np.array(points) * 16).astype(np.int32)], color, cv2.LINE_AA, shift=4)


def wire(image: Pixels, start: tuple[int, int], end: tuple[int, int], color: Color, width: int, sag: int = 0) -> None:
    """A cable that leaves downwards and arrives from above, with a shadow and a line of light."""
    t = np.linspace(0, 1, 40)[:, None]
    a, d = np.array(start, np.float64), np.array(end, np.float64)
    drop = abs(end[1] - start[1]) * 0.5
    b, c = a + np.array([sag // 4, drop + sag]), d - np.array([sag // 4, drop])
    curve = (1 - t) ** 3 * a + 3 * (1 - t) ** 2 * t * b + 3 * (1 - t) * t**2 * c + t**3 * d
    points = [(float(x), float(y)) for x, y in curve]
    line(image, [(x + width * 0.6, y + width * 0.7) for x, y in points], (20, 20, 22), width + 1)
    line(image, points, (color[0] // 2, color[1] // 2, color[2] // 2), width)
    line(image, points, color, max(1, width - 3))
    light: Color = (min(255, color[0] + 70), min(255, color[1] + 70), min(255, color[2] + 70))
    line(image, [(x - width * 0.2, y - width * 0.2) for x, y in points], light, max(1, width // 5))


@cache
def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(font_roboto.font_files[name], size)


def text(
    image: Pixels,
    x: int,
    y: int,
    words: str,
    size: int,
    color: Color,
    *,
    font: str = "RobotoMedium",
    anchor: str = "mm",
) -> None:
    """`anchor` as in Pillow: "mm" centres the words at (x, y), "lm" begins there."""
    face = _font(font, size)
    left, top, right, bottom = (round(edge) for edge in face.getbbox(words, anchor=anchor))
    mask = Image.new("L", (right - left + 2, bottom - top + 2))
    ImageDraw.Draw(mask).text((1 - left, 1 - top), words, 255, face, anchor=anchor)
    blend(image, x + left - 1, y + top - 1, np.asarray(mask, np.float32) / 255, color)


def label(image: Pixels, cx: int, cy: int, words: str, size: int = 17, *, dark: bool = False) -> None:
    """An engraved plastic sign: black on white, or white on black."""
    face = _font("RobotoMedium", size)
    width = int(face.getlength(words)) + size
    paper, ink = ((40, 38, 36), (235, 235, 235)) if dark else ((226, 230, 232), (30, 28, 26))
    panel(image, cx - width // 2, cy - int(size * 0.8), width, int(size * 1.6), paper, radius=3, depth=3)
    text(image, cx, cy, words, size, ink)


def grain(height: int, width: int, rng: np.random.Generator, across: float, along: float) -> Alpha:
    """(height, width) of noise, mean 0 and deviation 1, smeared `across` px horizontally and `along` px vertically."""
    noise = rng.standard_normal((height, width), np.float32)
    smeared = np.asarray(cv2.GaussianBlur(noise, (0, 0), sigmaX=across, sigmaY=along), np.float32)
    return np.asarray(smeared / smeared.std(), np.float32)


def texture(image: Pixels, x: int, y: int, grains: Alpha, strength: float) -> None:
    """Makes a part brighter and darker by `strength` grey levels a deviation."""
    height, width = grains.shape
    part = image[y : y + height, x : x + width]
    part[:] = (part + grains[: part.shape[0], : part.shape[1], None] * strength).clip(0, 255).astype(np.uint8)
