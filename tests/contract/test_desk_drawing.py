"""Drawing in the page, in a real Chromium: what is told, what is seen, in every way the picture can be turned."""

# ruff: noqa: F811 - pytest's fixtures are imported, and named again where they are asked for

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from playwright.sync_api import Page, expect

from kiosk.wire import channel
from tests.contract.desk_stub import StubDesk
from tests.contract.desk_stub_call import StubCall
from tests.contract.test_desk_pages import (  # noqa: F401 - fixtures
    browser,
    desk,
    drag,
    in_call,
    open_page,
    place,
    received,
    until,
)

DISC = (0.742, 0.625)
"""The middle of the yellow disc in the stub's scene; the valves, the panel and the lamp are elsewhere."""
YELLOW, CYAN = "#f0c14b", "#4cc9f0"
BUILD = Path(__file__).parents[2] / "build"


def seen(page: Page, colour: str) -> tuple[float, float]:
    """Where in the picture, as it is seen (0..1 of it), the middle of what has this colour is: by the tab's pixels."""
    box = page.locator("#overlay").bounding_box()
    fit = page.evaluate("window.desk.tools.fit()")
    assert box
    clip = {"x": box["x"] + fit["x"], "y": box["y"] + fit["y"], "width": fit["width"], "height": fit["height"]}
    shot = page.screenshot(clip=clip)  # type: ignore[arg-type]  # four floats, as it asks for
    picture = cv2.imdecode(np.frombuffer(shot, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    bgr = [int(colour[i : i + 2], 16) for i in (5, 3, 1)]
    rows, columns = np.nonzero(np.abs(picture.astype(int) - bgr).max(axis=2) < 40)
    assert columns.size > 8, f"{colour} is nowhere"
    return float(np.median(columns)) / picture.shape[1], float(np.median(rows)) / picture.shape[0]


def one_more(desk: StubDesk, before: int) -> bool:
    return len(received(desk, channel.StrokeEnd)) > before


@pytest.mark.timeout(180)
def test_in_all_eight_ways_to_see_the_picture_what_is_drawn_lands_on_what_was_meant(
    desk: StubDesk, open_page: Callable[..., Page]
) -> None:
    """By pixels both ways: staff press where they see the disc, and what others draw on the disc is seen there."""
    page = in_call(desk, open_page)
    ways = []
    for mirrored in (False, True):
        for turn in (0, 90, 180, 270):
            assert page.evaluate("[window.desk.tools.mirrored, window.desk.tools.turn]") == [mirrored, turn]
            page.wait_for_timeout(150)
            there = seen(page, YELLOW)
            ways.append(there)
            before = len(received(desk, channel.StrokeBegin))
            drag(page, there, (there[0] + 0.01, there[1]))
            until(page, partial(one_more, desk, before))
            assert received(desk, channel.StrokeBegin)[-1].at == pytest.approx(DISC, abs=0.02)
            page.evaluate("window.desk.tools.strokes.clear()")
            id_ = f"stroke-{turn}-{mirrored}".lower()
            desk.say({"kind": "stroke-begin", "id": id_, "at": (DISC[0] - 0.03, DISC[1]), "colour": CYAN})
            desk.say({"kind": "stroke-points", "id": id_, "points": [(DISC[0] + 0.03, DISC[1])]})
            until(page, partial(page.evaluate, "(i) => window.desk.tools.strokes.get(i)?.points.length === 2", id_))
            page.wait_for_timeout(150)
            assert seen(page, CYAN) == pytest.approx(there, abs=0.02)
            page.evaluate("window.desk.tools.strokes.clear()")
            page.keyboard.press("t")
        page.keyboard.press("x")
    assert len({(round(x, 1), round(y, 1)) for x, y in ways}) == 8, "and no two of them are the same"


def choose(page: Page, tool: str) -> None:
    page.locator(f"#snapshot-tools [data-tool={tool}]").click()


@pytest.mark.parametrize("width", [360, 1280])
def test_every_tool_of_a_snapshot_is_told_as_it_was_drawn(
    desk: StubDesk, open_page: Callable[..., Page], width: int
) -> None:
    page = in_call(desk, open_page, width, 740)
    page.locator("#tool-snapshot").click()
    expect(page.locator('#snapshot-view[data-shown="shot-1"]')).to_be_visible()
    choose(page, "arrow")
    drag(page, (0.2, 0.7), (0.5, 0.4))
    choose(page, "box")
    drag(page, (0.6, 0.6), (0.8, 0.8))
    choose(page, "step")
    page.mouse.click(*place(page, 0.3, 0.3))
    choose(page, "text")
    page.mouse.click(*place(page, 0.7, 0.2))
    page.locator("#snapshot-text").fill("Größe prüfen")
    page.keyboard.press("Enter")
    arrow, box, step, text = edits(page, desk, 4)
    assert [e.tool for e in (arrow, box, step, text)] == ["arrow", "box", "step", "text"]
    assert np.array(arrow.points) == pytest.approx(np.array([(0.2, 0.7), (0.5, 0.4)]), abs=0.01)
    assert np.array(box.points) == pytest.approx(np.array([(0.6, 0.6), (0.8, 0.8)]), abs=0.01)
    assert step.points[0] == pytest.approx((0.3, 0.3), abs=0.01)
    assert (text.text, text.points[0]) == ("Größe prüfen", pytest.approx((0.7, 0.2), abs=0.01))
    view = page.locator("#snapshot-view")
    expect(view).to_have_attribute("data-edits", "4")
    choose(page, "delete")
    page.mouse.click(*place(page, 0.35, 0.55))  # on the arrow
    expect(view).to_have_attribute("data-edits", "3")
    assert received(desk, channel.EditDelete)[-1].id == arrow.id
    page.locator("#snapshot-undo").click()
    expect(view).to_have_attribute("data-edits", "2")
    expect(view).to_have_attribute("data-unsent", "0")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_what_was_not_acknowledged_when_the_link_was_lost_is_told_again(
    desk: StubDesk, open_page: Callable[..., Page]
) -> None:
    page = in_call(desk, open_page)
    page.locator("#tool-snapshot").click()
    view = page.locator("#snapshot-view")
    expect(page.locator('#snapshot-view[data-shown="shot-1"]')).to_be_visible()
    drag(page, (0.2, 0.2), (0.4, 0.4))
    expect(view).to_have_attribute("data-edits", "1")
    desk.calls[-1].deaf = True
    drag(page, (0.5, 0.2), (0.7, 0.4))
    expect(view).to_have_attribute("data-unsent", "1")
    lost = edits(page, desk, 2)[-1]
    desk.tell("gone", {"session": "s-1", "peer": next(iter(desk.peers)), "code": "", "text": ""})
    until(page, lambda: len(desk.calls) == 2 and page.evaluate("window.desk.call.channels?.isOpen"))
    expect(view).to_be_visible()  # the picture stays: the kiosk will tell whether it is still open
    open_again(desk)
    again = until(page, lambda: received(desk, channel.Edit))
    assert [e.id for e in again] == [lost.id]
    expect(view).to_have_attribute("data-unsent", "0")
    expect(view).to_have_attribute("data-edits", "1")  # the first was not told again: somebody took it away meanwhile


def edits(page: Page, desk: StubDesk, count: int) -> list[Any]:
    """So many, as soon as they have come."""
    until(page, lambda: len(received(desk, channel.Edit)) >= count)
    return received(desk, channel.Edit)


def open_again(desk: StubDesk) -> None:
    """The kiosk tells one who comes back what is open; ids of the stub begin anew with each connection."""

    async def tell() -> None:
        desk.calls[-1].snapshot("Anna")

    desk.run(tell())


def test_a_snapshot_that_was_closed_meanwhile_says_what_was_not_kept(
    desk: StubDesk, open_page: Callable[..., Page]
) -> None:
    page = in_call(desk, open_page)
    page.locator("#tool-snapshot").click()
    expect(page.locator('#snapshot-view[data-shown="shot-1"]')).to_be_visible()
    desk.calls[-1].deaf = True
    drag(page, (0.5, 0.2), (0.7, 0.4))
    expect(page.locator("#snapshot-view")).to_have_attribute("data-unsent", "1")
    desk.say({"kind": "snapshot-close"})
    expect(page.locator("#snapshot-view")).to_be_hidden()
    expect(page.locator(".toast")).to_contain_text("Not everything was kept")


def each_call(desk: StubDesk, do: Callable[[StubCall], None]) -> None:
    """In the kiosk's ends of all connections."""

    async def each() -> None:
        for call in desk.calls:
            do(call)

    desk.run(each())


def test_back_to_live_closes_the_snapshot_on_every_page_whatever_the_hand_was_at(
    desk: StubDesk, open_page: Callable[..., Page]
) -> None:
    pages = [in_call(desk, open_page)]
    pages.append(open_page("/sessions/s-1", 360, 740))
    pages[1].locator("#join").click()
    expect(pages[1].locator('#call[data-state="on"]')).to_be_visible()
    each_call(desk, lambda call: call.snapshot("Anna"))
    for page in pages:
        expect(page.locator('#snapshot-view[data-shown="shot-1"]')).to_be_visible()
    choose(pages[0], "delete")
    choose(pages[1], "text")
    pages[1].mouse.click(*place(pages[1], 0.5, 0.5))
    expect(pages[1].locator("#snapshot-text-form")).to_be_visible()
    each_call(desk, lambda call: call.say({"kind": "snapshot-close"}))
    for page in pages:
        expect(page.locator("#snapshot-view")).to_be_hidden()
        expect(page.locator("#snapshot-text-form")).to_be_hidden()


def test_what_is_refused_is_not_waited_for(desk: StubDesk, open_page: Callable[..., Page]) -> None:
    page = in_call(desk, open_page)
    page.locator("#tool-snapshot").click()
    expect(page.locator('#snapshot-view[data-shown="shot-1"]')).to_be_visible()
    desk.calls[-1].deaf = True
    drag(page, (0.5, 0.2), (0.7, 0.4))
    edit = until(page, lambda: received(desk, channel.Edit))[-1]
    desk.say({"kind": "trouble", "code": "full", "text": "A picture takes 500 edits at most.", "about": edit.id})
    expect(page.locator("#snapshot-view")).to_have_attribute("data-unsent", "0")


def test_a_pinned_stroke_goes_where_the_scene_goes_and_its_points_count_in_the_frame_it_began_on(
    desk: StubDesk, open_page: Callable[..., Page]
) -> None:
    page = in_call(desk, open_page)
    page.keyboard.press("n")
    page.mouse.move(*place(page, 0.3, 0.3))
    page.mouse.down()
    begin: Any = until(page, lambda: received(desk, channel.StrokeBegin))[-1]
    assert begin.pinned
    desk.say({"kind": "stroke-pin", "id": begin.id, "anchor": 1, "matrix": [1, 0, 0, 0, 1, 0, 0, 0, 1]})
    until(page, lambda: page.evaluate("[...window.desk.tools.strokes.values()].some((s) => s.pin)"))
    motion = {"anchor": 1, "matrix": [1, 0, 0.2, 0, 1, 0.1, 0, 0, 1]}  # the camera has moved meanwhile
    page.evaluate("(motion) => window.desk.tools.carry(motion)", motion)
    page.mouse.move(*place(page, 0.6, 0.5))
    page.mouse.up()
    until(page, lambda: received(desk, channel.StrokeEnd))
    last = received(desk, channel.StrokePoints)[-1]
    assert last.points[-1] == pytest.approx((0.4, 0.4), abs=0.01)
    assert isinstance(last.t, int)
    page.evaluate(
        "(motion) => { window.desk.tools.carry(motion); window.desk.tools.paint(performance.now()); }", motion
    )
    painted = """() => {
      const { fit } = window.desk.tools.seen, canvas = document.getElementById("overlay");
      const scale = canvas.width / canvas.clientWidth, copy = new OffscreenCanvas(canvas.width, canvas.height);
      const context = copy.getContext("2d", { willReadFrequently: true });
      context.drawImage(canvas, 0, 0);
      const px = (u, v) => [(fit.x + u * fit.width) * scale, (fit.y + v * fit.height) * scale];
      return [[0.5, 0.4], [0.6, 0.5], [0.3, 0.3]].map(([u, v]) => context.getImageData(...px(u, v), 1, 1).data[3]);
    }"""
    begun, ended, before = page.evaluate(painted)
    assert begun > 100
    assert ended > 100
    assert before == 0


def test_own_strokes_fade_after_the_time_that_the_kiosk_is_set_to(
    desk: StubDesk, open_page: Callable[..., Page]
) -> None:
    page = in_call(desk, open_page)
    hello = {"kind": "hello", "you": "Anna", "colour": CYAN, "session": "s-1", "call": "c-1", "fade_s": 1.5}
    desk.say(hello)
    until(page, lambda: page.evaluate("window.desk.tools.fadeS") == 1.5)
    drag(page, (0.3, 0.3), (0.5, 0.3))
    assert page.evaluate("[...window.desk.tools.strokes.values()].map((s) => s.fadeS)") == [1.5]
    until(page, lambda: page.evaluate("window.desk.tools.strokes.size") == 0)


BESIDE = """() => {
  const paper = document.getElementById("snapshot-overlay").getBoundingClientRect();
  const { fit } = window.desk.snapshot.seen;
  const [left, top] = [paper.x + fit.x, paper.y + fit.y];
  return [...document.querySelectorAll("#call-video, #own-camera:not([hidden])")].map((video) => {
    const { x, y, right, bottom, width, height } = video.getBoundingClientRect();
    const apart = right <= left || x >= left + fit.width || bottom <= top || y >= top + fit.height;
    return [video.id, apart, Math.max(width, height) > 40];
  });
}"""


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (360, 740), (844, 390), (640, 360)])
@pytest.mark.parametrize("turn", [0, 90])
def test_the_live_picture_goes_on_beside_a_snapshot_and_covers_nothing_of_it(
    desk: StubDesk, open_page: Callable[..., Page], width: int, height: int, turn: int
) -> None:
    page = in_call(desk, open_page, width, height)
    page.keyboard.press("v")
    until(page, lambda: page.locator("#own-camera").is_visible())
    for _ in range(turn // 90):
        page.keyboard.press("t")
    page.keyboard.press("s")
    expect(page.locator('#snapshot-view[data-shown="shot-1"]')).to_be_visible()
    assert page.evaluate(BESIDE) == [["call-video", True, True], ["own-camera", True, True]]
    fit = page.evaluate("window.desk.snapshot.seen.fit")
    assert min(fit["width"], fit["height"]) > 90, "and is large enough to be drawn on"
    BUILD.mkdir(exist_ok=True)
    page.screenshot(path=str(BUILD / f"beside-{width}-{turn}.png"))
