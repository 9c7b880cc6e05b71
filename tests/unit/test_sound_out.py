"""What participants hear as packets: who shares an encoder, and when nothing is sent."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from kiosk.call.opus import TINY, OpusDecoder
from kiosk.call.sound_out import LINGER, SIGN_EACH, SILENT_AFTER, SoundOut
from kiosk.hw.ports import SAMPLES_PER_BLOCK, Samples
from tests.speech import speech

SILENT = np.zeros(SAMPLES_PER_BLOCK, np.int16)


def blocks(count: int, amplitude: int = 6000) -> list[Samples]:
    return list(speech(count, amplitude=amplitude).reshape(-1, SAMPLES_PER_BLOCK))


def test_those_who_hear_the_same_get_the_same_packet_and_a_speaker_his_own() -> None:
    out = SoundOut()
    for block in blocks(5):
        packets = out.packets({"ann": block, "bob": block, "eve": block // 2}, block, {})
        assert packets["ann"] is packets["bob"]
        assert packets["eve"] is not packets["ann"]
        assert packets["eve"]


def test_one_who_has_spoken_shares_again_after_a_while() -> None:
    out = SoundOut()
    said, *after = blocks(LINGER + 2)
    out.packets({"ann": said // 2, "bob": said}, said, {})
    told = [out.packets({"ann": block, "bob": block}, block, {}) for block in after]
    same = [packets["ann"] is packets["bob"] for packets in told]
    assert not any(same[: LINGER - 2])
    assert same[-1]


def test_the_change_of_encoder_is_not_heard() -> None:
    sound = blocks(3 * LINGER)
    steady, changing = (heard(sound, speaks) for speaks in (range(0), range(50, 60)))
    assert steepest(changing) < 1.2 * steepest(steady)
    for at in (50, 59 + LINGER):
        for n in range(at - 1, at + 6):
            assert 0.6 < loudness(changing[n]) / loudness(steady[n]) < 1.8  # within some dB, for a block or two


def heard(sound: list[Samples], speaks: range) -> list[Samples]:
    """By one who speaks himself during the blocks `speaks`."""
    out, decoder = SoundOut(), OpusDecoder()
    played = []
    for n, block in enumerate(sound):
        packet = out.packets({"ann": block.copy() if n in speaks else block}, block, {})["ann"]
        played.append(decoder.decode(packet) if packet else decoder.conceal())
    return played


def steepest(sound: list[Samples]) -> int:
    return int(np.abs(np.diff(np.concatenate(sound).astype(int))).max())


def loudness(block: Samples) -> float:
    return float(np.abs(block.astype(int)).mean())


def test_nothing_is_sent_in_silence_but_a_sign_of_life_and_sound_at_once() -> None:
    out = SoundOut()
    room = np.random.default_rng(1).integers(-2, 3, (200, SAMPLES_PER_BLOCK), np.int16)
    packets = [out.packets({"ann": block}, block, {})["ann"] for block in room]
    sent = [packet for packet in packets[3 * SILENT_AFTER :] if packet is not None]
    assert 2 <= len(sent) < 30  # one each 400 ms, and the beginning of the pause behind it
    again = [out.packets({"ann": block}, block, {})["ann"] for block in blocks(3)]
    assert all(packet is not None and len(packet) > TINY for packet in again)


def test_a_microphone_that_is_off_gives_signs_of_life_too_and_sound_at_once() -> None:
    out = SoundOut()
    packets = [out.packets({"ann": SILENT}, SILENT, {})["ann"] for _ in range(600)]
    sent = [n for n, packet in enumerate(packets) if packet is not None and n > 3 * SILENT_AFTER]
    assert all(len(packets[n] or b"") <= TINY for n in sent)
    assert {after - before for before, after in pairwise(sent)} == {SIGN_EACH}
    again = [out.packets({"ann": block}, block, {})["ann"] for block in blocks(3)]
    assert all(packet is not None and len(packet) > TINY for packet in again)


def test_a_machine_that_hums_softly_is_not_silence() -> None:
    n = np.arange(200 * SAMPLES_PER_BLOCK)
    hum = (120 * np.sin(2 * np.pi * 100 * n / 48_000)).astype(np.int16)  # -52 dBFS
    out = SoundOut()
    packets = [out.packets({"ann": block}, block, {})["ann"] for block in hum.reshape(-1, SAMPLES_PER_BLOCK)]
    assert all(packet is not None and len(packet) > TINY for packet in packets)


def test_the_worst_of_those_who_share_decides_about_error_correction() -> None:
    both = {}
    for loss in (0.0, 0.1):
        out = SoundOut()
        sent = [out.packets({"ann": b, "bob": b}, b, {"ann": 0.0, "bob": loss})["ann"] for b in blocks(100)]
        both[loss] = sent
    assert both[0.0] != both[0.1]


@pytest.mark.parametrize("speaks", [True, False])
def test_who_has_left_is_forgotten(speaks: bool) -> None:
    out = SoundOut()
    (block,) = blocks(1)
    out.packets({"ann": block.copy() if speaks else block, "bob": block}, block, {})
    assert list(out.packets({"bob": block}, block, {"ann": 0.5})) == ["bob"]
    assert "ann" not in out._own
    assert out.packets({}, block, {}) == {}
