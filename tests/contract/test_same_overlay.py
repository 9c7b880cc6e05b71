"""One description, painted by the kiosk and by the page in a real Chromium: the same picture."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Page, sync_playwright

from desk.texts import WEB
from kiosk.hw.ports import Rect
from kiosk.ui.call_paint import drawn
from kiosk.ui.canvas import Canvas
from kiosk.ui.fit import Fit
from kiosk.ui.gallery import sample_picture
from kiosk.ui.layout import measures
from kiosk.ui.theme import CLEAR
from kiosk.ui.view import CallView, SnapshotView
from kiosk.wire.overlay import EditShape, MarkShape, Overlay, PointerShape, StrokeShape

SIZE = (960, 540)
GROUND = 128
NOW_S = 10.0
BUILD = Path(__file__).parents[2] / "build"

PAINT = """async ([overlay, edits, nowS, width, height]) => {
  const { paintEdit, paintMark, paintPointer, paintStroke } = await import("http://overlay.test/js/overlay.js");
  const canvas = new OffscreenCanvas(width, height), context = canvas.getContext("2d");
  [context.lineJoin, context.lineCap] = ["round", "round"];
  const view = { fit: { x: 0, y: 0, width, height }, mirrored: false, turn: 0 };
  const ended = (s) => s.ended_s === null ? null : 1000 * s.ended_s;
  const strokes = overlay.strokes.map((s) => ({ ...s, endedMs: ended(s), fadeS: s.fade_s }));
  for (const stroke of strokes) paintStroke(context, stroke, view, 1000 * nowS);
  for (const mark of overlay.marks) paintMark(context, { ...mark, name: mark.label }, view);
  for (const pointer of overlay.pointers) paintPointer(context, pointer, view);
  for (const edit of edits) paintEdit(context, edit, view);
  const bytes = new Uint8Array(context.getImageData(0, 0, width, height).data.buffer);
  let text = "";
  for (let k = 0; k < bytes.length; k += 32768) text += String.fromCharCode(...bytes.subarray(k, k + 32768));
  return btoa(text);
}"""


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--headless=new", "--no-sandbox"]
        )
        page = browser.new_page()
        page.route("http://overlay.test/**", lambda route: route.fulfill(**served(route.request.url)))
        page.goto("http://overlay.test/")
        yield page
        browser.close()


def served(url: str) -> dict[str, str]:
    name = url.removeprefix("http://overlay.test/")
    if not name.startswith("js/"):
        return {"body": "<!doctype html>", "content_type": "text/html"}
    return {"body": (WEB / "static" / name).read_text(), "content_type": "text/javascript"}


def by_kiosk(overlay: Overlay, edits: tuple[EditShape, ...]) -> NDArray[np.float32]:
    place = Fit(Rect(0, 0, *SIZE))
    snapshot = SnapshotView("sn-1", sample_picture(64, 36, 0), edits) if edits else None
    items = drawn(CallView(overlay=overlay, snapshot=snapshot), place, measures(SIZE), NOW_S)
    canvas = Canvas(SIZE)
    canvas.update(tuple(items), CLEAR)
    return on_grey(canvas.pixels)


def by_page(page: Page, overlay: Overlay, edits: tuple[EditShape, ...]) -> NDArray[np.float32]:
    told = msgspec.to_builtins(overlay), msgspec.to_builtins(edits)
    data = base64.b64decode(page.evaluate(PAINT, [*told, NOW_S, *SIZE]))
    rgba = np.frombuffer(data, np.uint8).reshape(SIZE[1], SIZE[0], 4)
    return on_grey(np.ascontiguousarray(rgba[..., [2, 1, 0, 3]]))


def on_grey(bgra: NDArray[np.uint8]) -> NDArray[np.float32]:
    alpha = bgra[..., 3:].astype(np.float32) / 255
    mixed: NDArray[np.float32] = (bgra[..., :3] * alpha + GROUND * (1 - alpha)).astype(np.float32)
    return mixed


def unlike(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Of all pixels that either has drawn on, the share where the other has nothing like it within 1.5 px."""

    def missing(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.bool_]:
        best = np.full(one.shape[:2], np.inf, np.float32)
        for dx in (-1, 0, 1):
            for dy in (-1, 0, 1):
                there = np.roll(other, (dy, dx), axis=(0, 1))
                best = np.minimum(best, np.abs(one - there).max(axis=2))
        result: NDArray[np.bool_] = (best > 40) & (np.abs(one - GROUND).max(axis=2) > 60)
        return result

    touched = (np.abs(a - GROUND).max(axis=2) > 60) | (np.abs(b - GROUND).max(axis=2) > 60)
    return float((missing(a, b) | missing(b, a)).sum() / max(1, touched.sum()))


QUAD = ((0.30, 0.35), (0.52, 0.38), (0.50, 0.70), (0.28, 0.66))
WAVE = tuple((0.1 + 0.02 * k, 0.4 + 0.15 * np.sin(k).item()) for k in range(30))
LIVE = {
    "a stroke": Overlay(strokes=(StrokeShape("s", "", "#0db9ff", WAVE),)),
    "a dot": Overlay(strokes=(StrokeShape("s", "", "#0db9ff", ((0.5, 0.5),)),)),
    "a stroke that fades": Overlay(strokes=(StrokeShape("s", "", "#e69f00", WAVE, ended_s=NOW_S - 3.0),)),
    "a stroke pinned to the scene": Overlay(
        strokes=(StrokeShape("s", "", "#00c58a", WAVE, carried=(0.9, 0.1, 0.05, -0.1, 1.1, 0.02, 0.1, 0.05, 1.0)),)
    ),
    "a mark": Overlay(marks=(MarkShape("m", "", "#ff6ec7", "", "tracked", QUAD),)),
    "a mark that is found again": Overlay(marks=(MarkShape("m", "", "#ff6ec7", "", "found", QUAD),)),
    "a mark that is unsure": Overlay(marks=(MarkShape("m", "", "#ff6ec7", "", "unsure", QUAD),)),
    "a mark that is lost": Overlay(
        marks=(MarkShape("m", "", "#ff6ec7", "", "lost", tuple((x + 0.9, y) for x, y in QUAD)),)
    ),
    "a pointer": Overlay(pointers=(PointerShape("", "#9be564", (0.4, 0.6)),)),
}
EDITS = {
    "pen": EditShape("pen", "#f0e442", WAVE),
    "arrow": EditShape("arrow", "#d55e00", ((0.2, 0.8), (0.6, 0.3))),
    "box": EditShape("box", "#b18cff", ((0.7, 0.7), (0.3, 0.2))),
}


@pytest.mark.parametrize("name", LIVE)
def test_kiosk_and_page_paint_the_same(page: Page, name: str) -> None:
    assert_alike(name, by_kiosk(LIVE[name], ()), by_page(page, LIVE[name], ()))


@pytest.mark.parametrize("name", EDITS)
def test_kiosk_and_page_paint_the_same_edit(page: Page, name: str) -> None:
    assert_alike(name, by_kiosk(Overlay(), (EDITS[name],)), by_page(page, Overlay(), (EDITS[name],)))


@pytest.mark.parametrize(
    "edit", [EditShape("text", "#ffffff", ((0.3, 0.4),), "Größe"), EditShape("step", "#e69f00", ((0.5, 0.5),), n=12)]
)
def test_letters_stand_at_the_same_place_and_are_as_large(page: Page, edit: EditShape) -> None:
    """Fonts may differ; the box around the letters hardly does."""
    boxes = []
    for picture in (by_kiosk(Overlay(), (edit,)), by_page(page, Overlay(), (edit,))):
        rows, columns = np.nonzero(np.abs(picture - GROUND).max(axis=2) > 60)
        boxes.append([int(columns.min()), int(rows.min()), int(rows.max()), int(columns.max())])
    first, second = boxes
    assert max(abs(a - b) for a, b in zip(first[:3], second[:3], strict=True)) <= 4, boxes
    assert abs(first[3] - second[3]) <= max(4, 0.25 * (first[3] - first[0])), boxes


def test_the_comparison_sees_what_is_three_pixels_off() -> None:
    first, second = (
        by_kiosk(Overlay(strokes=(StrokeShape("s", "", "#0db9ff", ((x, 0.2), (x, 0.8))),)), ())
        for x in (0.5, 0.5 + 3 / SIZE[0])
    )
    assert unlike(first, second) > 0.2


def assert_alike(name: str, kiosk: NDArray[np.float32], page: NDArray[np.float32]) -> None:
    """Dashes are mostly ends, which OpenCV rounds to whole pixels."""
    off = unlike(kiosk, page)
    if off > 0.03:  # for whoever looks into it
        BUILD.mkdir(exist_ok=True)
        cv2.imwrite(str(BUILD / "same-overlay.png"), np.hstack([kiosk, page]).astype(np.uint8))
    assert (np.abs(kiosk - GROUND).max(axis=2) > 60).sum() > 50, "something is drawn"
    allowed = 0.15 if name == "a mark that is unsure" else 0.03
    assert off <= allowed, f"{name}: {off:.3f}; kiosk left, page right in build/same-overlay.png"
