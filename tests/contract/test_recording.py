"""Recordings in the long run: sound in step, cameras that go and come back, power that goes at any instant."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from kiosk.call.in_step import InStep
from kiosk.call.mp4 import Mp4
from kiosk.hw.encoder import X264Encoder
from kiosk.hw.ports import SAMPLE_RATE_HZ, SAMPLES_PER_BLOCK, AccessUnit, Samples
from tests.contract.fakes import FPS, HEIGHT, WIDTH, bar_of, bars, tone
from tests.contract.test_recorder import BEGIN_S, BLOCK_S, film, pictures

OFFSET = int(0.04 * SAMPLE_RATE_HZ)
"""Picture and sound may be 40 ms apart."""


def nals(data: bytes) -> list[bytes]:
    """The NAL units of an Annex B access unit (H.264, B.1)."""
    parts = data.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")
    return [part for part in parts if part]


def avcc_nals(data: bytes) -> list[bytes]:
    """The same of a sample in an MP4: each behind its length (ISO 14496-15, 5.3.4.2)."""
    found = []
    while data:
        size = int.from_bytes(data[:4])
        found.append(data[4 : 4 + size])
        data = data[4 + size :]
    return found


def times(path: Path) -> list[float]:
    with av.open(str(path)) as file:
        return [float(p.pts * p.time_base) for p in file.demux(video=0) if p.pts is not None]


def test_the_packets_in_the_file_are_the_cameras_own(tmp_path: Path) -> None:
    path = tmp_path / "recording-1.mp4"
    units = list(film(2))
    file = Mp4(path, units[0])
    for unit in units[1:]:
        file.video(unit)
    file.close()
    with av.open(str(path)) as opened:
        packets = [bytes(p) for p in opened.demux(video=0) if p.size]
    assert [avcc_nals(p) for p in packets] == [nals(u.data) for u in units]


def test_bitrate_steps_in_mid_recording_lose_no_frame(tmp_path: Path) -> None:
    path = tmp_path / "recording-1.mp4"
    encoder = X264Encoder(WIDTH, HEIGHT, FPS, 400_000, ceiling_bps=2_500_000)
    file: Mp4 | None = None
    for number in range(6 * FPS):
        if number % FPS == 0:
            encoder.set_bitrate((400_000, 2_500_000, 100_000, 1_000_000, 200_000, 2_000_000)[number // FPS])
            if number % (2 * FPS) == 0:
                encoder.request_keyframe()
        unit = encoder.encode(bars(number, BEGIN_S + number / FPS))
        assert unit is not None
        if file is None:
            file = Mp4(path, unit)
        else:
            file.video(unit)
    assert file is not None
    file.close()
    assert [bar_of(f.to_ndarray()[: f.height]) for f in pictures(path)] == [n % 16 for n in range(6 * FPS)]


def replugged() -> Iterator[AccessUnit]:
    """A second of a camera, three without, a second of another camera: another encoder, other parameter sets."""
    yield from film(1)
    encoder = X264Encoder(WIDTH, HEIGHT, 15, 900_000)
    for number in range(15):
        unit = encoder.encode(bars(number, BEGIN_S + 4 + number / 15))
        assert unit is not None
        yield unit


def test_a_camera_that_is_plugged_in_again_goes_on_in_the_same_file_at_its_time(tmp_path: Path) -> None:
    path = tmp_path / "recording-1.mp4"
    units = list(replugged())
    assert nals(units[0].data)[0] != nals(units[FPS].data)[0]
    file = Mp4(path, units[0])
    for unit in units[1:FPS]:
        file.video(unit)
    for block in range(int(5 / BLOCK_S)):
        file.sound(tone(440, block), BEGIN_S + block * BLOCK_S)
    for unit in units[FPS:]:
        file.video(unit)
    file.close()
    assert [bar_of(f.to_ndarray()[: f.height]) for f in pictures(path)] == [n % 16 for n in (*range(FPS), *range(15))]
    seen = times(path)
    assert seen[FPS] - seen[0] == pytest.approx(4, abs=0.002)


@pytest.mark.parametrize("with_sound", [True, False])
def test_power_that_goes_at_any_instant_costs_a_second_at_most(
    tmp_path: Path, with_sound: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was not synced is gone. What is left plays as it is, nothing is mended."""
    path = tmp_path / "recording-1.mp4"
    safe = 0
    sync = os.fsync

    def synced(descriptor: int) -> None:
        nonlocal safe
        sync(descriptor)
        if os.path.samestat(os.fstat(descriptor), path.stat()):
            safe = path.stat().st_size

    monkeypatch.setattr(os, "fsync", synced)
    units = list(film(6))
    file = Mp4(path, units[0])
    at: dict[int, float] = {}
    blocks = 0
    for unit in units[1:]:
        while with_sound and BEGIN_S + blocks * BLOCK_S <= unit.captured_s:
            file.sound(tone(440, blocks), BEGIN_S + blocks * BLOCK_S)
            blocks += 1
        at[safe] = unit.captured_s - BEGIN_S  # the power goes just before this one is written
        file.video(unit)
    file.close()
    data = path.read_bytes()
    for size, lost_at_s in at.items():
        cut = tmp_path / "cut.mp4"
        cut.write_bytes(data[:size])
        played_s = max(times(cut)) - min(times(cut)) + 1 / FPS if b"moof" in data[:size] else 0.0
        assert lost_at_s - played_s <= 1.0
    assert len(at) >= 8


# --- sound in step ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ppm", [100, -100, 0])
def test_an_hour_of_a_microphone_whose_clock_is_off_stays_in_step(ppm: int) -> None:
    chance = random.Random(ppm)
    in_step, block = InStep(), tone(440, 0)
    put_to = worst = 0
    for number in range(180_000):
        true = number * SAMPLES_PER_BLOCK * (1 + ppm / 1e6)
        late = chance.expovariate(1 / 150)  # a loop hands blocks over late, never early: 3 ms in the mean
        worst = max(worst, abs(put_to - round(true)))
        for at, whole in in_step.put(block, round(true + late)):
            assert at >= put_to - SAMPLES_PER_BLOCK
            put_to = at + len(whole)
    assert worst <= OFFSET


def test_a_loop_that_stood_still_costs_no_sound() -> None:
    in_step = InStep()
    dues = [n * SAMPLES_PER_BLOCK for n in range(200)]
    dues[100:110] = [dues[110]] * 10
    placed = [at for n, due in enumerate(dues) for at, _ in in_step.put(tone(440, n), due)]
    assert len(placed) >= 199
    assert all(after - before == SAMPLES_PER_BLOCK for before, after in pairwise(placed))


@pytest.mark.parametrize("missing", [5, 50])
def test_missing_blocks_leave_a_hole_of_their_length(missing: int) -> None:
    in_step = InStep()
    numbers = [*range(100), *range(100 + missing, 300 + missing)]
    placed = {n: at for n in numbers for at, _ in in_step.put(tone(440, n), n * SAMPLES_PER_BLOCK)}
    assert all(abs(at - n * SAMPLES_PER_BLOCK) <= OFFSET for n, at in placed.items() if n > 100 + missing + 10)


PPM = 3600
CLICK_EACH_S = 10
CLICKED_S = 100


def clicks() -> Iterator[tuple[Samples, float]]:
    """Blocks of a microphone whose clock runs too slow, with a click at each tenth true second."""
    length_s = BLOCK_S * (1 + PPM / 1e6)
    for number in range(int(CLICKED_S / length_s)):
        block, begin_s = np.zeros(SAMPLES_PER_BLOCK, np.int16), number * length_s
        click_s = -(-begin_s // CLICK_EACH_S) * CLICK_EACH_S
        if click_s < begin_s + length_s:
            at = int((click_s - begin_s) / length_s * SAMPLES_PER_BLOCK)
            block[at : at + 100] = 20_000
        yield block, begin_s


def test_picture_and_sound_stay_together_in_the_file(tmp_path: Path) -> None:
    """Of a hundred seconds with 36 times the drift that an hour would bring: the same 360 ms in all."""
    path = tmp_path / "recording-1.mp4"
    units = list(film(1))
    file = Mp4(path, units[0])
    second = 0
    for block, begin_s in clicks():
        if begin_s > second:
            for n, unit in enumerate(units):
                if second or n:
                    file.video(AccessUnit(unit.data, BEGIN_S + second + n / FPS, unit.keyframe))
            second += 1
        file.sound(block, BEGIN_S + begin_s)
    file.close()
    with av.open(str(path)) as opened:
        heard = [(float(f.time or 0), np.abs(f.to_ndarray().reshape(-1))) for f in opened.decode(audio=0)]
    found = [at + int(np.argmax(s > 0.15)) / SAMPLE_RATE_HZ for at, s in heard if s.max() > 0.15]
    first = [at for n, at in enumerate(found) if not n or at - found[n - 1] > 1]
    assert len(first) == CLICKED_S // CLICK_EACH_S
    assert all(abs(at - n * CLICK_EACH_S) <= 0.04 for n, at in enumerate(first)), first
