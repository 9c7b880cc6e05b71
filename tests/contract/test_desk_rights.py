"""Who may use which route: each role is tried on each route of a running desk, and the table names them all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from unittest.mock import MagicMock

import httpx
import pytest
from msgspec.structs import replace

from desk.app import build_app
from desk.config import Config, Member, Rank
from desk.people.rights import TABLE, Rule, Scope, Way, routes_of, rule_of
from tests.contract.desk_site import Site, open_site

ROLES = {"sam": Rank.STAFF, "mo": Rank.MODERATOR, "flo": Rank.FLEET_MANAGER, "ada": Rank.ADMINISTRATOR}
NOBODY = "nobody"
OUR_PAGES = {"X-Desk": "1", "Content-Type": "application/json"}
REFUSALS = {"signed_out", "no_right", "foreign_origin"}
LEFT_OUT = {"GET /api/events", "POST /leave"}
"""A stream without an end; and the end of what is tried here. Both have tests of their own."""
VALUES = {
    "session_id": "s-none",
    "artifact_id": "a-none",
    "peer_id": "p-none",
    "token": "none",
    "path": "none",
    "kiosk_id": "k-none",
}


def name_of(person: str) -> str:
    return f"the-{person}"


@pytest.fixture(scope="module")
def registered() -> set[str]:
    desk = MagicMock()
    desk.config = Config()
    return routes_of(build_app(desk).routes)


def test_every_route_has_a_rule_and_every_rule_a_route(registered: set[str]) -> None:
    assert registered - TABLE.keys() == set(), "routes without a rule in desk/people/rights.py"
    assert TABLE.keys() - registered == set(), "rules in desk/people/rights.py without a route"


def test_what_has_no_rule_is_for_nobody() -> None:
    assert rule_of("GET", "/nowhere") is None
    assert rule_of("OPTIONS", "/api/sessions") == Rule()


def test_no_token_of_a_program_reaches_accounts_or_the_audit_log() -> None:
    for route, rule in TABLE.items():
        if "/api/account" in route or "/audit" in route or "/people" in route.partition("/api")[0]:
            assert rule.scope is None, route


def test_only_administrators_administer() -> None:
    for route, rule in TABLE.items():
        if "/api/accounts" in route or "audit" in route:
            assert rule.ranks == {Rank.ADMINISTRATOR}, route


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(tmp_path) as site:
        people = tuple(Member(id=name_of(p), name=p, role=role) for p, role in ROLES.items())
        site.config = replace(site.config, people=people)
        async with site.desk():
            yield site


@pytest.fixture
async def clients(site: Site) -> AsyncIterator[dict[str, httpx.AsyncClient]]:
    """One for each role, for a token of each scope of somebody with all rights, and for nobody."""
    async with AsyncExitStack() as stack:
        found = {p: await stack.enter_async_context(site.person(name_of(p))) for p in ROLES}
        found[NOBODY] = await stack.enter_async_context(httpx.AsyncClient(base_url=site.url))
        for scope in Scope:
            form = {"name": scope.value, "scopes": [scope.value]}
            made = (await found["ada"].post("/api/account/tokens", json=form)).json()
            headers = {"Authorization": f"Bearer {made['secret']}"}
            found[scope.value] = await stack.enter_async_context(httpx.AsyncClient(base_url=site.url, headers=headers))
        yield found


def address(path: str) -> str:
    for name, value in VALUES.items():
        path = path.replace("{" + name + "}", value)
    return path.replace("{account_id}", "the-nobody").replace("{sign_in_id}", "none").replace("{token_id}", "none")


def expected(who: str, rule: Rule) -> str:
    """The refusal, or nothing."""
    if rule.way is not Way.SIGNED_IN:
        return "foreign_origin" if rule.way is Way.FORM and who in (NOBODY, *Scope) else ""
    if who == NOBODY:
        return "signed_out"
    role = ROLES.get(who, Rank.ADMINISTRATOR)
    if role not in rule.ranks:
        return "no_right"
    return "no_right" if who in list(Scope) and rule.scope != who else ""


async def refusal(http: httpx.AsyncClient, method: str, path: str) -> str:
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    async with http.stream(method, address(path), headers=headers, content=b"{}") as answer:
        assert answer.status_code < 500, f"{method} {path}: {answer.status_code}"
        if answer.status_code not in (401, 403):
            return ""
        body = await answer.aread()
        code = answer.json()["code"] if body and "json" in answer.headers["content-type"] else ""
    return code if code in REFUSALS else ""


async def test_each_role_is_tried_on_each_route_for_real(clients: dict[str, httpx.AsyncClient]) -> None:
    wrong = []
    for route, rule in TABLE.items():
        method, _, path = route.partition(" ")
        if route in LEFT_OUT:
            continue
        for who, http in clients.items():
            found, wanted = await refusal(http, method, path), expected(who, rule)
            if rule.way is Way.BEARER and found == "signed_out":
                continue  # said by the handler, of the token that this is none of
            if found != wanted:
                wrong.append(f"{who}: {route}: {found or 'let in'}, not {wanted or 'let in'}")
    assert not wrong, "\n".join(wrong)


async def test_what_is_tried_above_ends_nobodys_sign_in(clients: dict[str, httpx.AsyncClient]) -> None:
    assert (await clients["sam"].get("/api/me")).json()["role"] == "staff"
    assert (await clients["flo"].get("/api/me")).json()["role"] == "fleet_manager"
    assert (await clients["read"].get("/api/me")).json()["id"] == "the-ada"
