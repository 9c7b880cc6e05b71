"""Half-duplex: while a participant speaks, the kiosk's microphone is turned down, so that nobody hears himself.

The fallback where nothing cancels the echo. What is played is known before it sounds, so the microphone is down in
time; it stays down until the sound has died away in the room. Blocks in, blocks out; no clock.
"""

from __future__ import annotations

import math

import numpy as np

from kiosk.hw.ports import SAMPLES_PER_BLOCK, Samples

SPEAKS_DBFS = -40.0
QUIET_DBFS = -48.0
"""Somebody speaks from the first level on until it falls below the second: breath in between does not open it."""
FLOOR = 10 ** (-36 / 20)
"""The microphone's gain while down: what is left of an echo as loud as speech itself lies below a quiet room."""
HOLD = 18
"""Blocks (360 ms): the way through speaker and room, its reverberation, and the pause between two words."""
OPENING = 6
"""Blocks (120 ms) in which it comes up again."""


class Ducker:
    """Used from the loop only."""

    def __init__(self) -> None:
        self._speaks = False
        self._held = 0
        self._gain = 1.0

    @property
    def down(self) -> bool:
        """Whether the microphone is turned down now."""
        return self._gain < 1.0

    def ducked(self, microphone: Samples, played: Samples) -> Samples:
        """(960,) int16 each; the very block where nobody has spoken for a while."""
        self._follow(level_dbfs(played))
        before, self._gain = self._gain, self._wanted()
        if before == self._gain == 1.0:
            return microphone
        # down within a quarter of a block; what was played in it cannot have reached the microphone yet
        steep = SAMPLES_PER_BLOCK // 4 if self._gain < before else SAMPLES_PER_BLOCK
        gains = np.full(SAMPLES_PER_BLOCK, self._gain)
        gains[:steep] = np.linspace(before, self._gain, steep)
        quieter: Samples = np.round(microphone * gains).astype(np.int16)
        return quieter

    def _follow(self, played_dbfs: float) -> None:
        self._speaks = played_dbfs > (QUIET_DBFS if self._speaks else SPEAKS_DBFS)
        self._held = HOLD if self._speaks else max(0, self._held - 1)

    def _wanted(self) -> float:
        if self._held:
            return FLOOR
        return min(1.0, self._gain + (1.0 - FLOOR) / OPENING) if self._gain < 1.0 else 1.0


def level_dbfs(block: Samples) -> float:
    """Root mean square in dB below full scale; -120 for silence."""
    samples = block.astype(np.float32)
    power = float(samples @ samples) / len(samples) / 32768**2
    return max(-120.0, 10 * math.log10(power)) if power else -120.0
