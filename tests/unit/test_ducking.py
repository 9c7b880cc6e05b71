"""Half-duplex in a simulated room: what the speaker plays comes back into the microphone."""

from __future__ import annotations

import numpy as np
import pytest

from kiosk.call.ducking import HOLD, OPENING, Ducker, level_dbfs
from kiosk.hw.ports import SAMPLES_PER_BLOCK, Samples
from tests.speech import speech

BLOCK = SAMPLES_PER_BLOCK
QUIET = np.zeros(BLOCK, np.int16)


class Room:
    """Speaker to microphone: on the way for `delay` blocks, then an echo and its reverberation."""

    def __init__(self, delay: int, loss_db: float) -> None:
        n = np.arange(8 * BLOCK)
        tail = np.random.default_rng(1).normal(size=len(n)) * np.exp(-n / (1.2 * BLOCK)) * 0.02
        tail[0] = 1.0
        self._response = tail * 10 ** (-loss_db / 20)
        self._delay = delay

    def heard(self, played: Samples) -> Samples:
        echo = np.convolve(played.astype(float), self._response)[: len(played)]
        late = np.concatenate((np.zeros(self._delay * BLOCK), echo))[: len(played)]
        heard: Samples = np.clip(late, -32768, 32767).astype(np.int16)
        return heard


def ducked(ducker: Ducker, microphone: Samples, played: Samples) -> Samples:
    pairs = zip(microphone.reshape(-1, BLOCK), played.reshape(-1, BLOCK), strict=True)
    return np.concatenate([ducker.ducked(own, far) for own, far in pairs])


@pytest.mark.parametrize("delay", [1, 3, 8])
def test_who_speaks_never_hears_himself(delay: int) -> None:
    """A loud speaker beside the microphone, up to 160 ms of buffers between."""
    said = np.concatenate((np.zeros(10 * BLOCK, np.int16), speech(300, pauses=True, amplitude=9000)))
    echo = Room(delay, loss_db=0).heard(said)
    back = ducked(Ducker(), echo, said)
    for begin in range(0, len(said), BLOCK):
        assert level_dbfs(back[begin : begin + BLOCK]) < -45
    assert level_dbfs(back) < level_dbfs(echo) - 33


def test_the_code_user_alone_passes_untouched() -> None:
    own = speech(100)
    blocks = own.reshape(-1, BLOCK)
    noise = np.random.default_rng(2).normal(0, 60, BLOCK).astype(np.int16)  # a staff microphone's, -55 dBFS
    ducker = Ducker()
    assert all(ducker.ducked(block, noise) is block for block in blocks)
    assert not ducker.down


def test_it_comes_up_again_when_the_other_side_has_finished() -> None:
    ducker = Ducker()
    own = speech(1)
    ducker.ducked(own, own)
    assert ducker.down
    for _ in range(HOLD + OPENING):
        ducker.ducked(own, QUIET)
    assert ducker.ducked(own, QUIET) is own
    assert not ducker.down


def test_breath_between_words_does_not_open_it() -> None:
    ducker = Ducker()
    own, word = np.full(BLOCK, 1000, np.int16), speech(1)
    for _ in range(10):
        for played in (*[word] * 5, *[QUIET] * (HOLD - 1)):
            out = ducker.ducked(own, played)
        assert int(out[-1]) < 20


def test_it_goes_down_and_up_without_a_click() -> None:
    ducker = Ducker()
    own = np.full(BLOCK, 10_000, np.int16)
    played = [QUIET] * 3 + [speech(1)] * 3 + [QUIET] * (HOLD + OPENING + 3)
    heard = np.concatenate([ducker.ducked(own, far) for far in played]).astype(int)
    assert np.abs(np.diff(heard)).max() < 60
    assert (heard[0], heard[-1]) == (10_000, 10_000)
    assert heard.min() < 170
