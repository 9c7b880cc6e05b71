"""Single sign-on: with somebody else's provider over real HTTP, and with one that lies."""

from __future__ import annotations

import asyncio
import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from msgspec.structs import replace

from desk.config import Oidc, Rank
from desk.people.oidc import id_of, roles_of, verified
from desk.problems import Problem
from kiosk.demo.site import free_ports
from tests.contract.desk_site import Site, open_site

PROGRAM = Path(__file__).parents[2] / "build" / "oidc" / "bin" / "oidc-provider-mock"
ISSUER = "https://sso.example"
NOW = 1_800_000_000.0
KEY = RSAKey.generate_key(2048, {"kid": "k-1"})
KEYS: dict[str, Any] = {"keys": [KEY.as_dict(private=False)]}
ROLES = {"video-staff": (Rank.STAFF,), "video-leads": (Rank.MODERATOR, Rank.ADMINISTRATOR)}
SETTINGS = Oidc(issuer=ISSUER, client_id="desk", roles=ROLES)
PEOPLE: tuple[dict[str, Any], ...] = (
    {
        "sub": "u-1",
        "preferred_username": "Lea.Sommer@site.example",
        "name": "Lea <b>Sommer</b>",
        "email": "lea@site.example",
        "email_verified": True,
        "groups": ["video-staff", "other"],
    },
    {"sub": "u-2", "preferred_username": "tom", "name": "Tom", "groups": ["canteen"]},
    {"sub": "u-3", "preferred_username": "eve", "name": "Eve", "email": "ada@site.example", "groups": ["video-staff"]},
    {
        "sub": "u-4",
        "preferred_username": "someone",
        "name": "Ben at the provider",
        "email": "Ben@site.example",
        "email_verified": True,
        "groups": ["video-leads"],
    },
    {"sub": "u-5", "preferred_username": "anna", "name": "Another Anna", "groups": ["video-staff"]},
)


# --- with a real provider ---------------------------------------------------------------------------------------------


@pytest.fixture
async def provider() -> AsyncIterator[str]:
    """Its issuer."""
    assert PROGRAM.exists(), "make oidc"
    (port,) = free_ports(1)
    people = [word for claims in PEOPLE for word in ("--user-claims", json.dumps(claims))]
    command = [str(PROGRAM), "--port", str(port), "--require-nonce", "true", *people]
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*command, stdout=quiet, stderr=quiet)
    issuer = f"http://127.0.0.1:{port}"
    try:
        await _answers(f"{issuer}/.well-known/openid-configuration")
        yield issuer
    finally:
        process.kill()
        await process.wait()


async def _answers(address: str) -> None:
    async with asyncio.timeout(50), httpx.AsyncClient() as http:
        while True:
            try:
                if (await http.get(address)).status_code == 200:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.1)


@pytest.fixture
async def site(tmp_path: Path, provider: str) -> AsyncIterator[Site]:
    async with open_site(tmp_path) as site:
        people = tuple(replace(p, email=f"{p.id}@site.example") for p in site.config.people)
        (tmp_path / "sso.secret").write_text("a secret+word\n")
        oidc = replace(
            SETTINGS, issuer=provider, label="Factory account", client_secret_file=str(tmp_path / "sso.secret")
        )
        site.config = replace(site.config, oidc=oidc, people=people)
        async with site.desk():
            yield site


async def come_back(http: httpx.AsyncClient, subject: str, to: str = "/devices") -> str:
    """Goes to the provider, signs in there as somebody; the address that leads back."""
    left = await http.get("/sign-in/sso", params={"to": to})
    assert left.status_code == 303, left.text
    async with httpx.AsyncClient() as there:
        signed = await there.post(left.headers["location"], data={"sub": subject})
    assert signed.status_code == 302, signed.text
    return str(signed.headers["location"])


async def test_somebody_of_the_provider_gets_an_account_with_the_roles_of_his_groups(site: Site) -> None:
    async with httpx.AsyncClient(base_url=site.url, headers={"Accept": "text/html"}) as http:
        page = (await http.get("/sign-in")).text
        assert "Factory account" in page
        back = await come_back(http, "u-1")
        assert back.startswith(f"{site.url}/sign-in/sso/back?")
        entered = await http.get(back)
        assert (entered.status_code, entered.headers["location"]) == (303, "/devices")
        me = (await http.get("/api/me", headers={"Accept": "application/json"})).json()
        assert (me["id"], me["name"], me["role"]) == ("lea-sommer", "Lea <b>Sommer</b>", "staff")
        assert "<b>" not in (await http.get("/devices")).text.replace("\\u003cb\\u003e", "")
        headers = {"X-Desk": "1", "Origin": site.url}
        own = await http.post("/api/account/password", json={"new": "seven copper kettles"}, headers=headers)
        assert (own.status_code, own.json()["code"]) == (409, "follows"), "the provider alone lets him in"
        again = await http.get(back)
        assert again.status_code == 401, "a code is good once"


async def test_who_has_no_role_here_is_not_let_in_and_leaves_no_account(site: Site) -> None:
    async with httpx.AsyncClient(base_url=site.url) as http, site.person("clara") as clara:
        refused = await http.get(await come_back(http, "u-2"))
        assert (refused.status_code, refused.json()["code"]) == (403, "no_roles")
        assert "desk" not in http.cookies
        assert "tom" not in (await clara.get("/api/people")).text


async def test_only_a_verified_address_leads_to_an_account_that_was_here_before(site: Site) -> None:
    async with httpx.AsyncClient(base_url=site.url) as eve, httpx.AsyncClient(base_url=site.url) as ben:
        await eve.get(await come_back(eve, "u-3"))
        assert (await eve.get("/api/me")).json()["id"] == "eve", "and not ada"
        await ben.get(await come_back(ben, "u-4"))
        me = (await ben.get("/api/me")).json()
        assert (me["id"], me["role"]) == ("ben", "staff"), "an account of the settings file keeps its own roles"


async def test_an_id_that_is_somebodys_is_not_taken_over(site: Site) -> None:
    async with httpx.AsyncClient(base_url=site.url) as http:
        await http.get(await come_back(http, "u-5"))
        assert (await http.get("/api/me")).json()["id"] == "anna-2"


async def test_nobody_is_signed_in_by_a_code_that_another_browser_asked_for(site: Site) -> None:
    async with httpx.AsyncClient(base_url=site.url) as thief, httpx.AsyncClient(base_url=site.url) as victim:
        back = await come_back(thief, "u-1")
        assert (await victim.get(back)).status_code == 401, "no way out of it was begun here"
        await come_back(victim, "u-1")
        assert (await victim.get(back)).status_code == 401, "another one was"
        for cut in ("", "?state=x", "?code=x", "?error=access_denied&state=x"):
            assert (await victim.get(f"/sign-in/sso/back{cut}")).status_code == 401
        assert (await victim.get("/api/me")).status_code == 401


async def test_the_way_leads_on_to_pages_of_ours_only(site: Site) -> None:
    async with httpx.AsyncClient(base_url=site.url) as http:
        longest = "/devices?" + "ä" * 145
        for to, led in (("https://evil.example", "/"), (longest + "ä", "/"), (longest, longest)):
            entered = await http.get(await come_back(http, "u-1", to))
            assert unquote(entered.headers["location"]) == led


async def test_the_code_is_bound_to_its_verifier(site: Site) -> None:
    async with httpx.AsyncClient(base_url=site.url) as http:
        asked = parse_qs(urlsplit((await http.get("/sign-in/sso")).headers["location"]).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert len(asked["code_challenge"][0]) == 43
    assert asked["response_type"] == ["code"]
    assert asked["redirect_uri"] == [f"{site.url}/sign-in/sso/back"]
    assert all(len(asked[name][0]) >= 32 for name in ("state", "nonce"))


async def test_without_single_sign_on_there_is_none(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site, site.desk(), httpx.AsyncClient(base_url=site.url) as http:
        assert (await http.get("/sign-in/sso")).status_code == 404
        assert (await http.get("/sign-in/sso/back?code=x&state=y")).status_code == 404


async def test_a_provider_that_cannot_be_reached_is_said_so(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    async with open_site(tmp_path) as site:
        site.config = replace(site.config, oidc=replace(SETTINGS, issuer=f"http://127.0.0.1:{port}"))
        async with site.desk(), httpx.AsyncClient(base_url=site.url) as http:
            refused = await http.get("/sign-in/sso")
            assert (refused.status_code, refused.json()["code"]) == (502, "sso_failed")


# --- with one that lies -----------------------------------------------------------------------------------------------


def token(key: Any = KEY, algorithm: str = "RS256", **changes: Any) -> str:
    claims = {
        "iss": ISSUER,
        "aud": "desk",
        "sub": "u-1",
        "nonce": "n-1",
        "iat": int(NOW),
        "exp": int(NOW) + 300,
        "groups": ["video-staff"],
    }
    kept = {name: value for name, value in (claims | changes).items() if value is not None}
    return jwt.encode({"alg": algorithm, "kid": "k-1"}, kept, key, algorithms=[algorithm])


def test_a_good_token_is_believed() -> None:
    assert verified(token(), KEYS, SETTINGS, "n-1", NOW)["sub"] == "u-1"
    several = token(aud=["desk", "other"], azp="desk")
    assert verified(several, KEYS, SETTINGS, "n-1", NOW)["sub"] == "u-1"


def unsigned() -> str:
    head = urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    return f"{head}.{token().split('.')[1]}."


LIES: dict[str, Callable[[], str]] = {
    "another issuer": lambda: token(iss="https://evil.example"),
    "for another client": lambda: token(aud="other"),
    "for several, asked by another": lambda: token(aud=["desk", "other"], azp="other"),
    "for several, asked by nobody": lambda: token(aud=["desk", "other"]),
    "of another sign-in": lambda: token(nonce="n-2"),
    "without a nonce": lambda: token(nonce=None),
    "over": lambda: token(exp=int(NOW) - 120),
    "without an end": lambda: token(exp=None),
    "of the future": lambda: token(iat=int(NOW) + 600),
    "of nobody": lambda: token(sub=""),
    "of a number": lambda: token(sub=7),
    "of a name without end": lambda: token(sub="x" * 300),
    "with another key": lambda: token(RSAKey.generate_key(2048, {"kid": "k-1"})),
    "with the public key as a secret": lambda: token(OctKey.import_key(json.dumps(KEYS)), "HS256"),
    "unsigned": unsigned,
    "not a token": lambda: "x.y.z",
    "nothing": lambda: "",
}


@pytest.mark.parametrize("lie", LIES)
def test_a_token_that_does_not_hold_signs_nobody_in(lie: str) -> None:
    with pytest.raises(Problem) as refused:
        verified(LIES[lie](), KEYS, SETTINGS, "n-1", NOW)
    assert (refused.value.status, refused.value.problem) == (401, "sso_failed")


def test_roles_come_from_the_claim_by_the_settings_alone() -> None:
    assert roles_of({"groups": ["video-leads", "x", 7, None]}, SETTINGS) == (Rank.ADMINISTRATOR, Rank.MODERATOR)
    assert roles_of({"groups": "video-staff"}, SETTINGS) == (Rank.STAFF,)
    assert roles_of({"groups": {"video-staff": True}}, SETTINGS) == ()
    assert roles_of({}, SETTINGS) == ()
    assert roles_of({}, replace(SETTINGS, everybody=(Rank.STAFF,))) == (Rank.STAFF,)


@pytest.mark.parametrize(
    ("name", "account"),
    [
        ("Anna.Berg@site.example", "anna-berg"),
        ("ÄÖ", "person-x"),
        ("x", "person-x"),
        ("a" * 60, "a" * 40),
        ("", "person-x"),
    ],
)
def test_an_id_is_made_that_kiosks_take(name: str, account: str) -> None:
    assert id_of(name) == account
