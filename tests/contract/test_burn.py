"""A recording with its drawings burned in: decoded again and looked at, pixel by pixel; films that are damaged."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from desk.files import burn
from tests.contract.film_site import (
    CYAN,
    FPS,
    GREEN,
    MARK_QUAD,
    ORANGE,
    PINK,
    STROKE,
    write_film,
    write_original,
    write_timeline,
)

Rgb = Any


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a film that has been burned."""
    folder = tmp_path_factory.mktemp("burn")
    write_film(folder / burn.FILM)
    write_timeline(folder / burn.TIMELINE)
    write_original(folder / "snap-1.jpg")
    burn.burn(folder, lambda _: None)
    return folder


def frames(path: Path) -> list[tuple[float, Rgb]]:
    """(when, (H, W, 3) RGB)."""
    with av.open(str(path)) as film:
        return [(float(f.time or 0), f.to_ndarray(format="rgb24").astype(int)) for f in film.decode(video=0)]


def at(shown: list[tuple[float, Rgb]], at_s: float) -> Rgb:
    return min(shown, key=lambda one: abs(one[0] - at_s))[1]


def has(picture: Rgb, point: tuple[float, float], colour: str, near: int = 70) -> bool:
    height, width = picture.shape[:2]
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
    return bool(np.abs(picture[int(point[1] * height), int(point[0] * width)] - rgb).max() < near)


def test_what_was_drawn_is_in_the_film_at_its_place_and_only_at_its_time(folder: Path) -> None:
    shown = frames(folder / burn.DRAWN)
    assert [has(at(shown, t), STROKE[0], CYAN) for t in (0.9, 1.05, 1.4, 3.2)] == [False, True, True, False]
    assert [has(at(shown, t), (0.5, 0.25), CYAN) for t in (1.1, 1.3, 3.2)] == [False, True, False]
    side = (0.4, MARK_QUAD[0][1])
    assert [has(at(shown, t), side, ORANGE) for t in (1.9, 2.1, 3.9, 4.1)] == [False, True, True, False]
    assert [has(at(shown, t), (0.8, 0.3), GREEN) for t in (3.4, 3.6)] == [False, True]


def test_a_snapshot_that_was_open_is_shown_with_its_edits_and_the_live_picture_beside_it(folder: Path) -> None:
    shown = frames(folder / burn.DRAWN)
    middle, live = (0.2 + 0.8 * 0.5, 0.5), (0.1, 0.2)
    assert not has(at(shown, 4.9), middle, "#1e3c96", 40)
    assert has(at(shown, 5.1), middle, "#1e3c96", 40)
    assert has(at(shown, 5.4), middle, PINK)
    assert np.abs(at(shown, 5.1)[int(0.15 * 360), int(live[0] * 640)] - 45).max() < 25, "the live picture"
    assert not has(at(shown, 5.7), middle, "#1e3c96", 40)


def test_frames_keep_their_times_and_the_sound_is_the_same(folder: Path) -> None:
    before, after = (frames(folder / name) for name in (burn.FILM, burn.DRAWN))
    assert [t for t, _ in after] == pytest.approx([t for t, _ in before], abs=0.001)
    assert len(after) == 6 * FPS
    assert sound(folder / burn.FILM) == sound(folder / burn.DRAWN)
    clean = np.abs(at(before, 0.5) - at(after, 0.5))
    assert clean.mean() < 3, "nothing is over it"


def sound(path: Path) -> list[tuple[int | None, bytes]]:
    with av.open(str(path)) as film:
        return [(p.pts, bytes(p)) for p in film.demux(film.streams.audio[0]) if p.size]


def test_it_says_how_far_it_is(folder: Path, tmp_path: Path) -> None:
    told: list[int] = []
    for name in (burn.FILM, burn.TIMELINE):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    burn.burn(tmp_path, told.append)
    assert told == sorted(told)
    assert told[-1] > 60
    assert not has(at(frames(tmp_path / burn.DRAWN), 5.4), (0.6, 0.5), PINK), "no original here: the live picture"


def test_a_picture_that_changes_its_size_keeps_its_drawings_in_place(tmp_path: Path) -> None:
    write_film(tmp_path / burn.FILM, sizes=((640, 360), (320, 180), (640, 360)))
    write_timeline(tmp_path / burn.TIMELINE)
    burn.burn(tmp_path, lambda _: None)
    shown = frames(tmp_path / burn.DRAWN)
    assert {picture.shape for _, picture in shown} == {(360, 640, 3)}
    assert has(at(shown, 1.4), (0.5, 0.25), CYAN)
    assert has(at(shown, 2.1), (0.4, 0.5), ORANGE), "while the picture is small"


def test_a_film_that_was_cut_or_damaged_is_burned_as_far_as_it_goes(tmp_path: Path) -> None:
    whole = write_film(tmp_path / burn.FILM).read_bytes()
    middle = len(whole) // 2
    write_timeline(tmp_path / burn.TIMELINE)
    (tmp_path / burn.FILM).write_bytes(whole[:middle])
    burn.burn(tmp_path, lambda _: None)
    assert has(at(frames(tmp_path / burn.DRAWN), 1.4), (0.5, 0.25), CYAN)
    (tmp_path / burn.FILM).write_bytes(whole[:middle] + bytes(9000) + whole[middle + 9000 :])
    burn.burn(tmp_path, lambda _: None)
    assert has(at(frames(tmp_path / burn.DRAWN), 1.4), (0.5, 0.25), CYAN)


def test_a_timeline_of_rubbish_leaves_the_film_as_it_is(tmp_path: Path) -> None:
    write_film(tmp_path / burn.FILM, 2.0)
    (tmp_path / burn.TIMELINE).write_bytes(b"\x00\xff\n{\n" * 100)
    burn.burn(tmp_path, lambda _: None)
    assert len(frames(tmp_path / burn.DRAWN)) == 2 * FPS


@pytest.mark.parametrize("content", [b"", b"no film at all" * 1000])
def test_what_is_no_film_is_said_to_be_damaged(tmp_path: Path, content: bytes) -> None:
    (tmp_path / burn.FILM).write_bytes(content)
    write_timeline(tmp_path / burn.TIMELINE)
    command = [sys.executable, "-m", "desk.files.burn", str(tmp_path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=50)
    assert (done.returncode, done.stdout.strip().splitlines()[-1]) == (1, '{"error": "damaged"}')
