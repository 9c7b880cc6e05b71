"""What we rely on inside aiortc and aioice. A failure here means: aiortc has changed, read aiortc_hooks.py anew."""

from __future__ import annotations

import asyncio
import inspect
import re
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiortc
import pytest
from aiortc import RTCConfiguration, RTCDtlsTransport, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.rtcconfiguration import RTCBundlePolicy
from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters, RTCRtpSendParameters
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_PSFB_PLI,
    RTCP_RTPFB_NACK,
    HeaderExtensions,
    HeaderExtensionsMap,
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
from kiosk.call.aiortc_hooks_extensions import (
    PLAYOUT_DELAY,
    SEND_TIME,
    TRANSPORT_NUMBER,
    Extensions,
    find,
    negotiate,
)
from kiosk.call.aiortc_hooks_ice import gather_over
from kiosk.call.feedback import Fate, split
from kiosk.call.ice import Ways
from kiosk.call.pacer import PACE
from kiosk.call.protection import Copies, Plan
from kiosk.wire import channel
from tests.contract.call_site import a_call
from tests.contract.fakes import Peer, until


class Heard:
    """Follows a VideoSender's feedback."""

    def __init__(self) -> None:
        self.keyframes = 0
        self.estimates: list[float] = []
        self.reports: list[float] = []
        self.fates: list[Fate] = []

    def keyframe_wanted(self) -> None:
        self.keyframes += 1

    def estimated(self, remb_bps: float) -> None:
        self.estimates.append(remb_bps)

    def reported(self, loss: float, round_trip_s: float | None) -> None:
        self.reports.append(loss)

    def arrived(self, fates: list[Fate]) -> None:
        self.fates += fates


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
        self.heard: list[bytes] = []

    async def _send_rtp(self, data: bytes) -> None:
        self.sent.append(data)

    async def _handle_rtcp_data(self, data: bytes) -> None:
        self.heard.append(data)

    async def _handle_rtp_data(self, data: bytes, arrival_time_ms: int) -> None:
        self.heard.append(data)

    def _get_stats(self) -> dict[str, Any]:
        return {}

    def anything_else(self) -> str:
        return "passed on"


Made = tuple[hooks.VideoSender, Any, Heard, Clock, Wire]


OFFERED = f"""v=0
o=- 1 1 IN IP4 0.0.0.0
s=-
t=0 0
a=group:BUNDLE 0 1
a=msid-semantic:WMS *
m=video 9 UDP/TLS/RTP/SAVPF 97 98
c=IN IP4 0.0.0.0
a=recvonly
a=mid:0
a=extmap:3 {SEND_TIME}
a=extmap:5 {TRANSPORT_NUMBER}
a=extmap:9 {PLAYOUT_DELAY}
a=rtcp-mux
a=rtpmap:97 H264/90000
a=fmtp:97 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f
a=rtcp-fb:97 nack
a=rtcp-fb:97 nack pli
a=rtcp-fb:97 transport-cc
a=rtpmap:98 rtx/90000
a=fmtp:98 apt=97
a=ice-ufrag:abcd
a=ice-pwd:abcdefghijklmnopqrstuv
a=fingerprint:sha-256 {":".join(["AB"] * 32)}
a=setup:actpass
m=audio 9 UDP/TLS/RTP/SAVPF 111
c=IN IP4 0.0.0.0
a=recvonly
a=mid:1
a=extmap:5 {TRANSPORT_NUMBER}
a=rtcp-mux
a=rtpmap:111 opus/48000/2
a=rtcp-fb:111 transport-cc
a=ice-ufrag:abcd
a=ice-pwd:abcdefghijklmnopqrstuv
a=fingerprint:sha-256 {":".join(["AB"] * 32)}
a=setup:actpass
""".replace("\n", "\r\n")


@asynccontextmanager
async def answering(offer: str = OFFERED) -> AsyncIterator[tuple[RTCPeerConnection, Any, Any]]:
    """(connection, its video transceiver, its audio transceiver), with the offer set and not yet answered."""
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_COMPAT))
    video = connection.addTransceiver("video", "sendonly")
    audio = connection.addTransceiver("audio", "sendonly")
    await connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
    try:
        yield connection, video, audio
    finally:
        await connection.close()


@pytest.fixture
async def made() -> AsyncIterator[Made]:
    """A hooked sender: (hooks, aiortc's sender, what it feeds back, its clock, its wire)."""
    async with answering() as (connection, video, audio):
        heard, clock, wire = Heard(), Clock(), Wire()
        video.sender.setTransport(wire)
        audio.sender.setTransport(wire)
        hooked = hooks.VideoSender(connection, video, heard, clock)
        hooked.add_sound(connection, audio)
        extensions = RTCRtpSendParameters(headerExtensions=video._headerExtensions)
        video.sender._RTCRtpSender__rtp_header_extensions_map.configure(extensions)
        video.sender._RTCRtpSender__rtx_payload_type = 98  # as `send` finds it in the answer
        yield hooked, video.sender, heard, clock, wire


def a_packet(sender: Any, number: int, size: int = 1000, timestamp: int = 1, last: bool = False) -> bytes:
    """As aiortc hands it to its transport."""
    packet = RtpPacket(payload_type=97, sequence_number=number, timestamp=timestamp, payload=b"x" * size)
    packet.ssrc = sender._ssrc
    packet.marker = int(last)
    packet.extensions.abs_send_time = 0
    return packet.serialize(sender._RTCRtpSender__rtp_header_extensions_map)


def field(packet: bytes, extension_id: int, size: int) -> int:
    at = find(packet, extension_id)
    assert at > 0
    return int.from_bytes(packet[at : at + size], "big")


def transport_feedback(first: int, statuses: list[int], deltas: bytes) -> bytes:
    """RTCP with one status vector of two-bit symbols for each seven packets."""
    chunks = b""
    for k in range(0, len(statuses), 7):
        part = (statuses[k : k + 7] + [0] * 7)[:7]
        chunks += (0xC000 | sum(s << 12 - 2 * i for i, s in enumerate(part))).to_bytes(2, "big")
    body = struct.pack("!IIHHI", 1, 2, first, len(statuses), 7 << 8) + chunks + deltas
    body += b"\0" * (-len(body) % 4)
    return struct.pack("!BBH", 0x80 | 15, 205, len(body) // 4) + body


def nack(sender: Any, *lost: int) -> RtcpRtpfbPacket:
    return RtcpRtpfbPacket(fmt=RTCP_RTPFB_NACK, ssrc=1, media_ssrc=sender._ssrc, lost=list(lost))


def test_the_minor_version_is_the_one_that_was_read() -> None:
    assert aiortc.__version__.startswith("1.16.")


@pytest.mark.parametrize(
    ("method", "uses"),
    [
        ("_next_encoded_frame", ["pack(", ".recv()"]),
        ("_handle_rtcp_packet", ["self._retransmit(", "self._send_keyframe()"]),
        ("_retransmit", ["self.__rtx_payload_type", "ssrc=self._rtx_ssrc"]),
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


async def test_a_lost_packet_is_sent_again_in_the_repair_stream_but_not_twice_within_a_round_trip(made: Made) -> None:
    _, sender, _, clock, wire = made
    await sender.transport._send_rtp(a_packet(sender, 7, last=True))
    wire.sent.clear()
    await sender._handle_rtcp_packet(nack(sender, 7))
    await sender._handle_rtcp_packet(nack(sender, 7, 7))
    (repair,) = wire.sent
    parsed = RtpPacket.parse(repair)
    assert (parsed.ssrc, parsed.payload_type, parsed.payload[:2]) == (sender._rtx_ssrc, 98, b"\0\7")
    assert parsed.payload[2:] == b"x" * 1000
    clock.now_s += 1
    await sender._handle_rtcp_packet(nack(sender, 7))
    assert len(wire.sent) == 2


async def test_where_no_repair_stream_was_agreed_upon_the_packet_itself_is_sent_again(made: Made) -> None:
    _, sender, _, _, wire = made
    sender._RTCRtpSender__rtx_payload_type = None
    await sender.transport._send_rtp(a_packet(sender, 7, last=True))
    await sender._handle_rtcp_packet(nack(sender, 7))
    assert [RtpPacket.parse(p).payload for p in wire.sent] == [b"x" * 1000] * 2


async def test_a_packet_too_old_to_repair_brings_a_keyframe(made: Made) -> None:
    _, sender, heard, _, wire = made
    await sender._handle_rtcp_packet(nack(sender, 7))
    assert (heard.keyframes, wire.sent) == (1, [])


@pytest.mark.parametrize(("copies", "times"), [("all", 1), ("all twice", 2)])
async def test_on_a_lossy_link_a_frame_is_followed_by_its_copies_and_repairs_go_out_twice(
    made: Made, copies: Copies, times: int
) -> None:
    hooked, sender, _, clock, wire = made
    hooked.follow(2_500_000, loss=0.05, round_trip_s=0.15, plan=Plan(copies, 0.05))
    await sender.transport._send_rtp(a_packet(sender, 7))
    await sender.transport._send_rtp(a_packet(sender, 8, last=True))
    clock.now_s += 0.02
    await hooked._kick()
    sent = [RtpPacket.parse(p) for p in wire.sent]
    assert [p.ssrc for p in sent] == [sender._ssrc] * 2 + [sender._rtx_ssrc] * 2 * times
    assert [p.payload[:2] for p in sent[2:]] == [b"\0\7", b"\0\10"] * times
    await sender._handle_rtcp_packet(nack(sender, 7))
    assert len(wire.sent) == len(sent) + 2


async def test_what_a_report_says_is_missing_is_sent_again_though_nobody_asked_unless_another_of_it_came(
    made: Made,
) -> None:
    hooked, sender, _, clock, wire = made
    hooked.follow(2_500_000, loss=0.01, round_trip_s=0.15, plan=Plan("all", 0.05))
    await sender.transport._send_rtp(a_packet(sender, 7))
    await sender.transport._send_rtp(a_packet(sender, 8, last=True))
    clock.now_s += 0.02
    await hooked._kick()
    wire.sent.clear()  # 7, 8, 7 again, 8 again: of the second both are lost
    await wire._handle_rtcp_data(transport_feedback(first=0, statuses=[1, 0, 0, 0], deltas=bytes([4])))
    await wire._handle_rtcp_data(transport_feedback(first=0, statuses=[1, 0, 0, 0], deltas=bytes([4])))
    await hooked._kick()
    assert [RtpPacket.parse(p).payload[:2] for p in wire.sent] == [b"\0\10"]
    await sender._handle_rtcp_packet(nack(sender, 8))  # its asking was late only
    assert len(wire.sent) == 1


async def test_of_copies_only_the_last_packet_s_is_sent_where_that_is_enough(made: Made) -> None:
    hooked, sender, _, clock, wire = made
    hooked.follow(2_500_000, loss=0.01, round_trip_s=0.05, plan=Plan("last", 0.07))
    await sender.transport._send_rtp(a_packet(sender, 7))
    await sender.transport._send_rtp(a_packet(sender, 8, last=True))
    clock.now_s += 0.02
    await hooked._kick()
    assert [RtpPacket.parse(p).payload[:2] for p in wire.sent[2:]] == [b"\0\10"]


async def test_a_keyframe_does_not_leave_in_one_burst(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    hooked, sender, _, clock, wire = made
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)
        clock.now_s += seconds

    monkeypatch.setattr("kiosk.call.aiortc_hooks.asyncio", SimpleNamespace(sleep=sleep, Event=asyncio.Event))
    hooked.follow(1_000_000, loss=0.0, round_trip_s=0.05, plan=Plan())
    for n in range(100):
        await sender.transport._send_rtp(a_packet(sender, n, 1100))
    running = asyncio.create_task(hooked.run())
    await asyncio.sleep(0)
    running.cancel()
    assert len(wire.sent) == 100
    assert sum(waited) == pytest.approx(100 * 1130 * 8 / (PACE * 1_000_000), rel=0.1)
    assert hooked.sent_bytes == hooked.new_bytes == sum(map(len, wire.sent))


async def test_sound_and_reports_pass_the_picture_that_waits(made: Made) -> None:
    hooked, sender, _, _, wire = made
    hooked.follow(100_000, loss=0.0, round_trip_s=0.05, plan=Plan())
    for n in range(50):
        await sender.transport._send_rtp(a_packet(sender, n, 1100))
    waiting = len(wire.sent)
    assert waiting < 10
    sound = RtpPacket(payload_type=111, sequence_number=1, payload=b"s" * 80).serialize()
    assert hooked.sound_lane
    await hooked.sound_lane._send_rtp(sound)
    await sender.transport._send_rtp(bytes(RtcpRrPacket(ssrc=1)))
    assert wire.sent[waiting:] == [sound, bytes(RtcpRrPacket(ssrc=1))]


async def test_the_next_frame_is_taken_only_when_the_last_has_left(made: Made) -> None:
    hooked, sender, _, clock, _ = made
    taken: list[object] = []

    async def next_frame(codec: object) -> None:
        taken.append(codec)

    hooked._aiortc_next_frame = next_frame
    hooked.follow(100_000, loss=0.0, round_trip_s=0.05, plan=Plan())
    for n in range(50):
        await sender.transport._send_rtp(a_packet(sender, n, 1100))
    taking = asyncio.create_task(sender._next_encoded_frame("H.264"))
    await asyncio.sleep(0)
    assert not taken
    assert hooked.queue_s > 0.3
    for _ in range(50):
        clock.now_s += 1
        await hooked._kick()
    await taking
    assert taken == ["H.264"]
    assert hooked.queue_s == 0


async def test_each_packet_bears_the_transport_s_number_and_the_time_it_really_left(made: Made) -> None:
    _, sender, _, clock, wire = made
    for n in range(3):
        clock.now_s += 0.5
        await sender.transport._send_rtp(a_packet(sender, 70 + n, last=True))
    assert [field(p, 5, 2) for p in wire.sent] == [0, 1, 2]
    times = [field(p, 3, 3) for p in wire.sent]
    assert times[1] - times[0] == times[2] - times[1] == 2**17


async def test_reports_of_what_arrived_reach_us_and_nothing_else_is_kept_from_aiortc(made: Made) -> None:
    _, sender, heard, clock, wire = made
    for n in range(3):
        await sender.transport._send_rtp(a_packet(sender, 70 + n, 100, last=True))
    report = transport_feedback(first=0, statuses=[1, 0, 1], deltas=bytes([4, 8]))
    other = bytes(RtcpRrPacket(ssrc=1))
    await wire._handle_rtcp_data(report + other)
    assert [fate.arrived_s is not None for fate in heard.fates] == [True, False, True]
    assert [fate.sent_s for fate in heard.fates] == [clock.now_s] * 3
    assert wire.heard == [other]


async def test_the_picture_waits_while_too_much_is_on_its_way_and_goes_on_with_the_next_report(made: Made) -> None:
    hooked, sender, _, clock, wire = made
    await sender.transport._send_rtp(a_packet(sender, 0, last=True))
    await wire._handle_rtcp_data(transport_feedback(first=0, statuses=[1], deltas=bytes([4])))
    hooked.follow(800_000, loss=0.0, round_trip_s=0.05, plan=Plan())
    for n in range(1, 100):
        await sender.transport._send_rtp(a_packet(sender, n, 1100, last=n % 10 == 0))
        clock.now_s += 0.004
    held = len(wire.sent)
    assert 800_000 / 8 * 0.3 < 1100 * held < 800_000 / 8 * 0.5
    await wire._handle_rtcp_data(transport_feedback(first=1, statuses=[1] * 13, deltas=bytes([4] * 13)))
    await hooked._kick()
    assert len(wire.sent) > held


async def test_a_broken_transport_ends_the_sending(made: Made) -> None:
    hooked, sender, _, _, _ = made

    async def broken(data: bytes) -> None:
        raise ConnectionError

    hooked._wire._send_rtp = broken
    await sender.transport._send_rtp(a_packet(sender, 0, last=True))
    with pytest.raises(ConnectionError):
        await sender.transport._send_rtp(a_packet(sender, 1, last=True))
    await hooked.run()


async def test_all_else_of_the_transport_is_passed_on(made: Made) -> None:
    _, sender, _, _, _ = made
    assert sender.transport.anything_else() == "passed on"
    assert sender.transport.state == "new"


async def test_timestamps_are_translated_both_ways_across_their_wrap(made: Made) -> None:
    hooked, sender, _, _, _ = made
    assert hooked.to_wire(0) is None
    assert hooked.from_wire(0) is None
    hooked._pts = 500
    await sender.transport._send_rtp(a_packet(sender, 1, timestamp=2**32 - 1000, last=True))
    assert hooked.to_wire(500) == 2**32 - 1000
    assert hooked.to_wire(2500) == 1000
    hooked._pts = 3500
    assert hooked.from_wire(1000) == 2500
    assert hooked.from_wire(2**32 - 1000) == 500


async def test_what_is_offered_is_answered() -> None:
    async with answering() as (connection, video, audio):
        assert negotiate(connection, video) == Extensions(playout_delay=9, number=5, send_time=3)
        assert negotiate(connection, audio) == Extensions(number=5)
        answer = (await connection.createAnswer()).sdp
        assert answer.count(f"a=extmap:5 {TRANSPORT_NUMBER}") == 2
        assert f"a=extmap:9 {PLAYOUT_DELAY}" in answer
        assert "a=rtcp-fb:97 transport-cc" in answer
        assert "a=rtcp-fb:111 transport-cc" in answer


@pytest.mark.parametrize(("asked_s", "sent"), [(0.0, 0), (0.05, 5 << 12 | 5), (99.0, 0xFFFFFF)])
async def test_the_playout_delay_is_live(asked_s: float, sent: int) -> None:
    async with answering() as (connection, video, _):
        negotiate(connection, video)
        extensions = video.sender._RTCRtpSender__rtp_header_extensions_map
        extensions.ask_playout(asked_s)
        packet = RtpPacket(payload=b"x").serialize(extensions)
        assert field(packet, 9, 3) == sent


@pytest.mark.parametrize("long_id", [False, True])
async def test_our_extensions_stand_beside_aiortc_s_own_also_with_long_headers(long_id: bool) -> None:
    offer = OFFERED.replace("a=extmap:3 ", "a=extmap:20 ") if long_id else OFFERED
    async with answering(offer) as (connection, video, _):
        negotiate(connection, video)
        extensions = video.sender._RTCRtpSender__rtp_header_extensions_map
        extensions.configure(RTCRtpSendParameters(headerExtensions=video._headerExtensions))
        packed = unpack_header_extensions(*extensions.set(HeaderExtensions(abs_send_time=1)))
        assert {number for number, _ in packed} == {20 if long_id else 3, 5, 9}


async def test_without_the_extensions_nothing_is_added() -> None:
    async with Peer("ann") as ann, answering(await ann.offer()) as (connection, video, _):
        assert negotiate(connection, video).number is None
        assert negotiate(connection, video).playout_delay is None
        assert "transport-cc" not in (await connection.createAnswer()).sdp


async def test_sound_that_goes_another_way_is_left_alone() -> None:
    async with answering(OFFERED.replace("a=group:BUNDLE 0 1\r\n", "")) as (connection, video, audio):
        hooked = hooks.VideoSender(connection, video, Heard(), Clock())
        before = audio.sender.transport
        hooked.add_sound(connection, audio)
        assert audio.sender.transport is before
        assert hooked.sound_lane is None


def test_aiortc_s_transport_still_hears_through_the_names_we_replace() -> None:
    source = inspect.getsource(RTCDtlsTransport._recv_next)
    assert "self._handle_rtcp_data(data)" in source
    assert "self._handle_rtp_data(data, arrival_time_ms=arrival_time_ms)" in source


async def test_what_a_numbering_sender_sends_us_is_reported_to_it(made: Made) -> None:
    _, _, _, clock, wire = made
    for n in range(30):
        clock.now_s += 0.01
        values = HeaderExtensions(transport_sequence_number=n)
        numbers = HeaderExtensionsMap()
        numbers.configure(RTCRtpSendParameters(headerExtensions=[RTCRtpHeaderExtensionParameters(5, TRANSPORT_NUMBER)]))
        packet = RtpPacket(payload_type=97, sequence_number=n, ssrc=99, payload=b"camera")
        packet.extensions = values
        await wire._handle_rtp_data(packet.serialize(numbers), arrival_time_ms=0)
    assert len(wire.heard) == 30  # aiortc gets everything as before
    reports, _ = split(b"".join(wire.sent))
    assert [r.first for r in reports][:2] == [0, 1]
    assert sum(len(r.arrived_s) for r in reports) > 20


@pytest.mark.parametrize("data", [b"", b"\x90", b"\x80" * 11, b"\x90" + b"\0" * 11 + b"\xbe\xde\xff\xff\x51"])
async def test_broken_packets_from_outside_harm_nobody(made: Made, data: bytes) -> None:
    _, _, _, _, wire = made
    await wire._handle_rtp_data(data, arrival_time_ms=0)
    assert wire.heard == [data]


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
        gather_over(connection, Ways(loopback=wanted), 1)
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
    named = [p.name for p in files if mangled.search(p.read_text())]
    assert named
    assert [name for name in named if not name.startswith("aiortc_hooks")] == []
