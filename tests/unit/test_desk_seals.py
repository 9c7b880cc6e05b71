"""Signed tokens, pure: what opens them and what does not."""

from __future__ import annotations

import pytest

from desk.people.guard import origin_of, safe_path
from desk.seals import MAX_TOKEN, BadSeal, Enter, Grant, Guest, Seals
from kiosk.session.record import ArtifactKind

SECRET = b"0123456789abcdef" * 4


def test_what_was_sealed_comes_out_until_its_time_is_over() -> None:
    now = 1000.0
    seals = Seals(SECRET, lambda: now)
    token = seals.seal("enter", Enter("anna", "n-1", seals.until(60)))
    assert seals.open("enter", token, Enter) == Enter("anna", "n-1", 1060)
    now = 1060.0
    with pytest.raises(BadSeal):
        seals.open("enter", token, Enter)


def test_a_token_is_good_for_its_purpose_only() -> None:
    seals = Seals(SECRET, lambda: 0)
    token = seals.seal("enter", Enter("anna", "n-1", 60))
    with pytest.raises(BadSeal):
        seals.open("guest", token, Guest)


def test_no_other_secret_makes_one() -> None:
    token = Seals(b"x" * 64, lambda: 0).seal("enter", Enter("anna", "n-1", 60))
    with pytest.raises(BadSeal):
        Seals(SECRET, lambda: 0).open("enter", token, Enter)


def test_a_token_that_was_changed_anywhere_is_none() -> None:
    seals = Seals(SECRET, lambda: 0)
    token = seals.seal("enter", Enter("anna", "n-1", 60))
    for at in range(len(token)):
        for other in ("A", "B", "=", ".", "ä"):
            if token[at] != other:
                with pytest.raises(BadSeal):
                    seals.open("enter", token[:at] + other + token[at + 1 :], Enter)
    for bad in ("", ".", "..", "a.b", token + "A", token[:-1], token + "=", " " + token):
        with pytest.raises(BadSeal):
            seals.open("enter", bad, Enter)


def test_the_longest_grant_fits_into_the_address_of_an_upload() -> None:
    seals = Seals(SECRET, lambda: 0)
    grant = Grant(
        "k" * 40, "s" * 40, "a" * 40, "f" * 64, 2**60, ArtifactKind.SESSION_DATA, "application/x-ndjson", 2**33
    )
    token = seals.seal("upload", grant)
    assert len(token) < MAX_TOKEN
    assert seals.open("upload", token, Grant) == grant


@pytest.mark.parametrize("to", ["http://x", "//x", "/\\x", "\\x", "x", "/a\nb", "/a\tb", "/\x00", ""])
def test_nobody_is_sent_elsewhere(to: str) -> None:
    assert safe_path(to) == "/"


def test_an_origin_is_scheme_and_host() -> None:
    assert origin_of("https://desk.example:8443/x") == "https://desk.example:8443"
