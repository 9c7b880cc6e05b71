"""WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep) for other people's programs, sentence by sentence."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import msgspec
import pytest

from desk.calls import bridge as desk_calls
from desk.config import CallSettings, IceServer
from kiosk.session.states import State
from kiosk.wire.messages import AnswerSdp, Bye, Candidate, Offer, Restart
from tests.contract.desk_site import ANNA, BEN, KIOSK, Kiosk, Site, a_session, open_site, until
from tests.contract.test_desk_calls import CANDIDATE, FRAGMENT, SDP, TRICKLED

HEAD = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\n"
VIDEO = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\na=ice-ufrag:abcd\r\na={way}\r\n"
AUDIO = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:1\r\na={way}\r\n"
CHANNEL = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:2\r\n"
ANSWER = "v=0\r\no=- 2 2 IN IP4 0.0.0.0\r\ns=-\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=rtcp-mux\r\n"
DOORS = ("whep", "whip", "talk")
SECRET = "north"


def offer(way: str, *more: str) -> str:
    return HEAD + VIDEO.format(way=way) + AUDIO.format(way=way) + "".join(more)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(tmp_path) as site:
        secret = tmp_path / "shared.secret"
        secret.write_text(SECRET)
        turn = IceServer(urls=("turn:127.0.0.1:3478", "turns:127.0.0.1:5349"), secret_file=str(secret), lifetime_s=600)
        call = CallSettings(ice_servers=(IceServer(urls=("stun:127.0.0.1:3478",)), turn))
        site.config = msgspec.structs.replace(site.config, call=call)
        async with site.desk():
            yield site


@pytest.fixture
async def kiosk(site: Site) -> AsyncIterator[Kiosk]:
    async with site.kiosk() as kiosk:
        kiosk.signals_back = lambda s: AnswerSdp(peer=s.peer, sdp=ANSWER) if isinstance(s, Offer) else None
        await kiosk.told(a_session(state=State.RUNNING, assigned=(ANNA, BEN)))
        yield kiosk


async def token(http: httpx.AsyncClient, session: str = "s-1", **query: str) -> dict[str, str]:
    answer = await http.post(f"/api/sessions/{session}/token", params=query)
    assert answer.status_code == 201, answer.text
    body: dict[str, str] = answer.json()
    return body


@pytest.fixture
async def program(site: Site, kiosk: Kiosk, anna: httpx.AsyncClient) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody else's program, of somewhere else, with a token to talk."""
    given = await token(anna, talk="1")
    headers = {"Authorization": f"Bearer {given['token']}", "Origin": "https://player.example"}
    async with httpx.AsyncClient(base_url=site.url, headers=headers) as http:
        yield http


async def post(http: httpx.AsyncClient, door: str, sdp: str) -> httpx.Response:
    return await http.post(f"/{door}/s-1", content=sdp, headers=SDP)


# --- 4.2 session setup ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("door", "way", "told"),
    [
        ("whep", "recvonly", "recvonly"),
        ("whep", "sendrecv", "recvonly"),
        ("whip", "sendonly", "sendonly"),
        ("whip", "sendrecv", "sendonly"),
        ("talk", "sendrecv", "sendrecv"),
    ],
)
async def test_an_offer_is_answered_201_with_a_place_a_tag_and_the_ice_servers(
    kiosk: Kiosk, program: httpx.AsyncClient, door: str, way: str, told: str
) -> None:
    answer = await post(program, door, offer(way))
    assert answer.status_code == 201
    assert answer.headers["content-type"].startswith("application/sdp")
    assert answer.text == ANSWER + "a=rtcp-mux-only\r\n"
    assert answer.headers["location"].startswith(f"/{door}/s-1/")
    assert answer.headers["etag"].startswith('"')
    _, heard = kiosk.signals[0]
    assert heard.sdp.count(f"a={told}\r\n") == 2, "an answer to it goes one way, as the RFC has it"
    assert heard.actor.id == "anna"


@pytest.mark.parametrize(
    ("door", "sdp"),
    [
        ("whep", offer("sendonly")),
        ("whep", offer("inactive")),
        ("whep", HEAD + VIDEO.format(way="recvonly") + AUDIO.format(way="inactive")),
        ("whep", offer("recvonly", CHANNEL)),
        ("whip", offer("recvonly")),
        ("whip", offer("inactive")),
        ("whip", offer("sendonly", CHANNEL)),
        ("whip", offer("sendonly", VIDEO.format(way="sendonly"))),
        ("whip", HEAD),
    ],
)
async def test_what_goes_another_way_or_twice_is_refused_whole(
    kiosk: Kiosk, program: httpx.AsyncClient, door: str, sdp: str
) -> None:
    refused = await post(program, door, sdp)
    assert (refused.status_code, refused.json()["code"]) == (422, "malformed")
    assert not kiosk.signals


async def test_an_offer_that_the_kiosk_cannot_answer_is_422_not_answered_in_part(
    kiosk: Kiosk, program: httpx.AsyncClient
) -> None:
    kiosk.signals_back = lambda s: Bye(peer=s.peer, code="malformed", text="video without H.264")
    refused = await post(program, "whep", offer("recvonly"))
    assert (refused.status_code, refused.json()["detail"]) == (422, "video without H.264")


async def test_other_types_and_nonsense_are_4xx(kiosk: Kiosk, program: httpx.AsyncClient) -> None:
    for door in DOORS:
        assert (await program.post(f"/{door}/s-1", json={})).status_code == 415
        assert (await post(program, door, "not an SDP, but long enough")).status_code == 400
        accept = SDP | {"Accept": "application/json"}
        assert (await program.post(f"/{door}/s-1", content=offer("sendrecv"), headers=accept)).status_code == 406
        assert (await program.put(f"/{door}/s-1", content="x")).status_code == 405
    assert not kiosk.signals


async def test_a_program_that_leaves_with_delete_is_gone_whatever_its_tag_says(
    kiosk: Kiosk, program: httpx.AsyncClient
) -> None:
    place = (await post(program, "whip", offer("sendonly"))).headers["location"]
    assert (await program.delete(place, headers={"If-Match": '"another"'})).status_code == 200
    await until(lambda: [s for _, s in kiosk.signals if isinstance(s, Bye)])
    assert (await program.delete(place)).status_code == 404


# --- 4.2 HTTP usage and CORS, WHEP 4.2 discovery ----------------------------------------------------------------------


@pytest.mark.parametrize("door", DOORS)
async def test_whoever_only_looks_is_told_what_this_is(kiosk: Kiosk, program: httpx.AsyncClient, door: str) -> None:
    place = (await post(program, door, offer("sendrecv"))).headers["location"]
    for path in (f"/{door}/s-1", place):
        got, headed = await program.get(path), await program.head(path)
        assert (got.status_code, got.content) == (headed.status_code, headed.content) == (200, b"")
        assert got.headers["content-type"].startswith("application/sdp")
        assert headed.headers["content-type"] == got.headers["content-type"]


async def test_a_page_from_anywhere_may_ask_and_read_what_it_needs(site: Site, kiosk: Kiosk) -> None:
    preflight = {"Origin": "https://player.example", "Access-Control-Request-Method": "POST"}
    async with httpx.AsyncClient(base_url=site.url) as page:
        for door in DOORS:
            asked = await page.options(f"/{door}/s-1", headers=preflight)
            assert (asked.status_code, asked.headers["accept-post"]) == (200, "application/sdp")
            assert asked.headers["access-control-allow-origin"] == "*"
            assert {"POST", "PATCH", "DELETE"} <= set(asked.headers["access-control-allow-methods"].split(", "))
            assert {"Authorization", "If-Match"} <= set(asked.headers["access-control-allow-headers"].split(", "))
            assert {"Location", "ETag", "Link"} <= set(asked.headers["access-control-expose-headers"].split(", "))
            assert "link" not in asked.headers, "not to a preflight"
        assert (await page.get("/api/sessions", headers=preflight)).headers.get("access-control-allow-origin") is None


# --- 4.3 trickle and restart ------------------------------------------------------------------------------------------


async def test_candidates_are_taken_under_the_tag_of_their_ice_session_only(
    kiosk: Kiosk, program: httpx.AsyncClient
) -> None:
    answer = await post(program, "whep", offer("recvonly"))
    place, tag = answer.headers["location"], answer.headers["etag"]
    restart = TRICKLED.replace("abcd", "efgh")
    for content, match, status in (
        (TRICKLED, "", 428),
        (TRICKLED, '"outdated"', 412),
        (TRICKLED, f"W/{tag}", 412),
        (TRICKLED, tag, 204),
        (restart, tag, 422),
        ("m=audio 9 RTP/AVP 0\r\n", tag, 400),
    ):
        headers = FRAGMENT | ({"If-Match": match} if match else {})
        told = await program.patch(place, content=content, headers=headers)
        assert (told.status_code, told.headers.get("etag")) == (status, None), (content, match)
    sent = await until(lambda: [s for _, s in kiosk.signals if isinstance(s, Candidate)][1:])
    assert sent[0].candidate == ""
    assert kiosk.signals[1][1].candidate == CANDIDATE
    assert (await program.patch(place, content=TRICKLED, headers=SDP)).status_code == 415


async def test_a_new_name_for_ice_asks_the_kiosk_for_a_restart_and_ends_the_session_before_it(
    kiosk: Kiosk, program: httpx.AsyncClient
) -> None:
    fragment = "a=mid:0\r\na=ice-ufrag:kios\r\na=ice-pwd:k\r\na=end-of-candidates\r\n"
    answer = await post(program, "whep", offer("recvonly"))
    place, tag = answer.headers["location"], answer.headers["etag"]
    kiosk.signals_back = lambda s: AnswerSdp(peer=s.peer, sdp=fragment, offer=s.id) if isinstance(s, Restart) else None
    restart = TRICKLED.replace("abcd", "efgh")
    told = await program.patch(place, content=restart, headers=FRAGMENT | {"If-Match": "*"})
    assert (told.status_code, told.text) == (200, fragment)
    assert told.headers["content-type"].startswith("application/trickle-ice-sdpfrag")
    assert told.headers["etag"] not in ("", tag)
    asked = kiosk.signals[-1][1]
    assert (asked.fragment, asked.peer) == (restart, kiosk.signals[0][1].peer)
    for content, match, status in ((TRICKLED, tag, 412), (restart, told.headers["etag"], 204)):
        late = await program.patch(place, content=content, headers=FRAGMENT | {"If-Match": match})
        assert late.status_code == status


@pytest.mark.parametrize(("code", "status"), [("malformed", 422), ("wrong_state", 409)])
async def test_a_restart_that_is_refused_leaves_the_connection_as_it_is(
    kiosk: Kiosk, program: httpx.AsyncClient, code: str, status: int
) -> None:
    answer = await post(program, "whep", offer("recvonly"))
    place, tag = answer.headers["location"], answer.headers["etag"]
    kiosk.signals_back = lambda s: (
        Bye(peer=s.peer, code=code, text="no", offer=s.id) if isinstance(s, Restart) else None
    )
    restart = TRICKLED.replace("abcd", "efgh")
    told = await program.patch(place, content=restart, headers=FRAGMENT | {"If-Match": '"*"'})
    assert (told.status_code, told.json()["code"]) == (status, code)
    assert (await program.patch(place, content=TRICKLED, headers=FRAGMENT | {"If-Match": tag})).status_code == 204
    assert not any(isinstance(s, Bye) for _, s in kiosk.signals)


async def test_a_kiosk_that_is_silent_to_a_restart_is_503_and_keeps_the_connection(
    kiosk: Kiosk, program: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = await post(program, "whep", offer("recvonly"))
    monkeypatch.setattr(desk_calls, "ANSWER_S", 0.05)
    restart = TRICKLED.replace("abcd", "efgh")
    headers = FRAGMENT | {"If-Match": "*"}
    told = await program.patch(answer.headers["location"], content=restart, headers=headers)
    assert (told.status_code, told.headers["retry-after"]) == (503, "2")
    assert not any(isinstance(s, Bye) for _, s in kiosk.signals)


# --- 4.5 load, 4.6 STUN and TURN --------------------------------------------------------------------------------------


async def test_without_a_broker_come_again_later(site: Site, program: httpx.AsyncClient, kiosk: Kiosk) -> None:
    answer = await post(program, "whep", offer("recvonly"))
    site.end_broker()
    while (await program.get("/healthz")).json()["broker"]:
        await asyncio.sleep(0.01)
    refused = await post(program, "whep", offer("recvonly"))
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
    headers = FRAGMENT | {"If-Match": answer.headers["etag"]}
    told = await program.patch(answer.headers["location"], content=TRICKLED, headers=headers)
    assert (told.status_code, told.headers["retry-after"]) == (503, "2")


async def test_credentials_for_turn_are_minted_for_the_person_and_for_the_kiosk(
    site: Site, kiosk: Kiosk, program: httpx.AsyncClient, anna: httpx.AsyncClient
) -> None:
    link = (await post(program, "whep", offer("recvonly"))).headers["link"]
    assert '<stun:127.0.0.1:3478>; rel="ice-server"' in link
    assert '<turns:127.0.0.1:5349>; rel="ice-server"; username="' in link
    _, heard = kiosk.signals[0]
    kiosks = heard.ice[1]
    told = (await anna.get("/api/ice-servers")).json()["ice_servers"][1]
    for username, credential, name in (
        (kiosks.username, kiosks.credential, KIOSK),
        (told["username"], told["credential"], "anna"),
    ):
        expires, _, whose = username.partition(":")
        assert whose == name
        assert 590 <= int(expires) - time.time() <= 601
        signature = hmac.new(SECRET.encode(), username.encode(), hashlib.sha1).digest()
        assert credential == base64.b64encode(signature).decode()
        assert credential in link or name == KIOSK
    before = await program.options("/whep/s-1")
    assert 'rel="ice-server"' in before.headers["link"], "for those who must know before they offer"
    async with httpx.AsyncClient(base_url=site.url) as stranger:
        assert (await stranger.get("/api/ice-servers")).status_code == 401
        assert "link" not in (await stranger.options("/whep/s-1")).headers


# --- 4.7 bearer tokens ------------------------------------------------------------------------------------------------


async def test_a_token_opens_one_session_and_nothing_else(site: Site, kiosk: Kiosk, anna: httpx.AsyncClient) -> None:
    await kiosk.told(a_session("s-2", state=State.RUNNING))
    given = await token(anna)
    assert (given["whep_url"], given["whip_url"], given["talk_url"]) == (f"{site.url}/whep/s-1", "", "")
    bearer = {"Authorization": f"Bearer {given['token']}"}
    async with httpx.AsyncClient(base_url=site.url) as player:
        refused = await post(player, "whep", offer("recvonly"))
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
        elsewhere = await player.post("/whep/s-2", content=offer("recvonly"), headers=SDP | bearer)
        assert elsewhere.status_code == 401
        answer = await player.post("/whep/s-1", content=offer("recvonly"), headers=SDP | bearer)
        assert answer.status_code == 201
        place = answer.headers["location"]
        assert (await player.delete(place)).status_code == 401
        assert (await anna.delete(place.replace("/whep/s-1", "/api/sessions/s-1/call"))).status_code == 404
        assert (await player.delete(place, headers=bearer)).status_code == 200
        assert (await player.get("/api/sessions", headers=bearer)).status_code == 401


async def test_a_token_for_seeing_is_not_good_for_being_heard(
    site: Site, kiosk: Kiosk, anna: httpx.AsyncClient
) -> None:
    bearer = {"Authorization": f"Bearer {(await token(anna))['token']}"}
    talks = await token(anna, talk="true")
    assert (talks["whip_url"], talks["talk_url"]) == (f"{site.url}/whip/s-1", f"{site.url}/talk/s-1")
    async with httpx.AsyncClient(base_url=site.url, headers=bearer) as player:
        for door in ("whip", "talk"):
            refused = await post(player, door, offer("sendrecv"))
            assert (refused.status_code, refused.json()["code"]) == (403, "not_allowed")
            assert "insufficient_scope" in refused.headers["www-authenticate"]
    assert not kiosk.signals


async def test_a_token_is_worth_nothing_when_the_call_or_the_assignment_is_over(
    site: Site, kiosk: Kiosk, anna: httpx.AsyncClient
) -> None:
    bearer = {"Authorization": f"Bearer {(await token(anna))['token']}"}
    async with httpx.AsyncClient(base_url=site.url, headers=bearer) as player:
        await kiosk.told(a_session(rev=2, state=State.RUNNING, assigned=(BEN,)))
        assert (await post(player, "whep", offer("recvonly"))).status_code == 403
        await kiosk.told(a_session(rev=3, state=State.CLOSED))
        assert (await post(player, "whep", offer("recvonly"))).status_code == 409
    async with site.person("clara") as clara:
        assert (await clara.post("/api/sessions/s-1/token")).status_code == 403
