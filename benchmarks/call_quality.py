"""How good the picture is that arrives, at the same bitrate: PSNR of the luma against the film's own frames."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import cv2
import numpy as np
from playwright.async_api import Browser

from benchmarks.call_bars import Quality
from benchmarks.call_run import join
from benchmarks.film import CELL_PX, CODE_ROWS, CODE_WIDTH_PX, HEIGHT, WIDTH, Film
from benchmarks.film_studio import picture
from benchmarks.links import LINKS, emulated
from benchmarks.receiver import receiving
from benchmarks.senders import sending
from kiosk.hw.ports import Pixels
from kiosk.hw.sim.corner_code import read

BPS = 1_500_000
SETTLE_S = 12.0
"""libwebrtc begins with 300 kbit/s and feels its way up."""
COUNT, EACH = 80, 6
"""Once through the film, forth and back: all are judged by the same frames."""
NEAR = 0.015
TRIES = 3


@dataclass(frozen=True, slots=True)
class Picture:
    db: float
    bps: float
    codec: str


async def quality(browser: Browser) -> Quality:
    """libwebrtc with a ceiling of BPS, then the kiosk with the ceiling that makes it take as much as libwebrtc took."""
    rival = await _watch(browser, "libwebrtc", BPS)
    ceiling = rival.bps
    ours: list[Picture] = []
    for _ in range(TRIES):
        ours.append(await _watch(browser, "ours", round(ceiling)))
        if abs(ours[-1].bps / rival.bps - 1) < NEAR:
            break
        ceiling *= rival.bps / ours[-1].bps
    best = min(ours, key=lambda seen: abs(seen.bps - rival.bps))
    return Quality(round(best.db, 2), round(best.bps), round(rival.db, 2), round(rival.bps), rival.codec)


async def _watch(browser: Browser, name: str, bps: int) -> Picture:
    async with (
        sending(name, bitrate_bps=bps) as sender,
        emulated(LINKS["clean"]) as line,
        receiving(browser) as receiver,
    ):
        await join(receiver, sender, line)
        await asyncio.sleep(SETTLE_S)
        before = await receiver.stats()
        lumas = await receiver.luma(COUNT, EACH)
        after = await receiver.stats()
    took_s = (after["timestamp"] - before["timestamp"]) / 1000
    bps_seen = 8 * (after["bytesReceived"] - before["bytesReceived"]) / took_s
    return Picture(mean_psnr(lumas), bps_seen, str(after["codec"]).removeprefix("video/"))


def mean_psnr(lumas: list[Pixels]) -> float:
    """dB; of frames whose number can be read."""
    film = Film()
    found = [psnr(luma, film, code[0]) for luma in lumas if (code := read(luma))]
    return float(np.mean(found))


def psnr(luma: Pixels, film: Film, number: int) -> float:
    """A smaller picture is judged as it would be shown: enlarged. The corner code does not count."""
    if luma.shape != (HEIGHT, WIDTH):
        luma = cv2.resize(luma, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC).astype(np.uint8)
    differs = luma.astype(np.float64) - picture(film.frame(number), 0.0).y
    differs[-CODE_ROWS * CELL_PX :, :CODE_WIDTH_PX] = 0.0
    counted = differs.size - CODE_ROWS * CELL_PX * CODE_WIDTH_PX
    return float(10 * np.log10(255**2 / max(1e-9, np.square(differs).sum() / counted)))
