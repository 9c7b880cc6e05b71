"""The live picture stands beside a snapshot, never over it; touch and paint agree on where the snapshot is."""

from __future__ import annotations

import pytest

from kiosk.ui.fit import overlap
from kiosk.ui.layout import inset, live_inset, picture_area, picture_fit

SIZES = [(1024, 600), (800, 480), (1280, 800), (1920, 1080), (600, 1024), (480, 800)]
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
    if size[0] > size[1]:
        assert overlap(place, inset(size, (640, 480), live)) is None
    alone = picture_fit(size, snapshot).rect
    assert place.w >= 0.7 * alone.w
