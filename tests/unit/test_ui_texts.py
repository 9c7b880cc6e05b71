"""Every sentence that the display says is in both catalogues, and nothing else is."""

from __future__ import annotations

import ast
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from kiosk.ui import texts
from kiosk.ui.consent import wording
from kiosk.ui.texts import catalogue, speaker

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


def said_of_consent(language: str, on_withdrawal: Literal["keep", "delete"], look_back_s: int) -> str:
    return " ".join(wording(language, on_withdrawal, look_back_s))


def test_the_wording_of_consent_is_in_the_users_language() -> None:
    assert "Aufzeichnung" in said_of_consent("de", "keep", 0)
    assert "withdraw" in said_of_consent("en", "keep", 0)


def test_the_wording_of_consent_says_what_becomes_of_it_when_it_is_withdrawn() -> None:
    assert "deleted" in said_of_consent("en", "delete", 0)
    assert "until then is kept" in said_of_consent("en", "keep", 0)
    assert "gelöscht" in said_of_consent("de", "delete", 0)
    assert "bleibt erhalten" in said_of_consent("de", "keep", 0)


def test_the_wording_of_consent_says_how_far_the_recording_looks_back_and_only_then() -> None:
    assert "the last 20 seconds before it begins" in said_of_consent("en", "delete", 20)
    assert "die letzten 20 Sekunden vor ihrem Beginn" in said_of_consent("de", "delete", 20)
    assert "seconds" not in said_of_consent("en", "delete", 0)
