"""The live picture, staff and chips stand beside a snapshot, never over it; touch and paint agree on where it is."""

from __future__ import annotations

import pytest

from kiosk.ui.call_paint import call
from kiosk.ui.canvas import Box, Words
from kiosk.ui.fit import overlap
from kiosk.ui.gallery import sample_picture
from kiosk.ui.gallery_views import sample_views
from kiosk.ui.layout import chips_area, inset, live_inset, measures, picture_area, picture_fit
from kiosk.ui.screens import screen
from kiosk.ui.theme import SMALL_PX, VEIL

SIZES = [(1024, 600), (800, 480), (1280, 720), (1280, 800), (1920, 1080), (600, 1024), (480, 800), (720, 1280)]
FRAMES = [(1280, 720), (640, 480), (720, 1280)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("snapshot", FRAMES)
@pytest.mark.parametrize("live", FRAMES)
def test_nothing_of_a_snapshot_is_hidden_by_the_live_picture_or_by_staff(
    size: tuple[int, int], snapshot: tuple[int, int], live: tuple[int, int]
) -> None:
    place, small = picture_fit(size, snapshot, live).rect, live_inset(size, live)
    assert overlap(place, small) is None
    assert overlap(small, picture_area(size)) == small
    for staff in FRAMES:
        theirs = inset(size, staff, live)
        assert overlap(place, theirs) is None
        assert overlap(small, theirs) is None
        chips = chips_area(size, snapshot, live, theirs)
        assert all(overlap(chips, other) is None for other in (place, theirs, small))
    alone = picture_fit(size, snapshot).rect
    assert place.w >= (0.7 if size[0] > size[1] else 0.65) * alone.w


@pytest.mark.parametrize("language", ["de", "en"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("staff", [None, (640, 480)])
def test_camera_and_recording_are_told_beside_a_snapshot_however_little_room_there_is(
    size: tuple[int, int], language: str, staff: tuple[int, int] | None
) -> None:
    live = sample_picture(1280, 720, 40)
    _, view, front = next(s for s in sample_views(language, size, live) if s[0] == "snapshot")
    assert view.call is not None
    shown = screen(view, front)
    items = call(shown, view.call, size, view.now_s, staff)
    said = [item.text for item in items if isinstance(item, Words)]
    assert {chip.text for chip in shown.chips[:2]} <= set(said)
    veils = [item.rect for item in items if isinstance(item, Box) and item.fill == VEIL]
    place = picture_fit(size, live.size, view.call.frame).rect
    assert veils
    assert all(overlap(veil, place) is None for veil in veils)


@pytest.mark.parametrize("language", ["de", "en"])
def test_what_is_long_stands_beside_a_snapshot_in_lines_not_in_small_letters(language: str) -> None:
    size, live = (1024, 600), sample_picture(1280, 720, 40)
    _, view, front = next(s for s in sample_views(language, size, live) if s[0] == "snapshot-weak")
    assert view.call is not None
    shown = screen(view, front)
    quality = next(chip.text for chip in shown.chips if chip.icon == "network")
    words = [item for item in call(shown, view.call, size, view.now_s, None) if isinstance(item, Words)]
    lines = [word for word in words if word.text in quality]
    assert " ".join(line.text for line in lines) == quality
    assert len(lines) > 1
    assert {line.px for line in lines} == {measures(size).px(SMALL_PX)}
