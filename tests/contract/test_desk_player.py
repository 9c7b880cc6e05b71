"""The player of the details page, in a real Chromium: what was drawn lies over the film at its place and its time."""

# ruff: noqa: F811 - pytest's fixtures are imported, and named again where they are asked for

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from kiosk.session.record import Artifact
from kiosk.session.states import State
from tests.contract.desk_stub import StubDesk, artifact
from tests.contract.film_site import (
    CYAN,
    GREEN,
    MARK_QUAD,
    ORANGE,
    PINK,
    STROKE,
    write_film,
    write_original,
    write_timeline,
)
from tests.contract.test_desk_pages import browser, open_page, session, until  # noqa: F401 - fixtures

NAMES = {"recording": "film.mp4", "timeline": "timeline.jsonl", "snapshot": "snap-1.jpg"}
WITHIN = 60
ON_STAGE = """(point) => import("/static/js/geometry.js").then((g) => {
  const { player } = document.querySelector(".player"), { clientWidth: width, clientHeight: height } = player.canvas;
  const { fit, mirrored, turn } = player.viewIn({ x: 0, y: 0, width, height }, 640, 360);
  const [x, y] = g.toView(point, fit, mirrored, turn);
  return [x / width, y / height];
})"""
"""Where a point of the film is on the stage, 0..1 of it."""


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    write_film(folder / NAMES["recording"])
    write_timeline(folder / NAMES["timeline"])
    write_original(folder / NAMES["snapshot"])
    return folder


@pytest.fixture
def desk(films: Path) -> Iterator[StubDesk]:
    desk = StubDesk("en", films)
    desk.start()
    desk.presence("k-presse-3", True)
    desk.put(session(state=State.CLOSED, artifacts=tuple(_artifact(kind) for kind in NAMES)))
    yield desk
    desk.stop()


def _artifact(kind: str, name: str = "") -> Artifact:
    group = "snap-1" if kind == "snapshot" else "a-recording"
    return artifact(f"a-{kind}", kind, name or NAMES[kind], group)


def opened(desk: StubDesk, open_page: Callable[..., Page], width: int = 1280, language: str = "en") -> Page:
    page = open_page(f"/sessions/s-1?language={language}", width)
    expect(page.locator(".player-events")).to_be_visible()
    until(page, lambda: page.evaluate("document.querySelector('.player video').readyState >= 2"))
    return page


def show(page: Page, at_s: float) -> float:
    """Goes to a moment; returns the time of the frame that is shown by then."""
    page.evaluate(
        "(t) => { const { player } = document.querySelector('.player'); player.shownS = -1; player.seek(t); }", at_s
    )
    until(page, lambda: page.evaluate("document.querySelector('.player').player.shownS >= 0"))
    return float(page.evaluate("document.querySelector('.player').player.shownS"))


def seen(page: Page) -> Any:
    """(H, W, 3) RGB: what the tab shows of the film."""
    page.evaluate("document.querySelector('.player-big').style.display = 'none'")
    return np.asarray(Image.open(io.BytesIO(page.locator(".player-stage").screenshot())).convert("RGB")).astype(int)


def has(picture: Any, point: tuple[float, float], colour: str) -> bool:
    height, width = picture.shape[:2]
    x, y = int(point[0] * width), int(point[1] * height)
    rgb = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    part = picture[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2].reshape(-1, 3)
    return bool((np.abs(part - rgb).max(axis=1) < WITHIN).any())


def test_a_stroke_is_over_the_film_where_it_was_drawn_while_it_was_there(
    desk: StubDesk, open_page: Callable[..., Page]
) -> None:
    page = opened(desk, open_page)
    places = {"begin": STROKE[0], "end": (0.58, 0.25)}
    found = {}
    for at_s in (0.9, 1.1, 1.3, 3.2):
        assert show(page, at_s) == pytest.approx(at_s, abs=0.07)
        found[at_s] = {name: has(seen(page), place, CYAN) for name, place in places.items()}
    assert found == {
        0.9: {"begin": False, "end": False},
        1.1: {"begin": True, "end": False},
        1.3: {"begin": True, "end": True},
        3.2: {"begin": False, "end": False},
    }


def test_marks_pointers_and_screenshots_come_in_their_time(desk: StubDesk, open_page: Callable[..., Page]) -> None:
    page = opened(desk, open_page)
    side = (0.4, MARK_QUAD[0][1])
    show(page, 3.0)
    assert has(seen(page), side, ORANGE)
    show(page, 3.7)
    assert has(seen(page), (0.8, 0.3), GREEN)
    show(page, 4.1)
    assert not has(seen(page), side, ORANGE), "lost: an arrow at the edge"
    show(page, 5.4)
    until(page, lambda: page.locator(".player").get_attribute("data-snapshot") == "snap-1")
    picture = seen(page)
    assert has(picture, (0.6, 0.35), "#1e3c96"), "the screenshot"
    assert has(picture, (0.6, 0.5), PINK), "what was drawn on it"
    show(page, 5.8)
    assert not has(seen(page), (0.6, 0.35), "#1e3c96")


def test_drawings_are_switched_off_and_on_by_button_and_by_key(desk: StubDesk, open_page: Callable[..., Page]) -> None:
    page = opened(desk, open_page)
    show(page, 1.4)
    player, toggle = page.locator(".player"), page.locator(".player [data-do=drawings]")
    assert has(seen(page), STROKE[0], CYAN)
    toggle.click()
    expect(toggle).to_have_attribute("aria-pressed", "false")
    expect(player).to_have_attribute("data-drawings", "off")
    assert not has(seen(page), STROKE[0], CYAN)
    page.keyboard.press("d")
    expect(player).to_have_attribute("data-drawings", "on")
    assert has(seen(page), STROKE[0], CYAN)


@pytest.mark.parametrize(("mirrored", "turn"), [(True, 0), (False, 90), (True, 90), (False, 180), (True, 270)])
def test_what_is_drawn_turns_with_the_picture(
    desk: StubDesk, open_page: Callable[..., Page], mirrored: bool, turn: int
) -> None:
    page = opened(desk, open_page)
    show(page, 1.4)
    page.locator(".player-slider").focus()
    for _ in range(turn // 90):
        page.keyboard.press("t")
    if mirrored:
        page.keyboard.press("x")
    picture = seen(page)
    assert has(picture, page.evaluate(ON_STAGE, [0.4, 0.25]), CYAN)
    top = int(page.evaluate("document.querySelector('.player').player.shownS") * 36) % 336
    x, y = page.evaluate(ON_STAGE, [16 / 640, (top + 12) / 360])
    assert has(picture, (x, y), "#c8c8c8"), "the film itself is turned alike"


def test_events_are_jumped_to_by_mouse_and_by_keyboard(desk: StubDesk, open_page: Callable[..., Page]) -> None:
    page = opened(desk, open_page)
    page.locator(".player-events summary").click()
    events = page.locator(".player-events li button")
    assert [e.get_attribute("data-kind") for e in events.all()] == [
        "recording-on", "joined", "stroke", "mark", "lost", "camera-lost", "camera-back", "found", "snapshot", "live",
        "left",
    ]  # fmt: skip
    now = "document.querySelector('.player video').currentTime"
    events.nth(3).click()
    expect(events.nth(3)).to_contain_text("Anna marks: Ventil")
    assert page.evaluate(now) == pytest.approx(2.0)
    for key, at_s in (("n", 4.0), ("n", 4.2), ("p", 4.0), ("Home", 0.0), ("ArrowRight", 5.0), ("ArrowLeft", 0.0)):
        page.keyboard.press(key)
        assert page.evaluate(now) == pytest.approx(at_s, abs=0.01), key
    page.keyboard.press("Enter")  # the focus is on an event still
    assert page.evaluate(now) == pytest.approx(2.0)
    page.locator(".player-slider").focus()
    page.keyboard.press("Space")
    until(page, lambda: page.evaluate("document.querySelector('.player').classList.contains('is-playing')"))
    until(page, lambda: page.evaluate(now) > 2.2)
    page.keyboard.press("k")
    expect(page.locator(".player-bar [data-do=play]")).to_have_attribute("aria-label", "Play")


def test_while_it_plays_each_frame_gets_what_lay_over_it(desk: StubDesk, open_page: Callable[..., Page]) -> None:
    page = opened(desk, open_page)
    page.evaluate("""() => {
      const { player } = document.querySelector(".player"), compose = player.compose.bind(player);
      window.painted = [];
      player.compose = (context, ...more) => {
        compose(context, ...more);
        window.painted.push([player.shownS, player.replay.overlay(player.shownS).strokes.length]);
      };
    }""")
    show(page, 0.5)
    page.evaluate("document.querySelector('.player video').play()")
    until(page, lambda: page.evaluate("document.querySelector('.player video').currentTime > 1.4"))
    painted = page.evaluate("window.painted")
    assert len({at for at, _ in painted}) > 8, "more often than the clock of the film is told"
    assert all(strokes == (1 if at >= 1 else 0) for at, strokes in painted)


def test_a_still_is_the_very_frame_in_the_films_size_with_what_lies_over_it(
    desk: StubDesk, open_page: Callable[..., Page]
) -> None:
    page = opened(desk, open_page)
    show(page, 1.4)
    for keys, size in (("", (640, 360)), ("t", (360, 640))):
        page.locator(".player-slider").focus()
        if keys:
            page.keyboard.press(keys)
        with page.expect_download() as waiting:
            page.keyboard.press("s")
        path = waiting.value.path()
        picture = Image.open(path)
        assert (picture.format, picture.size) == ("PNG", size)
        assert waiting.value.suggested_filename.startswith("film-0m01.")
        point = (0.4, 0.25) if not keys else (0.75, 0.4)
        assert has(np.asarray(picture.convert("RGB")).astype(int), point, CYAN)


@pytest.mark.parametrize("language", ["en", "de"])
def test_a_film_with_drawings_is_asked_for_waited_for_and_downloaded(
    desk: StubDesk, open_page: Callable[..., Page], language: str
) -> None:
    page = opened(desk, open_page, 360, language)
    film = page.locator(".film")
    film.locator("[data-do=ask]").click()
    expect(film).to_have_attribute("data-state", "waiting")
    running = {"state": "running", "percent": 42, "error": "", "url": "", "bytes": 0}
    desk.films["a-recording"] = running
    expect(film).to_contain_text("42 %")
    film.locator("[data-do=cancel]").click()
    expect(film).to_have_attribute("data-state", "none")
    film.locator("[data-do=ask]").click()
    expect(film).to_have_attribute("data-state", "waiting")
    desk.films["a-recording"] = running | {"state": "failed", "error": "damaged"}
    expect(film.locator("[data-error=damaged]")).to_contain_text("damaged" if language == "en" else "beschädigt")
    film.locator("[data-do=ask]").click()
    done = {"state": "done", "percent": 100, "error": "", "url": "/files/film.mp4", "bytes": 123_456}
    desk.films["a-recording"] = done
    expect(film.locator("a")).to_have_attribute("href", "/files/film.mp4")
    expect(film).to_contain_text("123")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize(
    ("content", "words", "drawings"),
    [
        (b"\x00\xff{{{\n" * 50, "cannot be read", "on"),
        (None, "could not be loaded", "failed"),
    ],
)
def test_a_film_plays_whatever_became_of_its_timeline(
    desk: StubDesk, open_page: Callable[..., Page], films: Path, content: bytes | None, words: str, drawings: str
) -> None:
    name = "bad.jsonl"
    page = open_page("/devices")
    if content is None:
        page.route("**/files/bad.jsonl", lambda route: route.abort())
    else:
        (films / name).write_bytes(content)
    bad = _artifact("timeline", name)
    desk.put(session(state=State.CLOSED, rev=9, artifacts=(_artifact("recording"), bad)))
    page.goto(f"{desk.url}/sessions/s-1")
    expect(page.locator(".player-note")).to_contain_text(words)
    expect(page.locator(".player")).to_have_attribute("data-drawings", drawings)
    page.locator(".player-bar [data-do=play]").click()
    until(page, lambda: page.evaluate("document.querySelector('.player video').currentTime > 0.3"))


def test_a_timeline_that_was_cut_in_the_middle_shows_what_it_has(
    desk: StubDesk, open_page: Callable[..., Page], films: Path
) -> None:
    whole = (films / NAMES["timeline"]).read_bytes()
    (films / "cut.jsonl").write_bytes(whole[: whole.index(b"stroke-end")])
    cut = _artifact("timeline", "cut.jsonl")
    desk.put(session(state=State.CLOSED, rev=9, artifacts=(_artifact("recording"), cut)))
    page = opened(desk, open_page)
    expect(page.locator(".player-note")).to_contain_text("Entries left out: 1")
    show(page, 1.4)
    assert has(seen(page), STROKE[0], CYAN)


def test_a_film_that_was_cut_off_plays_to_its_end(desk: StubDesk, open_page: Callable[..., Page], films: Path) -> None:
    whole = (films / NAMES["recording"]).read_bytes()
    (films / "cut.mp4").write_bytes(whole[: len(whole) * 2 // 3])
    files = (_artifact("recording", "cut.mp4"), _artifact("timeline"))
    desk.put(session(state=State.CLOSED, rev=9, artifacts=files))
    page = opened(desk, open_page)
    show(page, 1.4)
    assert has(seen(page), STROKE[0], CYAN)


def test_what_is_no_film_says_so_and_can_be_downloaded(
    desk: StubDesk, open_page: Callable[..., Page], films: Path
) -> None:
    (films / "rubbish.mp4").write_bytes(b"rubbish" * 1000)
    desk.put(session(state=State.CLOSED, rev=9, artifacts=(_artifact("recording", "rubbish.mp4"),)))
    page = open_page("/sessions/s-1")
    expect(page.locator(".player-note")).to_contain_text("cannot be played here")
    expect(page.locator(".player")).to_have_attribute("data-drawings", "none")
    expect(page.locator('.artifact a[href="/files/rubbish.mp4"]')).to_be_visible()


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("width", [360, 1280])
def test_it_fits_and_every_control_has_a_name_and_room_for_a_thumb(
    desk: StubDesk, open_page: Callable[..., Page], width: int, language: str
) -> None:
    page = opened(desk, open_page, width, language)
    page.locator(".player-events summary").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for one in page.locator(".player button:visible").all():
        assert one.get_attribute("aria-label") or one.inner_text()
        box = one.bounding_box()
        assert box
        assert box["height"] >= 40, one.get_attribute("data-do")
    build = Path(__file__).parents[2] / "build"
    build.mkdir(exist_ok=True)
    show(page, 1.4)
    page.locator("#artifacts-panel").screenshot(path=str(build / f"player-{language}-{width}.png"))
