"""The guide in docs/pages shows what is there, and all of it."""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "docs" / "pages"
MOST_BYTES = 3_000_000


def test_the_guide_shows_what_is_there_and_both_languages_have_the_same_pictures() -> None:
    shown = set(re.findall(r"\(((?:de|en)/[\w-]+\.webp)\)", (FOLDER / "README.md").read_text()))
    there = {str(path.relative_to(FOLDER)) for path in FOLDER.glob("*/*.webp")}
    assert shown <= there
    assert {name.partition("/")[2] for name in there if name.startswith("de/")} == {
        name.partition("/")[2] for name in there if name.startswith("en/")
    }
    pages = {re.sub(r"-(large|phone)(-dark)?\.webp$", "", name.partition("/")[2]) for name in there}
    assert pages == {re.sub(r"-(large|phone)(-dark)?\.webp$", "", name.partition("/")[2]) for name in shown}


def test_the_pictures_stay_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.glob("*/*.webp")) <= MOST_BYTES
