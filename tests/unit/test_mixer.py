"""Who hears what."""

from __future__ import annotations

import numpy as np
import pytest

from kiosk.call.mixer import CUSHION, MAX_WAITING, SILENCE, Mixed, Mixer, Voice
from kiosk.hw.ports import SAMPLES_PER_BLOCK, Samples


def block(value: int) -> Samples:
    return np.full(SAMPLES_PER_BLOCK, value, np.int16)


def mixer_with(**voices: int) -> Mixer:
    """Each voice says the same value for a while."""
    mixer = Mixer()
    for peer, value in voices.items():
        voice = Voice()
        mixer.add(peer, voice)
        for _ in range(4):
            voice.put(block(value))
    return mixer


def value(samples: Samples) -> int:
    assert samples.shape == (SAMPLES_PER_BLOCK,)
    assert samples.dtype == np.int16
    assert (samples == samples[0]).all()
    return int(samples[0])


def test_everybody_hears_all_but_himself() -> None:
    mixed = mixer_with(ann=100, bob=20).tick(block(3))
    assert value(mixed.speaker) == 120
    assert value(mixed.participants["ann"]) == 23
    assert value(mixed.participants["bob"]) == 103
    assert value(mixed.recording) == 123


def test_too_loud_is_clipped_never_wrapped() -> None:
    mixed = mixer_with(ann=30_000, bob=30_000, eve=-30_000).tick(block(30_000))
    assert value(mixed.recording) == 32_767
    assert value(mixed.participants["eve"]) == 32_767
    assert value(mixed.participants["ann"]) == 30_000


def test_a_muted_microphone_is_heard_by_nobody_and_is_not_recorded() -> None:
    mixer = mixer_with(ann=100)
    mixer.muted = True
    mixed = mixer.tick(block(3))
    assert value(mixed.participants["ann"]) == 0
    assert value(mixed.recording) == 100
    assert value(mixed.speaker) == 100


def test_who_has_left_is_silent_and_the_old_connection_takes_no_new_one_away() -> None:
    mixer, old, new = Mixer(), Voice(), Voice()
    mixer.add("ann", old)
    mixer.add("ann", new)
    mixer.remove("ann", old)
    assert list(mixer.tick(SILENCE).participants) == ["ann"]
    mixer.remove("ann", new)
    assert mixer.tick(SILENCE).participants == {}


def test_nobody_there_is_silence_on_the_speaker() -> None:
    mixed: Mixed = Mixer().tick(block(5))
    assert value(mixed.speaker) == 0
    assert value(mixed.recording) == 5


@pytest.mark.parametrize("size", [1, 160, 441, 960, 2880])
def test_samples_come_out_in_order_however_they_were_cut(size: int) -> None:
    voice = Voice()
    sent = np.arange(4 * 2880, dtype=np.int16)[: 4 * SAMPLES_PER_BLOCK]
    for begin in range(0, len(sent), size):
        voice.put(sent[begin : begin + size])
    got = np.concatenate([voice.take() for _ in range(4)])
    assert (got == sent).all()


def test_a_voice_waits_for_a_cushion_and_gathers_a_new_one_after_a_hole() -> None:
    voice = Voice()
    voice.put(block(1))
    assert voice.take() is SILENCE
    voice.put(block(2))
    assert [value(voice.take()) for _ in range(CUSHION)] == [1, 2]
    assert voice.take() is SILENCE
    voice.put(block(3))
    assert voice.take() is SILENCE


def test_more_than_200_ms_of_a_voice_are_dropped_oldest_first() -> None:
    voice = Voice()
    for n in range(MAX_WAITING + 5):
        voice.put(block(n))
    assert voice.dropped == 5
    assert value(voice.take()) == 5
