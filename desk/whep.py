"""WHEP and WHIP (RFC 9725) over HTTP: the page's own connection and any other WebRTC client's, through the same code.

`/api/sessions/{id}/call` is for signed-in people (sendrecv offers with data channels); `/whep/{id}` takes a bearer
token that is good for one session, from any origin, and offers that only receive.
"""

from __future__ import annotations

from typing import Any

from litestar import HttpMethod, Request, Response, delete, patch, post, route
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.types import ControllerRouterHandler
from msgspec import Struct

from desk.calls import Calls, Declined, Peer, candidates_of, only_receives, ufrag_of
from desk.config import CallSettings, IceServer, Member
from desk.people import People
from desk.problems import Problem, not_found, wrong_type
from desk.seals import BadSeal, Seals, Viewer
from desk.store import Store
from kiosk.errors import NotAssigned, Unreachable
from kiosk.session.record import Session
from kiosk.settings import read_secret
from kiosk.wire.codec import MAX_SDP
from kiosk.wire.messages import Bye

SDP = "application/sdp"
FRAGMENT = "application/trickle-ice-sdpfrag"
TOKEN_S = 12 * 3600
PUBLIC = {"public": True}
FROM_ANYWHERE = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Location, ETag, Link, Retry-After",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, If-Match",
    "Access-Control-Allow-Methods": "POST, PATCH, DELETE, OPTIONS",
}
_BYE_STATUS = {"wrong_state": 409, "full": 409, "busy": 409, "not_assigned": 403, "not_allowed": 403}

AnyRequest = Request[Any, Any, Any]


class Ice(Struct, frozen=True):
    """An ICE server as browsers want it."""

    urls: tuple[str, ...]
    username: str = ""
    credential: str = ""


class ViewerToken(Struct, frozen=True):
    token: str
    whep_url: str


class Bridge:
    """What the routes below need, and what they have in common."""

    def __init__(
        self, calls: Calls, store: Store, people: People, seals: Seals, settings: CallSettings, url: str
    ) -> None:
        self._calls = calls
        self._store = store
        self._people = people
        self._seals = seals
        self._url = url
        self.ice = tuple(_ice(server) for server in settings.ice_servers)
        self._links = ", ".join(_link(url, server) for server in self.ice for url in server.urls)

    def token(self, session: Session, person: Member) -> ViewerToken:
        if not session.has_staff(person.id):
            raise NotAssigned(f"{person.name} is not assigned to this session")
        claims = Viewer(session.id, person.id, self._seals.until(TOKEN_S))
        return ViewerToken(self._seals.seal("viewer", claims), f"{self._url}/whep/{session.id}")

    def bearer(self, request: AnyRequest, session_id: str) -> Member:
        """Whose token this is.

        Raises:
            Problem: 401 for none, or one that is not good for this session.
        """
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        try:
            claims = self._seals.open("viewer", token.strip() if kind.lower() == "bearer" else "", Viewer)
        except BadSeal:
            claims = None
        person = self._people.member(claims.person) if claims and claims.session == session_id else None
        if person is None:
            raise Problem(401, "signed_out", "no token that is good for this session", {"WWW-Authenticate": "Bearer"})
        return person

    async def open(
        self, request: AnyRequest, session_id: str, person: Member, *, viewer: bool = False, again: str = ""
    ) -> Response[str]:
        sdp = await _text(request, SDP)
        if viewer and not only_receives(sdp):
            raise Problem(422, "malformed", "only offers whose audio and video are recvonly are taken here")
        session = await self._store.session(session_id)
        if session is None:
            raise not_found("session")
        peer = self.find(session_id, again, person, viewer) if again else None
        try:
            peer, answer = await self._calls.offer(session, person, sdp, peer, viewer)
        except Declined as declined:
            raise _declined(declined.bye) from None
        except Unreachable as error:
            raise Problem(503, error.code, error.text, {"Retry-After": "2"}) from error
        await self._store.audit(person.id, "view" if viewer else "call", session_id)
        base = f"/whep/{session_id}" if viewer else f"/api/sessions/{session_id}/call"
        headers = {"Location": f"{base}/{peer.id}", "ETag": peer.etag, "Accept-Patch": FRAGMENT}
        if self._links:
            headers["Link"] = self._links
        return Response(answer, status_code=201, media_type=SDP, headers=headers)

    def find(self, session_id: str, peer_id: str, person: Member, viewer: bool = False) -> Peer:
        peer = self._calls.peer(session_id, peer_id, person.id, viewer)
        if peer is None:
            raise not_found("connection")
        return peer

    async def trickle(self, request: AnyRequest, peer: Peer) -> Response[None]:
        """RFC 9725, 4.3: If-Match may be left out for candidates; an ICE restart is not offered (422), a new offer to
        the same address is."""
        fragment = await _text(request, FRAGMENT)
        match, ufrag = request.headers.get("if-match", ""), ufrag_of(fragment)
        if ufrag and ufrag != peer.ufrag:
            if match in ("*", peer.etag):
                raise Problem(422, "malformed", "ICE is not restarted here; make a new offer")
            raise _unmatched(match)
        if match not in ("", "*", peer.etag):
            raise _unmatched(match)
        await self._calls.trickle(peer, candidates_of(fragment))
        return Response(None, status_code=204)

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
) -> Response[None]:
    return await bridge.trickle(request, bridge.find(session_id, peer_id, me))


@delete("/api/sessions/{session_id:str}/call/{peer_id:str}", status_code=200)
async def hang_up(
    bridge: NamedDependency[Bridge], me: NamedDependency[Member], session_id: FromPath[str], peer_id: FromPath[str]
) -> Response[None]:
    return await bridge.end(bridge.find(session_id, peer_id, me))


@post("/api/sessions/{session_id:str}/token")
async def viewer_token(
    bridge: NamedDependency[Bridge],
    store: NamedDependency[Store],
    me: NamedDependency[Member],
    session_id: FromPath[str],
) -> ViewerToken:
    session = await store.session(session_id)
    if session is None:
        raise not_found("session")
    return bridge.token(session, me)


@post("/whep/{session_id:str}", opt=PUBLIC)
async def view(request: AnyRequest, bridge: NamedDependency[Bridge], session_id: FromPath[str]) -> Response[str]:
    return await bridge.open(request, session_id, bridge.bearer(request, session_id), viewer=True)


@patch("/whep/{session_id:str}/{peer_id:str}", opt=PUBLIC)
async def view_trickle(
    request: AnyRequest, bridge: NamedDependency[Bridge], session_id: FromPath[str], peer_id: FromPath[str]
) -> Response[None]:
    person = bridge.bearer(request, session_id)
    return await bridge.trickle(request, bridge.find(session_id, peer_id, person, viewer=True))


@delete("/whep/{session_id:str}/{peer_id:str}", opt=PUBLIC, status_code=200)
async def view_end(
    request: AnyRequest, bridge: NamedDependency[Bridge], session_id: FromPath[str], peer_id: FromPath[str]
) -> Response[None]:
    person = bridge.bearer(request, session_id)
    return await bridge.end(bridge.find(session_id, peer_id, person, viewer=True))


@route(
    ["/whep/{session_id:str}", "/whep/{session_id:str}/{peer_id:str}"],
    http_method=[HttpMethod.OPTIONS],
    opt=PUBLIC,
    status_code=200,
)
async def view_offered() -> Response[None]:
    return Response(None, status_code=204, headers={"Accept-Post": SDP, "Accept-Patch": FRAGMENT})


ROUTES: tuple[ControllerRouterHandler, ...] = (
    view_offered,  # first: Litestar answers OPTIONS by itself where nobody else does yet
    offer,
    trickle,
    hang_up,
    viewer_token,
    view,
    view_trickle,
    view_end,
)


async def _text(request: AnyRequest, wanted: str) -> str:
    """The body, of this type and at most MAX_SDP bytes."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != wanted:
        raise wrong_type(wanted)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_SDP:
            raise Problem(413, "too_large", f"at most {MAX_SDP} bytes are taken")
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = ""
    if len(text) < 10:
        raise Problem(400, "malformed", "that is no SDP")
    return text


def _declined(bye: Bye) -> Problem:
    return Problem(_BYE_STATUS.get(bye.code, 502), bye.code or "refused", bye.text or "the kiosk refused")


def _unmatched(match: str) -> Problem:
    if not match:
        return Problem(428, "precondition", "If-Match is needed here")
    return Problem(412, "precondition", "this is not the connection as it is now")


def _ice(server: IceServer) -> Ice:
    return Ice(server.urls, server.username, read_secret(server.credential_file))


def _link(url: str, server: Ice) -> str:
    link = f'<{url}>; rel="ice-server"'
    if server.username:
        link += f'; username="{server.username}"; credential="{server.credential}"; credential-type="password"'
    return link
