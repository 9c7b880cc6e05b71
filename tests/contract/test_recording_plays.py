"""Recordings as others see them: Chromium plays and ffmpeg reads them as they are on disk, whatever happened."""

from __future__ import annotations

import base64
import os
import re
import signal
import subprocess
import sys
from collections import deque
from collections.abc import AsyncIterator, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
import pytest
from playwright.async_api import Page, async_playwright

from kiosk.call.mp4 import Mp4
from kiosk.call.recorder import Recorder
from kiosk.hw.encoder import X264Encoder
from kiosk.hw.ports import AccessUnit, Encoding, Picture
from tests.contract.fakes import FPS, bars, tone
from tests.contract.test_call_browser import ARGUMENTS
from tests.contract.test_recorder import BEGIN_S, BLOCK_S, SCRIPT, called, hand_over, pictures, time_of

LADDER = ((1280, 720), (960, 540), (640, 360), (960, 540), (1280, 720))
STEP_S = 0.6

PAGE = """
const failed = (player) => new Promise((_, no) => { player.onerror = () => no(player.error.message); });
window.play = async (data) => {
  const player = window.player = document.createElement("video");
  player.muted = true;
  player.src = "data:video/mp4;base64," + data;
  const broken = failed(player);
  await Promise.race([new Promise((done) => { player.onloadeddata = done; }), broken]);
  await player.play();
  await Promise.race([new Promise((done) => { player.onended = done; }), broken]);
  return {duration: player.duration, frames: player.getVideoPlaybackQuality().totalVideoFrames,
          sound: player.webkitAudioDecodedByteCount};
};
window.look = async (at) => {
  const shot = document.createElement("canvas");
  const pen = shot.getContext("2d", {willReadFrequently: true});
  shot.width = 160; shot.height = 90;
  player.currentTime = at;
  await Promise.race([new Promise((done) => { player.onseeked = done; }), failed(player)]);
  pen.drawImage(player, 0, 0, 160, 90);
  const line = pen.getImageData(0, 45, 160, 1).data;
  const bright = [];
  for (let s = 0; s < 16; s += 1) {
    let sum = 0;
    for (let x = 0; x < 10; x += 1) sum += line[4 * (s * 10 + x)];
    bright.push(sum);
  }
  return [player.videoWidth, player.videoHeight, bright.indexOf(Math.max(...bright))];
};
"""


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS)
        page = await browser.new_page()
        await page.evaluate(PAGE + "0;")
        yield page
        await browser.close()


async def played(page: Page, path: Path) -> Any:
    return await page.evaluate("data => play(data)", base64.b64encode(path.read_bytes()).decode())


def decoded(path: Path) -> tuple[list[tuple[int, int]], list[float]]:
    """(size of each frame, its time) as ffmpeg decodes them; of picture and sound it has nothing to complain of."""
    told = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-nostdin", "-nostats", "-loglevel", "level+info"]
    command = [*told, "-i", str(path), "-vf", "showinfo", "-fps_mode", "passthrough", "-f", "null", "-"]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stderr
    assert [line for line in said.splitlines() if re.search(r"\[(warning|error|fatal|panic)\]", line)] == []
    frames = re.findall(r" n: *\d+ pts:.* pts_time:([\d.]+) .* s:(\d+)x(\d+) ", said)
    return [(int(width), int(height)) for _, width, height in frames], [float(at_s) for at_s, _, _ in frames]


def large_bars(number: int) -> Picture:
    small, (width, height) = bars(number, BEGIN_S + number / FPS), LADDER[0]
    y = np.repeat(np.repeat(small.y[:1], width // small.y.shape[1], 1), height, 0)
    grey = np.full((height // 2, width // 2), 128, np.uint8)
    return Picture(np.ascontiguousarray(y), grey, grey, small.captured_s)


def down_and_up_the_ladder() -> Iterator[AccessUnit]:
    """The running encoder changes the size of the picture, as a thin link makes it."""
    encoder = X264Encoder(*LADDER[0], FPS, 800_000, ceiling_bps=2_500_000)
    for number in range(int(len(LADDER) * STEP_S * FPS)):
        if number % int(STEP_S * FPS) == 0:
            encoder.set_encoding(Encoding(*LADDER[number // int(STEP_S * FPS)], FPS, 800_000))
        unit = encoder.encode(large_bars(number))
        assert unit is not None
        yield unit
    encoder.close()


@pytest.fixture(scope="module")
def of_many_sizes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sizes") / "recording-1.mp4"
    units = list(down_and_up_the_ladder())
    file = Mp4(path, units[0])
    for unit in units[1:]:
        file.video(unit)
    for block in range(int(len(LADDER) * STEP_S / BLOCK_S)):
        file.sound(tone(440, block), BEGIN_S + block * BLOCK_S)
    file.close()
    return path


def test_a_picture_that_changes_its_size_loses_no_frame_and_no_time(of_many_sizes: Path) -> None:
    sizes, times = decoded(of_many_sizes)
    count = int(STEP_S * FPS)
    assert [(size, len(list(run))) for size, run in groupby(sizes)] == [(size, count) for size in LADDER]
    assert times == pytest.approx([times[0] + n / FPS for n in range(len(LADDER) * count)], abs=0.001)
    luma = (f.to_ndarray()[: f.height] for f in pictures(of_many_sizes))
    found = [int(np.argmax(y.reshape(len(y), 16, -1).mean((0, 2)))) for y in luma]
    assert found == [n % 16 for n in range(len(sizes))]


async def test_chromium_plays_a_picture_that_changes_its_size(page: Page, of_many_sizes: Path) -> None:
    seen = await played(page, of_many_sizes)
    count = int(STEP_S * FPS)
    assert seen["frames"] == len(LADDER) * count
    assert seen["duration"] == pytest.approx(len(LADDER) * STEP_S, abs=0.1)
    assert seen["sound"] > 0
    for number in (3, 20, 22, 40, 50, 60, 80):
        width, height, bar = await page.evaluate("at => look(at)", (number + 0.5) / FPS)
        assert ((width, height), bar) == (LADDER[number // count], number % 16)


async def test_what_a_killed_process_left_plays_without_repair(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "recording-1.mp4"
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(path), str(root)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    sizes, _ = decoded(path)
    assert len(sizes) >= 3 * FPS
    seen = await played(page, path)
    assert seen["duration"] >= 3
    assert seen["frames"] == len(sizes)
    assert seen["sound"] > 0


async def test_a_recording_that_looks_back_plays_from_before_it_was_agreed_to(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "recording-1.mp4"
    items = called(5)
    before = [item for item in items if time_of(item) < BEGIN_S + 3]
    recorder = Recorder(path, before=deque(before))
    hand_over(recorder, items[len(before) :])
    recorder.stop()
    assert (await recorder.ended()).trouble is None
    _, times = decoded(path)
    assert times == pytest.approx([times[0] + n / FPS for n in range(5 * FPS)], abs=0.001)
    seen = await played(page, path)
    assert seen["duration"] == pytest.approx(5, abs=0.1)
    assert seen["frames"] == 5 * FPS
