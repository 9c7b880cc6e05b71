"""Who hears what."""

from __future__ import annotations

import numpy as np

from kiosk.call.ducking import Ducker
from kiosk.call.mixer import LOUDEST, SILENCE, Mixed, Mixer
from kiosk.hw.ports import SAMPLES_PER_BLOCK, Samples


def block(value: int) -> Samples:
    return np.full(SAMPLES_PER_BLOCK, value, np.int16)


class Saying:
    """A voice that says the same for ever; nothing at all for 0."""

    def __init__(self, value: int) -> None:
        self.block = block(value) if value else SILENCE

    def take(self) -> Samples:
        return self.block


def mixer_with(**voices: int) -> Mixer:
    """Each voice says its value."""
    mixer = Mixer()
    for peer, value in voices.items():
        mixer.add(peer, Saying(value))
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


def test_too_loud_is_turned_down_together_and_never_cut_off_or_wrapped() -> None:
    mixer = mixer_with(ann=30_000, bob=15_000, eve=-15_000)
    mixer.tick(block(30_000))
    mixed = mixer.tick(block(30_000))
    assert value(mixed.recording) == LOUDEST
    assert value(mixed.participants["eve"]) == LOUDEST
    assert value(mixer_with(ann=30_000, bob=15_000).tick(block(13_000)).participants["ann"]) == 28_000


def test_a_shout_turns_the_sound_down_without_a_click_and_it_comes_up_again() -> None:
    mixer, voice = Mixer(), Saying(20_000)
    mixer.add("ann", voice)
    quiet = [mixer.tick(SILENCE).recording for _ in range(3)]
    loud = [mixer.tick(block(20_000)).recording for _ in range(3)]
    after = [mixer.tick(SILENCE).recording for _ in range(40)]
    assert value(quiet[0]) == 20_000
    assert int(np.abs(loud[0]).max()) <= 32_767
    assert value(loud[-1]) == LOUDEST
    assert int(after[0][-1]) < 16_000
    steps = np.diff(np.concatenate(after).astype(int))
    assert steps.min() >= 0  # no pumping
    assert steps.max() < 20
    assert value(after[-1]) == 20_000


def test_those_who_say_nothing_hear_the_same_block() -> None:
    mixed = mixer_with(ann=100, bob=0, eve=0).tick(block(3))
    assert mixed.participants["bob"] is mixed.participants["eve"] is mixed.recording
    assert value(mixed.participants["ann"]) == 3


def test_without_echo_cancelling_the_microphone_goes_down_while_somebody_speaks() -> None:
    mixer = Mixer(Ducker())
    voice = Saying(0)
    mixer.add("ann", voice)
    assert value(mixer.tick(block(3000)).recording) == 3000
    voice.block = block(5000)
    mixer.tick(block(3000))
    assert value(mixer.tick(block(3000)).participants["ann"]) < 60


def test_a_muted_microphone_is_heard_by_nobody_and_is_not_recorded() -> None:
    mixer = mixer_with(ann=100)
    mixer.muted = True
    mixed = mixer.tick(block(3))
    assert value(mixed.participants["ann"]) == 0
    assert value(mixed.recording) == 100
    assert value(mixed.speaker) == 100


def test_who_has_left_is_silent_and_the_old_connection_takes_no_new_one_away() -> None:
    mixer, old, new = Mixer(), Saying(1), Saying(2)
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
