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


TONE_HZ = 1000
HEARD_DB = 10.0
"""So much louder at the tone's own frequency, and it was heard."""


async def tone_db(microphone: Microphone, speaker: Speaker) -> float:
    """How much louder it gets in the microphone at TONE_HZ while the speaker plays; both open. Raises DeviceTrouble."""
    blocks = microphone.blocks()
    before = [await anext(blocks) for _ in range(QUIET)]
    heard: list[Samples] = []
    for block in tone(2 * HEARD):
        speaker.play(block)
        heard.append(await anext(blocks))
    return tone_level_db(heard[-HEARD:]) - tone_level_db(before)


def tone(blocks: int) -> Samples:
    """(blocks, 960) int16: a quarter of full scale at TONE_HZ, without a click at its ends."""
    count = blocks * SAMPLES_PER_BLOCK
    wave = np.sin(2 * np.pi * TONE_HZ * np.arange(count) / SAMPLE_RATE_HZ)
    ends = np.minimum(1.0, np.minimum(np.arange(count), np.arange(count)[::-1]) / SAMPLES_PER_BLOCK)
    sound: Samples = np.round(8191 * wave * ends).astype(np.int16).reshape(blocks, SAMPLES_PER_BLOCK)
    return sound


def tone_level_db(blocks: list[Samples]) -> float:
    """In dB below full scale, of what is within 25 Hz of TONE_HZ; at least -100."""
    sound = np.concatenate(blocks).astype(np.float64) / 32768
    power = np.abs(np.fft.rfft(sound)) ** 2 / len(sound) ** 2 * 2
    hz = np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE_HZ)
    return float(10 * np.log10(max(power[np.abs(hz - TONE_HZ) <= 25].sum(), 1e-10)))


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
