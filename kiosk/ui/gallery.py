"""Every screen as a picture, for the user's guide and for the tests that compare: `python -m kiosk.ui.gallery` renews
docs/screens (only what looks different); with a folder, and perhaps sizes, it fills that instead:
`python -m kiosk.ui.gallery OUTDIR [1024x600 …]`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from kiosk.hw.ports import Layer, Picture, Pixels
from kiosk.ui.gallery_views import sample_views
from kiosk.ui.paint import Painted, Painter

Size = tuple[int, int]

LANDSCAPE = ((1024, 600), (1280, 720), (1920, 1080))
UPRIGHT = (720, 1280)
SIZES = (*LANDSCAPE, UPRIGHT)

SCREENS = Path(__file__).parents[2] / "docs" / "screens"

UPRIGHT_TOO = (
    "idle", "trouble-no-network", "flow-reason", "flow-requester", "flow-consent", "waiting", "confirmed", "ringing",
    "call", "call-consent", "snapshot", "closed",
)  # fmt: skip
"""Screens that are kept for an upright display as well."""

COLOURS = (40, 96, 255)

APART = 40
"""Steps of grey (of 255) by which a pixel must differ to count: the colours are few, and other versions of FreeType
smooth letters otherwise."""

APART_SHARE = 0.12
"""Of the pixels in a square of 16; more of them apart anywhere, and it is another picture: a letter is enough."""


def shots(size: Size, language: str) -> Iterator[tuple[str, Pixels]]:
    """(name, (H, W, 3) uint8 BGR) of every screen."""
    live, staff = sample_picture(1280, 720, 40), sample_picture(640, 480, 120)
    yield "starting", flat(Painter(size).starting(language), size)
    for name, view, front in sample_views(language, size, live):
        yield name, flat(Painter(size).paint(view, front, live, staff), size)


def kept(size: Size, language: str) -> Iterator[tuple[str, Pixels]]:
    """Those that docs/screens holds: (path below it, picture); the largest ones at half their size."""
    for name, picture in shots(size, language):
        if size != UPRIGHT or name in UPRIGHT_TOO:
            small = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
            told = picture if size[0] < 1920 else small.astype(np.uint8)
            yield f"{size[0]}x{size[1]}/{language}/{name}.webp", told


def same(a: Pixels, b: Pixels) -> bool:
    """Whether two pictures look the same; (H, W, 3) uint8 each."""
    if a.shape != b.shape:
        return False
    apart = (cv2.absdiff(a, b).max(axis=2) > APART).astype(np.float32)
    squares = cv2.resize(apart, (a.shape[1] // 16, a.shape[0] // 16), interpolation=cv2.INTER_AREA)
    return bool(squares.max() <= APART_SHARE)


def load(path: Path) -> Pixels:
    """(H, W, 3) uint8 BGR."""
    return np.asarray(Image.open(path).convert("RGB"), np.uint8)[..., ::-1]


def save(path: Path, picture: Pixels) -> None:
    """In as few colours as do, and else without loss."""
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = Image.fromarray(picture[..., ::-1])
    for colours in COLOURS:
        few = whole.quantize(colours, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).convert("RGB")
        if same(np.asarray(few, np.uint8)[..., ::-1], picture):
            whole = few
            break
    whole.save(path, lossless=True, method=4)


def renew(folder: Path = SCREENS) -> list[str]:
    """Writes what is missing or looks different, removes what is no screen any more; returns what it has changed."""
    there = {str(p.relative_to(folder)) for p in folder.rglob("*.webp")}
    changed = []
    for size in SIZES:
        for language in ("de", "en"):
            for path, picture in kept(size, language):
                if path not in there or not same(load(folder / path), picture):
                    save(folder / path, picture)
                    changed.append(path)
                there.discard(path)
    for path in there:
        (folder / path).unlink()
    return changed + sorted(there)


def flat(painted: Painted, size: Size) -> Pixels:
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
    bgr += np.linspace(0, 60, height, dtype=np.uint8)[:, None, None] // 12 * 12  # in broad bands: small as a file
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
        for path in renew():
            print(path)
        return 0
    sizes = [tuple(int(n) for n in a.split("x")) for a in arguments[1:]] or SIZES
    for width, height in sizes:
        for language in ("de", "en"):
            for name, picture in shots((width, height), language):
                save(Path(arguments[0]) / f"{name}-{language}-{width}x{height}.webp", picture)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
