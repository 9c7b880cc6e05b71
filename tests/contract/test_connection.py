"""What carries a participant: its encryption, and that it is noticed when it is gone."""

from __future__ import annotations

import asyncio
import datetime
import re
from pathlib import Path
from typing import Any

import pytest
from aiortc import RTCCertificate
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa

from kiosk.call.aiortc_hooks_dtls import CallCertificate, show
from kiosk.call.aiortc_hooks_ice import agents
from kiosk.call.aiortc_hooks_restart import Restart
from kiosk.call.ice import Ways
from kiosk.call.offer import Fragment, read_fragment
from kiosk.errors import Malformed, WrongState
from kiosk.session import inputs
from kiosk.wire import channel
from tests.contract.call_site import SETTINGS, Stage, a_call
from tests.contract.fakes import Clock, Peer, until


def cut(peer: Peer, *, but_answers: bool = False) -> None:
    """Nothing goes out of it any more, or nothing but answers to STUN."""
    (agent,) = agents(peer.connection)
    for protocol in agent._protocols:
        protocol.send_data = _nowhere
        if not but_answers:
            protocol.send_stun = lambda message, addr: None


def mend(peer: Peer) -> None:
    (agent,) = agents(peer.connection)
    for protocol in agent._protocols:
        for name in ("send_data", "send_stun"):
            vars(protocol).pop(name, None)


async def _nowhere(data: bytes, addr: Any) -> None:
    """A packet that is lost."""


class RsaCertificate(CallCertificate):
    """What GStreamer's dtlsdec shows by default."""

    def __init__(self) -> None:
        key: Any = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a client")])
        now = datetime.datetime.now(tz=datetime.UTC)
        day = datetime.timedelta(days=1)
        builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now - day, now + day)
        super().__init__(key, builder.sign(key, hashes.SHA256()))


@pytest.mark.parametrize("setup", ["actpass", "active"])
async def test_a_client_with_an_rsa_certificate_is_let_in_whichever_end_begins(tmp_path: Path, setup: str) -> None:
    async with a_call(tmp_path) as stage, Peer("ann") as ann:
        show(ann.connection, RsaCertificate())
        offer = re.sub(r"a=setup:\w+", f"a=setup:{setup}", await ann.offer())
        answer = await stage.call.join(ann.id, ann.person, offer)
        assert ("a=setup:active" in answer) is (setup == "actpass")
        await ann.answered(answer)
        await until(lambda: len(ann.frames) > 3)


async def test_all_of_a_call_are_shown_one_certificate_and_the_next_call_s_another(tmp_path: Path) -> None:
    shown = set[str]()
    for _ in range(2):
        async with a_call(tmp_path) as stage, Peer("ann") as ann, Peer("bob") as bob:
            answers = [await peer.join(stage.call) for peer in (ann, bob)]
            both = {line for sdp in answers for line in sdp.splitlines() if line.startswith("a=fingerprint:sha-256")}
            assert len(both) == 1
            shown |= both
    assert len(shown) == 2


async def test_a_plain_viewer_that_vanishes_is_away_within_five_seconds_and_may_come_back(
    tmp_path: Path,
) -> None:
    clock = Clock()
    async with a_call(tmp_path, now=clock) as stage, Peer("ann", channels=False) as ann:
        await ann.join(stage.call)
        await until(lambda: ann.frames and stage.call.people)
        cut(ann)
        stage.call.tick()
        clock.ahead_s += 5
        stage.call.tick()
        assert stage.call.people == ()
        assert stage.tools.people == []
        mend(ann)
        while not stage.call.people:
            stage.call.tick()
            await asyncio.sleep(0.05)
        frames = len(ann.frames)
        await until(lambda: len(ann.frames) > frames)
        assert len(stage.told(inputs.Joined)) == 1, "it is the same connection"
        assert stage.tools.people == [ann.id]


async def test_a_viewer_that_says_nothing_by_itself_is_asked_and_stays(tmp_path: Path) -> None:
    clock = Clock()
    async with a_call(tmp_path, now=clock) as stage, Peer("ann", channels=False) as ann:
        await ann.join(stage.call)
        await until(lambda: ann.frames and stage.call.people)
        cut(ann, but_answers=True)
        participant = stage.call.participants.of(ann.id)
        for _ in range(10):
            clock.ahead_s += 2
            stage.call.tick()
            await until(lambda: clock() - participant._heard_s < 1)
        assert len(stage.call.people) == 1


async def test_nobody_is_waited_for_when_everybody_is_away(tmp_path: Path) -> None:
    clock = Clock()
    async with a_call(tmp_path, now=clock) as stage, Peer("ann", channels=False) as ann:
        await ann.join(stage.call)
        await until(lambda: stage.told(inputs.Joined))
        cut(ann)
        stage.call.tick()
        clock.ahead_s += 5
        stage.call.tick()
        clock.ahead_s += SETTINGS.lost_s + 1
        stage.call.tick()
        await until(lambda: stage.told(inputs.End))


def test_aiortc_still_makes_its_certificate_and_context_under_the_names_we_replace() -> None:
    assert callable(RTCCertificate._create_ssl_context)
    source = Path(str(__import__("aiortc").__path__[0])) / "rtcpeerconnection.py"
    assert "RTCDtlsTransport(iceTransport, self.__certificates)" in source.read_text()


# --- ICE restart ------------------------------------------------------------------------------------------------------


async def restart(stage: Stage, peer: Peer, *, trickled: bool = False) -> Restart:
    """The peer asks for another way, as a client of the desk would over HTTP. Its own agent is restarted by the same
    hook: Chromium, which has its own, does so in tests/whole/test_clients.py."""
    mine = Restart(peer.connection, Ways(loopback=True), 2.0)
    own = await mine.gather()
    first = Fragment(own.ufrag, own.password) if trickled else own
    answer = await stage.call.restart(peer.id, first.sdp("0"))
    mine.begin(read_fragment(answer))
    for candidate in own.candidates if trickled else ():
        await stage.call.candidate(peer.id, candidate, "0")
    return mine


async def another_way(stage: Stage, peer: Peer, trickled: bool) -> None:
    """Its address is gone; it restarts ICE, and gets pictures again."""
    (old,) = agents(peer.connection)
    cut(peer)
    mine = await restart(stage, peer, trickled=trickled)
    await until(lambda: not mine.pending)
    frames = len(peer.frames)
    await until(lambda: len(peer.frames) > frames + 3)
    assert agents(peer.connection) != [old]
    await until(lambda: old._closed)


@pytest.mark.parametrize("trickled", [False, True])
async def test_a_participant_whose_address_is_gone_restarts_ice_and_the_same_connection_goes_on(
    tmp_path: Path, trickled: bool
) -> None:
    async with a_call(tmp_path) as stage, Peer("ann") as ann:
        await ann.join(stage.call)
        await until(lambda: ann.frames and ann.told(channel.Hello))
        await another_way(stage, ann, trickled)
        await another_way(stage, ann, trickled)
        ann.say(channel.Mute(on=True))
        await until(lambda: stage.call.silent == ("Ann",))
        assert len(stage.told(inputs.Joined)) == 1
        assert len(ann.told(channel.Hello)) == 1


async def test_a_restart_that_finds_no_way_leaves_the_connection_where_it_is(tmp_path: Path) -> None:
    async with a_call(tmp_path) as stage, Peer("ann") as ann:
        await ann.join(stage.call)
        await until(lambda: ann.frames and ann.told(channel.Hello))
        nowhere = Fragment("abcd", "x" * 22, ("candidate:1 1 udp 1 127.0.0.1 9 typ host", ""))
        await stage.call.restart(ann.id, nowhere.sdp("0"))
        frames = len(ann.frames)
        await until(lambda: len(ann.frames) > frames + 3)
        mine = await restart(stage, ann)
        await until(lambda: not mine.pending)
        frames = len(ann.frames)
        await until(lambda: len(ann.frames) > frames + 3)


async def test_who_leaves_in_the_middle_of_a_restart_leaves_no_socket(tmp_path: Path) -> None:
    async with a_call(tmp_path) as stage, Peer("ann") as ann:
        await ann.join(stage.call)
        await until(lambda: ann.frames and ann.told(channel.Hello))
        participant = stage.call.participants.of(ann.id)
        await stage.call.restart(ann.id, Fragment("abcd", "x" * 22).sdp("0"))
        assert participant._way._restart is not None
        new = participant._way._restart._new
        await stage.call.leave(ann.id)
        assert new._closed


@pytest.mark.parametrize(
    "fragment",
    ["", "a=ice-ufrag:abcd\r\n", "a=ice-ufrag:ab\r\na=ice-pwd:" + "x" * 22, "a=ice-ufrag:abcd\r\na=ice-pwd:short"],
)
async def test_what_asks_for_no_restart_is_refused(tmp_path: Path, fragment: str) -> None:
    async with a_call(tmp_path) as stage, Peer("ann") as ann:
        with pytest.raises(WrongState):
            await stage.call.restart(ann.id, Fragment("abcd", "x" * 22).sdp("0"))
        await ann.join(stage.call)
        await until(lambda: ann.told(channel.Hello))
        with pytest.raises(Malformed):
            await stage.call.restart(ann.id, fragment)
