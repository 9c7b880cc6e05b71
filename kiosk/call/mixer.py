"""Who hears what: everybody hears all others and the kiosk, nobody hears himself. Blocks in, blocks out; no clock.

All sound is (960,) int16 mono at 48 kHz, 20 ms a block.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kiosk.hw.ports import SAMPLES_PER_BLOCK, Samples

MAX_WAITING = 10
"""200 ms: more delay than that and people begin to talk into each other's sentences (ITU-T G.114)."""
CUSHION = 2
"""Blocks gathered before a voice (re)starts, so that common jitter tears no holes."""

SILENCE: Samples = np.zeros(SAMPLES_PER_BLOCK, np.int16)
SILENCE.flags.writeable = False


class Voice:
    """The jitter buffer of one participant: any number of samples in, blocks out, silence where nothing came."""

    def __init__(self) -> None:
        self._blocks: deque[Samples] = deque()
        self._rest: Samples = np.zeros(0, np.int16)
        self._playing = False
        self.dropped = 0

    def put(self, samples: Samples) -> None:
        """(N,) int16. What is older than 200 ms is dropped."""
        waiting = np.concatenate((self._rest, samples))
        whole = len(waiting) // SAMPLES_PER_BLOCK * SAMPLES_PER_BLOCK
        self._blocks.extend(waiting[:whole].reshape(-1, SAMPLES_PER_BLOCK))
        self._rest = waiting[whole:]
        while len(self._blocks) > MAX_WAITING:
            self._blocks.popleft()
            self.dropped += 1

    def take(self) -> Samples:
        """The next block; silence until a little cushion has gathered."""
        if not self._playing and len(self._blocks) < CUSHION:
            return SILENCE
        self._playing = bool(self._blocks)
        return self._blocks.popleft() if self._blocks else SILENCE


@dataclass(frozen=True, slots=True)
class Mixed:
    """One tick's blocks. `participants` maps each peer to what it hears."""

    speaker: Samples
    recording: Samples
    participants: dict[str, Samples]


class Mixer:
    """Used from the loop only. `muted` takes the kiosk's microphone out of everything, the recording as well."""

    def __init__(self) -> None:
        self._voices: dict[str, Voice] = {}
        self.muted = False

    def add(self, peer: str, voice: Voice) -> None:
        """A new voice; it replaces one of the same peer."""
        self._voices[peer] = voice

    def remove(self, peer: str, voice: Voice) -> None:
        """Nothing happens where the peer has a newer voice by now."""
        if self._voices.get(peer) is voice:
            del self._voices[peer]

    def tick(self, microphone: Samples) -> Mixed:
        own: NDArray[np.int32] = (SILENCE if self.muted else microphone).astype(np.int32)
        blocks = {peer: voice.take() for peer, voice in self._voices.items()}
        others = _sum(blocks.values())
        everything = own + others
        return Mixed(
            speaker=_saturated(others),
            recording=_saturated(everything),
            participants={peer: _saturated(everything - block) for peer, block in blocks.items()},
        )


def _sum(blocks: Iterable[Samples]) -> NDArray[np.int32]:
    total = np.zeros(SAMPLES_PER_BLOCK, np.int32)
    for block in blocks:
        total += block
    return total


def _saturated(total: NDArray[np.int32]) -> Samples:
    """Clipped, not wrapped: too loud sounds harsh, wrapped sounds broken."""
    return np.clip(total, -32768, 32767).astype(np.int16)
