"""What we rely on inside aiortc and aioice. A failure here means: aiortc has changed, read aiortc_hooks.py anew."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import aiortc
import pytest
from aiortc import RTCPeerConnection, RTCRtpSender
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_PSFB_PLI,
    RTCP_RTPFB_NACK,
    RTP_HISTORY_SIZE,
    HeaderExtensions,
    RtcpPsfbPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtpPacket,
    pack_remb_fci,
    unpack_header_extensions,
)
from aiortc.sdp import SessionDescription

from kiosk.call import aiortc_hooks as hooks
from kiosk.wire import channel
from tests.contract.fakes import Peer, until
from tests.contract.test_call import a_call


class Heard:
    """Follows a VideoSender's feedback."""

    def __init__(self) -> None:
        self.keyframes = 0
        self.estimates: list[float] = []
        self.reports: list[float] = []

    def keyframe_wanted(self) -> None:
        self.keyframes += 1

    def estimated(self, remb_bps: float) -> None:
        self.estimates.append(remb_bps)

    def reported(self, loss: float, round_trip_s: float | None) -> None:
        self.reports.append(loss)


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class Wire:
    """A DTLS transport as far as a sender uses one."""

    state = "new"
    _stats_id = "wire"

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    async def _send_rtp(self, data: bytes) -> None:
        self.sent.append(data)

    def _get_stats(self) -> dict[str, Any]:
        return {}

    def anything_else(self) -> str:
        return "passed on"


Made = tuple[hooks.VideoSender, Any, Heard, Clock, Wire]


@pytest.fixture
async def made() -> Made:
    """A hooked sender: (hooks, aiortc's sender, what it feeds back, its clock, its wire)."""
    connection = RTCPeerConnection()
    transceiver = connection.addTransceiver("video", "sendonly")
    heard, clock, wire = Heard(), Clock(), Wire()
    sender: Any = transceiver.sender
    sender.setTransport(wire)
    return hooks.VideoSender(transceiver, heard, clock), sender, heard, clock, wire


def in_history(sender: Any, sequence_number: int, size: int = 1000) -> None:
    packet = RtpPacket(payload_type=97, sequence_number=sequence_number, timestamp=1, payload=b"x" * size)
    packet.ssrc = sender._ssrc
    sender._RTCRtpSender__rtp_history[sequence_number % RTP_HISTORY_SIZE] = packet


def nack(sender: Any, *lost: int) -> RtcpRtpfbPacket:
    return RtcpRtpfbPacket(fmt=RTCP_RTPFB_NACK, ssrc=1, media_ssrc=sender._ssrc, lost=list(lost))


def test_the_minor_version_is_the_one_that_was_read() -> None:
    assert aiortc.__version__.startswith("1.16.")


@pytest.mark.parametrize(
    ("method", "uses"),
    [
        ("_next_encoded_frame", ["pack(", ".recv()"]),
        ("_handle_rtcp_packet", ["self._retransmit(", "self._send_keyframe()"]),
        ("_retransmit", ["self.__rtp_history", "self.transport._send_rtp(", "self.__rtp_header_extensions_map"]),
        (
            "_run_rtp",
            ["self._next_encoded_frame(", "self.transport._send_rtp(", "timestamp_origin, enc_frame.timestamp"],
        ),
        ("send", ["self.__rtp_header_extensions_map.configure(", "self.__transport._register_rtp_sender("]),
    ],
)
def test_the_sender_still_works_through_the_names_we_replace(method: str, uses: list[str]) -> None:
    source = inspect.getsource(getattr(RTCRtpSender, method))
    assert [use for use in uses if use not in source] == []


async def test_keyframe_requests_reach_us(made: Made) -> None:
    _, sender, heard, _, _ = made
    await sender._handle_rtcp_packet(RtcpPsfbPacket(fmt=RTCP_PSFB_PLI, ssrc=1, media_ssrc=sender._ssrc))
    assert heard.keyframes == 1


async def test_estimates_and_reports_about_our_video_reach_us_and_others_do_not(made: Made) -> None:
    _, sender, heard, _, _ = made
    for ssrc in (sender._ssrc, sender._ssrc ^ 1):
        fci = pack_remb_fci(1_000_000, [ssrc])
        await sender._handle_rtcp_packet(RtcpPsfbPacket(fmt=RTCP_PSFB_APP, ssrc=1, media_ssrc=0, fci=fci))
        info = RtcpReceiverInfo(
            ssrc=ssrc, fraction_lost=64, packets_lost=9, highest_sequence=9, jitter=0, lsr=0, dlsr=0
        )
        await sender._handle_rtcp_packet(RtcpRrPacket(ssrc=1, reports=[info]))
    assert heard.estimates == pytest.approx([1_000_000], rel=0.01)
    assert heard.reports == [0.25]


@pytest.mark.parametrize("fci", [b"", b"REMB", b"REMB\xff\0\0\0", b"nonsense nonsense"])
async def test_garbled_estimates_harm_nobody(made: Made, fci: bytes) -> None:
    _, sender, heard, _, _ = made
    with pytest.MonkeyPatch.context() as patched:  # aiortc's own reading of it is not our subject
        patched.setattr("aiortc.rtcrtpsender.unpack_remb_fci", lambda fci: (0, []))
        await sender._handle_rtcp_packet(RtcpPsfbPacket(fmt=RTCP_PSFB_APP, ssrc=1, media_ssrc=0, fci=fci))
    assert heard.estimates == []


async def test_a_lost_packet_is_sent_again_but_not_twice_within_a_round_trip(made: Made) -> None:
    _, sender, _, clock, wire = made
    in_history(sender, 7)
    await sender._handle_rtcp_packet(nack(sender, 7))
    await sender._handle_rtcp_packet(nack(sender, 7, 7))
    assert len(wire.sent) == 1
    clock.now_s += 1
    await sender._handle_rtcp_packet(nack(sender, 7))
    assert len(wire.sent) == 2


async def test_repair_keeps_to_its_share_of_the_rate(made: Made) -> None:
    hooked, sender, _, clock, wire = made
    hooked.set_target(1_000_000)
    for second in range(5):
        for n in range(100):
            in_history(sender, 1000 * second + n)
            await sender._handle_rtcp_packet(nack(sender, 1000 * second + n))
        clock.now_s += 1
    assert 5 * 8_000 < sum(map(len, wire.sent)) < 5 * 40_000


async def test_a_packet_too_old_to_repair_brings_a_keyframe(made: Made) -> None:
    _, sender, heard, _, wire = made
    await sender._handle_rtcp_packet(nack(sender, 7))
    assert (heard.keyframes, wire.sent) == (1, [])


async def test_a_keyframe_does_not_leave_in_one_burst(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    hooked, sender, _, clock, wire = made
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)
        clock.now_s += seconds

    monkeypatch.setattr("kiosk.call.aiortc_hooks.asyncio.sleep", sleep)
    hooked.set_target(1_000_000)
    for n in range(100):
        await sender.transport._send_rtp(RtpPacket(sequence_number=n, payload=b"x" * 1100).serialize())
    assert len(wire.sent) == 100
    assert sum(waited) == pytest.approx(100 * 1112 * 8 / (hooks.PACE * 1_000_000), rel=0.1)
    assert hooked.sent_bytes == sum(map(len, wire.sent))


async def test_all_else_of_the_transport_is_passed_on(made: Made) -> None:
    _, sender, _, _, _ = made
    assert sender.transport.anything_else() == "passed on"
    assert sender.transport.state == "new"


async def test_timestamps_are_translated_both_ways_across_their_wrap(made: Made) -> None:
    hooked, sender, _, _, _ = made
    assert hooked.to_wire(0) is None
    assert hooked.from_wire(0) is None
    first = RtpPacket(timestamp=2**32 - 1000)
    first.ssrc = hooked.ssrc
    sender.transport.pts = 500
    await sender.transport._send_rtp(first.serialize())
    assert hooked.to_wire(500) == 2**32 - 1000
    assert hooked.to_wire(2500) == 1000
    sender.transport.pts = 3500
    assert hooked.from_wire(1000) == 2500
    assert hooked.from_wire(2**32 - 1000) == 500


async def test_playout_delay_is_answered_and_sent_with_each_packet() -> None:
    async with Peer("ann") as ann:
        offer = (await ann.offer()).replace("a=rtcp-fb:", f"a=extmap:9 {hooks.PLAYOUT_DELAY}\r\na=rtcp-fb:", 1)
        connection = RTCPeerConnection()
        transceiver = connection.addTransceiver("video", "sendonly")
        connection.addTransceiver("audio", "sendonly")
        await connection.setRemoteDescription(aiortc.RTCSessionDescription(offer, "offer"))
        assert hooks.negotiate_playout_delay(connection, transceiver)
        answer = await connection.createAnswer()
        assert f"a=extmap:9 {hooks.PLAYOUT_DELAY}" in answer.sdp
        extension_map: Any = transceiver.sender._RTCRtpSender__rtp_header_extensions_map  # type: ignore[attr-defined]
        packed = extension_map.set(HeaderExtensions())
        assert unpack_header_extensions(*packed) == [(9, hooks.NO_DELAY)]
        await connection.close()


async def test_without_the_extension_nothing_is_added() -> None:
    async with Peer("ann") as ann:
        connection = RTCPeerConnection()
        transceiver = connection.addTransceiver("video", "sendonly")
        connection.addTransceiver("audio", "sendonly")
        await connection.setRemoteDescription(aiortc.RTCSessionDescription(await ann.offer(), "offer"))
        assert not hooks.negotiate_playout_delay(connection, transceiver)
        await connection.close()


def hosts(sdp: str) -> set[str]:
    return {c.ip for m in SessionDescription.parse(sdp).media for c in m.ice_candidates}


@pytest.mark.parametrize("addresses", [[], ["192.0.2.77"]])
async def test_loopback_is_offered_where_it_is_wanted_also_without_any_network(
    monkeypatch: pytest.MonkeyPatch, addresses: list[str]
) -> None:
    monkeypatch.setattr("aioice.ice.get_host_addresses", lambda use_ipv4, use_ipv6: list(addresses))
    for wanted in (True, False):
        connection = RTCPeerConnection()
        connection.addTransceiver("audio")
        connection.createDataChannel("events")
        hooks.tune_gathering(connection, loopback=wanted, limit_s=1)
        await connection.setLocalDescription(await connection.createOffer())
        assert ("127.0.0.1" in hosts(connection.localDescription.sdp)) is wanted
        await connection.close()


async def test_a_picture_loss_told_by_a_real_peer_brings_a_keyframe(tmp_path: Path) -> None:
    async with a_call(tmp_path) as stage, Peer("ann") as ann:
        await ann.join(stage.call)
        await until(lambda: len(ann.frames) > 5 and ann.told(channel.Hello))
        receiver: Any = ann.connection.getTransceivers()[0].receiver
        made = stage.camera.keyframes_made
        await receiver._send_rtcp_pli(next(iter(receiver._RTCRtpReceiver__remote_streams)))
        await until(lambda: stage.camera.keyframes_made > made, limit_s=5)


def test_nothing_else_of_ours_uses_private_names_of_aiortc() -> None:
    mangled = re.compile(r"_RTC[A-Z]\w+__\w+|\._(retransmit|next_encoded_frame|handle_rtcp_packet|send_rtp|ssrc)\b")
    files = Path(hooks.__file__).parent.glob("*.py")
    names = {p.name for p in files if mangled.search(p.read_text())}
    assert {"aiortc_hooks.py"} <= names <= {"aiortc_hooks.py", "aiortc_hooks_sound.py"}
