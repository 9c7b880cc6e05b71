"""The voice of a participant over a network that loses, delays and reorders, and between clocks that differ."""

from __future__ import annotations

from functools import cache
from random import Random

import numpy as np
import pytest

from kiosk.call.mixer import SILENCE
from kiosk.call.opus import TINY, OpusEncoder
from kiosk.call.voice import CUSHION, MAX_DELAY, PATIENCE, REST, Voice
from kiosk.hw.ports import SAMPLES_PER_BLOCK, Samples
from kiosk.stretch import LONGEST, SHORTEST, shortened
from tests.speech import speech

BLOCK = SAMPLES_PER_BLOCK
START = 2**32 - 30 * BLOCK
"""The timestamps wrap around in the first second."""


@cache
def packets(count: int = 500, loss: float = 0.0) -> tuple[bytes, ...]:
    encoder = OpusEncoder()
    encoder.expect_loss(loss)
    return tuple(encoder.encode(block) for block in speech(count).reshape(-1, BLOCK))


@cache
def with_pauses(count: int) -> tuple[bytes, ...]:
    encoder = OpusEncoder()
    encoder.expect_silence(True)
    return tuple(encoder.encode(block) for block in speech(count, pauses=True).reshape(-1, BLOCK))


def put(voice: Voice, number: int, packet: bytes) -> None:
    voice.put((START + number * BLOCK) % 2**32, packet)


def over(arrivals: list[tuple[float, int]], sent: tuple[bytes, ...], voice: Voice, ticks: int) -> list[Samples]:
    """arrivals: (in blocks' time, number of the packet). One tick at each whole number."""
    waiting = sorted(arrivals)
    heard = []
    for tick in range(ticks):
        while waiting and waiting[0][0] <= tick:
            number = waiting.pop(0)[1]
            put(voice, number, sent[number])
        heard.append(voice.take())
    return heard


def steepest(sound: Samples) -> int:
    return int(np.abs(np.diff(sound.astype(int))).max())


def test_a_steady_voice_is_heard_whole_after_a_little_cushion() -> None:
    voice = Voice()
    heard = over([(n + 0.5, n) for n in range(100)], packets(), voice, 100)
    assert [block is SILENCE for block in heard[:4]] == [True, True, False, False]
    assert all(block is not SILENCE and len(block) == BLOCK for block in heard[2:])
    assert voice.lost == voice.late == 0
    assert voice.delay <= CUSHION


def test_one_packet_in_twenty_is_lost_and_no_click_is_heard() -> None:
    random = Random(5)
    sent = packets(500, 0.05)
    lost = {n for n in range(20, 500) if random.random() < 0.05}
    voice = Voice()
    heard = np.concatenate(over([(n + 0.5, n) for n in range(500) if n not in lost], sent, voice, 500)[5:])
    whole = np.concatenate(over([(n + 0.5, n) for n in range(500)], sent, Voice(), 500)[5:])
    assert steepest(heard) < 1.5 * steepest(whole)
    assert voice.lost == pytest.approx(len(lost), abs=3)
    loudness = np.abs(heard.reshape(-1, BLOCK).astype(int)).max(axis=1)
    assert loudness.min() > 300  # not one hole
    assert voice.delay <= 4 * BLOCK


@pytest.mark.parametrize("jitter", [1.0, 3.0, 6.0])
def test_a_voice_waits_for_late_packets_no_longer_than_it_must(jitter: float) -> None:
    random = Random(7)
    voice = Voice()
    arrivals = [(n + 0.5 + jitter * random.random(), n) for n in range(1000)]
    sent = packets(500) * 2
    over(arrivals, sent, voice, 500)
    late, lost = voice.late, voice.lost
    over([(at - 500, n) for at, n in arrivals if at > 499], sent, voice, 500)
    assert voice.late - late <= 3
    assert voice.lost - lost <= 5
    assert voice.delay < (jitter + 4) * BLOCK


def test_a_delay_that_is_needed_no_more_is_given_back_without_a_click() -> None:
    voice = Voice()
    sent = packets(500) * 2
    held_up = [(max(n + 0.5, 60.5) if n < 60 and n >= 53 else n + 0.5, n) for n in range(1000)]
    heard = over(held_up, sent, voice, 100)
    assert voice.delay >= 6 * BLOCK
    heard = over([(at - 100, n) for at, n in held_up if at > 99], sent, voice, 890)
    assert voice.delay <= 2 * BLOCK
    assert voice.lost == 0
    assert steepest(np.concatenate(heard)) < 1.5 * steepest(speech(500))


@pytest.mark.parametrize("drift", [1e-3, -1e-3])
def test_clocks_that_differ_do_not_add_up(drift: float) -> None:
    """Ten times what two cheap sound cards differ by, for 80 s: 80 ms would have gathered."""
    voice = Voice()
    sent = packets(500) * 9
    arrivals = [(n * (1 - drift) + 0.5, n) for n in range(4000)]
    heard = over(arrivals, sent, voice, 3990)
    assert voice.delay <= 3 * BLOCK
    assert voice.late <= 2
    assert voice.lost <= 2
    assert steepest(np.concatenate(heard[10:])) < 2 * steepest(speech(500))


def test_a_stream_that_was_held_up_is_not_played_late() -> None:
    voice = Voice()
    over([(n + 0.5, n) for n in range(50)], packets(), voice, 50)
    for number in range(50, 100):  # a second, at once
        put(voice, number, packets()[number])
    heard = [voice.take() for _ in range(3)]
    assert voice.delay <= MAX_DELAY
    assert steepest(np.concatenate(heard)) < 2 * steepest(speech(500))


def test_one_who_stops_sending_fades_and_is_silent_until_he_speaks_again() -> None:
    voice = Voice()
    over([(n + 0.5, n) for n in range(50)], packets(), voice, 50)
    heard = [voice.take() for _ in range(PATIENCE + 5)]
    assert heard[-1] is SILENCE
    levels = [int(np.abs(block.astype(int)).max()) for block in heard]
    assert levels[PATIENCE - 2] < levels[2] / 3
    heard = over([(n - 400 + 0.5, n) for n in range(400, 450)], packets(), voice, 50)
    assert all(block is not SILENCE for block in heard[4:])
    assert voice.late == 0


def test_time_goes_on_in_a_pause_in_which_nothing_is_sent() -> None:
    sent = with_pauses(500)
    told = [n for n in range(500) if len(sent[n]) > TINY or n == 0 or len(sent[n - 1]) > TINY]
    assert len(told) < 400
    voice = Voice()
    heard = over([(n + 0.5, n) for n in told], sent, voice, 500)
    assert voice.lost == voice.late == 0
    spoken = speech(500, pauses=True).reshape(-1, BLOCK)
    in_pause = [tick for tick in range(20, 500) if not spoken[tick - 2].any()]
    assert sum(heard[tick] is SILENCE for tick in in_pause) > 0.5 * len(in_pause)
    assert voice.delay <= CUSHION + BLOCK


def test_a_pause_is_filled_with_its_noise_for_a_moment_and_then_silent() -> None:
    voice = Voice()
    over([(n + 0.5, n) for n in range(50)], packets(), voice, 50)
    put(voice, 50, b"\x08")
    heard = [voice.take() for _ in range(REST + 8)]
    assert heard[-1] is SILENCE
    assert steepest(np.concatenate(heard)) < 2 * steepest(speech(500))


def test_a_sender_that_begins_anew_is_heard() -> None:
    voice = Voice()
    over([(n + 0.5, n) for n in range(50)], packets(), voice, 50)
    for number in range(20):
        voice.put(777_000_000 + number * BLOCK, packets()[number])
        block = voice.take()
    assert block is not SILENCE
    assert voice.delay <= 3 * BLOCK


@pytest.mark.parametrize("packet", [b"", b"\xff\xff\xff", b"\x03", b"\x00" * 1275])
def test_what_is_no_opus_is_no_harm(packet: bytes) -> None:
    voice = Voice()
    for number in range(100):
        put(voice, number, packet if number % 3 == 0 else packets()[number])
        assert voice.take().shape == (BLOCK,)
    assert voice.delay <= MAX_DELAY + BLOCK


def test_anything_in_any_order_costs_bounded_memory() -> None:
    random = Random(3)
    voice = Voice()
    for _ in range(3000):
        voice.put(random.randrange(2**32), packets()[random.randrange(100)])
        voice.put(random.randrange(20) * 480, packets()[random.randrange(100)])
        if random.random() < 0.3:
            assert voice.take().shape == (BLOCK,)
        assert len(voice._waiting) <= MAX_DELAY // 120


def test_who_is_muted_is_silent_at_once() -> None:
    voice = Voice()
    over([(n + 0.5, n) for n in range(50)], packets(), voice, 50)
    voice.muted = True
    assert voice.take() is SILENCE


@pytest.mark.parametrize("hz", [110, 223, 391])
def test_a_shortened_tone_is_the_same_tone(hz: int) -> None:
    tone = (8000 * np.sin(2 * np.pi * hz * np.arange(BLOCK) / 48_000)).astype(np.int16)
    shorter = shortened(tone)
    assert SHORTEST <= BLOCK - len(shorter) <= LONGEST
    assert (shorter[0], shorter[-1]) == (tone[0], tone[-1])
    assert steepest(shorter) < 1.3 * steepest(tone)


def test_silence_can_be_shortened() -> None:
    assert len(shortened(SILENCE)) < BLOCK
