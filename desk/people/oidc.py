"""Single sign-on by OpenID Connect: authorization code with PKCE (RFC 7636), as a confidential or a public client.

What goes out and must come back (state, nonce, verifier) lies sealed in a cookie of the browser that went, so that any
desk can take it back and nobody can hand somebody else his own code.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import quote_plus, urlencode

import httpx
from authlib.common.security import generate_token  # type: ignore[import-untyped]  # Authlib ships no types
from authlib.oauth2.rfc7636 import create_s256_code_challenge  # type: ignore[import-untyped]
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from litestar import Request, get
from litestar.datastructures import Cookie as SetCookie
from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter
from litestar.response import Redirect
from litestar.types import ControllerRouterHandler

from desk.config import Email, Oidc, Rank
from desk.people.accounts import Account, Profile
from desk.people.guard import Connection, People, address_of, safe_path
from desk.people.tries import Count, Tries, network_of
from desk.problems import Problem, not_found
from desk.seals import BadSeal, Seals, Sso
from desk.sessions.store import Store
from kiosk.settings import read_secret

WAY_S = 600
LIMIT_S = 10.0
LEEWAY_S = 60
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"]
"""Signed by the provider's key: nothing that the client's secret, or nobody, could sign."""
MOST_BYTES = 256 * 1024
MOST_LEAVES = 60
MOST_TO = 300
"""Bytes of a path that is remembered on the way: a seal has room for no more."""

Claims = dict[str, Any]
Fetch = Callable[[], httpx.AsyncClient]


def _client() -> httpx.AsyncClient:
    return httpx.AsyncClient(timeout=LIMIT_S, follow_redirects=False)


class SingleSignOn:
    """Raises `Problem` 502 wherever the provider is not as it should be, 401 where it does not vouch for anybody."""

    def __init__(
        self,
        settings: Oidc,
        people: People,
        store: Store,
        seals: Seals,
        *,
        client: Fetch = _client,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._settings, self._people, self._store, self._seals = settings, people, store, seals
        self._secret = read_secret(settings.client_secret_file)
        self._client, self._now = client, now
        self._tries = Tries(store.transactions, now)
        self._back = f"{people.url}/sign-in/sso/back"

    async def leave(self, connection: Connection, to: str) -> tuple[str, SetCookie]:
        """Where to go, and the cookie to take along. Counted, because it makes us ask the provider.

        Raises:
            Problem: 429, too often from there.
        """
        await self._tries.take(Count(f"sso {network_of(address_of(connection))}", MOST_LEAVES))
        provider = await self._provider()
        to = to if len(to.encode()) <= MOST_TO else "/"
        way = Sso(generate_token(32), generate_token(32), generate_token(64), to, self._seals.until(WAY_S))
        query = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": self._back,
            "scope": " ".join(self._settings.scopes),
            "state": way.state,
            "nonce": way.nonce,
            "code_challenge": create_s256_code_challenge(way.verifier),
            "code_challenge_method": "S256",
        }
        where = _text(provider, "authorization_endpoint")
        address = f"{where}{'&' if '?' in where else '?'}{urlencode(query)}"
        return address, self._people.cookie("desk-sso", self._seals.seal("sso", way), WAY_S)

    async def come_back(
        self, connection: Connection, state: str, code: str, issuer: str
    ) -> tuple[str, list[SetCookie]]:
        """Where to go on to, and the cookies of who is signed in now."""
        try:
            way = self._seals.open("sso", self._people.cookie_of(connection, "desk-sso"), Sso)
        except BadSeal:
            way = None
        if way is None or way.state != state or not code or issuer not in ("", self._settings.issuer):
            raise Problem(401, "sso_failed", "this did not begin in this browser, or too long ago")
        claims = await self._claims(code, way)
        account = await self._account(claims, address_of(connection))
        cookies = await self._people.begin(connection, account.id, "sso")
        return way.to, [*cookies, self._people.cookie("desk-sso", "", 0)]

    # --- with the provider --------------------------------------------------------------------------------------------

    async def _provider(self) -> Claims:
        """Asked each time: keys and addresses change, and nobody signs in a hundred times a second."""
        place = self._settings.issuer.rstrip("/") + "/.well-known/openid-configuration"
        told = await self._json("GET", place)
        if told.get("issuer") != self._settings.issuer:
            raise _not_as_it_should("it says that it is another issuer")
        return told

    async def _claims(self, code: str, way: Sso) -> Claims:
        provider = await self._provider()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._back,
            "client_id": self._settings.client_id,
            "code_verifier": way.verifier,
        }
        told = await self._json("POST", _text(provider, "token_endpoint"), **self._as_client(provider, form))
        keys = await self._json("GET", _text(provider, "jwks_uri"))
        return verified(_text(told, "id_token"), keys, self._settings, way.nonce, self._now())

    def _as_client(self, provider: Claims, form: dict[str, str]) -> dict[str, Any]:
        """Who we are, by the header (RFC 6749, 2.3.1: both encoded as in a form), or in the form where only that is
        taken; without a secret by name alone, and PKCE holds the code."""
        if not self._secret:
            return {"data": form}
        ways = provider.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        if "client_secret_basic" not in ways:
            return {"data": form | {"client_secret": self._secret}}
        return {"data": form, "auth": httpx.BasicAuth(quote_plus(self._settings.client_id), quote_plus(self._secret))}

    async def _json(self, method: str, place: str, **more: Any) -> Claims:
        try:
            async with self._client() as http:
                answer = await http.request(method, place, headers={"Accept": "application/json"}, **more)
                body = answer.json() if len(answer.content) <= MOST_BYTES else None
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise _not_as_it_should("it cannot be reached, or speaks no JSON") from error
        if answer.status_code in (400, 401) and method == "POST":
            raise Problem(401, "sso_failed", "the provider did not accept this sign-in")
        if answer.status_code != 200 or not isinstance(body, dict):
            raise _not_as_it_should(f"it answered {answer.status_code}")
        return body

    # --- whose account that is ----------------------------------------------------------------------------------------

    async def _account(self, claims: Claims, address: str) -> Account:
        accounts, issuer, subject = self._people.accounts, self._settings.issuer, str(claims["sub"])
        roles = roles_of(claims, self._settings)
        known = await accounts.of_identity(issuer, subject) or await self._by_email(claims)
        if known is None:
            if not roles:
                raise await self._refuse("", "no_roles", address)
            known = (await self._new(claims, roles)).id
        await accounts.bind(issuer, subject, known)
        name = str(claims.get("name") or "")[:200]
        await accounts.follow_identity(known, name, roles)
        account = await accounts.get(known)
        if account.locked:
            raise await self._refuse(known, "locked", address)
        if not account.roles:
            raise await self._refuse(known, "no_roles", address)
        return account

    async def _by_email(self, claims: Claims) -> str | None:
        """Somebody who was here before: only where the provider has verified that the address is his."""
        email = claims.get("email")
        if claims.get("email_verified") is not True or not isinstance(email, str):
            return None
        return await self._people.accounts.by_email(email)

    async def _new(self, claims: Claims, roles: tuple[Rank, ...]) -> Account:
        wanted = id_of(str(claims.get(self._settings.id_claim) or claims.get("email") or claims["sub"]))
        name = str(claims.get("name") or wanted)[:200]
        email: Email = claims["email"] if await self._is_free(claims) else ""
        for n in range(1, 100):
            account = wanted if n == 1 else f"{wanted[:36]}-{n}"
            try:
                return await self._people.accounts.add(Profile(account, name, email, roles), "sso")
            except Problem as taken:
                if taken.problem != "taken":
                    raise
        raise Problem(409, "taken", "there are too many of this name")

    async def _is_free(self, claims: Claims) -> bool:
        email = claims.get("email")
        if not isinstance(email, str) or not re.fullmatch(r"[^@\s]{1,64}@[^@\s]{1,180}", email):
            return False
        return claims.get("email_verified") is True and await self._people.accounts.by_email(email) is None

    async def _refuse(self, account: str, why: str, address: str) -> Problem:
        await self._store.audit(account, "sign_in", "sso", why, address)
        text = "this account is locked" if why == "locked" else "you have no role here: ask whoever runs the desk"
        return Problem(403, why, text)


def verified(token: str, keys: Claims, settings: Oidc, nonce: str, now_s: float) -> Claims:
    """The claims of an ID token (OpenID Connect Core 3.1.3.7).

    Raises:
        Problem: 401, it is not signed by the provider, not for us, not for this sign-in, or over.
    """
    try:
        claims = jwt.decode(token, KeySet.import_key_set(keys), algorithms=ALGORITHMS).claims  # type: ignore[arg-type]  # a KeySetSerialization is a dict of just this form
        _judge(claims, settings, nonce, now_s)
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise Problem(401, "sso_failed", "what the provider said is not good for this") from error
    return claims


def _judge(claims: Claims, settings: Oidc, nonce: str, now_s: float) -> None:
    audience = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    good = (
        claims["iss"] == settings.issuer
        and settings.client_id in audience
        and claims.get("azp", settings.client_id) == settings.client_id
        and (len(audience) == 1 or "azp" in claims)
        and claims["exp"] > now_s - LEEWAY_S
        and claims["iat"] < now_s + LEEWAY_S
        and claims["nonce"] == nonce
        and isinstance(claims["sub"], str)
        and 0 < len(claims["sub"]) <= 255
    )
    if not good:
        raise ValueError("a claim does not fit")


def roles_of(claims: Claims, settings: Oidc) -> tuple[Rank, ...]:
    told = claims.get(settings.roles_claim, [])
    values = told if isinstance(told, list) else [told]
    given = {rank for value in values if isinstance(value, str) for rank in settings.roles.get(value, ())}
    return tuple(sorted(given | set(settings.everybody)))


def id_of(name: str) -> str:
    """An id that says whose it is: anna.berg@site -> anna-berg."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.partition("@")[0].casefold()).strip("-")[:40]
    return slug if len(slug) >= 3 else f"person-{slug or 'x'}"


def _text(told: Claims, key: str) -> str:
    value = told.get(key)
    if not isinstance(value, str) or not value:
        raise _not_as_it_should(f"it says no {key}")
    return value


def _not_as_it_should(text: str) -> Problem:
    return Problem(502, "sso_failed", f"the provider of single sign-on is not as it should be: {text}")


@get("/sign-in/sso")
async def to_provider(
    request: Request[Any, Any, Any], sso: NamedDependency[SingleSignOn | None], to: FromQuery[str] = "/"
) -> Redirect:
    if sso is None:
        raise not_found("single sign-on")
    address, cookie = await sso.leave(request, safe_path(to))
    return Redirect(address, status_code=303, cookies=[cookie], headers={"Cache-Control": "no-store"})


@get("/sign-in/sso/back")
async def from_provider(
    request: Request[Any, Any, Any],
    sso: NamedDependency[SingleSignOn | None],
    begun: Annotated[str, QueryParameter(name="state")] = "",
    code: FromQuery[str] = "",
    iss: FromQuery[str] = "",
) -> Redirect:
    if sso is None:
        raise not_found("single sign-on")
    to, cookies = await sso.come_back(request, begun, code, iss)
    return Redirect(safe_path(to), status_code=303, cookies=cookies, headers={"Cache-Control": "no-store"})


ROUTES: tuple[ControllerRouterHandler, ...] = (to_provider, from_provider)
