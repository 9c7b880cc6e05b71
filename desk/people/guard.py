"""Who is there: the cookie or the API token of a request, and what it must show (desk.people.rights).

Requests that change something must come from our own pages (Origin, and a header that no foreign form can send), or
bear an API token, which no foreign page has.
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
from desk.people.accounts import Accounts
from desk.people.links_once import OnceLinks
from desk.people.rights import Rule, Way, rule_of
from desk.people.sign_ins import TOKEN_MARK, SignedIn, SignIns
from desk.people.sign_ins import Way as SignInWay
from desk.problems import Problem
from desk.seals import BadSeal, Enter, Known, Seals
from desk.sessions.store import Store

KNOWN_S = 180 * 86400
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

Connection = ASGIConnection[Any, Any, Any, Any]


class People:
    def __init__(
        self,
        config: Config,
        url: str,
        seals: Seals,
        store: Store,
        accounts: Accounts,
        sign_ins: SignIns,
        links: OnceLinks,
    ) -> None:
        self._language = config.language
        self._needs_second_factor = frozenset(config.sign_in.second_factor_for)
        self.url = url
        self._origin = origin_of(url)
        self._seals = seals
        self._store = store
        self.accounts = accounts
        self.sign_ins = sign_ins
        self.links = links

    async def member(self, person: str) -> Member | None:
        return await self.accounts.member(person)

    async def all(self) -> list[Member]:
        """By name."""
        return await self.accounts.members()

    def language(self, me: Member | None) -> str:
        return (me and me.language) or self._language

    # --- in and out ---------------------------------------------------------------------------------------------------

    async def enter(self, connection: Connection, token: str) -> list[SetCookie] | None:
        """The cookies for a sealed link used for the first time; None for any other."""
        try:
            link = self._seals.open("enter", token, Enter)
        except BadSeal:
            return None
        if await self.member(link.person) is None or not await self._store.use_nonce(link.nonce, link.expires_s):
            return None
        return await self.begin(connection, link.person, "link")

    async def begin(self, connection: Connection, account: str, way: SignInWay) -> list[SetCookie]:
        """Signs in. Whatever cookie came with the request is worth nothing afterwards."""
        await self._end_cookie(connection)
        address = address_of(connection)
        token = await self.sign_ins.begin(account, way, address, connection.headers.get("user-agent", ""))
        await self._store.audit(account, "enter", way, "done", address)
        known = self._seals.seal("known", Known(account, secrets.token_hex(8), self._seals.until(KNOWN_S)))
        return [
            self.cookie("desk", token, self.sign_ins.most_s),
            self.cookie("desk-known", known, KNOWN_S),
        ]

    async def leave(self, connection: Connection) -> SetCookie:
        """Signs out: this cookie is worth nothing from now on, wherever a copy of it is."""
        await self._end_cookie(connection)
        return self.cookie("desk", "", 0)

    def known_browser(self, connection: Connection, account: str) -> str:
        """Its mark, where this person was signed in with it before."""
        try:
            known = self._seals.open("known", connection.cookies.get(self._name("desk-known"), ""), Known)
        except BadSeal:
            return ""
        return known.mark if known.person == account else ""

    async def _end_cookie(self, connection: Connection) -> None:
        if token := connection.cookies.get(self._name("desk")):
            await self.sign_ins.end(token)

    # --- what a request shows -----------------------------------------------------------------------------------------

    async def who(self, connection: Connection) -> SignedIn | None:
        """Whose request this is; None without a cookie or a token that is good."""
        kind, _, token = connection.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and token.strip().startswith(TOKEN_MARK):
            return await self.sign_ins.who_has(token.strip())
        return await self.sign_ins.who(connection.cookies.get(self._name("desk"), ""))

    async def demand(self, connection: Connection, handler: BaseRouteHandler) -> None:
        """Guard of every handler.

        Raises:
            Problem: 400 for what is no address, 401 where nobody is signed in, 403 where it is not for this person or
                token, or where a change is not asked for by our own pages.
        """
        if "\0" in connection.scope["path"] or b"%00" in connection.scope["query_string"]:
            raise Problem(400, "malformed", "a NUL is no text: not every database takes it")
        method: str = connection.scope["method"]  # type: ignore[typeddict-item]  # guards run for HTTP only here
        rule = rule_of(method, connection.scope["path_template"])
        if rule is None:
            raise _no_right("this has no rule, so nobody may")
        if rule.way is Way.SIGNED_IN:
            signed_in = await self.who(connection)
            if signed_in is None:
                raise Problem(401, "signed_out", "sign in first")
            connection.state.me, connection.state.signed_in = signed_in.member, signed_in
            self._judge(rule, signed_in)
            if signed_in.scopes is not None:
                return
        if rule.way in (Way.SIGNED_IN, Way.FORM) and method not in SAFE and not self._from_our_pages(connection):
            raise Problem(403, "foreign_origin", "this must come from the desk's own pages")

    def _judge(self, rule: Rule, signed_in: SignedIn) -> None:
        ranks = signed_in.member.ranks
        if not rule.ranks & ranks:
            raise _no_right("your roles do not include this")
        if signed_in.scopes is not None and rule.scope not in signed_in.scopes:
            raise _no_right("this token is not good for it")
        if self.lacks_second_factor(signed_in) and not rule.own:
            raise Problem(403, "second_factor_needed", "set a second factor up first: /account")

    def lacks_second_factor(self, signed_in: SignedIn) -> bool:
        """Whether one is asked of this person that is not set up yet."""
        asked = bool(signed_in.member.ranks & self._needs_second_factor)
        return asked and signed_in.bare and signed_in.scopes is None

    def _from_our_pages(self, connection: Connection) -> bool:
        origin = connection.headers.get("origin", "")
        host = connection.headers.get("host", "")
        ours = origin == self._origin or (bool(host) and urlsplit(origin).netloc == host)
        return ours and connection.headers.get("x-desk") == "1"

    # --- cookies ------------------------------------------------------------------------------------------------------

    def cookie(self, name: str, value: str, seconds: int) -> SetCookie:
        """Lax, so that a link in a message leads to the page and not to the sign-in."""
        return SetCookie(
            key=self._name(name),
            value=value,
            path="/",
            max_age=seconds,
            httponly=True,
            samesite="lax",
            secure=self._secure,
        )

    def cookie_of(self, connection: Connection, name: str) -> str:
        return connection.cookies.get(self._name(name), "")

    def _name(self, name: str) -> str:
        """__Host-: no other host and no plain connection can have set it (RFC 6265bis, 4.1.3.2)."""
        return f"__Host-{name}" if self._secure else name

    @property
    def _secure(self) -> bool:
        return self._origin.startswith("https:")


def me_of(request: Request[Any, Any, Any]) -> Member:
    """Dependency `me`: who `demand` found."""
    me: Member = request.state.me
    return me


def signed_in_of(request: Request[Any, Any, Any]) -> SignedIn:
    """Dependency `signed_in`: the same, and how."""
    signed_in: SignedIn = request.state.signed_in
    return signed_in


def address_of(connection: Connection) -> str:
    return connection.client.host if connection.client else ""


def origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def safe_path(to: str) -> str:
    """A path of ours to go on to, or `/`: nobody is sent elsewhere through us."""
    plain = to.startswith("/") and not to.startswith("//") and not any(c in to for c in "\\\r\n\t")
    return to if plain and to.isprintable() else "/"


def _no_right(text: str) -> Problem:
    return Problem(403, "no_right", text)


@get("/enter/{token:str}")
async def enter(
    request: Request[Any, Any, Any], people: NamedDependency[People], token: FromPath[str], to: FromQuery[str] = "/"
) -> Redirect:
    cookies = await people.enter(request, token)
    if cookies is None:
        raise Problem(401, "link_over", "this link was used before, or its time is over")
    return Redirect(safe_path(to), status_code=303, cookies=cookies, headers={"Cache-Control": "no-store"})


@post("/leave", status_code=200)
async def leave(request: Request[Any, Any, Any], people: NamedDependency[People]) -> Response[dict[str, bool]]:
    return Response({"left": True}, cookies=[await people.leave(request)])


ROUTES: tuple[ControllerRouterHandler, ...] = (enter, leave)
