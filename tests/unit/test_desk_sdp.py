"""What the desk reads in SDP, and the credentials it mints for TURN."""

from __future__ import annotations

import base64
import hashlib
import hmac
from pathlib import Path

import msgspec
import pytest

from desk.calls.ice import IceServers
from desk.calls.sdp import Section, candidates_of, is_sdp, mux_only, one_way, sections, ufrag_of
from desk.config import CallSettings, IceServer, load
from kiosk.errors import ConfigError
from kiosk.session.record import Actor
from kiosk.session.states import Role
from kiosk.wire.codec import MAX_MESSAGE, MAX_SDP, decode, encode
from kiosk.wire.messages import Ice, Offer, SignalDown

HEAD = "v=0\r\ns=-\r\n"
VIDEO, AUDIO = "m=video 9 X 96\r\na=recvonly\r\n", "m=audio 9 X 0\r\n"


def test_candidates_of_a_fragment_keep_their_section() -> None:
    fragment = (
        "a=ice-ufrag:x\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\na=candidate:1 1 udp\r\na=mid:1\r\na=end-of-candidates\r\n"
    )
    assert ufrag_of(fragment) == "x"
    assert candidates_of(fragment) == [("0", "candidate:1 1 udp"), ("1", "")]
    assert candidates_of("") == []


def test_a_section_without_a_word_on_its_direction_goes_both_ways_or_as_the_session_says() -> None:
    assert sections(HEAD + VIDEO + AUDIO) == [Section("video", "recvonly"), Section("audio", "sendrecv")]
    assert sections(HEAD + "a=sendonly\r\n" + VIDEO + AUDIO)[1] == Section("audio", "sendonly")
    assert sections(HEAD) == []
    assert not is_sdp("hello")


def test_an_offer_is_narrowed_to_one_way_and_nothing_else_is_touched() -> None:
    channel = "m=application 9 X x\r\na=mid:2\r\n"
    narrowed = one_way(HEAD + "a=sendrecv\r\n" + VIDEO + AUDIO + channel, "sendonly")
    assert narrowed == HEAD + VIDEO + AUDIO + "a=sendonly\r\n" + channel
    assert one_way(narrowed, "sendonly") == narrowed


def test_an_answer_says_that_it_is_muxed_only_once() -> None:
    answer = mux_only("v=0\r\nm=audio\r\na=rtcp-mux\r\nm=video\r\na=rtcp-mux\r\n")
    assert answer.count("a=rtcp-mux-only\r\n") == 2
    assert mux_only(answer) == answer


def test_a_credential_is_minted_for_each_asker_and_for_a_time(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("north\n")
    server = IceServer(urls=("turn:t:3478", "turns:t:443"), secret_file=str(tmp_path / "secret"), lifetime_s=600)
    servers = IceServers((IceServer(urls=("stun:t:3478",)), server), now=lambda: 1_000_000.5)
    stun, turn = servers.of("anna")
    assert stun == Ice(("stun:t:3478",))
    assert turn.username == "1000600:anna"
    signature = hmac.new(b"north", b"1000600:anna", hashlib.sha1).digest()
    assert turn.credential == base64.b64encode(signature).decode()
    assert servers.of("kiosk-1")[1].username == "1000600:kiosk-1"
    assert servers.links("anna").startswith(
        '<stun:t:3478>; rel="ice-server", <turn:t:3478>; rel="ice-server"; username='
    )
    assert turn.credential not in repr(turn)
    assert IceServers(()).links("anna") == ""


@pytest.mark.parametrize(
    "text",
    [
        'urls = ["http://t"]',
        'urls = ["turn:t>; rel=x"]',
        "urls = []",
        'urls = ["turn:t"]\nlifetime_s = 5',
        'urls = ["turn:t"]\nsecret_file = "s"\nusername = "u"',
    ],
)
def test_an_ice_server_that_cannot_be_meant_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "desk.toml"
    path.write_text(f"[[call.ice_servers]]\n{text}\n")
    with pytest.raises(ConfigError, match=r"call\.ice_servers"):
        load(path)


def test_as_many_servers_as_are_taken_fit_into_one_message_with_the_longest_offer() -> None:
    settings = CallSettings(ice_servers=(IceServer(urls=tuple(f"turn:{'h' * 290}{n}" for n in range(6))),) * 4)
    ice = tuple(Ice(s.urls, "u" * 200, "c" * 200) for s in settings.ice_servers)
    offer = Offer(peer="peer-1", actor=Actor(Role.STAFF, "anna", "Anna"), sdp="v" * MAX_SDP, ice=ice)
    assert decode(encode(offer), SignalDown, MAX_MESSAGE) == offer
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"ice_servers": [{"urls": ["turn:t"]}] * 5}, CallSettings)
