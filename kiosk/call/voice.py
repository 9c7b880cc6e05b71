"""The voice of one participant: Opus packets in whatever order and at whatever times, 20 ms blocks out, one each tick.

Packets wait as they came and are decoded when they are due, so that what is missing at that moment can be made good:
from the packet behind it (in-band FEC), or by going on with what sounded (concealment), which fades.

The delay finds itself. A packet that comes late makes the voice wait for it, so the delay grows to what the network
needs; where for WATCHED packets none was needed earlier than a whole block before it came to sound, that block is too
much, and the voice is shortened by a few milliseconds at a time until it is gone. Two sound cards whose clocks differ
do no more than that either.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from kiosk.call.ducking import level_dbfs
from kiosk.call.mixer import SILENCE
from kiosk.call.opus import TINY, OpusDecoder
from kiosk.errors import Malformed
from kiosk.hw.ports import SAMPLES_PER_BLOCK, Samples
from kiosk.stretch import FADE, faded, shortened

MAX_DELAY = 10 * SAMPLES_PER_BLOCK
"""200 ms: with more than that people begin to talk into each other's sentences (ITU-T G.114)."""
CUSHION = 2 * SAMPLES_PER_BLOCK
"""Gathered before a voice begins, so that common jitter tears no holes."""
WATCHED = 150
"""Packets: 3 s."""
LOSSY = 500
"""Packets: for 10 s after a loss a block more is kept in hand, so that the packet behind a lost one is there."""
PATIENCE = 10
"""Blocks that a voice is waited for before it has to begin anew. The concealment has faded by then."""
REST = 10
"""Blocks of a pause that are filled with its background noise; from then on there is nothing to be heard."""
SILENT_DBFS = -55.0
LEAP = 48_000
"""Samples: timestamps that jump by more than a second are a new beginning."""


_NOTHING: Samples = np.zeros(0, np.int16)


class Voice:
    """Used from the loop only."""

    def __init__(self) -> None:
        """Raises DeviceTrouble: there is no Opus library."""
        self._decoder = OpusDecoder()
        self._waiting: dict[int, bytes] = {}
        self._newest: int | None = None
        self._due: int | None = None
        self._ready: Samples = _NOTHING
        self._early: deque[int] = deque(maxlen=WATCHED)
        self._since_loss = LOSSY
        self._patience = 0
        self._quiet = False
        self._paused = 0
        self._leapt = False
        self.lost = 0
        self.late = 0
        self.muted = False

    # --- packets in -------------------------------------------------------------------------------------------------

    def put(self, timestamp: int, packet: bytes) -> None:
        """timestamp: RTP, 32 bits, at 48 kHz."""
        if not packet:
            return
        at = self._unwrapped(timestamp)
        if self._due is not None and abs(at - self._due) > LEAP:
            self._begin_anew()
        self._newest = at if self._newest is None else max(at, self._newest)
        if self._due is not None:
            if self._quiet and not self._waiting:  # nobody hears it where time is set right in a pause
                self._due = max(min(self._due, at), at - CUSHION)
            if at < self._due:
                self.late += 1
                return
            self._early.append(at - self._due + len(self._ready))
        self._waiting[at] = packet
        self._bound()

    def _unwrapped(self, timestamp: int) -> int:
        if self._newest is None:
            return timestamp
        return self._newest + (timestamp - self._newest + 2**31) % 2**32 - 2**31

    def _bound(self) -> None:
        """What is older than MAX_DELAY is not played any more: something held the sound up, then all came at once."""
        assert self._newest is not None
        oldest = self._newest + SAMPLES_PER_BLOCK - MAX_DELAY
        if min(self._waiting) >= oldest:
            return
        for at in [at for at in self._waiting if at < oldest]:
            del self._waiting[at]
            self.late += 1
        if self._due is not None and self._due < oldest:
            self._due, self._leapt = min(self._waiting), True
        self._early.clear()

    def _begin_anew(self) -> None:
        self._waiting.clear()
        self._early.clear()
        self._newest = self._due = None
        self._quiet = False

    # --- blocks out -------------------------------------------------------------------------------------------------

    @property
    def delay(self) -> int:
        """Samples between the newest packet's end and what sounds next."""
        if self._newest is None or self._due is None:
            return 0
        return max(0, self._newest + SAMPLES_PER_BLOCK - self._due) + len(self._ready)

    def take(self) -> Samples:
        """The next 20 ms; `SILENCE` itself where there is nothing to be heard."""
        if self._due is None and not self._begins():
            return SILENCE
        while len(self._ready) < SAMPLES_PER_BLOCK:
            if self._due is None:  # given up while looking for the rest of a block
                self._ready = np.concatenate((self._ready, SILENCE))
                break
            self._ready = np.concatenate((self._ready, self._trimmed(self._next())))
        block, self._ready = self._ready[:SAMPLES_PER_BLOCK], self._ready[SAMPLES_PER_BLOCK:]
        if self._due is None:
            self._ready = _NOTHING
        return SILENCE if self.muted or not np.count_nonzero(block) else block

    def _begins(self) -> bool:
        if not self._waiting or self._newest is None:
            return False
        first = min(self._waiting)
        if self._newest + SAMPLES_PER_BLOCK - first < CUSHION:
            return False
        self._due = first
        return True

    def _next(self) -> Samples:
        """What comes next of the voice, as long as it happens to be."""
        assert self._due is not None
        packet = self._waiting.pop(self._due, None)
        if packet is not None:
            return self._decoded(packet)
        if self._waiting:
            return self._bridged(min(self._waiting) - self._due)
        return self._awaited()

    def _decoded(self, packet: bytes) -> Samples:
        assert self._due is not None
        self._patience = 0
        self._since_loss += 1
        self._quiet = len(packet) <= TINY
        before = self._decoder.conceal(FADE) if self._leapt else _NOTHING
        try:
            piece = self._decoder.decode(packet)
        except Malformed:
            piece = self._decoder.conceal()
        self._due += len(piece)
        if not self._quiet and level_dbfs(piece) > SILENT_DBFS:
            self._paused = 0
        elif self._paused > REST:  # each 400 ms a pause tells of its noise anew
            return np.zeros_like(piece)
        if self._leapt and len(piece) >= FADE:
            piece[:FADE] = faded(before, piece[:FADE])
        self._leapt = False
        return piece

    def _bridged(self, gap: int) -> Samples:
        """A hole of `gap` samples, with packets behind it: in a pause nothing was sent; else something was lost."""
        assert self._due is not None
        count = _in_steps(min(gap, SAMPLES_PER_BLOCK))
        self._due += min(gap, count)
        if self._quiet:
            return self._pause(count)
        self.lost += 1
        self._since_loss = 0
        following = self._waiting.get(self._due)
        try:
            return self._decoder.recover(following, count) if following else self._decoder.conceal(count)
        except Malformed:
            return self._decoder.conceal(count)

    def _awaited(self) -> Samples:
        """Nothing is there. In a pause time goes on; else the voice is waited for, and is the later for it."""
        assert self._due is not None
        if self._quiet:
            self._due += SAMPLES_PER_BLOCK
            return self._pause(SAMPLES_PER_BLOCK)
        self._patience += 1
        self._early.clear()
        if self._patience > PATIENCE:
            self._due, self._patience = None, 0
        return self._decoder.conceal()

    def _pause(self, count: int) -> Samples:
        self._paused += 1
        if self._paused > REST:
            return np.zeros(count, np.int16)
        noise = self._decoder.conceal(count)
        return faded(noise, np.zeros(count, np.int16)) if self._paused == REST else noise

    def _trimmed(self, piece: Samples) -> Samples:
        spare = SAMPLES_PER_BLOCK * (2 if self._since_loss < LOSSY else 1)
        if len(piece) < SAMPLES_PER_BLOCK or len(self._early) < WATCHED or min(self._early) < spare:
            return piece
        shorter = shortened(piece)
        cut = len(piece) - len(shorter)
        self._early = deque((early - cut for early in self._early), WATCHED)
        return shorter


def _in_steps(count: int) -> int:
    """Opus conceals in steps of 2.5 ms."""
    return max(120, count // 120 * 120)
