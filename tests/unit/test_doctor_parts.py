"""The pure parts of `kiosk doctor`: what it says, how its list is laid out, what it makes of sound and of PipeWire."""

from __future__ import annotations

import string
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from kiosk.doctor import CHECKS
from kiosk.echo import TONE_HZ, tone, tone_level_db
from kiosk.hw.pipewire import best_sink
from kiosk.ui import theme
from kiosk.ui.canvas import Canvas
from kiosk.ui.doctor_screens import PARTS, QUESTIONS, SENTENCES, DoctorView, Row, Said, checklist, picture_rect
from kiosk.ui.fit import overlap
from kiosk.ui.texts import speaker

SIZES = [(1024, 600), (1280, 720), (1920, 1080), (720, 1280), (640, 360)]


def a_view(**changes: object) -> DoctorView:
    rows = [Row(part, "works", Said("echo", {"level": 3})) for part in PARTS]
    return DoctorView("de", "Presse 7, Halle 2", tuple(rows), **changes)  # type: ignore[arg-type]


def test_each_check_has_its_name_on_the_list() -> None:
    assert list(CHECKS) == list(PARTS)


@pytest.mark.parametrize("language", ["de", "en"])
@pytest.mark.parametrize("code", sorted(SENTENCES))
def test_each_finding_can_be_said(code: str, language: str) -> None:
    names = {name for _, name, _, _ in string.Formatter().parse(SENTENCES[code]) if name}
    assert Said(code, dict.fromkeys(names, "accept")).words(speaker(language))


def test_buttons_are_named_in_the_users_language() -> None:
    assert Said("buttons_pressed", {"names": "camera_plus accept"}).words(speaker("de")) == (
        "gedrückt: Kamera-Plus, Annehmen"
    )


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("picture", [False, True])
def test_the_list_fits_any_display(size: tuple[int, int], picture: bool) -> None:
    view = a_view(question="camera", attended=True, picture=picture)
    for item in checklist(view, size):
        rect = item.rect
        assert rect.x >= 0
        assert rect.y >= 0
        assert rect.x + rect.w <= size[0]
        assert rect.y + rect.h <= size[1]


@pytest.mark.parametrize("size", SIZES)
def test_rows_do_not_overlap(size: tuple[int, int]) -> None:
    signs = [item.rect for item in checklist(a_view(), size) if hasattr(item, "name")]
    assert len(signs) == len(PARTS)
    assert not [pair for pair in combinations(signs, 2) if overlap(*pair)]


@pytest.mark.parametrize("size", SIZES)
def test_the_cameras_picture_is_seen_through_the_list(size: tuple[int, int]) -> None:
    canvas = Canvas(size)
    canvas.update(tuple(checklist(a_view(picture=True), size)), theme.GROUND)
    hole = picture_rect(size)
    assert not canvas.pixels[hole.y : hole.y + hole.h, hole.x : hole.x + hole.w, 3].any()
    assert abs(hole.w / hole.h - 16 / 9) < 0.02


@pytest.mark.parametrize("question", sorted(QUESTIONS))
def test_each_question_fits_in_one_line(question: str) -> None:
    for item in checklist(a_view(question=question, button="camera_plus", attended=True), (1024, 600)):
        assert "…" not in getattr(item, "text", "")


# --- sound ------------------------------------------------------------------------------------------------------------


def test_a_tone_is_found_under_a_louder_room() -> None:
    room = np.random.default_rng(3).normal(0, 3000, (50, 960)).round().astype(np.int16)
    quiet, played = list(room[:25]), list(room[25:] + tone(25) // 8)
    assert tone_level_db(played) - tone_level_db(quiet) > 10


def test_a_tone_begins_and_ends_without_a_click() -> None:
    sound = tone(25).reshape(-1).astype(int)
    assert abs(sound[0]) < 10
    assert abs(sound[-1]) < 10
    assert np.abs(np.diff(sound)).max() < 8191 * 2 * np.pi * TONE_HZ / 48_000 * 1.1
    assert np.abs(sound).max() > 8000


def test_silence_has_a_level_as_well() -> None:
    assert tone_level_db([np.zeros(960, np.int16)] * 5) == pytest.approx(-100)


def test_the_speaker_behind_the_canceller_is_the_highest_that_is_none() -> None:
    def node(name: str, media: str, priority: int) -> dict[str, object]:
        return {"info": {"props": {"node.name": name, "media.class": media, "priority.session": priority}}}

    told: list[dict[str, Any]] = [
        {"type": "PipeWire:Interface:Core"},
        node("kiosk-speaker", "Audio/Sink", 4000),
        node("hdmi", "Audio/Sink", 700),
        node("usb", "Audio/Sink", 1000),
        node("kiosk-microphone", "Audio/Source", 4000),
    ]
    assert best_sink(told) == "usb"
    assert best_sink([]) is None
