"""Making sound a little shorter or longer without a click: where clocks differ, or a buffer is longer than need be.

A stretch that repeats itself (a period of the voice) is left out or said twice, and the seam is faded over. Pure.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]

SHORTEST, LONGEST = 120, 480
"""Samples left out at 48 kHz: 2.5 to 10 ms, the period of voices from 100 to 400 Hz."""
FADE = 240
STEP = 4


def shortened(block: Samples) -> Samples:
    """(N,) int16, N >= 720 -> 120 to 480 samples fewer, as many as repeat best; first and last samples stay."""
    x = block.astype(np.float64)
    lags = range(SHORTEST, LONGEST + 1, STEP)
    lag = max(lags, key=lambda lag: _likeness(x[:FADE], x[lag : lag + FADE]))
    return np.concatenate((faded(x[:FADE], x[lag : lag + FADE]), block[lag + FADE :]))


def lengthened(block: Samples) -> Samples:
    """(N,) int16, N >= 720 -> 120 to 480 samples more; first and last samples stay."""
    x = block.astype(np.float64)
    lags = range(SHORTEST, LONGEST + 1, STEP)
    lag = max(lags, key=lambda lag: _likeness(x[:FADE], x[lag : lag + FADE]))
    return np.concatenate((block[:lag], faded(x[lag : lag + FADE], x[:FADE]), block[FADE:]))


def faded(out: NDArray[np.int16 | np.float64], into: NDArray[np.int16 | np.float64]) -> Samples:
    """From one sound to the other, both (N,)."""
    slope = np.linspace(0.0, 1.0, len(out))
    return np.round(out * (1 - slope) + into * slope).astype(np.int16)


def _likeness(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """-1..1; of two silences 1."""
    power = float(np.sqrt((one @ one) * (other @ other)))
    return float(one @ other) / power if power > 0 else 1.0
