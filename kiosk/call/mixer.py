"""Who hears what: everybody hears all others and the kiosk, nobody hears himself. Blocks in, blocks out; no clock.

All sound is (960,) int16 mono at 48 kHz, 20 ms a block.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from kiosk.call.ducking import Ducker
from kiosk.hw.ports import SAMPLES_PER_BLOCK, Samples

LOUDEST = 29_000
"""1 dB below full scale: several voices at once are turned down together to that, not cut off."""
RELEASE = 1.02
"""A block: 1 dB in 0.12 s, so that a loud word does not make the next one pump."""
SETTLED = 240
"""Samples (5 ms) in which a gain changes: fast enough for a shout, too slow to click."""

SILENCE: Samples = np.zeros(SAMPLES_PER_BLOCK, np.int16)
SILENCE.flags.writeable = False
SILENT: NDArray[np.int32] = np.zeros(SAMPLES_PER_BLOCK, np.int32)
"""The same as a sum."""
SILENT.flags.writeable = False

Total = NDArray[np.int32]


class Heard(Protocol):
    """Somebody's voice."""

    def take(self) -> Samples:
        """The next block, each tick; `SILENCE` itself for silence."""


@dataclass(frozen=True, slots=True)
class Mixed:
    """One tick's blocks. `participants` maps each peer to what it hears; those who say nothing hear `recording`."""

    speaker: Samples
    recording: Samples
    participants: dict[str, Samples]


class Mixer:
    """Used from the loop only. `muted` takes the kiosk's microphone out of everything, the recording as well."""

    def __init__(self, ducker: Ducker | None = None) -> None:
        """ducker: turns the microphone down while a participant speaks, where nothing else cancels the echo."""
        self._voices: dict[str, Heard] = {}
        self._ducker = ducker
        self._limits: dict[str, Limiter] = {}
        self._speaker, self._recording = Limiter(), Limiter()
        self.muted = False

    def add(self, peer: str, voice: Heard) -> None:
        """A new voice; it replaces one of the same peer."""
        self._voices[peer] = voice
        self._limits[peer] = Limiter()

    def remove(self, peer: str, voice: Heard) -> None:
        """Nothing happens where the peer has a newer voice by now."""
        if self._voices.get(peer) is voice:
            del self._voices[peer], self._limits[peer]

    def tick(self, microphone: Samples) -> Mixed:
        blocks = {peer: voice.take() for peer, voice in self._voices.items()}
        others = _sum(blocks.values())
        speaker = self._speaker.limited(others)
        own = self._ducker.ducked(microphone, speaker) if self._ducker else microphone
        if others is SILENT and (self.muted or not np.count_nonzero(own)):
            recording = self._recording.limited(SILENT)
            return Mixed(speaker, recording, dict.fromkeys(blocks, recording))
        everything = others if self.muted else others + own
        recording = self._recording.limited(everything)
        heard = {
            peer: recording if block is SILENCE else self._limits[peer].limited(everything - block)
            for peer, block in blocks.items()
        }
        return Mixed(speaker, recording, heard)


class Limiter:
    """Turns down what is too loud for 16 bits, and slowly up again."""

    def __init__(self) -> None:
        self._gain = 1.0

    def limited(self, total: Total) -> Samples:
        """(960,) int32 -> (960,) int16; untouched where it fits."""
        if total is SILENT:
            self._gain = min(1.0, self._gain * RELEASE)
            return SILENCE
        peak = int(max(total.max(), -total.min()))
        gain = min(1.0, self._gain * RELEASE, LOUDEST / peak if peak else 1.0)
        if gain == self._gain == 1.0:
            return total.astype(np.int16)
        loud = total * ramp(self._gain, gain)
        self._gain = gain
        return np.clip(loud, -32768, 32767).astype(np.int16)


def ramp(before: float, after: float) -> NDArray[np.float64]:
    """(960,): from one gain to the other within SETTLED samples."""
    gains = np.full(SAMPLES_PER_BLOCK, after)
    gains[:SETTLED] = np.linspace(before, after, SETTLED)
    return gains


def _sum(blocks: Iterable[Samples]) -> Total:
    """`SILENT` itself for silence."""
    heard = [block for block in blocks if block is not SILENCE]
    if not heard:
        return SILENT
    total = np.zeros(SAMPLES_PER_BLOCK, np.int32)
    for block in heard:
        total += block
    return total
