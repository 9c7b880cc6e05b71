"""Paints every screen in every language and size to PNGs: `python -m kiosk.ui.gallery OUTDIR [1024x600 …]`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from kiosk.hw.ports import Layer, Picture, Pixels
from kiosk.ui.gallery_views import sample_views
from kiosk.ui.paint import Painted, Painter

SIZES = ((1024, 600), (1280, 720), (1920, 1080), (720, 1280))


def shots(size: tuple[int, int], language: str) -> Iterator[tuple[str, Pixels]]:
    """(name, (H, W, 3) uint8 BGR) of every screen."""
    live, staff = sample_picture(1280, 720, 40), sample_picture(640, 480, 120)
    for name, view, front in sample_views(language, size, live):
        yield name, flat(Painter(size).paint(view, front, live, staff), size)


def flat(painted: Painted, size: tuple[int, int]) -> Pixels:
    """What a display would show, composed by OpenCV; (H, W, 3) uint8 BGR."""
    ground = np.zeros((size[1], size[0], 3), np.uint8)
    for layer in painted.layers:
        _lay(ground, layer)
    alpha = painted.overlay[..., 3:].astype(np.float32) / 255
    mixed = ground * (1 - alpha) + painted.overlay[..., :3] * alpha
    return np.rint(mixed).astype(np.uint8)


def _lay(ground: Pixels, layer: Layer) -> None:
    p, r = layer.picture, layer.rect
    planes = np.concatenate([p.y.ravel(), p.u.ravel(), p.v.ravel()]).reshape(-1, p.y.shape[1])
    picture = cv2.cvtColor(planes, cv2.COLOR_YUV2BGR_I420)
    ground[r.y : r.y + r.h, r.x : r.x + r.w] = cv2.resize(picture, (r.w, r.h), interpolation=cv2.INTER_AREA)


def sample_picture(width: int, height: int, hue: int) -> Picture:
    """A drawn machine front, to have something to draw on."""
    bgr = np.full((height, width, 3), (70 + hue // 2, 84, 96), np.uint8)
    bgr += np.linspace(0, 60, height, dtype=np.uint8)[:, None, None]
    for i in range(5):
        x = width * (2 * i + 1) // 10
        cv2.circle(bgr, (x, height // 3), height // 12, (40, 44, 48 + hue), -1, cv2.LINE_AA)
        cv2.circle(bgr, (x, height // 3), height // 14, (190, 196, 200), 3, cv2.LINE_AA)
        cv2.rectangle(bgr, (x - width // 16, height * 6 // 10), (x + width // 16, height * 8 // 10), (30, 34, 40), -1)
    return picture_of(bgr, 0.0)


def picture_of(bgr: Pixels, captured_s: float) -> Picture:
    """(H, W, 3) uint8 BGR, even sizes, as I420 planes."""
    h, w = bgr.shape[:2]
    planes = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV_I420), np.uint8).reshape(-1)
    u = planes[h * w : h * w * 5 // 4].reshape(h // 2, w // 2)
    return Picture(planes[: h * w].reshape(h, w), u, planes[h * w * 5 // 4 :].reshape(h // 2, w // 2), captured_s)


def main(arguments: list[str]) -> int:
    if not arguments:
        print(__doc__)
        return 2
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    sizes = [tuple(int(n) for n in a.split("x")) for a in arguments[1:]] or SIZES
    for width, height in sizes:
        for language in ("de", "en"):
            for name, picture in shots((width, height), language):
                cv2.imwrite(str(folder / f"{name}-{language}-{width}x{height}.png"), picture)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
