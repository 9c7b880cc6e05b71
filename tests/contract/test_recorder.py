"""Recordings: the camera's packets and the sound in a fragmented MP4, whatever happens to disk and process."""

from __future__ import annotations

import asyncio
import hashlib
import os
import resource
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest

from kiosk.call.mp4 import Mp4, mend
from kiosk.call.recorder import MAX_WAITING, Block, Item, Recorder, Written
from kiosk.call.recording import leftovers
from kiosk.disk import RECORDINGS_LEAVE
from kiosk.errors import StoreTrouble
from kiosk.hw.encoder import X264Encoder
from kiosk.hw.ports import SAMPLES_PER_BLOCK, AccessUnit
from tests.contract.fakes import FPS, HEIGHT, WIDTH, bar_of, bars, strength, tone

BEGIN_S = 5000.0
BLOCK_S = 0.02


def film(seconds: float, begin_s: float = BEGIN_S) -> Iterator[AccessUnit]:
    encoder = X264Encoder(WIDTH, HEIGHT, FPS, 400_000)
    for number in range(int(seconds * FPS)):
        unit = encoder.encode(bars(number, begin_s + number / FPS))
        assert unit is not None
        yield unit


def write(path: Path, seconds: float) -> Mp4:
    """A picture and a tone, in the order a call hands them over."""
    units = film(seconds)
    file = Mp4(path, next(units))
    blocks = 0
    for unit in units:
        while BEGIN_S + blocks * BLOCK_S <= unit.captured_s:
            file.sound(tone(440, blocks), BEGIN_S + blocks * BLOCK_S)
            blocks += 1
        file.video(unit)
    return file


def pictures(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as file:
        return list(file.decode(video=0))


def sound(path: Path) -> tuple[float, Any]:
    """(when it begins, samples)."""
    with av.open(str(path)) as file:
        frames = list(file.decode(audio=0))
    return float(frames[0].time or 0), np.concatenate([np.asarray(f.to_ndarray()).reshape(-1) for f in frames])


def test_every_frame_is_kept_at_its_time(tmp_path: Path) -> None:
    path = tmp_path / "recording-1.mp4"
    size, sha256 = write(path, 3).close()
    assert (size, sha256) == (path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())
    frames = pictures(path)
    assert [bar_of(f.to_ndarray()[: f.height]) for f in frames] == [n % 16 for n in range(3 * FPS)]
    times = [float(f.time or 0) - float(frames[0].time or 0) for f in frames]
    assert times == pytest.approx([n / FPS for n in range(3 * FPS)], abs=0.001)


def test_sound_is_kept_in_step_with_the_picture(tmp_path: Path) -> None:
    path = tmp_path / "recording-1.mp4"
    write(path, 3).close()
    begin_s, samples = sound(path)
    assert begin_s == pytest.approx(float(pictures(path)[0].time or 0), abs=0.03)
    assert len(samples) / 48_000 == pytest.approx(3, abs=0.1)
    assert strength(samples[48_000:96_000] * 32_767, 440) > 5000


def test_sound_that_was_lost_on_the_way_leaves_a_hole_and_no_shift(tmp_path: Path) -> None:
    path = tmp_path / "recording-1.mp4"
    units = list(film(2))
    file = Mp4(path, units[0])
    for unit in units[1:]:
        file.video(unit)
    for n in (*range(25), *range(50, 100)):
        file.sound(tone(440, n), BEGIN_S + n * BLOCK_S)
    file.close()
    with av.open(str(path)) as opened:
        times = [float(p.pts * p.time_base) for p in opened.demux(audio=0) if p.pts is not None]
    assert times[-1] - times[0] == pytest.approx(99 * BLOCK_S, abs=0.05)
    assert len(times) < 80


def test_each_second_is_a_fragment_on_disk_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "recording-1.mp4"
    file = write(path, 5)
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(path.read_bytes())
    assert len(pictures(copy)) >= 3.5 * FPS
    assert copy.read_bytes().count(b"moof") >= 3
    file.close()


SCRIPT = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from tests.contract.test_recorder import write
write(Path(sys.argv[1]), 4)
print("written", flush=True)
time.sleep(60)
"""


def test_a_recording_whose_process_was_killed_plays(tmp_path: Path) -> None:
    path = tmp_path / "recording-1.mp4"
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(path), str(root)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert len(pictures(path)) >= 2.5 * FPS
    found = leftovers(tmp_path, known=(), call="call-1")
    assert [(a.name, a.bytes) for a in found] == [("recording-1.mp4", path.stat().st_size)]
    assert leftovers(tmp_path, known=("recording-1.mp4",), call="call-1") == ()


@pytest.mark.parametrize("cut", [1, 7, 500, 3000])
def test_half_a_fragment_at_the_end_is_cut_off(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "recording-1.mp4"
    write(path, 4).close()
    path.write_bytes(path.read_bytes()[:-cut])
    mend(path)
    assert len(pictures(path)) >= 2.5 * FPS
    whole = path.read_bytes()
    mend(path)
    assert path.read_bytes() == whole


async def test_no_file_before_the_first_keyframe(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "recording-1.mp4")
    units = list(film(0.2))
    assert not recorder.video(units[1])
    recorder.sound(tone(440, 0), BEGIN_S)
    recorder.stop()
    assert await recorder.ended() == Written(0, "")
    with pytest.raises(StopAsyncIteration):
        await recorder.began()
    assert list(tmp_path.iterdir()) == []


async def test_what_was_handed_over_is_written_before_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "recording-1.mp4"
    recorder = Recorder(path)
    for unit in film(2):
        assert recorder.video(unit)
    assert await recorder.began() == BEGIN_S
    recorder.stop()
    written = await recorder.ended()
    assert written.bytes == path.stat().st_size
    assert written.trouble is None
    assert len(pictures(path)) == 2 * FPS


def leave_free(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(os, "statvfs", lambda _place: SimpleNamespace(f_bavail=size, f_frsize=1))


async def test_a_disk_without_room_is_not_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave_free(monkeypatch, RECORDINGS_LEAVE - 1)
    recorder = Recorder(tmp_path / "recording-1.mp4")
    recorder.video(next(film(1)))
    written = await recorder.ended()
    assert written.bytes == 0
    assert isinstance(written.trouble, StoreTrouble)
    assert list(tmp_path.iterdir()) == []


async def test_a_disk_that_fills_up_ends_the_recording_and_what_is_there_plays(tmp_path: Path) -> None:
    path = tmp_path / "recording-1.mp4"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    recorder = Recorder(path)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
        for unit in film(6):
            recorder.video(unit)
        written = await asyncio.wait_for(recorder.ended(), 20)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    assert isinstance(written.trouble, StoreTrouble)
    assert written.bytes == path.stat().st_size <= 20_000
    assert len(pictures(path)) >= FPS


async def test_a_recording_ends_where_the_room_for_everything_else_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "recording-1.mp4"
    recorder = Recorder(path)
    units = list(film(4))
    for unit in units[: 2 * FPS]:
        recorder.video(unit)
    while not path.exists() or b"moof" not in path.read_bytes():
        await asyncio.sleep(0.01)
    leave_free(monkeypatch, RECORDINGS_LEAVE + 100)
    for unit in units[2 * FPS :]:
        recorder.video(unit)
    written = await recorder.ended()
    assert isinstance(written.trouble, StoreTrouble)
    assert written.bytes == path.stat().st_size
    assert len(pictures(path)) >= FPS


async def test_a_disk_that_hangs_costs_frames_up_to_a_keyframe_and_never_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang(_place: object) -> object:
        time.sleep(0.5)
        return SimpleNamespace(f_bavail=2 * RECORDINGS_LEAVE, f_frsize=1)

    monkeypatch.setattr(os, "statvfs", hang)
    recorder = Recorder(tmp_path / "recording-1.mp4")
    units = list(film(1))
    wanted = [not recorder.video(unit) for _ in range(20) for unit in units]
    assert recorder.dropped > 0
    assert not any(wanted)  # a keyframe that nobody can take would only cost the others
    recorder.stop()
    assert (await recorder.ended()).trouble is None
    assert len(pictures(tmp_path / "recording-1.mp4")) <= MAX_WAITING + 1


# --- what it begins with ----------------------------------------------------------------------------------------------


def called(seconds: float) -> list[Item]:
    """Frames and a tone that sounds from second to second, a second on and a second off."""
    items: list[Item] = list(film(seconds))
    for n in range(int(seconds / BLOCK_S)):
        on = int(n * BLOCK_S) % 2 == 1
        items.append(Block(tone(440, n) if on else np.zeros(SAMPLES_PER_BLOCK, np.int16), BEGIN_S + n * BLOCK_S))
    return sorted(items, key=time_of)


def time_of(item: Item) -> float:
    return item.at_s if isinstance(item, Block) else item.captured_s


def hand_over(recorder: Recorder, items: list[Item]) -> None:
    for item in items:
        if isinstance(item, Block):
            recorder.sound(item.samples, item.at_s)
        else:
            assert recorder.video(item)


def turns_on(path: Path) -> list[float]:
    """When the tone comes, in seconds after the file's first frame."""
    begin_s, samples = sound(path)
    begin_s -= float(pictures(path)[0].time or 0)
    loud = [float(np.abs(samples[k : k + 240]).max()) > 0.05 for k in range(0, len(samples), 240)]
    return [begin_s + k * 0.005 for k in range(1, len(loud)) if loud[k] and not any(loud[max(0, k - 20) : k])]


@pytest.mark.parametrize("seam_s", [0.5, 3.5, 6.0])
async def test_what_came_before_goes_over_into_what_comes_without_a_seam(tmp_path: Path, seam_s: float) -> None:
    path = tmp_path / "recording-1.mp4"
    items = called(8)
    before = [item for item in items if time_of(item) < BEGIN_S + seam_s]
    recorder = Recorder(path, before=deque(before))
    assert await recorder.began() == BEGIN_S
    for at in range(len(before), len(items), 200):  # what a queue holds, as a call would hand it over in some seconds
        hand_over(recorder, items[at : at + 200])
        while recorder._queue.qsize():
            await asyncio.sleep(0.01)
    recorder.stop()
    written = await recorder.ended()
    assert (written.trouble, recorder.dropped) == (None, 0)
    assert (written.bytes, written.sha256) == (path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())
    frames = pictures(path)
    assert [bar_of(f.to_ndarray()[: f.height]) for f in frames] == [n % 16 for n in range(8 * FPS)]
    times = [float(f.time or 0) - float(frames[0].time or 0) for f in frames]
    assert times == pytest.approx([n / FPS for n in range(8 * FPS)], abs=0.001)
    assert turns_on(path) == pytest.approx([1, 3, 5, 7], abs=0.04)


async def test_a_slow_disk_takes_all_that_came_before_and_loses_nothing_of_the_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each fsync takes 100 ms: to wait for it at each fragment of half a minute takes longer than the queue lasts."""
    path = tmp_path / "recording-1.mp4"
    synced: list[int] = []
    sync = os.fsync

    def slow(descriptor: int) -> None:
        time.sleep(0.1)
        sync(descriptor)
        synced.append(path.stat().st_size)

    minute_half = called(30)
    monkeypatch.setattr(os, "fsync", slow)
    recorder = Recorder(path, before=deque(minute_half))
    later = [AccessUnit(u.data, u.captured_s + 30, u.keyframe) for u in film(4)]
    assert all(recorder.video(unit) for unit in later)
    assert await recorder.began() == BEGIN_S
    recorder.stop()
    assert (await recorder.ended()).trouble is None
    assert len(pictures(path)) == 34 * FPS
    assert len(synced) <= 2 + 1 + 2 * 4 + 4
    assert sorted(synced) == synced


async def test_discarded_it_lets_go_of_what_came_before(tmp_path: Path) -> None:
    before = deque(called(8))
    recorder = Recorder(tmp_path / "recording-1.mp4", before=before)
    recorder.discard()
    await recorder.ended()
    assert len(before) == 0


async def test_with_no_room_on_the_disk_what_came_before_is_let_go_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_free(monkeypatch, RECORDINGS_LEAVE - 1)
    before = deque(called(1))
    recorder = Recorder(tmp_path / "recording-1.mp4", before=before)
    assert isinstance((await recorder.ended()).trouble, StoreTrouble)
    assert len(before) == 0
    assert list(tmp_path.iterdir()) == []
