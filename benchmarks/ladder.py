"""The ladder of sizes: what each rung is worth at which rate, what it costs, and how it is changed.

1. Picture: dB of luma (PSNR) of what a decoder shows against what the camera saw, at the camera's size, per rate and
   rung, on the moving scene; CPU per frame, scaling included.
2. A rate that falls from 2.5 to 0.8 Mbit/s: what is sent beyond the new rate, against a running x264 that is told it.
3. The keyframe that a new size or a rate begins with, in ms of its rate.
4. Into Chromium, over loopback: frames that are not shown where the size changes; stills and back.

Bars: half a megabit is better spent on 540p; at most 100 ms of the new rate too much after 0.3 s, and less than the
rival; keyframes of at most 250 ms; at most one frame missing at a change. `ARGS=FRAMES` shortens the film (240).
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import av
import cv2
import numpy as np
from av.video.codeccontext import VideoCodecContext

from benchmarks import sender_ours
from benchmarks.film import FPS, HEIGHT, WIDTH, Film
from benchmarks.film_studio import FilmSource, render
from benchmarks.links import LINKS, emulated
from benchmarks.receiver import Shown, chromium, receiving
from benchmarks.report import tell
from kiosk.call.ladder import RUNGS, Ladder
from kiosk.config import CallSettings
from kiosk.hw.camera_frames import FramesCamera
from kiosk.hw.encoder import X264Encoder
from kiosk.hw.ports import AccessUnit, Encoding, Picture, Pixels
from kiosk.hw.sim.scene import Scene
from kiosk.session.record import Person

FRAMES, BEGIN = 240, 300
SETTLED = 45
RATES_KBPS = (2500, 1000, 650, 500, 300, 200)
TOP_BPS, FALLEN_BPS = 2_500_000, 800_000
LOOK_S = 0.3
KEYFRAME_RATES_BPS = {"full": (2_500_000, 800_000), "smaller": (700_000, 400_000), "small": (300_000, 100_000)}
EXCESS_BAR_MS, KEYFRAME_BAR_MS, MISSING_BAR = 100.0, 250.0, 1


class RunningX264(X264Encoder):
    """The rival: no fresh context, only told the new rate, as libavcodec allows."""

    def _follow(self, wanted: Encoding, keyframe: bool) -> bool:
        self._context.bit_rate = wanted.bps
        return False


@dataclass(frozen=True, slots=True)
class Worth:
    db: float
    ms: float


def shapes() -> dict[str, Encoding]:
    ladder = Ladder(WIDTH, HEIGHT, FPS)
    return {rung.step: encoding for rung, encoding in zip(RUNGS, ladder.encodings, strict=True)}


def film(count: int) -> list[Picture]:
    scene = Scene(WIDTH, HEIGHT, FPS)
    return [kept(scene.frame(BEGIN + n), n / FPS) for n in range(count)]


def kept(planes: tuple[Pixels, Pixels, Pixels], captured_s: float) -> Picture:
    y, u, v = planes
    return Picture(y.copy(), u.copy(), v.copy(), captured_s)


def encoder_of(shape: Encoding, bps: int) -> X264Encoder:
    encoder = X264Encoder(WIDTH, HEIGHT, FPS, bps, TOP_BPS)
    encoder.set_encoding(Encoding(shape.width, shape.height, shape.fps, bps))
    return encoder


# --- 1. the picture ---------------------------------------------------------------------------------------------------


def worth(pictures: Sequence[Picture], shape: Encoding, bps: int) -> Worth:
    encoder, decoder = encoder_of(shape, bps), VideoCodecContext.create("h264", "r")
    dbs: list[float] = []
    spent: list[float] = []
    for n, picture in enumerate(pictures):
        began_s = time.thread_time()
        unit = encoder.encode(picture)
        if unit is None:
            continue
        spent.append(time.thread_time() - began_s)
        dbs += [psnr(luma, picture.y) for luma in lumas(decoder, unit) if n >= SETTLED]
    return Worth(round(mean(dbs), 2), round(1000 * mean(spent[2:]), 2))


def lumas(decoder: VideoCodecContext, unit: AccessUnit) -> list[Pixels]:
    frames = decoder.decode(av.Packet(unit.data))
    return [np.asarray(frame.to_ndarray(), np.uint8)[: frame.height, : frame.width] for frame in frames]


def psnr(luma: Pixels, seen: Pixels) -> float:
    if luma.shape != seen.shape:
        luma = np.asarray(cv2.resize(luma, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC), np.uint8)
    error = float(np.mean((luma.astype(np.float32) - seen) ** 2))
    return float(10 * np.log10(255**2 / max(error, 1e-3)))


# --- 2. and 3. how fast it follows, and what a change costs -----------------------------------------------------------


def excess_ms(encoder: X264Encoder, pictures: Sequence[Picture]) -> float:
    """What was sent too much LOOK_S after the fall, in ms of the new rate."""
    looked = round(LOOK_S * FPS)
    for picture in pictures[:SETTLED]:
        encoder.encode(picture)
    encoder.set_bitrate(FALLEN_BPS)
    sent = sum(bits(encoder.encode(picture)) for picture in pictures[SETTLED : SETTLED + looked])
    return round(1000 * (sent - FALLEN_BPS * LOOK_S) / FALLEN_BPS, 1)


def keyframe_ms(shape: Encoding, bps: int, pictures: Sequence[Picture]) -> float:
    """The largest of one that begins and one that was asked for in the middle."""
    encoder = encoder_of(shape, bps)
    units = []
    for n, picture in enumerate(pictures[: 2 * SETTLED]):
        if n == SETTLED:
            encoder.request_keyframe()
        units.append(encoder.encode(picture))
    return round(1000 * max(bits(unit) for unit in units if unit and unit.keyframe) / bps, 1)


def bits(unit: AccessUnit | None) -> int:
    return 8 * len(unit.data) if unit else 0


# --- 4. into Chromium -------------------------------------------------------------------------------------------------


class Insisting(FramesCamera):
    """Takes the rate that it is asked for, and a size that it is told."""

    shape: Encoding | None = None

    def insist(self, shape: Encoding) -> None:
        self.shape = shape
        self.set_encoding(shape)

    def set_encoding(self, encoding: Encoding) -> None:
        shape = self.shape or encoding
        super().set_encoding(Encoding(shape.width, shape.height, shape.fps, encoding.bps))


async def changes(shown_s: float) -> list[tuple[str, int, float]]:
    """(change, frames of the camera that were not shown, ms between the two frames) for each change of size."""
    await asyncio.to_thread(render)
    settings, eyes = CallSettings(loopback=True), []

    def camera(settings: CallSettings) -> FramesCamera:
        def encoder(bps: int) -> X264Encoder:
            return X264Encoder(WIDTH, HEIGHT, FPS, bps, settings.bitrate_max_bps)

        eyes.append(Insisting(FilmSource(Film()), encoder, settings.bitrate_max_bps))
        return eyes[-1]

    async with chromium() as browser, receiving(browser) as receiver, emulated(LINKS["clean"]) as line:
        with tempfile.TemporaryDirectory() as folder:
            async with sender_ours.call(settings, Path(folder), camera=camera) as call:

                async def answer(offer: str) -> str:
                    told = await line.pass_sdp("receiver", offer)
                    return await line.pass_sdp("sender", await call.join("p1", Person("p1", "P"), told))

                await receiver.join(answer)
                full, smaller, small = (Encoding(s.width, s.height, s.fps, TOP_BPS) for s in shapes().values())
                for shape in (full, smaller, small, smaller, full):
                    eyes[0].insist(shape)
                    await asyncio.sleep(shown_s)
                shown, _ = await receiver.shown()
    return [change for change in _changes(shown, full.height) if change]


def _changes(shown: Sequence[Shown], height: int) -> list[tuple[str, int, float]]:
    found = []
    for before, after in itertools.pairwise(shown):
        if before.height != after.height and before.number >= 0 and after.number >= 0:
            half = 2 if height // 2 in (before.height, after.height) else 1  # of the pictures, on the last rung
            missing = max(0, after.number - before.number - half)
            found.append(
                (f"{before.height}p → {after.height}p", missing, round(after.painted_ms - before.painted_ms, 1))
            )
    return found


# --- all of it --------------------------------------------------------------------------------------------------------


def main(arguments: list[str]) -> int:
    pictures = film(int(arguments[0]) if arguments else FRAMES)
    at = {(step, rate): worth(pictures, shape, 1000 * rate) for step, shape in shapes().items() for rate in RATES_KBPS}
    ours, rival = (
        excess_ms(made(WIDTH, HEIGHT, FPS, TOP_BPS, TOP_BPS), pictures) for made in (X264Encoder, RunningX264)
    )
    keyframes = {
        f"{step} {rate // 1000}": keyframe_ms(shapes()[step], rate, pictures)
        for step, rates in KEYFRAME_RATES_BPS.items()
        for rate in rates
    }
    seen = asyncio.run(changes(2.0))
    reached = (
        at["smaller", 500].db > at["full", 500].db
        and ours <= EXCESS_BAR_MS
        and ours < rival
        and max(keyframes.values()) <= KEYFRAME_BAR_MS
        and bool(seen)
        and max(missing for _, missing, _ in seen) <= MISSING_BAR
    )
    rows = [
        (
            f"{rate} kbit/s",
            "  ".join(f"{at[step, rate].db:4.1f} dB {at[step, rate].ms:3.1f} ms" for step in shapes()),
            how,
        )
        for rate, how in zip(RATES_KBPS, ["full, smaller, small; CPU a frame"] + [""] * len(RATES_KBPS), strict=False)
    ]
    rows += [
        ("too much after 0.3 s", f"{ours} ms of the rate", f"2.5 → 0.8 Mbit/s; a running x264: {rival} ms"),
        ("largest keyframe", f"{max(keyframes.values())} ms of the rate", str(keyframes)),
        (
            "frames missing",
            str(max((m for _, m, _ in seen), default="-")),
            "; ".join(f"{w} {ms} ms" for w, _, ms in seen),
        ),
    ]
    figures = {
        "benchmark": "ladder",
        "worth": {f"{step} {rate}": [value.db, value.ms] for (step, rate), value in at.items()},
        "excess_ms": ours,
        "rival_excess_ms": rival,
        "keyframe_ms": keyframes,
        "changes": seen,
        "reached": reached,
    }
    tell("The ladder of sizes", rows, figures)
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
