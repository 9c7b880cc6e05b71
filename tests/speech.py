"""Sound that behaves like speech: voiced syllables of a wandering pitch, with pauses."""

from __future__ import annotations

import numpy as np

from kiosk.hw.ports import SAMPLE_RATE_HZ, SAMPLES_PER_BLOCK, Samples


def speech(blocks: int, *, pauses: bool = False, amplitude: int = 6000) -> Samples:
    """(960 * blocks,) int16. With pauses: each 3 s one of 1.5 s, of complete silence."""
    t = np.arange(blocks * SAMPLES_PER_BLOCK) / SAMPLE_RATE_HZ
    pitch_hz = 130 + 25 * np.sin(2 * np.pi * 0.7 * t)
    phase = 2 * np.pi * np.cumsum(pitch_hz) / SAMPLE_RATE_HZ
    voice = sum(np.sin(k * phase) / k * (1 + 0.5 * np.sin(2 * np.pi * k * 0.31 * t)) for k in range(1, 24))
    syllables = 0.25 + 0.75 * np.sin(2 * np.pi * 1.9 * t) ** 2
    sound = amplitude / 2 * voice * syllables
    if pauses:
        sound = sound * (t % 3 < 1.5)
    return np.clip(np.round(sound), -32768, 32767).astype(np.int16)
