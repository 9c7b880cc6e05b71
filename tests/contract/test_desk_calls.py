"""WHEP and WHIP at the desk: offers go to the kiosk over MQTT, answers come back, and only to whom they belong."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from desk.calls import bridge as desk_calls
from kiosk.session.states import State
from kiosk.wire import topics
from kiosk.wire.messages import AnswerSdp, Bye, Candidate, Offer
from tests.contract.desk_site import ANNA, BEN, Kiosk, Site, a_session, next_rev, until

OFFER = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=ice-ufrag:abcd\r\na=sendrecv\r\n"
VIEW = OFFER.replace("sendrecv", "recvonly")
ANSWER = "v=0\r\no=- 2 2 IN IP4 0.0.0.0\r\ns=-\r\n"
SDP = {"Content-Type": "application/sdp"}
FRAGMENT = {"Content-Type": "application/trickle-ice-sdpfrag"}
CANDIDATE = "candidate:1 1 udp 2130706431 192.0.2.1 3478 typ host"
TRICKLED = (
    f"a=ice-ufrag:abcd\r\na=ice-pwd:x\r\nm=video 9 RTP/AVP 0\r\na=mid:0\r\na={CANDIDATE}\r\na=end-of-candidates\r\n"
)


@pytest.fixture
async def kiosk(site: Site) -> AsyncIterator[Kiosk]:
    """Holds a running session `s-1` of Anna and Ben, and answers every offer."""
    async with site.kiosk() as kiosk:
        kiosk.signals_back = lambda s: AnswerSdp(peer=s.peer, sdp=ANSWER) if isinstance(s, Offer) else None
        await kiosk.told(a_session(state=State.RUNNING, assigned=(ANNA, BEN)))
        yield kiosk


async def call(http: httpx.AsyncClient, sdp: str = OFFER, session: str = "s-1", **query: str) -> httpx.Response:
    return await http.post(f"/api/sessions/{session}/call", content=sdp, headers=SDP, params=query)


async def test_an_offer_is_answered_by_the_kiosk(site: Site, kiosk: Kiosk, anna: httpx.AsyncClient) -> None:
    answer = await call(anna)
    assert (answer.status_code, answer.text) == (201, ANSWER)
    assert answer.headers["content-type"].startswith("application/sdp")
    session, offer = kiosk.signals[0]
    assert isinstance(offer, Offer)
    assert (session, offer.actor.id, offer.sdp) == ("s-1", "anna", OFFER)
    assert answer.headers["location"] == f"/api/sessions/s-1/call/{offer.peer}"
    assert answer.headers["etag"].startswith('"')
    assert '<stun:127.0.0.1:3478>; rel="ice-server"' in answer.headers["link"]
    assert 'username="desk"; credential="turn-secret"' in answer.headers["link"]
    assert len(offer.peer) == 32


async def test_candidates_are_trickled_and_the_end_is_told(kiosk: Kiosk, anna: httpx.AsyncClient) -> None:
    place = (answer := await call(anna)).headers["location"]
    for match in ("*", answer.headers["etag"]):
        told = await anna.patch(place, content=TRICKLED, headers=FRAGMENT | {"If-Match": match})
        assert (told.status_code, told.headers.get("etag")) == (204, None)
    told = await until(lambda: [s for _, s in kiosk.signals if isinstance(s, Candidate)][3:] and kiosk.signals)
    assert [(s.candidate, s.mid) for _, s in told[1:3]] == [(CANDIDATE, "0"), ("", "0")]
    assert (await anna.delete(place)).status_code == 200
    await until(lambda: [s for _, s in kiosk.signals if isinstance(s, Bye)])
    assert (await anna.delete(place)).status_code == 404


async def test_what_does_not_fit_is_refused_as_rfc_9725_has_it(kiosk: Kiosk, anna: httpx.AsyncClient) -> None:
    path = "/api/sessions/s-1/call"
    assert (await anna.post(path, json={})).status_code == 415
    assert (await anna.post(path, content="x" * 50_000, headers=SDP)).status_code == 413
    assert (await anna.post(path, content="", headers=SDP)).status_code == 400
    assert (await anna.post(path, content="this is no SDP at all", headers=SDP)).status_code == 400
    assert (await anna.post(path, content=OFFER, headers=SDP | {"Accept": "text/html"})).status_code == 406
    assert (await call(anna, session="s-none")).status_code == 404
    place = (await call(anna)).headers["location"]
    restart = TRICKLED.replace("abcd", "efgh")
    for content, headers, status in (
        (TRICKLED, SDP, 415),
        ("a=mid:0\r\nnothing more\r\n", FRAGMENT, 400),
        (TRICKLED, FRAGMENT, 428),
        (TRICKLED, FRAGMENT | {"If-Match": '"other"'}, 412),
        (restart, FRAGMENT, 428),
        (restart, FRAGMENT | {"If-Match": '"other"'}, 412),
    ):
        assert (await anna.patch(place, content=content, headers=headers)).status_code == status
    assert (await anna.patch(f"{path}/{'0' * 32}", content=TRICKLED, headers=FRAGMENT)).status_code == 404


async def test_only_assigned_staff_call_and_only_while_it_runs(site: Site, kiosk: Kiosk) -> None:
    async with site.person("clara") as clara, site.person("anna") as anna:
        refused = await call(clara)
        assert (refused.status_code, refused.json()["code"]) == (403, "not_assigned")
        await kiosk.told(a_session(rev=2, state=State.COMPLETED, assigned=(ANNA, BEN)))
        refused = await call(anna)
        assert (refused.status_code, refused.json()["code"]) == (409, "wrong_state")
    assert not kiosk.signals


async def test_the_kiosks_refusal_is_passed_on(kiosk: Kiosk, anna: httpx.AsyncClient) -> None:
    for code, status in (
        ("wrong_state", 409),
        ("not_assigned", 403),
        ("full", 409),
        ("malformed", 422),
        ("device", 502),
    ):

        def decline(signal: Any, code: str = code) -> Bye | None:
            return Bye(peer=signal.peer, code=code, text="no") if isinstance(signal, Offer) else None

        kiosk.signals_back = decline
        refused = await call(anna)
        assert (refused.status_code, refused.json()["code"], refused.json()["detail"]) == (status, code, "no")


async def test_a_kiosk_that_does_not_answer_is_503(
    kiosk: Kiosk, anna: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk_calls, "ANSWER_S", 0.05)
    kiosk.signals_back = lambda _: None
    silent = await call(anna)
    assert (silent.status_code, silent.json()["code"], silent.headers["retry-after"]) == (503, "unreachable", "2")


async def test_a_new_offer_replaces_ones_own_connection_only(site: Site, kiosk: Kiosk) -> None:
    async with site.person("anna") as anna, site.person("ben") as ben:
        first = await call(anna)
        peer = first.headers["location"].rpartition("/")[2]
        again = await call(anna, peer=peer)
        assert (again.status_code, again.headers["location"]) == (201, first.headers["location"])
        assert again.headers["etag"] != first.headers["etag"]
        assert [s.peer for _, s in kiosk.signals] == [peer, peer]
        assert (await call(ben, peer=peer)).status_code == 404
        assert (await ben.delete(first.headers["location"])).status_code == 404
        assert (await ben.patch(first.headers["location"], content=TRICKLED, headers=FRAGMENT)).status_code == 404


async def test_the_kiosks_bye_is_told_to_the_one_whose_connection_it_was(site: Site, kiosk: Kiosk) -> None:
    async with site.person("anna") as anna, site.person("ben") as ben:
        peer = (await call(anna)).headers["location"].rpartition("/")[2]
        async with ben.stream("GET", "/api/events") as bens, anna.stream("GET", "/api/events") as annas:
            lines, bens_lines = annas.aiter_lines(), bens.aiter_lines()
            while "hello" not in await anext(lines):
                pass
            while "hello" not in await anext(bens_lines):
                pass
            await kiosk.say(topics.SIGNAL_UP, Bye(peer=peer, code="device", text="camera gone"), "s-1")
            await kiosk.told(next_rev(a_session(state=State.RUNNING, assigned=(ANNA, BEN))))
            while "event: gone" not in await anext(lines):
                pass
            told = json.loads((await anext(lines)).removeprefix("data: "))
            assert told == {"session": "s-1", "peer": peer, "code": "device", "text": "camera gone"}
            events = [line async for line in _until_event(bens_lines)]
            assert "event: gone" not in events
        assert (await anna.delete(f"/api/sessions/s-1/call/{peer}")).status_code == 404


async def _until_event(lines: AsyncIterator[str]) -> AsyncIterator[str]:
    async for line in lines:
        yield line
        if line == "event: session":
            return


async def test_a_call_that_is_over_takes_its_connections_with_it(kiosk: Kiosk, anna: httpx.AsyncClient) -> None:
    place = (await call(anna)).headers["location"]
    await kiosk.told(a_session(rev=2, state=State.COMPLETED))
    assert (await anna.patch(place, content=TRICKLED, headers=FRAGMENT)).status_code == 404
