"""How much of what the kiosk plays comes back into its microphone, measured as an installer would want to know it."""

from __future__ import annotations

import asyncio
import math

import numpy as np

from kiosk.hw.ports import SAMPLE_RATE_HZ, SAMPLES_PER_BLOCK, Microphone, Samples, Speaker

QUIET, SETTLING, HEARD = 25, 125, 50
"""Blocks: half a second without, 2.5 s in which a canceller learns the room, one second that counts."""
AUDIBLE_DB = 12.0
"""More than that above the room's own noise, and staff hear themselves."""


async def echo_db(microphone: Microphone, speaker: Speaker) -> float:
    """How much louder it gets in the microphone while the speaker plays; both are open. Raises DeviceTrouble."""
    blocks = microphone.blocks()
    before = [await anext(blocks) for _ in range(QUIET)]
    played = voice_like(SETTLING + HEARD).reshape(-1, SAMPLES_PER_BLOCK)
    heard: list[Samples] = []
    for block in played:
        speaker.play(block)
        heard.append(await anext(blocks))
        await asyncio.sleep(0)
    return level_db(heard[-HEARD:]) - level_db(before)


def level_db(blocks: list[Samples]) -> float:
    """In dB below full scale, of the block in the middle by loudness: a door that slams is not the room. A room quieter
    than -70 counts as that, a microphone's own noise."""
    power = float(np.median([np.mean(block.astype(np.float64) ** 2) for block in blocks])) / 32768**2
    return max(-70.0, 10 * math.log10(power)) if power else -70.0


def voice_like(blocks: int) -> Samples:
    """(960 * blocks,) int16: noise in the band and the rhythm of speech, which a canceller learns from quickly."""
    count = blocks * SAMPLES_PER_BLOCK
    spectrum = np.fft.rfft(np.random.default_rng(1).normal(size=count))
    hz = np.fft.rfftfreq(count, 1 / SAMPLE_RATE_HZ)
    spectrum[(hz < 200) | (hz > 4000)] = 0
    noise = np.fft.irfft(spectrum, count)
    rhythm = 0.4 + 0.6 * np.sin(2 * np.pi * 2 * np.arange(count) / SAMPLE_RATE_HZ) ** 2
    sound = noise * rhythm / np.abs(noise).max()
    voice: Samples = np.round(0.5 * 32767 * sound).astype(np.int16)
    return voice
