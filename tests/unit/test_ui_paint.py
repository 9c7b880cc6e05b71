"""What is painted, and where: measured in the pixels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kiosk.hw.ports import Pixels, Rect
from kiosk.session.states import State
from kiosk.ui import icons, text, theme
from kiosk.ui.call_paint import call as call_items
from kiosk.ui.canvas import Box, Words, merged
from kiosk.ui.fit import contains, fit, overlap
from kiosk.ui.gallery import SIZES, flat, sample_picture
from kiosk.ui.gallery_views import provider, sample_views, session
from kiosk.ui.layout import arrange, choice_at, picture_fit
from kiosk.ui.local import Front
from kiosk.ui.pages import page
from kiosk.ui.paint import Painter, layers, next_tick_s
from kiosk.ui.screens import TROUBLES, screen
from kiosk.ui.texts import speaker
from kiosk.ui.view import CallView, SnapshotView, View
from kiosk.wire.overlay import MarkShape, Overlay, Points, StrokeShape, pen_px

LIVE = sample_picture(1280, 720, 10)
PURE_GREEN = "#00ff00"
BASE = View("de", "Presse 7", provider("de"), online=True, now_s=100.0)
TOUCH = Front(by_touch=True)


def in_call(call: CallView) -> View:
    return replace(BASE, session=session("de", State.RUNNING), call=call)


def stroke(points: Points, ended_s: float | None = None) -> Overlay:
    return Overlay(strokes=(StrokeShape("s-1", "Anna", PURE_GREEN, points, ended_s),))


def green(overlay: Pixels) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    return (overlay[..., 1] > 200) & (overlay[..., 0] < 60) & (overlay[..., 2] < 60) & (overlay[..., 3] > 60)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("frame", [(1280, 720), (640, 480)])
def test_a_stroke_is_painted_where_it_was_meant(size: tuple[int, int], frame: tuple[int, int]) -> None:
    call = CallView(overlay=stroke(((0.4, 0.55), (0.6, 0.55))), frame=frame)
    painted = Painter(size).paint(in_call(call), TOUCH, sample_picture(*frame, 10))
    rows, columns = np.nonzero(green(painted.overlay))
    x, y = fit(frame, painted.layers[0].rect).to_display(0.5, 0.55)
    left = fit(frame, painted.layers[0].rect).to_display(0.4, 0.55)[0]
    pen = pen_px(painted.layers[0].rect.w) / 2
    assert abs(rows.mean() - y) <= 2
    assert abs((columns.min() + columns.max()) / 2 - x) <= 2
    assert abs(columns.min() - (left - pen)) <= 2


def test_display_and_frame_coordinates_are_each_others_inverse() -> None:
    place = picture_fit((1024, 600), (1280, 720))
    x, y = place.to_frame(*place.to_display(0.123, 0.877))
    assert (round(x, 9), round(y, 9)) == (0.123, 0.877)


def test_a_fading_stroke_becomes_transparent_and_goes() -> None:
    points = ((0.4, 0.5), (0.6, 0.5))

    def alpha(now_s: float) -> int:
        view = replace(in_call(CallView(overlay=stroke(points, ended_s=100.0))), now_s=now_s)
        overlay = Painter((1024, 600)).paint(view, TOUCH, LIVE).overlay
        x, y = picture_fit((1024, 600), (1280, 720)).to_display(0.5, 0.5)
        return int(overlay[round(y), round(x), 3])

    assert alpha(101.0) == 255
    assert 60 < alpha(103.0) < 200
    assert alpha(104.1) == 0


def test_a_lost_mark_is_an_arrow_at_the_edge_of_the_picture_towards_where_it_was() -> None:
    quad = ((1.2, 0.5), (1.3, 0.5), (1.3, 0.6), (1.2, 0.6))
    lost = Overlay(marks=(MarkShape("m-1", "Anna", PURE_GREEN, "", "lost", quad),))
    painted = Painter((1024, 600)).paint(in_call(CallView(overlay=lost)), TOUCH, LIVE)
    _, columns = np.nonzero(green(painted.overlay))
    rect = painted.layers[0].rect
    assert columns.size
    assert columns.min() > rect.x + rect.w * 0.8
    assert columns.max() < rect.x + rect.w


def test_an_unsure_mark_is_dashed_so_that_colour_alone_tells_nothing() -> None:
    quad = ((0.3, 0.4), (0.6, 0.4), (0.6, 0.7), (0.3, 0.7))

    def covered(state: str) -> int:
        mark = MarkShape("m-1", "", PURE_GREEN, "", state, quad)  # type: ignore[arg-type]  # from the test's table
        painted = Painter((1024, 600)).paint(in_call(CallView(overlay=Overlay(marks=(mark,)))), TOUCH, LIVE)
        return int(green(painted.overlay).sum())

    assert 0.3 < covered("unsure") / covered("tracked") < 0.85


def test_the_changed_rectangles_cover_every_change_and_nothing_twice() -> None:
    for size in ((1024, 600), (720, 1280)):
        painter = Painter(size)
        before: Pixels | None = None
        for name, view, front in sample_views("de", size, LIVE):
            painted = painter.paint(view, front, LIVE, LIVE)
            if before is not None:
                differs = np.any(before != painted.overlay, axis=2)
                for i, rect in enumerate(painted.changed):
                    differs[rect.y : rect.y + rect.h, rect.x : rect.x + rect.w] = False
                    assert all(overlap(rect, other) is None for other in painted.changed[:i]), name
                assert not differs.any(), name
            before = painted.overlay.copy()


def test_what_is_painted_step_by_step_is_what_is_painted_at_once() -> None:
    size = (1024, 600)
    painter = Painter(size)
    for name, view, front in sample_views("de", size, LIVE):
        by_steps = painter.paint(view, front, LIVE, LIVE).overlay.astype(int)
        at_once = Painter(size).paint(view, front, LIVE, LIVE).overlay.astype(int)
        worst = np.abs(by_steps - at_once)
        assert (worst > 40).sum() < 50, name  # the ends of clipped lines may differ in their smoothing, unseen


def test_a_new_picture_alone_changes_nothing_of_the_overlay() -> None:
    painter, view = Painter((1024, 600)), in_call(CallView(overlay=stroke(((0.4, 0.5), (0.6, 0.5)))))
    painter.paint(view, TOUCH, LIVE)
    assert painter.same(view, LIVE, None).changed == ()
    assert painter.paint(view, TOUCH, LIVE).changed == ()


def test_a_stroke_that_goes_on_repaints_only_its_end() -> None:
    painter = Painter((1024, 600))
    points = tuple((0.1 + i * 0.005, 0.5) for i in range(100))
    painter.paint(in_call(CallView(overlay=stroke(points))), TOUCH, LIVE)
    more = in_call(CallView(overlay=stroke((*points, (0.6, 0.5)))))
    assert sum(r.w for r in painter.paint(more, TOUCH, LIVE).changed) < 150


def test_pictures_are_shown_in_a_running_call_only() -> None:
    call = CallView(staff_camera=True)
    assert len(layers(in_call(call), (1024, 600), LIVE, LIVE)) == 2
    assert len(layers(in_call(replace(call, staff_camera=False)), (1024, 600), LIVE, LIVE)) == 1
    ended = replace(in_call(call), session=session("de", State.COMPLETED))
    assert layers(ended, (1024, 600), LIVE, LIVE) == ()
    assert layers(BASE, (1024, 600), LIVE, LIVE) == ()


def test_an_open_snapshot_stands_in_place_of_the_live_picture() -> None:
    still = sample_picture(640, 480, 90)
    shown = layers(in_call(CallView(snapshot=SnapshotView("sn-1", still))), (1024, 600), LIVE, None)
    assert [layer.picture for layer in shown] == [still, LIVE], "and the live picture goes on, small"
    assert shown[1].rect.w < shown[0].rect.w / 3


def test_only_what_moves_needs_time() -> None:
    assert (next_tick_s(BASE, Front()) or 0) > 10, "a page moves a little each minute, so that nothing burns in"
    assert next_tick_s(replace(BASE, asleep=True), Front()) is None
    assert next_tick_s(BASE, Front(held="camera_plus")) is not None
    assert (next_tick_s(in_call(CallView()), Front()) or 0) > 0.5
    fading = in_call(CallView(overlay=stroke(((0.1, 0.1), (0.2, 0.2)), ended_s=99.0)))
    assert (next_tick_s(fading, Front()) or 1) < 0.1
    assert (next_tick_s(replace(fading, now_s=110.0), Front()) or 0) > 0.1


def test_a_sleeping_display_is_black() -> None:
    picture = flat(Painter((1024, 600)).paint(replace(BASE, asleep=True), Front()), (1024, 600))
    assert not picture.any()


def test_colours_keep_their_contrast() -> None:
    for ink in (theme.INK, theme.MUTED, theme.ACCENT, theme.GOOD, theme.ALERT):
        assert theme.contrast(ink, theme.GROUND) >= 7
    assert theme.contrast(theme.INK, theme.RAISED) >= 7
    assert theme.contrast(theme.ON_ACCENT, theme.ACCENT) >= 7
    assert theme.contrast(theme.ON_ALERT, theme.ALERT) >= 7
    assert theme.contrast(theme.ON_DANGER, theme.DANGER) >= 7
    for signal in (theme.DANGER, theme.RAISED):
        assert theme.contrast(theme.INK, signal) >= 3


def words_on(view: View, front: Front, size: tuple[int, int]) -> list[Words]:
    shown = screen(view, front)
    if shown.mode == "page" or view.call is None:
        items = page(shown, size)
    else:
        items = call_items(shown, view.call, size, view.now_s, (640, 480))
    return [i for i in items if isinstance(i, Words)]


@pytest.mark.parametrize("language", ["de", "en"])
@pytest.mark.parametrize("size", [*SIZES, (800, 480)])
def test_no_words_are_cut_and_none_leave_the_display(size: tuple[int, int], language: str) -> None:
    for name, view, front in sample_views(language, size, LIVE):
        title = screen(view, front).title
        for item in words_on(view, front, size):
            assert not item.text.endswith("…") or title.endswith(item.text.split()[-1]), (name, item.text)
            assert contains(Rect(0, 0, *size), item.rect.x, item.rect.y), (name, item)
            last = (item.rect.x + item.rect.w - 1, item.rect.y + item.rect.h - 1)
            assert contains(Rect(0, 0, *size), *last), (name, item)


@pytest.mark.parametrize("language", ["de", "en"])
@pytest.mark.parametrize("size", [*SIZES, (800, 480)])
def test_what_is_said_does_not_run_under_the_choices(size: tuple[int, int], language: str) -> None:
    for name, view, front in sample_views(language, size, LIVE):
        shown = screen(view, front)
        if shown.layout != "message" or shown.mode != "page":
            continue
        main = arrange(shown, size).main
        for item in words_on(view, front, size):
            if item.weight == "regular" and item.text in " ".join(shown.lines):
                assert item.rect.y + item.rect.h <= main.y + main.h, (name, item)


@pytest.mark.parametrize("language", ["de", "en"])
@pytest.mark.parametrize("size", [*SIZES, (800, 480)])
def test_words_stand_whole_inside_a_choice_or_beside_all_of_them(size: tuple[int, int], language: str) -> None:
    for name, view, front in sample_views(language, size, LIVE):
        shown = screen(view, front)
        if shown.mode != "page":
            continue
        rects = arrange(shown, size).choices
        for item in words_on(view, front, size):
            for rect in rects:
                common = overlap(rect, item.rect)
                assert common in (None, item.rect) or common.h <= item.rect.h // 8, (name, item)


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("size", SIZES)
def test_every_trouble_is_said_in_full(trouble: str, size: tuple[int, int]) -> None:
    for language in ("de", "en"):
        view = replace(BASE, language=language, troubles=(trouble,))
        for told in (view, replace(in_call(CallView()), language=language, troubles=(trouble,))):
            said = " ".join(w.text for w in words_on(told, Front(size=size), size))
            assert speaker(language)(TROUBLES[trouble]) in said


def test_text_is_shrunk_before_it_is_cut() -> None:
    px, lines = text.shaped("Videohilfe anfordern", "bold", 40, 360, 1)
    assert lines == ("Videohilfe anfordern",)
    assert px < 40
    assert text.shaped("Donaudampfschifffahrtsgesellschaft", "bold", 40, 100, 1)[1][0].endswith("…")


def test_every_icon_can_be_drawn() -> None:
    for name in icons.ICONS:
        assert icons.mask(name, 40).max() > 200, name


def test_rectangles_that_overlap_become_one() -> None:
    assert merged([Rect(0, 0, 10, 10), Rect(20, 0, 5, 5), Rect(8, 0, 14, 5)]) == (Rect(0, 0, 25, 10),)
    assert len(merged([Rect(i * 20, 0, 5, 5) for i in range(30)])) == 1


# --- legible, for whoever stands two metres away or wears gloves ------------------------------------------------------


@pytest.mark.parametrize("language", ["de", "en"])
@pytest.mark.parametrize("size", SIZES)
def test_what_tells_how_things_stand_is_read_from_two_metres_on_the_smallest_panel(
    size: tuple[int, int], language: str
) -> None:
    """Capitals of 5' and more (a normal eye's limit), titles of 7'; what is touched is read from nearer by."""
    for name, view, front in sample_views(language, size, LIVE):
        shown = screen(view, front)
        near = {word for c in shown.choices for word in c.label.split()}
        for item in words_on(view, front, size):
            if view.call and view.call.snapshot:
                continue  # letters drawn on the picture are as large as they were drawn
            if set(item.text.split()) <= near:
                assert theme.seen_minutes(item.px, size) >= 4.2, (name, item)
                continue
            least = 7.0 if item.text in shown.title and shown.layout in ("message", "end", "idle") else 4.9
            assert theme.seen_minutes(item.px, size) >= least, (name, item)


@pytest.mark.parametrize("language", ["de", "en"])
@pytest.mark.parametrize("size", SIZES)
def test_words_stand_out_from_what_is_under_them(size: tuple[int, int], language: str) -> None:
    """7:1 (WCAG AAA) against the topmost plain thing under the middle of each word; on a picture against its veil."""
    for name, view, front in sample_views(language, size, LIVE):
        shown = screen(view, front)
        items = page(shown, size) if shown.mode == "page" or view.call is None else []
        for at, item in enumerate(items):
            if not isinstance(item, Words):
                continue
            x, y = item.rect.x + item.rect.w / 2, item.rect.y + item.rect.h / 2
            under = [b.fill for b in items[:at] if isinstance(b, Box) and b.fill[3] == 255 and contains(b.rect, x, y)]
            ground = under[-1] if under else theme.GROUND
            assert theme.contrast(item.ink, ground) >= 7, (name, item.text)


@pytest.mark.parametrize("size", [*SIZES, (800, 480)])
def test_nothing_burns_in_and_what_moves_stays_on_the_display_and_under_the_finger(size: tuple[int, int]) -> None:
    places = set()
    for minute in range(16):
        view = replace(BASE, now_s=minute * 60.0, troubles=("no_network",))
        shown = screen(view, Front(size=size))
        items = page(shown, size)
        places.add((items[0].rect.x, items[0].rect.y))
        for item in items:
            assert contains(Rect(0, 0, *size), item.rect.x, item.rect.y), (minute, item)
            assert contains(Rect(0, 0, *size), item.rect.x + item.rect.w - 1, item.rect.y + item.rect.h - 1)
        for choice, rect in zip(shown.choices, arrange(shown, size).choices, strict=True):
            for x, y in ((rect.x, rect.y), (rect.x + rect.w - 1, rect.y + rect.h - 1)):
                assert choice_at(shown, size, x + shown.drift[0], y + shown.drift[1]) == choice
    assert len(places) >= 12
