"""How the call's benchmark counts and judges."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from benchmarks.call import middle, plan
from benchmarks.call_bars import Quality, Seen, bars
from benchmarks.call_run import frozen_s, unseen
from benchmarks.call_soak import growth
from benchmarks.film import FRAME_BYTES, HEIGHT, WIDTH, index, stamp
from benchmarks.links import LINKS
from kiosk.hw.sim.corner_code import read

SEEN = Seen(
    link="clean",
    sender="ours",
    codec="H264",
    start_ms=300,
    delay_ms=20,
    delay_p95_ms=35,
    fps=30,
    frozen_s=0,
    chromium_frozen_s=0,
    bps=2_000_000,
    height=720,
    lost=0,
    cpu=20,
)
RIVAL = replace(SEEN, sender="libwebrtc", delay_ms=80, delay_p95_ms=100)


def test_steady_frames_are_not_frozen_at_any_rate() -> None:
    for fps in (30, 15, 1):
        assert frozen_s([n / fps for n in range(60)], 60 / fps) == 0.0


def test_a_gap_of_more_than_three_frames_and_150_ms_is_a_freeze_and_counts_whole() -> None:
    steady = [n / 30 for n in range(60)]
    assert frozen_s([*steady, steady[-1] + 0.17], steady[-1] + 0.2) == 0.0
    assert frozen_s([*steady, steady[-1] + 0.5], steady[-1] + 0.53) == pytest.approx(0.5)


def test_a_freeze_that_has_not_ended_counts_as_well() -> None:
    assert frozen_s([n / 30 for n in range(30)], 30.0) == pytest.approx(30 - 29 / 30)


def test_bars_hold_ours_against_libwebrtc() -> None:
    assert all(bar.reached for bar in bars([SEEN, RIVAL], None, 400))
    slow = replace(SEEN, delay_ms=41, fps=28, frozen_s=0.5)
    missed = [bar.what for bar in bars([slow, RIVAL], None, 501) if not bar.reached]
    assert missed == [
        "clean: delay",
        "clean: delay, 0.5 × libwebrtc's",
        "clean: fps, 0.95 × libwebrtc's",
        "clean: frozen, libwebrtc's + 0.3 s",
        "START → first frame, the whole system",
    ]


def test_on_a_bad_link_delay_may_be_a_fifth_above_libwebrtcs() -> None:
    ours, rival = (
        replace(SEEN, link="5_150", delay_ms=120, delay_p95_ms=130),
        replace(RIVAL, link="5_150", delay_ms=100),
    )
    delays = [bar.reached for bar in bars([ours, rival], None, None) if "delay" in bar.what]
    assert delays == [True, False]


def test_quality_may_be_one_decibel_less() -> None:
    for ours_db, reached in ((36.0, True), (35.9, False)):
        picture = Quality(ours_db, 1_500_000, 37.0, 1_500_000, "VP8")
        assert [bar.reached for bar in bars([], picture, None)] == [reached]


def test_the_median_of_runs_is_of_each_figure() -> None:
    runs = [replace(SEEN, delay_ms=ms, fps=fps) for ms, fps in ((10, 30), (30, 20), (20, 10))]
    assert (middle(runs).delay_ms, middle(runs).fps, middle(runs).codec) == (20, 20, "H264")


def test_a_link_or_sender_that_there_is_not_is_named() -> None:
    assert [link.name for link in plan({"LINK": "5_150,clean"}).links] == ["5_150", "clean"]
    with pytest.raises(ValueError, match="moon"):
        plan({"LINK": "moon"})
    with pytest.raises(ValueError, match="nobody"):
        plan({"SENDERS": "ours,nobody"})


def test_the_film_runs_forth_and_back_without_a_jump() -> None:
    played = [index(n) for n in range(2000)]
    assert all(abs(a - b) == 1 for a, b in pairwise(played))
    assert (min(played), max(played)) == (0, 239)


def test_the_films_stamp_is_the_corner_code_of_the_simulated_camera() -> None:
    frame = bytearray(FRAME_BYTES)
    stamp(frame, 65_536 + 77, 2**24 + 12_345)
    assert read(np.frombuffer(frame, np.uint8)[: WIDTH * HEIGHT].reshape(HEIGHT, WIDTH)) == (77, 12_345)


def test_a_leak_is_seen_in_a_call_that_breathes_and_settles() -> None:
    breath = [(2.0 * n, 1_000_000 + 5_000 * (n % 3)) for n in range(600)]
    beginning = [(at_s, bytes_ - 500_000 * (at_s < 100)) for at_s, bytes_ in breath]
    assert growth(beginning, 120.0)[0] == pytest.approx(0, abs=1000)
    leaking = [(at_s, bytes_ + int(100 * at_s)) for at_s, bytes_ in beginning]
    hour, spread = growth(leaking, 120.0)
    assert hour == pytest.approx(360_000, rel=0.01)
    assert spread == pytest.approx(105_000, rel=0.1)


def test_a_sender_that_is_never_seen_is_frozen_for_the_whole_time_and_reaches_nothing() -> None:
    ours = unseen(LINKS["5_150"], "ours", 30)
    assert (ours.fps, ours.frozen_s) == (0, 30)
    assert not any(bar.reached for bar in bars([ours, replace(RIVAL, link="5_150")], None, None))
