"""Every sentence that the display says is in both catalogues, and nothing else is."""

from __future__ import annotations

import ast
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.ui import texts
from kiosk.ui.texts import catalogue, consent_wording, speaker

UI = Path(texts.__file__).parent


def said() -> Iterator[str]:
    """The sentences in the code: arguments of say(), later() and speaker(...)()."""
    for path in sorted(UI.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = node.func.id if isinstance(node.func, ast.Name) else ""
            by_speaker = isinstance(node.func, ast.Call) and getattr(node.func.func, "id", "") == "speaker"
            first = node.args[0]
            if (name in ("say", "later") or by_speaker) and isinstance(first, ast.Constant):
                yield str(first.value)


def fields(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}


@pytest.mark.parametrize("language", ["de", "en"])
def test_every_sentence_is_in_the_catalogue_and_no_other(language: str) -> None:
    assert set(catalogue(language)) == set(said())


@pytest.mark.parametrize("language", ["de", "en"])
def test_translations_name_the_same_things(language: str) -> None:
    for sentence, translation in catalogue(language).items():
        assert fields(sentence) == fields(translation), sentence


def test_german_says_german_and_fills_in_names() -> None:
    assert speaker("de")("{name} is calling", name="Anna {x}") == "Anna {x} ruft an"


def test_an_unknown_language_speaks_english() -> None:
    assert speaker("fr")("Hang up") == "Hang up"


def test_the_wording_of_consent_is_in_the_users_language() -> None:
    assert "Aufzeichnung" in consent_wording("de")
    assert "withdraw" in consent_wording("en")
