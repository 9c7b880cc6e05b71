"""What participants hear as Opus packets: each distinct mix is encoded once.

All who say nothing hear the same, and share an encoder; whoever speaks has one of his own until he has been silent for
a while. A change of encoder in mid-sound is not heard: the new one has been told what sounded before.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from kiosk.call.ducking import level_dbfs
from kiosk.call.opus import TINY, OpusEncoder
from kiosk.hw.ports import Samples

LINGER = 100
"""Blocks (2 s) that somebody keeps his own encoder after his last word."""
TOLD = 10
"""Blocks of the past that a new encoder is told: without, its first packets are heard to be another's."""
SILENT_DBFS = -60.0
SILENT_AFTER = 10
"""Blocks. A machine that hums is what staff want to hear; only a room as quiet as this is silence."""
SIGN_EACH = 20
"""Blocks (400 ms). Where it is silent, and that has been told, nothing is encoded: what told it is sent again as often
as the coder itself would give a sign of life."""


class SoundOut:
    """Used from the loop only."""

    def __init__(self) -> None:
        """Raises DeviceTrouble: there is no Opus library."""
        self._shared = _Stream()
        self._own: dict[str, _Own] = {}
        self._before: deque[Samples] = deque(maxlen=TOLD)

    def packets(
        self, heard: Mapping[str, Samples], shared: Samples, loss: Mapping[str, float]
    ) -> dict[str, bytes | None]:
        """One tick: what goes to each peer; None where nothing needs to be sent.

        heard: what each hears; `shared` itself for those who hear what everybody hears. loss: 0..1 of the packets to
        each peer that were lost lately.
        """
        self._own = {peer: own for peer, own in self._own.items() if peer in heard}
        for peer, block in heard.items():
            self._keep_own(peer, speaks=block is not shared)
        self._before.append(shared)
        own = {peer: self._own[peer].stream for peer in heard if peer in self._own}
        of_all = self._shared.encode(shared, max((loss.get(p, 0.0) for p in heard if p not in own), default=0.0))
        return {
            peer: own[peer].encode(block, loss.get(peer, 0.0)) if peer in own else of_all
            for peer, block in heard.items()
        }

    def _keep_own(self, peer: str, *, speaks: bool) -> None:
        own = self._own.get(peer)
        if speaks and own is None:
            own = self._own[peer] = _Own(_Stream())
            for block in self._before:
                own.stream.encode(block, 0.0)
        if own is None:
            return
        own.blocks_left = LINGER if speaks else own.blocks_left - 1
        if own.blocks_left <= 0:
            del self._own[peer]


class _Own:
    def __init__(self, stream: _Stream) -> None:
        self.stream = stream
        self.blocks_left = LINGER


class _Stream:
    """One encoder, and when it need not send."""

    def __init__(self) -> None:
        self._encoder = OpusEncoder()
        self._silent = 0
        self._said = False
        self._pause = b""

    def encode(self, block: Samples, loss: float) -> bytes | None:
        before = self._silent
        self._silent = self._silent + 1 if level_dbfs(block) < SILENT_DBFS else 0
        if self._said and self._silent:
            return None if self._silent % SIGN_EACH else self._pause
        self._encoder.expect_loss(loss)
        if (before >= SILENT_AFTER) != (self._silent >= SILENT_AFTER):
            self._encoder.expect_silence(self._silent >= SILENT_AFTER)
        self._pause = self._encoder.encode(block)
        self._said = len(self._pause) <= TINY  # this one tells the decoder that a pause begins
        return self._pause
