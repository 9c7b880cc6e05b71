"""Every screen looks as in the user's guide: docs/screens, renewed by `python -m kiosk.ui.gallery`."""

from __future__ import annotations

import numpy as np
import pytest

from kiosk.hw.ports import Rect
from kiosk.ui import theme
from kiosk.ui.canvas import Box
from kiosk.ui.gallery import SCREENS, SIZES, kept, load, same, shots
from kiosk.ui.widgets import words


@pytest.mark.parametrize("language", ["de", "en"])
@pytest.mark.parametrize("size", SIZES, ids=lambda s: f"{s[0]}x{s[1]}")
def test_every_screen_looks_as_in_the_guide(size: tuple[int, int], language: str) -> None:
    folder = SCREENS / f"{size[0]}x{size[1]}" / language
    there = {str(p.relative_to(SCREENS)) for p in folder.glob("*.webp")}
    for path, picture in kept(size, language):
        assert path in there, f"{path} is missing: python -m kiosk.ui.gallery"
        assert same(load(SCREENS / path), picture), f"{path} looks different: python -m kiosk.ui.gallery"
        there.discard(path)
    assert not there, "screens that are none any more"


def test_all_pictures_together_are_small() -> None:
    assert sum(p.stat().st_size for p in SCREENS.rglob("*.webp")) < 6_000_000


def test_a_letter_a_frame_or_a_shade_makes_another_picture_and_smoothing_does_not() -> None:
    _, picture = next(shots((1024, 600), "en"))
    noise = np.random.default_rng(1).integers(-15, 16, picture.shape)
    assert same(np.clip(picture.astype(int) + noise, 0, 255).astype(np.uint8), picture)
    for item in (
        words("m", 300, 300, "regular", 28, theme.INK),
        Box(Rect(40, 40, 90, 90), theme.SURFACE, 0, 4, theme.INK),
    ):
        view = np.dstack([picture, np.full(picture.shape[:2], 255, np.uint8)])
        item.draw(view, 0, 0)
        assert not same(view[..., :3].copy(), picture)
