"""Who is there: one-time sign-in links, the cookie, and what every request must show.

Everything demands the cookie unless its handler says `opt={"public": True}`. Requests that change something must come
from our own pages (Origin, and a header that no foreign form can send).
"""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import urlsplit

from litestar import Request, Response, get, post
from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie as SetCookie
from litestar.di import NamedDependency
from litestar.handlers.base import BaseRouteHandler
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect
from litestar.types import ControllerRouterHandler

from desk.config import Config, Member
from desk.problems import Problem
from desk.seals import BadSeal, Cookie, Enter, Seals
from desk.store import Store

COOKIE = "desk"
COOKIE_S = 12 * 3600
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

Connection = ASGIConnection[Any, Any, Any, Any]


class People:
    def __init__(self, config: Config, url: str, seals: Seals, store: Store) -> None:
        self._members = {p.id: p for p in config.people}
        self._language = config.language
        self._origin = origin_of(url)
        self._seals = seals
        self._store = store

    def member(self, person: str) -> Member | None:
        return self._members.get(person)

    def all(self) -> list[Member]:
        """By name."""
        return sorted(self._members.values(), key=lambda member: (member.name.casefold(), member.id))

    def language(self, me: Member | None) -> str:
        return (me and me.language) or self._language

    async def enter(self, token: str) -> SetCookie | None:
        """The cookie for a link used for the first time; None for any other."""
        try:
            link = self._seals.open("enter", token, Enter)
        except BadSeal:
            return None
        if link.person not in self._members or not await self._store.use_nonce(link.nonce, link.expires_s):
            return None
        await self._store.audit(link.person, "enter")
        claims = Cookie(link.person, secrets.token_hex(16), self._seals.until(COOKIE_S))
        return self._cookie(self._seals.seal("cookie", claims), COOKIE_S)

    async def who(self, connection: Connection) -> Member | None:
        """Whose cookie this is; None without one that is good."""
        try:
            claims = self._seals.open("cookie", connection.cookies.get(COOKIE, ""), Cookie)
        except BadSeal:
            return None
        if await self._store.is_used(claims.nonce):
            return None
        return self._members.get(claims.person)

    async def leave(self, connection: Connection) -> SetCookie:
        """Signs out: this cookie is worth nothing from now on, wherever a copy of it is."""
        try:
            claims = self._seals.open("cookie", connection.cookies.get(COOKIE, ""), Cookie)
            await self._store.use_nonce(claims.nonce, claims.expires_s)
        except BadSeal:
            pass
        return self._cookie("", 0)

    async def demand(self, connection: Connection, handler: BaseRouteHandler) -> None:
        """Guard of every handler.

        Raises:
            Problem: 401 where nobody is signed in, 403 where a change is not asked for by our own pages.
        """
        if handler.opt.get("public"):
            return
        me = await self.who(connection)
        if me is None:
            raise Problem(401, "signed_out", "sign in first")
        connection.state.me = me
        if connection.scope["method"] not in SAFE and not self._from_our_pages(connection):  # type: ignore[typeddict-item]  # guards run for HTTP only here
            raise Problem(403, "foreign_origin", "this must come from the desk's own pages")

    def _from_our_pages(self, connection: Connection) -> bool:
        origin = connection.headers.get("origin", "")
        host = connection.headers.get("host", "")
        ours = origin == self._origin or (bool(host) and urlsplit(origin).netloc == host)
        return ours and connection.headers.get("x-desk") == "1"

    def _cookie(self, value: str, seconds: int) -> SetCookie:
        secure = self._origin.startswith("https:")
        return SetCookie(
            key=COOKIE, value=value, path="/", max_age=seconds, httponly=True, samesite="lax", secure=secure
        )


def me_of(request: Request[Any, Any, Any]) -> Member:
    """Dependency `me`: who `demand` found."""
    me: Member = request.state.me
    return me


def origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def safe_path(to: str) -> str:
    """A path of ours to go on to, or `/`: nobody is sent elsewhere through us."""
    plain = to.startswith("/") and not to.startswith("//") and not any(c in to for c in "\\\r\n\t")
    return to if plain and to.isprintable() else "/"


@get("/enter/{token:str}", opt={"public": True, "page": True})
async def enter(people: NamedDependency[People], token: FromPath[str], to: FromQuery[str] = "/") -> Redirect:
    cookie = await people.enter(token)
    if cookie is None:
        raise Problem(401, "signed_out", "this link was used before, or its time is over")
    return Redirect(safe_path(to), status_code=303, cookies=[cookie], headers={"Cache-Control": "no-store"})


@post("/leave", status_code=200)
async def leave(request: Request[Any, Any, Any], people: NamedDependency[People]) -> Response[dict[str, bool]]:
    return Response({"left": True}, cookies=[await people.leave(request)])


ROUTES: tuple[ControllerRouterHandler, ...] = (enter, leave)
