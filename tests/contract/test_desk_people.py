"""Signing in, staying in and leaving; and that nobody else's page can act in somebody's name."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import httpx
import pytest

from desk.config import signing_secret
from desk.seals import Enter, Known, Seals
from tests.contract.desk_site import Site, a_session


@pytest.fixture
async def stranger(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=site.url, headers={"Accept": "text/html"}) as http:
        yield http


async def test_a_link_signs_in_once_only(site: Site, stranger: httpx.AsyncClient) -> None:
    link = site.link("anna")
    entered = await stranger.get(link)
    assert (entered.status_code, entered.headers["location"]) == (303, "/")
    cookie = entered.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert (await stranger.get("/api/me")).json() == {
        "id": "anna",
        "name": "Anna Berg",
        "role": "staff",
        "language": "de",
    }
    async with httpx.AsyncClient() as thief:
        assert (await thief.get(link)).status_code == 401


async def test_old_forged_and_foreign_links_are_refused(site: Site, stranger: httpx.AsyncClient) -> None:
    secret, now = signing_secret(site.config.secret_path), int(time.time())
    ours = Seals(secret)
    for token in (
        ours.seal("enter", Enter("anna", "n-1", now - 1)),
        ours.seal("enter", Enter("nobody", "n-2", now + 60)),
        ours.seal("upload", Enter("anna", "n-3", now + 60)),
        Seals(b"another secret" * 4).seal("enter", Enter("anna", "n-4", now + 60)),
        "x",
    ):
        refused = await stranger.get(f"/enter/{token}")
        assert refused.status_code == 401
        assert "set-cookie" not in refused.headers


async def test_the_link_leads_to_pages_of_ours_only(site: Site, stranger: httpx.AsyncClient) -> None:
    for to, led in (
        ("/sessions/s-1?x=1", "/sessions/s-1?x=1"),
        ("https://evil.example", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/a\r\nSet-Cookie: x", "/"),
    ):
        entered = await stranger.get(site.link("anna"), params={"to": to})
        assert (entered.status_code, entered.headers["location"]) == (303, led)


async def test_everything_demands_to_be_signed_in(site: Site, stranger: httpx.AsyncClient) -> None:
    for path in ("/api/me", "/api/sessions", "/api/sessions/s-1", "/api/kiosks", "/api/events"):
        refused = await stranger.get(path)
        assert (refused.status_code, refused.json()["code"]) == (401, "signed_out")
    for path in ("/", "/devices", "/sessions/s-1"):
        refused = await stranger.get(path)
        assert refused.status_code == 401
        assert "<html" in refused.text
    for path in ("/api/sessions", "/api/sessions/s-1/call", "/api/sessions/s-1/token", "/leave"):
        assert (await stranger.post(path)).status_code == 401
    assert (await stranger.get("/healthz")).json()["ok"]


async def test_a_forged_or_old_cookie_is_none(site: Site, stranger: httpx.AsyncClient) -> None:
    ours, now = Seals(signing_secret(site.config.secret_path)), int(time.time())
    for cookie in (
        ours.seal("known", Known("anna", "n", now + 60)),
        ours.seal("enter", Enter("anna", "n", now + 60)),
        "",
        "x",
    ):
        assert (await stranger.get("/api/me", headers={"Cookie": f"desk={cookie}"})).status_code == 401


async def test_who_left_is_out_also_with_a_copy_of_the_cookie(site: Site) -> None:
    async with site.person("anna") as anna, httpx.AsyncClient(base_url=site.url) as thief:
        copied = {"Cookie": f"desk={anna.cookies['desk']}"}
        assert (await thief.get("/api/me", headers=copied)).status_code == 200
        assert (await anna.post("/leave")).status_code == 200
        assert (await anna.get("/api/me")).status_code == 401
        assert (await thief.get("/api/me", headers=copied)).status_code == 401


async def test_a_foreign_page_can_do_nothing(site: Site) -> None:
    async with site.kiosk() as kiosk, site.person("anna") as anna:
        await kiosk.told(a_session())
        wish = {"do": {"kind": "confirm"}}
        foreign: tuple[dict[str, str], ...] = (
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Origin": ""},
            {"X-Desk": ""},
            {"Origin": f"{site.url}.evil.example"},
        )
        for headers in foreign:
            for path in ("/api/sessions/s-1/commands", "/api/sessions", "/api/sessions/s-1/seen", "/leave"):
                refused = await anna.post(path, json=wish, headers=headers)
                assert (refused.status_code, refused.json()["code"]) == (403, "foreign_origin")
        form = await anna.post("/api/sessions/s-1/commands", data={"do": "x"})
        assert (form.status_code, form.json()["code"]) == (415, "wrong_type")
        assert not kiosk.commands


async def test_every_answer_forbids_what_pages_need_not_do(site: Site, stranger: httpx.AsyncClient) -> None:
    async with site.person("anna") as anna:
        for answer in (await anna.get("/api/me"), await stranger.get("/"), await stranger.get("/nowhere")):
            assert "default-src 'self'" in answer.headers["content-security-policy"]
            assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
            assert "unsafe" not in answer.headers["content-security-policy"]
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["referrer-policy"] == "same-origin"
            assert answer.headers["cross-origin-opener-policy"] == "same-origin"
            assert answer.headers["cross-origin-resource-policy"] == "same-origin"
            assert answer.headers["permissions-policy"].startswith("camera=(self)")


async def test_errors_are_json_for_programs_and_pages_for_people(site: Site) -> None:
    async with site.person("anna") as anna:
        assert (await anna.get("/api/nothing")).json()["code"] == "not_found"
        assert (await anna.put("/api/me")).json()["code"] == "wrong_method"
        assert (await anna.get("/api/sessions?limit=0")).json()["code"] == "malformed"
        assert (await anna.get("/api/sessions?state=ASLEEP")).json()["code"] == "malformed"
        page = await anna.get("/sessions/s-none", headers={"Accept": "text/html"})
        assert page.status_code == 404
        assert "<html" in page.text


async def test_the_api_describes_itself(site: Site) -> None:
    async with site.person("anna") as anna:
        paths = (await anna.get("/schema/openapi.json")).json()["paths"]
    assert {"/api/sessions", "/api/sessions/{session_id}/commands", "/whep/{session_id}"} <= set(paths)


async def test_signed_in_people_see_who_may_be_assigned_and_nobody_else_does(
    site: Site, stranger: httpx.AsyncClient
) -> None:
    assert (await stranger.get("/api/people", headers={"Accept": "application/json"})).status_code == 401
    async with site.person("ben") as ben:
        people = (await ben.get("/api/people")).json()["people"]
    assert [p["id"] for p in people] == ["anna", "ben", "clara"]
    assert set(people[0]) == {"id", "name"}
