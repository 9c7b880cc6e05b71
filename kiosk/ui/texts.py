"""What is said to people, from message catalogues: English sentences are the ids, `locale/LANGUAGE` translates them.

The .po files are read as they are, so that nothing needs to be compiled after a text was changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Protocol

from babel.messages.pofile import read_po

LOCALE = Path(__file__).parent / "locale"


class Say(Protocol):
    """Says an English sentence in the user's language, with `{names}` filled in."""

    def __call__(self, text: str, /, **values: object) -> str: ...


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """English sentence -> sentence; empty for a language that has no catalogue."""
    known: dict[str, str] = {}
    for path in sorted((LOCALE / language / "LC_MESSAGES").glob("*.po")):
        with path.open("rb") as file:
            known |= {str(m.id): str(m.string) for m in read_po(file) if m.id and m.string}
    return known


@cache
def speaker(language: str) -> Say:
    """Speaks `language`; English where a sentence has no translation."""
    known = catalogue(language)

    def say(text: str, /, **values: object) -> str:
        said = known.get(text, text)
        return said.format(**values) if values else said

    return say


def later(text: str) -> str:
    """Names a sentence that is said elsewhere, so that the test of the catalogues finds it."""
    return text
