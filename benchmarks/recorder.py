"""What a recording costs, what a sudden end takes from it, and what a look-back costs.

1. CPU of the recorder on top of a running 720p30 source with sound: the process's CPU time with and without it, in
   turns, in the same run. The packets were encoded before and are replayed in real time, so that nothing else varies.
   The rival, in the same run, is aiortc's MediaRecorder, which encodes again what it is given (as decoded frames).
2. Loss by SIGKILL: from the last frame that the recorder was handed to the end of what plays, without any repair.

3. What a look-back of half a minute costs while it is held, and when a recording begins with it.

Bars: at most 1 % of a core; at most 1 s lost. `ARGS=SECONDS` changes the length of a turn (4).
"""

from __future__ import annotations

import asyncio
import itertools
import os
import pickle
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from aiortc import MediaStreamTrack
from aiortc.contrib.media import MediaRecorder

from benchmarks.report import median, tell
from kiosk.call.look_back import LookBack
from kiosk.call.recorder import Recorder
from kiosk.call.relay import Keyframes, Relay
from kiosk.hw.encoder import X264Encoder
from kiosk.hw.ports import SAMPLE_RATE_HZ, SAMPLES_PER_BLOCK, AccessUnit, Picture, Samples

WIDTH, HEIGHT, FPS, BPS = 1280, 720, 30, 1_900_000
BLOCK_S = SAMPLES_PER_BLOCK / SAMPLE_RATE_HZ
FILM_S = 4
TURNS = 4
KILLS = 6
HELD_S = 30
CPU_BAR = 1.0
LOSS_BAR_S = 1.0


@dataclass(frozen=True, slots=True)
class Film:
    """Seconds of packets that begin with a keyframe, and as much sound."""

    packets: tuple[bytes, ...]
    blocks: tuple[Samples, ...]

    def unit(self, number: int, begin_s: float) -> AccessUnit:
        at = number % len(self.packets)
        return AccessUnit(self.packets[at], begin_s + number / FPS, keyframe=at == 0)


def picture(number: int) -> Picture:
    """Noise that moves over a slope: about as hard to encode as a room seen by hand."""
    noise = np.random.default_rng(1).integers(0, 60, (HEIGHT, WIDTH * 2), np.uint8)
    left = number * 7 % WIDTH
    slope = np.linspace(40, 180, WIDTH, dtype=np.uint8)
    grey = np.full((HEIGHT // 2, WIDTH // 2), 128, np.uint8)
    return Picture(np.ascontiguousarray(noise[:, left : left + WIDTH] // 2 + slope), grey, grey, 1 + number / FPS)


def make_film() -> Film:
    encoder = X264Encoder(WIDTH, HEIGHT, FPS, BPS)
    units = [encoder.encode(picture(number)) for number in range(FILM_S * FPS)]
    n = np.arange(FILM_S * SAMPLE_RATE_HZ)
    voice = np.random.default_rng(2).normal(0, 1500, len(n)) + 6000 * np.sin(n * 0.03) * np.sin(n * 0.0004)
    blocks = tuple(voice.astype(np.int16).reshape(-1, SAMPLES_PER_BLOCK))
    return Film(tuple(unit.data for unit in units if unit), blocks)


async def replay(
    film: Film, seconds: float, on_unit: Callable[[AccessUnit], object], on_sound: Callable[[Samples, float], object]
) -> None:
    """Hands everything over when it is due, as a call does."""
    begin_s = time.monotonic()
    frames = blocks = 0
    while (now_s := time.monotonic() - begin_s) < seconds:
        while blocks * BLOCK_S <= now_s:
            on_sound(film.blocks[blocks % len(film.blocks)], begin_s + blocks * BLOCK_S)
            blocks += 1
        while frames / FPS <= now_s:
            on_unit(film.unit(frames, begin_s))
            frames += 1
        await asyncio.sleep(max(0.0, begin_s + min(frames / FPS, blocks * BLOCK_S) - time.monotonic()))


async def cpu_alone(film: Film, seconds: float) -> float:
    """Percent of a core that the replaying itself takes."""
    cpu_s, began_s = time.process_time(), time.monotonic()
    await replay(film, seconds, lambda unit: None, lambda block, at_s: None)
    return 100 * (time.process_time() - cpu_s) / (time.monotonic() - began_s)


async def cpu_with_recorder(film: Film, seconds: float, folder: Path) -> tuple[float, float]:
    """(percent of a core while it runs, ms of CPU to begin and end the file)."""
    first_s = time.process_time()
    recorder = Recorder(folder / "recording-1.mp4")
    recorder.video(film.unit(0, time.monotonic()))
    await recorder.began()
    cpu_s, began_s = time.process_time(), time.monotonic()
    await replay(film, seconds, recorder.video, recorder.sound)
    running_s = time.process_time() - cpu_s
    cpu = 100 * running_s / (time.monotonic() - began_s)
    recorder.stop()
    written = await recorder.ended()
    once_s = time.process_time() - first_s - running_s
    assert written.bytes, written
    assert written.trouble is None, written
    (folder / "recording-1.mp4").unlink()
    return cpu, 1000 * once_s


# --- the look-back ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LookedBack:
    """What half a minute held in memory costs, and what it costs to begin a recording with it."""

    holding_percent: float
    held_bytes: int
    written_s: float
    loop_late_ms: float


async def look_back(film: Film, folder: Path) -> LookedBack:
    loop = asyncio.get_running_loop()
    relay = Relay(Keyframes(lambda: None, loop.time, loop.call_later))
    held = LookBack(HELD_S, relay)
    cpu_s, blocks = time.process_time(), 0
    for frame in range(2 * HELD_S * FPS):
        relay.pass_on(film.unit(frame, 0.0))
        while blocks * BLOCK_S <= frame / FPS:
            held.sound(film.blocks[blocks % len(film.blocks)], blocks * BLOCK_S)
            blocks += 1
    percent = 100 * (time.process_time() - cpu_s) / (2 * HELD_S)
    held_bytes, (before, _) = held.bytes, held.take()
    began_s, late_s = time.monotonic(), 0.0
    recorder = Recorder(folder / "looked-back.mp4", before=before)
    while before:
        due_s = time.monotonic() + 0.005
        await asyncio.sleep(0.005)
        late_s = max(late_s, time.monotonic() - due_s)
    recorder.stop()
    written = await recorder.ended()
    assert written.trouble is None, written
    return LookedBack(percent, held_bytes, time.monotonic() - began_s, 1000 * late_s)


# --- the rival --------------------------------------------------------------------------------------------------------


class _Given(MediaStreamTrack):
    """Makes a frame of each number that waits in `queue`."""

    def __init__(self, kind: str, make: Callable[[int], av.VideoFrame | av.AudioFrame]) -> None:
        self.kind, self._make = kind, make
        super().__init__()
        self.queue: asyncio.Queue[int] = asyncio.Queue()

    async def recv(self) -> av.VideoFrame | av.AudioFrame:
        return self._make(await self.queue.get())


async def cpu_with_rival(film: Film, seconds: float, folder: Path) -> float:
    frames = [as_frame(picture(number)) for number in range(FPS)]

    def video_frame(number: int) -> av.VideoFrame:
        frame = frames[number % FPS]
        frame.pts, frame.time_base = number * 3000, Fraction(1, 90_000)
        return frame

    def sound_frame(number: int) -> av.AudioFrame:
        frame = av.AudioFrame.from_ndarray(film.blocks[number % len(film.blocks)].reshape(1, -1), "s16", "mono")
        frame.sample_rate = SAMPLE_RATE_HZ
        frame.pts, frame.time_base = number * SAMPLES_PER_BLOCK, Fraction(1, SAMPLE_RATE_HZ)
        return frame

    video, sound = _Given("video", video_frame), _Given("audio", sound_frame)
    numbers = itertools.count(), itertools.count()
    rival = MediaRecorder(str(folder / "rival.mp4"))
    rival.addTrack(video)
    rival.addTrack(sound)
    await rival.start()
    cpu_s, began_s = time.process_time(), time.monotonic()
    await replay(
        film,
        seconds,
        lambda unit: video.queue.put_nowait(next(numbers[0])),
        lambda block, at_s: sound.queue.put_nowait(next(numbers[1])),
    )
    cpu = 100 * (time.process_time() - cpu_s) / (time.monotonic() - began_s)
    await rival.stop()
    return cpu


def as_frame(seen: Picture) -> av.VideoFrame:
    planes = np.concatenate([seen.y.reshape(-1), seen.u.reshape(-1), seen.v.reshape(-1)])
    return av.VideoFrame.from_ndarray(planes.reshape(HEIGHT * 3 // 2, WIDTH), "yuv420p")


# --- killed -----------------------------------------------------------------------------------------------------------


async def be_killed(folder: Path) -> None:
    """The victim: says each frame that it hands over."""
    film: Film = pickle.loads((folder / "film").read_bytes())
    begun: list[float] = []
    recorder = Recorder(Path(sys.argv[3]))

    def on_unit(unit: AccessUnit) -> None:
        begun[:] = begun or [unit.captured_s]
        recorder.video(unit)
        print(f"{unit.captured_s - begun[0] + 1 / FPS:.3f}", flush=True)

    await replay(film, 60, on_unit, recorder.sound)


def kill(film: Film, folder: Path) -> list[float]:
    """Seconds lost, of each victim."""
    (folder / "film").write_bytes(pickle.dumps(film))
    chance = random.Random(5)
    files = [folder / f"killed-{n}.mp4" for n in range(KILLS)]
    command = [sys.executable, "-m", "benchmarks.recorder", "be-killed", str(folder)]
    victims = [subprocess.Popen([*command, str(file)], stdout=subprocess.PIPE, text=True) for file in files]
    losses = []
    for file, victim in zip(files, victims, strict=True):
        assert victim.stdout is not None
        until_s = chance.uniform(2.5, 4.5)
        while float(victim.stdout.readline()) < until_s:
            pass
        os.kill(victim.pid, signal.SIGKILL)
        said = [line for line in victim.stdout.read().splitlines() if line]
        victim.wait()
        victim.stdout.close()
        losses.append(float(said[-1] if said else until_s) - played_s(file))
    return losses


def played_s(file: Path) -> float:
    """Every frame is decoded; nothing is mended."""
    with av.open(str(file)) as opened:
        times = [frame.time or 0.0 for frame in opened.decode(video=0)]
    return max(times) - min(times) + 1 / FPS


# --- all --------------------------------------------------------------------------------------------------------------


async def measure(seconds: float) -> int:
    film = make_film()
    with tempfile.TemporaryDirectory(prefix="kiosk-bench-") as name:
        folder = Path(name)
        alone, ours, once_ms = [], [], []
        for _ in range(TURNS):
            alone.append(await cpu_alone(film, seconds))
            cpu, once = await cpu_with_recorder(film, seconds, folder)
            ours.append(cpu)
            once_ms.append(once)
        rival = await cpu_with_rival(film, seconds, folder) - median(alone)
        losses = await asyncio.to_thread(kill, film, folder)
        held = await look_back(film, folder)
    cost = median([with_it - without for with_it, without in zip(ours, alone, strict=True)])
    good = cost <= CPU_BAR and max(losses) <= LOSS_BAR_S
    rate = 8 * sum(map(len, film.packets)) / FILM_S
    figures: dict[str, object] = {
        "benchmark": "recorder",
        "cpu_percent_of_a_core": round(cost, 2),
        "cpu_ms_per_file": round(median(once_ms), 1),
        "rival_cpu_percent_of_a_core": round(rival, 1),
        "rival": "aiortc MediaRecorder (encodes again)",
        "source_bps": round(rate),
        "killed_loss_s": {"median": round(median(losses), 2), "max": round(max(losses), 2)},
        "look_back": {
            "held_s": HELD_S,
            "holding_cpu_percent": round(held.holding_percent, 2),
            "held_bytes": held.held_bytes,
            "written_s": round(held.written_s, 2),
            "loop_late_ms": round(held.loop_late_ms, 1),
        },
        "bars": {"cpu_percent_of_a_core": CPU_BAR, "killed_loss_s": LOSS_BAR_S},
        "good": good,
    }
    rows = [
        ("recorder, CPU", f"{cost:.2f} % of a core", f"median of {TURNS} × {seconds:g} s; bar {CPU_BAR:g} %"),
        ("to begin and end a file", f"{median(once_ms):.0f} ms of CPU", "once"),
        ("the source alone", f"{median(alone):.2f} %", f"{rate / 1e6:.1f} Mbit/s and sound, replayed"),
        ("aiortc's MediaRecorder, CPU", f"{rival:.0f} % of a core", f"{rival / max(cost, 0.01):.0f} times ours"),
        (
            "lost by SIGKILL",
            f"{median(losses):.2f} s, at most {max(losses):.2f} s",
            f"{KILLS} times; bar {LOSS_BAR_S:g} s",
        ),
        (
            f"{HELD_S} s of look-back",
            f"{held.holding_percent:.2f} % of a core, {held.held_bytes / 1e6:.1f} MB",
            f"written in {held.written_s:.2f} s, the loop at most {held.loop_late_ms:.0f} ms late",
        ),
    ]
    tell("The recorder", rows, figures)
    return 0 if good else 1


def main() -> int:
    if sys.argv[1:2] == ["be-killed"]:
        asyncio.run(be_killed(Path(sys.argv[2])))
        return 0
    return asyncio.run(measure(float(sys.argv[1]) if len(sys.argv) > 1 else 4.0))


if __name__ == "__main__":
    sys.exit(main())
