"""WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep) over HTTP: our page's connection and any other WebRTC client's.

| where | who | offers | answers |
| --- | --- | --- | --- |
| `/api/sessions/{id}/call` | signed in: our page | as it likes, with data channels | to match |
| `/whep/{id}` | a token: players | recvonly or sendrecv | sendonly |
| `/whip/{id}` | a token to talk: cameras, encoders | sendonly or sendrecv | recvonly |
| `/talk/{id}` | a token to talk: programs of one's own | as our page | to match |

All four are one code.
"""

from __future__ import annotations

from typing import Any, cast

from litestar import HttpMethod, Request, Response, delete, get, patch, post, route
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.types import ControllerRouterHandler
from msgspec import Struct

from desk.calls.bridge import Calls, Declined
from desk.calls.ice import IceServers
from desk.calls.offers import FRAGMENT, SDP, body, declined, fitting, later, must_take_sdp
from desk.calls.peers import Peer, Way
from desk.calls.sdp import candidates_of, mux_only, ufrag_of
from desk.config import Member
from desk.people.guard import People
from desk.problems import Problem, not_found
from desk.seals import BadSeal, Seals, Viewer
from desk.sessions.store import Store
from kiosk.errors import NotAssigned, Unreachable
from kiosk.session.record import Session
from kiosk.wire.messages import Ice

TOKEN_S = 12 * 3600
ANY_STATE = ("*", '"*"')
"""Of If-Match; the second is what RFC 9725's own example has."""
TOKEN_PATHS = ("/whep/", "/whip/", "/talk/")
FROM_ANYWHERE = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Location, ETag, Link, Retry-After, Accept-Patch, WWW-Authenticate",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, If-Match, Link",
    "Access-Control-Allow-Methods": "GET, HEAD, POST, PATCH, DELETE, OPTIONS",
    "Access-Control-Max-Age": "86400",
}
_SESSIONS = [f"{path}{{session_id:str}}" for path in TOKEN_PATHS]
_PEERS = [f"{path}/{{peer_id:str}}" for path in _SESSIONS]

AnyRequest = Request[Any, Any, Any]


class ViewerToken(Struct, frozen=True):
    """`whip_url` and `talk_url` are empty where the token is not good for talking."""

    token: str
    whep_url: str
    whip_url: str = ""
    talk_url: str = ""


class IceTold(Struct, frozen=True):
    ice_servers: tuple[Ice, ...]


class Bridge:
    """What the routes below need, and what they have in common."""

    def __init__(self, calls: Calls, store: Store, people: People, seals: Seals, ice: IceServers, url: str) -> None:
        self._calls = calls
        self._store = store
        self._people = people
        self._seals = seals
        self._url = url
        self.ice = ice

    def token(self, session: Session, person: Member, talk: bool) -> ViewerToken:
        if not session.has_staff(person.id):
            raise NotAssigned(f"{person.name} is not assigned to this session")
        claims = Viewer(session.id, person.id, self._seals.until(TOKEN_S), talk)
        sealed = self._seals.seal("viewer", claims)
        whep, whip, talks = (f"{self._url}{path}{session.id}" for path in TOKEN_PATHS)
        return ViewerToken(sealed, whep, whip, talks) if talk else ViewerToken(sealed, whep)

    async def bearer(self, request: AnyRequest, session_id: str, way: Way) -> Member:
        """Whose token this is.

        Raises:
            Problem: 401 for none, or one that is not good for this session; 403 for one that is good for seeing only.
        """
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        try:
            claims = self._seals.open("viewer", token.strip() if kind.lower() == "bearer" else "", Viewer)
        except BadSeal:
            claims = None
        person = await self._people.member(claims.person) if claims and claims.session == session_id else None
        if claims is None or person is None:
            raise Problem(401, "signed_out", "no token that is good for this session", {"WWW-Authenticate": "Bearer"})
        if way != "whep" and not claims.talk:
            refused = {"WWW-Authenticate": 'Bearer error="insufficient_scope"'}
            raise Problem(403, "not_allowed", "this token is good for seeing only", refused)
        return person

    async def open(
        self, request: AnyRequest, session_id: str, person: Member, way: Way = "page", *, again: str = ""
    ) -> Response[str]:
        must_take_sdp(request)
        sdp = fitting(await body(request, SDP), way)
        session = await self._store.session(session_id)
        if session is None:
            raise not_found("session")
        peer = await self.find(session_id, again, person, way) if again else None
        try:
            peer, answer = await self._calls.offer(session, person, sdp, peer, way)
        except Declined as said:
            raise declined(said.bye) from None
        except Unreachable as error:
            raise later(error) from error
        await self._store.audit(person.id, "view" if way == "whep" else "call", session_id)
        return Response(mux_only(answer), status_code=201, media_type=SDP, headers=self._headers(peer))

    def _headers(self, peer: Peer) -> dict[str, str]:
        base = f"/api/sessions/{peer.session}/call" if peer.way == "page" else f"/{peer.way}/{peer.session}"
        headers = {"Location": f"{base}/{peer.id}", "ETag": peer.etag, "Accept-Patch": FRAGMENT}
        return headers | self.links(peer.person)

    def links(self, person: str) -> dict[str, str]:
        links = self.ice.links(person)
        return {"Link": links} if links else {}

    async def find(self, session_id: str, peer_id: str, person: Member, way: Way = "page") -> Peer:
        peer = await self._calls.peer(session_id, peer_id, person.id, way)
        if peer is None:
            raise not_found("connection")
        return peer

    async def trickle(self, request: AnyRequest, peer: Peer) -> Response[str]:
        """RFC 9725, 4.3: 428 without If-Match, 412 for another ICE session than the present; a new ufrag asks for a
        restart of ICE."""
        fragment = await body(request, FRAGMENT)
        match, ufrag, candidates = request.headers.get("if-match", ""), ufrag_of(fragment), candidates_of(fragment)
        if not candidates and not ufrag:
            raise Problem(400, "malformed", "that is no trickle-ice-sdpfrag")
        if not match:
            raise Problem(428, "precondition", "If-Match is needed here, with the connection's ETag")
        if match not in (*ANY_STATE, peer.etag):
            raise Problem(412, "precondition", "this is not the connection as it is now")
        try:
            if ufrag and ufrag != peer.ufrag:
                return await self._restart(peer, fragment, match)
            await self._calls.trickle(peer, candidates)
        except Unreachable as error:
            raise later(error) from error
        return Response("", status_code=204)

    async def _restart(self, peer: Peer, fragment: str, match: str) -> Response[str]:
        """The kiosk's new fragment, under a new ETag."""
        if match not in ANY_STATE:
            raise Problem(422, "malformed", "ICE is restarted with If-Match: *")
        try:
            peer, answer = await self._calls.restart(peer, fragment)
        except Declined as said:
            raise declined(said.bye) from None
        return Response(answer, status_code=200, media_type=FRAGMENT, headers={"ETag": peer.etag})

    async def end(self, peer: Peer) -> Response[None]:
        await self._calls.end(peer)
        return Response(None, status_code=200)


@post("/api/sessions/{session_id:str}/call")
async def offer(
    request: AnyRequest,
    bridge: NamedDependency[Bridge],
    me: NamedDependency[Member],
    session_id: FromPath[str],
    peer: FromQuery[str] = "",
) -> Response[str]:
    return await bridge.open(request, session_id, me, again=peer)


@patch("/api/sessions/{session_id:str}/call/{peer_id:str}")
async def trickle(
    request: AnyRequest,
    bridge: NamedDependency[Bridge],
    me: NamedDependency[Member],
    session_id: FromPath[str],
    peer_id: FromPath[str],
) -> Response[str]:
    return await bridge.trickle(request, await bridge.find(session_id, peer_id, me))


@delete("/api/sessions/{session_id:str}/call/{peer_id:str}", status_code=200)
async def hang_up(
    bridge: NamedDependency[Bridge], me: NamedDependency[Member], session_id: FromPath[str], peer_id: FromPath[str]
) -> Response[None]:
    return await bridge.end(await bridge.find(session_id, peer_id, me))


@post("/api/sessions/{session_id:str}/token")
async def viewer_token(
    bridge: NamedDependency[Bridge],
    store: NamedDependency[Store],
    me: NamedDependency[Member],
    session_id: FromPath[str],
    talk: FromQuery[bool] = False,
) -> ViewerToken:
    session = await store.session(session_id)
    if session is None:
        raise not_found("session")
    return bridge.token(session, me, talk)


@get("/api/ice-servers")
async def ice_servers(bridge: NamedDependency[Bridge], me: NamedDependency[Member]) -> IceTold:
    """Fresh ones: a credential that was told with the page may be over by now."""
    return IceTold(bridge.ice.of(me.id))


@post(_SESSIONS)
async def join(request: AnyRequest, bridge: NamedDependency[Bridge], session_id: FromPath[str]) -> Response[str]:
    way = _way(request)
    return await bridge.open(request, session_id, await bridge.bearer(request, session_id, way), way)


@patch(_PEERS)
async def join_trickle(
    request: AnyRequest, bridge: NamedDependency[Bridge], session_id: FromPath[str], peer_id: FromPath[str]
) -> Response[str]:
    person = await bridge.bearer(request, session_id, way := _way(request))
    return await bridge.trickle(request, await bridge.find(session_id, peer_id, person, way))


@delete(_PEERS, status_code=200)
async def join_end(
    request: AnyRequest, bridge: NamedDependency[Bridge], session_id: FromPath[str], peer_id: FromPath[str]
) -> Response[None]:
    """Whatever If-Match says (RFC 9725, 4.3.1)."""
    person = await bridge.bearer(request, session_id, way := _way(request))
    return await bridge.end(await bridge.find(session_id, peer_id, person, way))


@route([*_SESSIONS, *_PEERS], http_method=[HttpMethod.OPTIONS], status_code=200)
async def offered(request: AnyRequest, bridge: NamedDependency[Bridge]) -> Response[None]:
    """What is taken here; and for a client that must know them before it offers, the ICE servers, but not to the
    preflight of a browser (RFC 9725, 4.6)."""
    headers = {"Accept-Post": SDP, "Accept-Patch": FRAGMENT}
    session_id = request.path_params.get("session_id", "")
    if "authorization" in request.headers and "access-control-request-method" not in request.headers:
        headers |= bridge.links((await bridge.bearer(request, session_id, "whep")).id)
    return Response(None, status_code=200, headers=headers)


@route([*_SESSIONS, *_PEERS], http_method=[HttpMethod.GET, HttpMethod.HEAD], status_code=200)
async def known() -> Response[str]:
    """Nothing to be read here, but players look whether this is WHEP (draft-ietf-wish-whep, 4.2)."""
    return Response("", status_code=200, media_type=SDP)


ROUTES: tuple[ControllerRouterHandler, ...] = (
    offered,  # first: Litestar answers OPTIONS by itself where nobody else does yet
    offer,
    trickle,
    hang_up,
    viewer_token,
    ice_servers,
    join,
    join_trickle,
    join_end,
    known,
)


def _way(request: AnyRequest) -> Way:
    return cast(Way, request.url.path.split("/")[1])
