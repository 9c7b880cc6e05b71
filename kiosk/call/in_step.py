"""Keeps sound in step with the picture: a microphone has a clock of its own, and blocks come late in bursts. Pure.

Blocks are stretched or shortened by a few samples (at most 0.8 %, nobody hears it), so that their mean time of arrival
agrees with where they are put. Only what is really missing leaves a hole.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kiosk.hw.ports import SAMPLE_RATE_HZ, SAMPLES_PER_BLOCK, Samples

MEAN_BLOCKS = 50
"""Arrival times are averaged over about a second ..."""
TURN_BLOCKS = 100
"""... and a difference is worked off within some two: with these two the loop swings in without overshooting much."""
MOST_SAMPLES = 8
"""By so much may a block grow or shrink: 8300 ppm; crystals are within 100."""
SLIP = int(0.06 * SAMPLE_RATE_HZ)
LATE_BLOCKS = 10
GAP = int(0.25 * SAMPLE_RATE_HZ)
"""Sound is missing where blocks are later than GAP, or later than SLIP for so many one after the other; less is a loop
that was busy, and the next blocks are early again."""

_NOTHING: Samples = np.zeros(0, np.int16)


class InStep:
    """(960,) int16 blocks in, each with the sample it is due at; the same out, with the sample where each is put."""

    def __init__(self) -> None:
        self._next: int | None = None
        self._rest = _NOTHING
        self._slip = 0.0
        self._late = 0

    def put(self, block: Samples, due: int) -> Iterator[tuple[int, Samples]]:
        if self._next is None:
            self._next = due
        slip = due - self._next - len(self._rest)
        if slip < -SLIP:
            return
        self._late = self._late + 1 if slip > SLIP else 0
        if slip > GAP or self._late >= LATE_BLOCKS:
            self._next, self._rest, self._slip, self._late = due, _NOTHING, 0.0, 0
            slip = 0
        self._slip += (slip - self._slip) / MEAN_BLOCKS
        yield from self._whole(_stretched(block, self._turn()))

    def _turn(self) -> int:
        return max(-MOST_SAMPLES, min(MOST_SAMPLES, round(self._slip / TURN_BLOCKS)))

    def _whole(self, samples: Samples) -> Iterator[tuple[int, Samples]]:
        assert self._next is not None
        if len(self._rest):
            samples = np.concatenate((self._rest, samples))
        while len(samples) >= SAMPLES_PER_BLOCK:
            yield self._next, samples[:SAMPLES_PER_BLOCK]
            self._next += SAMPLES_PER_BLOCK
            samples = samples[SAMPLES_PER_BLOCK:]
        self._rest = samples


def _stretched(block: Samples, by: int) -> Samples:
    if not by:
        return block
    wanted = len(block) + by
    at = np.linspace(0, len(block) - 1, wanted)
    stretched: Samples = np.round(np.interp(at, np.arange(len(block)), block)).astype(np.int16)
    return stretched
