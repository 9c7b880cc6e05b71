"""Our wrapper of the Opus library."""

from __future__ import annotations

import numpy as np
import pytest

from kiosk.call.opus import MAX_PACKET, MAX_SAMPLES, TINY, OpusDecoder, OpusEncoder, with_opus_wishes
from kiosk.errors import Malformed
from kiosk.hw.ports import SAMPLES_PER_BLOCK, Samples
from tests.speech import speech


def encoded(sound: Samples, encoder: OpusEncoder) -> list[bytes]:
    return [encoder.encode(block) for block in sound.reshape(-1, SAMPLES_PER_BLOCK)]


def likeness(one: Samples, other: Samples) -> float:
    """0..1 of two sounds that may be shifted by up to 10 ms."""
    a, b = one[:-480].astype(float), other.astype(float)
    shifted = [b[by : by + len(a)] for by in range(480)]
    return max(float(a @ x / np.linalg.norm(a) / np.linalg.norm(x)) for x in shifted)


def test_what_is_encoded_is_heard_again() -> None:
    sound = speech(50)
    decoder = OpusDecoder()
    heard = np.concatenate([decoder.decode(packet) for packet in encoded(sound, OpusEncoder())])
    assert len(heard) == len(sound)
    assert likeness(sound, heard) > 0.75


def test_a_second_of_speech_takes_no_more_than_its_bitrate() -> None:
    packets = encoded(speech(100), OpusEncoder(24_000))
    assert 8 * sum(map(len, packets)) / 2 < 1.2 * 24_000


def test_a_lost_packet_is_recovered_from_the_one_behind_it() -> None:
    """FEC works: what the next packet tells of the lost one is far nearer to it than a guess."""
    encoder = OpusEncoder()
    encoder.expect_loss(0.02)
    packets = encoded(speech(120), encoder)
    lost = range(50, 110, 3)
    whole = np.concatenate([after(packets[:n]).decode(packets[n]) for n in lost]).astype(float)
    recovered = np.concatenate([after(packets[:n]).recover(packets[n + 1]) for n in lost]).astype(float)
    guessed = np.concatenate([after(packets[:n]).conceal() for n in lost]).astype(float)
    assert np.linalg.norm(recovered - whole) < 0.75 * np.linalg.norm(guessed - whole)


def after(packets: list[bytes]) -> OpusDecoder:
    decoder = OpusDecoder()
    for packet in packets:
        decoder.decode(packet)
    return decoder


def test_fec_is_spent_only_where_packets_are_lost() -> None:
    sure, unsure = OpusEncoder(), OpusEncoder()
    unsure.expect_loss(0.15)
    assert encoded(speech(50), sure) != encoded(speech(50), unsure)


def test_silence_takes_next_to_nothing_once_it_is_expected() -> None:
    encoder = OpusEncoder()
    encoder.expect_silence(True)
    packets = encoded(np.zeros(100 * SAMPLES_PER_BLOCK, np.int16), encoder)
    assert sum(len(packet) <= TINY for packet in packets) > 80
    encoder.expect_silence(False)
    assert min(map(len, encoded(speech(10), encoder))) > TINY


@pytest.mark.parametrize("packet", [b"\xff" * 3, b"\x03", bytes(range(200)), b"\x00" * MAX_PACKET, b"\xff\xff" * 700])
def test_what_is_no_opus_is_refused_or_harmless(packet: bytes) -> None:
    decoder = OpusDecoder()
    for take in (decoder.decode, decoder.recover):
        try:
            assert len(take(packet)) <= MAX_SAMPLES
        except Malformed:
            continue
    assert len(decoder.decode(OpusEncoder().encode(speech(1)))) == SAMPLES_PER_BLOCK


def test_concealment_fades() -> None:
    decoder = OpusDecoder()
    for packet in encoded(speech(30), OpusEncoder()):
        decoder.decode(packet)
    loud = [float(np.abs(decoder.conceal().astype(int)).max()) for _ in range(10)]
    assert loud[0] > 4 * loud[-1]


def test_the_answer_wishes_for_fec_and_silence_and_mono() -> None:
    answer = "v=0\r\nm=audio 9 X 111 0\r\na=rtpmap:111 opus/48000/2\r\na=rtpmap:0 PCMU/8000\r\n"
    assert with_opus_wishes(answer).splitlines() == [
        "v=0",
        "m=audio 9 X 111 0",
        "a=rtpmap:111 opus/48000/2",
        "a=fmtp:111 minptime=10;useinbandfec=1;usedtx=1;stereo=0",
        "a=rtpmap:0 PCMU/8000",
    ]
    assert with_opus_wishes("v=0\r\n") == "v=0\r\n"
