"""The private names of aiortc that sound and the staff camera hang on still mean what we take them for."""

from __future__ import annotations

import inspect
from typing import Any, cast

import pytest
from aiortc import RTCPeerConnection
from aiortc.jitterbuffer import JitterBuffer
from aiortc.rtcrtpreceiver import RTCRtpReceiver
from aiortc.rtp import RtcpReceiverInfo, RtcpRrPacket, RtpPacket

from kiosk.call.aiortc_hooks_sound import ASK_EACH, CameraGate, divert_sound, follow_sound_reports

IDR = b"\0\0\0\1\x67sps\0\0\0\1\x68pps\0\0\0\1\x65slice"
DELTA = b"\0\0\0\1\x41slice"


def packet(number: int, data: bytes) -> RtpPacket:
    made = RtpPacket(sequence_number=number, timestamp=number * 3000, payload=data)
    cast(Any, made)._data = data
    return made


async def test_aiortc_hands_all_packets_to_the_buffer_that_is_replaced() -> None:
    connection = RTCPeerConnection()
    for kind in ("audio", "video"):
        receiver = connection.addTransceiver(kind).receiver
        assert isinstance(cast(Any, receiver)._RTCRtpReceiver__jitter_buffer, JitterBuffer)
    assert "self.__jitter_buffer.add(packet)" in inspect.getsource(RTCRtpReceiver._handle_rtp_packet)
    assert inspect.getsource(RTCRtpReceiver).count("__jitter_buffer.") == 1
    await connection.close()


async def test_sound_packets_come_as_they_are_and_none_is_decoded() -> None:
    connection = RTCPeerConnection()
    receiver = connection.addTransceiver("audio").receiver
    taken: list[tuple[int, bytes]] = []
    divert_sound(receiver, lambda timestamp, data: taken.append((timestamp, data)))
    buffer = cast(Any, receiver)._RTCRtpReceiver__jitter_buffer
    assert [buffer.add(packet(n, b"%d" % n)) for n in (1, 3, 2)] == [(False, None)] * 3
    assert taken == [(3000, b"1"), (9000, b"3"), (6000, b"2")]
    await connection.close()


async def test_reports_on_our_sound_are_told_and_others_are_not() -> None:
    connection = RTCPeerConnection()
    sender = connection.addTransceiver("audio").sender
    told: list[float] = []
    follow_sound_reports(sender, told.append)
    its = cast(Any, sender)

    def report(ssrc: int) -> RtcpReceiverInfo:
        return RtcpReceiverInfo(ssrc, 64, 0, 0, 0, 0, 0)

    await its._handle_rtcp_packet(RtcpRrPacket(ssrc=1, reports=[report(its._ssrc), report(its._ssrc ^ 1)]))
    assert told == [0.25]
    await connection.close()


@pytest.fixture
async def gate() -> CameraGate:
    connection = RTCPeerConnection()
    made = CameraGate(connection.addTransceiver("video").receiver)
    await connection.close()
    return made


def test_nothing_comes_through_a_closed_gate(gate: CameraGate) -> None:
    assert [gate.add(packet(n, IDR)) for n in range(5)] == [(False, None)] * 5
    assert gate.dropped == 5


def test_an_opened_gate_asks_for_a_keyframe_and_begins_with_it(gate: CameraGate) -> None:
    gate.add(packet(0, DELTA))
    gate.open(True)
    waiting = [gate.add(packet(1 + n, DELTA)) for n in range(ASK_EACH + 2)]
    assert [asks for asks, _ in waiting].count(True) == 2
    assert waiting[0] == (True, None)
    assert [frame for _, frame in waiting if frame is not None] == []
    begun = [gate.add(packet(ASK_EACH + 3 + n, IDR if n == 0 else DELTA)) for n in range(4)]
    assert [frame.data if frame else None for _, frame in begun] == [None, IDR, DELTA, DELTA]
    assert not any(asks for asks, _ in begun[1:])


def test_a_camera_of_vp8_begins_with_a_keyframe_too(gate: CameraGate) -> None:
    key, delta = b"\x10\x02\x00\x9d\x01\x2a\x80\x02\xe0\x01picture", b"\x11\x02\x00picture"
    gate.open(True)
    frames = [gate.add(packet(n, data))[1] for n, data in enumerate((delta, delta, key, delta, delta))]
    assert [frame.data if frame else None for frame in frames] == [None, None, None, key, delta]


def test_a_gate_opened_again_does_not_go_on_where_it_was(gate: CameraGate) -> None:
    gate.open(True)
    for n, data in enumerate((IDR, DELTA, DELTA)):
        gate.add(packet(n, data))
    gate.open(False)
    assert gate.add(packet(3, DELTA)) == (False, None)
    gate.open(True)
    assert gate.add(packet(4, DELTA)) == (True, None)
    assert gate.add(packet(5, DELTA))[1] is None
