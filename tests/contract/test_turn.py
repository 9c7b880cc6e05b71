"""Calls through a TURN server and nothing else, over UDP, TCP and TLS, with credentials as the desk mints them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, async_playwright

from kiosk.call.ice import Ways, own_ways
from kiosk.call.way import GATHER_LIMIT_S
from kiosk.config import CallSettings
from kiosk.errors import ConfigError
from kiosk.session.record import Person
from kiosk.wire.messages import Ice
from tests.contract.call_site import a_call
from tests.contract.fakes import Peer, until
from tests.contract.test_call_browser import ARGUMENTS, PAGE
from tests.contract.turn_site import Turn, coturn, deaf_port

WAYS = ("udp", "tcp", "tls")


@pytest.fixture
async def turn(tmp_path: Path) -> AsyncIterator[Turn]:
    async with coturn(tmp_path) as turn:
        yield turn


def candidates(sdp: str) -> list[str]:
    return [line.split(" typ ")[1].split()[0] for line in sdp.splitlines() if line.startswith("a=candidate:")]


@pytest.mark.parametrize("way", WAYS)
async def test_a_kiosk_that_may_only_use_its_relay_is_in_the_call_all_the_same(
    turn: Turn, tmp_path: Path, way: str
) -> None:
    settings = CallSettings(relay_only=True, loopback=True, turn_ca_file=turn.ca_file)
    told: list[str] = []
    async with a_call(tmp_path, settings=settings, on_relays=told.append) as stage, Peer("ann") as ann:
        answer = await ann.join(stage.call, (turn.server(way),))
        assert set(candidates(answer)) == {"relay"}
        assert "127.0.0.1 0 " not in answer
        await until(lambda: len(ann.frames) > 10 and len(ann.sound) > 20)
        assert set(told) == {""}


@pytest.mark.parametrize("way", WAYS)
async def test_a_browser_that_may_only_use_a_relay_sees(turn: Turn, tmp_path: Path, way: str) -> None:
    server = turn.server(way, name="anna")
    async with a_call(tmp_path) as stage, browser(turn) as page:
        offer = await page.evaluate("server => relayed(server)", told(server))
        answer = await stage.call.join("peer-eve", Person("person-eve", "Eve"), offer)
        await page.evaluate("sdp => pc.setRemoteDescription({type: 'answer', sdp})", answer)
        await page.wait_for_function("frames.length > 10")
        await page.wait_for_function("pairs().then((used) => used.length)")
        await page.wait_for_function("pairs().then((used) => String(used) === 'relay')")


async def test_both_ends_behind_their_relays_see_each_other(turn: Turn, tmp_path: Path) -> None:
    settings = CallSettings(relay_only=True)
    async with a_call(tmp_path, settings=settings) as stage, browser(turn) as page:
        offer = await page.evaluate("server => relayed(server)", told(turn.server("tcp", name="anna")))
        answer = await stage.call.join("peer-eve", Person("person-eve", "Eve"), offer, (turn.server("udp"),))
        await page.evaluate("sdp => pc.setRemoteDescription({type: 'answer', sdp})", answer)
        await page.wait_for_function("frames.length > 10")


async def test_where_udp_is_blocked_the_relay_is_reached_over_tcp_without_delay(turn: Turn, tmp_path: Path) -> None:
    deaf, port = deaf_port()
    servers = (
        Ice((f"stun:127.0.0.1:{port}", f"turn:127.0.0.1:{port}"), "1:x", "y"),
        turn.server("tcp"),
    )
    told: list[str] = []
    loop = asyncio.get_running_loop()
    with deaf:
        async with (
            a_call(tmp_path, settings=CallSettings(relay_only=True), on_relays=told.append) as stage,
            Peer("ann") as ann,
        ):
            began_s = loop.time()
            await ann.join(stage.call, servers)
            assert loop.time() - began_s < GATHER_LIMIT_S, "it does not wait for the dead ones until the limit"
            await until(lambda: len(ann.frames) > 5)
    assert told == [""]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"secret": "another"}, "it refuses our credential"),
        ({"lifetime_s": -10}, "it refuses our credential"),
        ({"ways": ("tls",)}, "its certificate is not trusted"),
    ],
)
async def test_what_is_wrong_with_a_relay_is_said_in_words_and_the_call_goes_on_without(
    turn: Turn, tmp_path: Path, more: dict[str, Any], said: str
) -> None:
    ways = more.pop("ways", ("udp", "tcp"))
    told: list[str] = []
    async with a_call(tmp_path, on_relays=told.append) as stage, Peer("ann") as ann:
        await ann.join(stage.call, (turn.server(*ways, **more),))
        await until(lambda: len(ann.frames) > 5)
    assert said in told[0]
    assert turn.url(ways[0]) in told[0]
    assert "another" not in told[0]


def test_the_kiosks_own_settings_go_before_what_the_desk_tells(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("secret\n")
    password = str(tmp_path / "password")
    own = own_ways(CallSettings(turn="turn:t:3478", turn_user="u", turn_password_file=password, stun="stun:s"))
    assert own.servers == (Ice(("stun:s",)), Ice(("turn:t:3478",), "u", "secret"))
    desks = (Ice(("turn:desk",), "1:kiosk-1", "x"),)
    assert own.told(desks) is own
    assert own_ways(CallSettings(relay_only=True)).told(desks) == Ways(desks, relay_only=True)
    with pytest.raises(ConfigError, match="turn_ca_file"):
        own_ways(CallSettings(turn_ca_file=str(tmp_path / "nowhere.pem")))
    with pytest.raises(ConfigError, match="turn_ca_file"):
        own_ways(CallSettings(turn_ca_file=password))


RELAYED = """
window.relayed = async (server) => {
  const Plain = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Plain {
    constructor() { super({ iceServers: [server], iceTransportPolicy: "relay" }); }
  };
  await offer();
  while (!pc.localDescription.sdp.includes("typ relay")) await new Promise((later) => setTimeout(later, 50));
  return pc.localDescription.sdp;
};
window.pairs = async () => {
  const all = [...(await pc.getStats()).values()];
  const used = all.filter((s) => s.type === "candidate-pair" && s.nominated && s.bytesReceived > 0);
  return [...new Set(used.map((s) => all.find((c) => c.id === s.localCandidateId).candidateType))];
};
"""


def told(server: Ice) -> dict[str, Any]:
    return {"urls": list(server.urls), "username": server.username, "credential": server.credential}


@contextlib.asynccontextmanager
async def browser(turn: Turn) -> AsyncIterator[Page]:
    """A page in a Chromium that believes the TURN server's certificate."""
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=[*ARGUMENTS, "--allow-loopback-in-peer-connection", "--ignore-certificate-errors"],
        )
        page = await chromium.new_page()
        await page.evaluate(PAGE + RELAYED + "0;")
        yield page
        await chromium.close()
