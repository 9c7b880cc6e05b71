"""Passwords, second factor, invitations, locking, tokens, audit log: over real HTTP and a database of each kind."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pyotp
import pytest
from msgspec.structs import replace

from desk.config import Member, Rank, SignIn
from kiosk.errors import ConfigError
from kiosk.session.record import Person
from tests.contract.desk_site import PEOPLE, Site, a_session, open_site

WORDS = "seven copper kettles"
OTHER = "eleven paper lanterns"
NASTY = "<img src=x onerror=alert(1)>\"'&{{7*7}}"


@pytest.fixture
async def site(tmp_path: Path, database: str) -> AsyncIterator[Site]:
    async with open_site(tmp_path) as site:
        ada = Member(id="ada", name="Ada Lind", role=Rank.ADMINISTRATOR, email="ada@site.example")
        site.config = replace(site.config, people=(*PEOPLE, ada), database=database)
        async with site.desk():
            yield site


@pytest.fixture
async def ada(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with site.person("ada") as http:
        yield http


def browser(site: Site, **headers: str) -> httpx.AsyncClient:
    """One in which nobody is signed in."""
    return httpx.AsyncClient(base_url=site.url, headers={"Origin": site.url, "X-Desk": "1", **headers}, timeout=20)


async def sign_in(http: httpx.AsyncClient, name: str, password: str = WORDS, code: str = "") -> httpx.Response:
    return await http.post("/api/sign-in", json={"name": name, "password": password, "code": code})


def code_of(answer: httpx.Response) -> str:
    return str(answer.json()["code"])


async def invited(ada: httpx.AsyncClient, account: str = "max-h", **more: Any) -> str:
    """The path of the link."""
    profile = {"id": account, "name": "Max Huber", "email": f"{account}@site.example", "roles": ["staff"], **more}
    made = await ada.post("/api/accounts", json=profile)
    assert made.status_code == 201, made.text
    return str(made.json()["link"]).partition("/welcome/")[2]


async def with_password(site: Site, ada: httpx.AsyncClient, account: str = "max-h", **more: Any) -> None:
    async with browser(site) as http:
        token = await invited(ada, account, **more)
        assert (await http.post(f"/api/welcome/{token}", json={"password": WORDS})).json() == {"signed_in": True}


async def enrolled(http: httpx.AsyncClient) -> tuple[pyotp.TOTP, list[str]]:
    begun = (await http.post("/api/account/second-factor/begin")).json()
    assert begun["qr"].startswith("data:image/svg+xml;base64,")
    totp = pyotp.TOTP(begun["secret"])
    done = await http.post("/api/account/second-factor", json={"seal": begun["seal"], "code": earlier_code(totp)})
    assert done.status_code == 200, done.text
    return totp, done.json()["codes"]


def earlier_code(totp: pyotp.TOTP) -> str:
    """Of the step before this one: it is taken as well, and leaves the present one for the next sign-in."""
    return totp.at(time.time() - 30)


# --- invitation and password ------------------------------------------------------------------------------------------


async def test_somebody_is_invited_sets_a_password_and_signs_in_by_name_or_address(
    site: Site, ada: httpx.AsyncClient
) -> None:
    token = await invited(ada)
    async with browser(site) as max_h:
        page = await max_h.get(f"/welcome/{token}", headers={"Accept": "text/html"})
        assert "Max Huber" in page.text
        assert page.headers["cache-control"] == "no-store"
        done = await max_h.post(f"/api/welcome/{token}", json={"password": WORDS})
        assert done.json() == {"signed_in": True}
        assert (await max_h.get("/api/me")).json()["id"] == "max-h"
        again = await max_h.post(f"/api/welcome/{token}", json={"password": OTHER})
        assert (again.status_code, code_of(again)) == (401, "link_over")
    for name in ("max-h", " MAX-H@site.example "):
        async with browser(site) as http:
            assert (await sign_in(http, name)).status_code == 200
            assert (await http.get("/api/me")).json()["name"] == "Max Huber"


async def test_a_link_takes_nobody_in_whose_password_is_weak_and_stays_good(site: Site, ada: httpx.AsyncClient) -> None:
    token = await invited(ada)
    async with browser(site) as http:
        for weak in ("short", "aaaaaaaaaaaaaaaa", "max-h max-h x", "Max Huber 12", "", "x" * 300):
            refused = await http.post(f"/api/welcome/{token}", json={"password": weak})
            assert refused.status_code == 400, weak
        assert (await http.post(f"/api/welcome/{token}", json={"password": WORDS})).status_code == 200


async def test_a_newer_link_ends_the_older_and_two_who_come_at_once_are_one(site: Site, ada: httpx.AsyncClient) -> None:
    old = await invited(ada)
    new = (await ada.post("/api/accounts/max-h/link")).json()["link"].partition("/welcome/")[2]
    async with browser(site) as http:
        assert (await http.get(f"/welcome/{old}", headers={"Accept": "text/html"})).status_code == 401
        both = await asyncio.gather(*(http.post(f"/api/welcome/{new}", json={"password": WORDS}) for _ in range(3)))
        assert sorted(answer.status_code for answer in both) == [200, 401, 401]


async def test_the_first_administrator_comes_by_a_link_in_a_file_of_the_desks_own(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        place = tmp_path / "data" / "first-administrator.link"
        form = {"password": WORDS, "id": "ada", "name": "Ada Lind", "email": "ada@site.example"}
        async with site.desk():
            link = place.read_text().strip()
            assert place.stat().st_mode & 0o077 == 0
            token = link.partition("/welcome/")[2]
            async with browser(site) as http:
                assert (await http.get(link)).status_code == 200
                for lacks in ("id", "name", "email"):
                    short = {key: value for key, value in form.items() if key != lacks}
                    assert (await http.post(f"/api/welcome/{token}", json=short)).status_code == 400
                taken = await http.post(f"/api/welcome/{token}", json={**form, "id": "anna"})
                assert (taken.status_code, code_of(taken)) == (409, "taken")
                assert (await http.post(f"/api/welcome/{token}", json=form)).json() == {"signed_in": True}
                assert (await http.get("/api/accounts")).status_code == 200
                assert (await http.post(f"/api/welcome/{token}", json={**form, "id": "eve"})).status_code == 401
        async with site.desk():
            assert not place.exists(), "somebody administers now"
            async with browser(site) as http:
                assert (await sign_in(http, "ada")).status_code == 200


# --- signing in -------------------------------------------------------------------------------------------------------


async def test_unknown_names_and_wrong_passwords_are_refused_alike(site: Site, ada: httpx.AsyncClient) -> None:
    await with_password(site, ada)
    async with browser(site) as http:
        answers = [await sign_in(http, name, "wrong words of mine") for name in ("max-h", "nobody", "anna", "", NASTY)]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1
    assert not any("set-cookie" in answer.headers for answer in answers)


async def test_an_unknown_name_takes_as_long_as_a_known_one(site: Site, ada: httpx.AsyncClient) -> None:
    """Both hash once, which is nearly all of it: held by what is counted, since a clock would tell of the machine."""
    from desk.people import passwords

    await with_password(site, ada)
    hashed: list[str] = []
    verify = passwords.Passwords._verify

    def counted(self: passwords.Passwords, known: str, password: str) -> bool:
        hashed.append(known[:30])
        return verify(self, known, password)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords.Passwords, "_verify", counted)
        async with browser(site) as http:
            for name in ("max-h", "nobody", "anna"):
                await sign_in(http, name, "wrong words of mine")
    assert len(hashed) == 3
    assert len(set(hashed)) == 1, "with the same cost"


async def test_what_is_no_sign_in_is_refused_without_harm(site: Site) -> None:
    bodies = (b"", b"[]", b"{}", b'{"name":1,"password":2}', b'{"name":"a","password":"' + b"x" * 300 + b'"}', b"\xff")
    async with browser(site, **{"Content-Type": "application/json"}) as http:
        for body in bodies:
            assert (await http.post("/api/sign-in", content=body)).status_code == 400
        assert (await http.post("/api/sign-in", content=b" " * 20_000)).status_code == 413
        form = await http.post("/api/sign-in", data={"name": "a"}, headers={"Content-Type": "text/plain"})
        assert form.status_code == 415


async def test_a_foreign_page_signs_nobody_in(site: Site, ada: httpx.AsyncClient) -> None:
    await with_password(site, ada)
    for headers in ({"Origin": "https://evil.example"}, {"X-Desk": ""}, {"Origin": ""}):
        async with browser(site) as http:
            refused = await http.post("/api/sign-in", json={"name": "max-h", "password": WORDS}, headers=headers)
            assert (refused.status_code, code_of(refused)) == (403, "foreign_origin")


async def test_a_cookie_that_somebody_planted_is_not_the_one_that_is_signed_in(
    site: Site, ada: httpx.AsyncClient
) -> None:
    await with_password(site, ada)
    async with browser(site) as victim, browser(site) as thief:
        first = await sign_in(thief, "max-h")
        planted = first.cookies["desk"]
        victim.cookies.set("desk", planted)
        await sign_in(victim, "max-h")
        mine = [c.value for c in victim.cookies.jar if c.name == "desk" and c.value != planted]
        assert len(mine) == 1
        assert (await thief.get("/api/me")).status_code == 401, "what came with the request is worth nothing any more"


async def test_the_sign_in_page_leads_on_to_pages_of_ours_only(site: Site, ada: httpx.AsyncClient) -> None:
    async with browser(site, Accept="text/html") as http:
        asked = await http.get("/sessions/s-1?x=1")
        assert asked.status_code == 401
        assert 'data-to="/sessions/s-1?x=1"' in asked.text
        for to in ("https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/\u2028x"):
            page = await http.get("/sign-in", params={"to": to})
            assert 'data-to="/"' in page.text, to
            there = await ada.get("/sign-in", params={"to": to})
            assert (there.status_code, there.headers["location"]) == (303, "/")


async def test_who_is_not_known_yet_reads_the_language_of_his_browser(site: Site, ada: httpx.AsyncClient) -> None:
    token = await invited(ada)
    said = {"de-AT,de;q=0.9,en;q=0.8": "de", "fr,en;q=0.5,de;q=0.3": "en", "fr": "en", "": "en", "x" * 5000: "en"}
    for header, language in said.items():
        async with browser(site, **{"Accept": "text/html", "Accept-Language": header}) as http:
            for path in ("/sign-in", "/devices", f"/welcome/{token}", "/welcome/none"):
                assert f'<html lang="{language}">' in (await http.get(path)).text, (header, path)


async def test_on_https_the_cookies_are_bound_to_the_host(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        site.config = replace(site.config, http=replace(site.config.http, public_url="https://desk.example"))
        async with site.desk():
            here = f"http://127.0.0.1:{site.config.http.port}"
            async with httpx.AsyncClient(base_url=here) as http:
                entered = await http.get(site.link("anna").replace("https://desk.example", here))
            cookies = entered.headers.get_list("set-cookie")
            assert len(cookies) == 2
            for cookie in cookies:
                assert cookie.startswith("__Host-desk")
                assert all(word in cookie for word in ("Secure", "HttpOnly", "SameSite=lax", "Path=/"))
                assert "Domain" not in cookie
            assert "max-age" in entered.headers["strict-transport-security"]


# --- tries ------------------------------------------------------------------------------------------------------------


async def test_behind_a_proxy_tries_count_for_whoever_is_behind_it(site: Site) -> None:
    async with browser(site, **{"X-Forwarded-For": "192.0.2.7"}) as one, browser(site) as other:
        for _ in range(10):
            await sign_in(one, "nobody", "wrong words of mine")
        assert (await sign_in(one, "nobody", "wrong words of mine")).status_code == 429
        assert (await sign_in(other, "nobody", "wrong words of mine")).status_code == 401


async def test_after_ten_wrong_tries_a_stranger_waits_and_the_owners_browser_does_not(
    site: Site, ada: httpx.AsyncClient
) -> None:
    await with_password(site, ada)
    async with browser(site) as owner, browser(site) as stranger:
        assert (await sign_in(owner, "max-h")).status_code == 200
        tries = [(await sign_in(stranger, "max-h", "wrong words of mine")).status_code for _ in range(12)]
        assert tries == [401] * 10 + [429] * 2
        locked_out = await sign_in(stranger, "max-h")
        assert (locked_out.status_code, code_of(locked_out)) == (429, "too_many_tries")
        assert 0 < int(locked_out.headers["retry-after"]) <= 901
        assert (await sign_in(owner, "max-h")).status_code == 200, "nobody is locked out by somebody else's tries"
        assert (await owner.get("/api/me")).status_code == 200


async def test_tries_are_counted_for_unknown_names_as_well(site: Site) -> None:
    async with browser(site) as http:
        tries = [(await sign_in(http, "nobody", "wrong words of mine")).status_code for _ in range(11)]
    assert tries == [401] * 10 + [429]


# --- second factor ----------------------------------------------------------------------------------------------------


async def test_a_second_factor_is_set_up_asked_for_and_switched_off(site: Site, ada: httpx.AsyncClient) -> None:
    await with_password(site, ada)
    async with browser(site) as http:
        await sign_in(http, "max-h")
        totp, recovery = await enrolled(http)
        assert len(set(recovery)) == 10
        async with browser(site) as other:
            asked = await sign_in(other, "max-h")
            assert (asked.status_code, code_of(asked)) == (401, "code_needed")
            assert "set-cookie" not in asked.headers
            wrong = await sign_in(other, "max-h", code="000000")
            assert (wrong.status_code, code_of(wrong)) == (401, "wrong_code")
            assert code_of(await sign_in(other, "max-h", "wrong words of mine", totp.now())) == "wrong_sign_in"
            now = totp.now()
            assert (await sign_in(other, "max-h", code=f" {now[:3]} {now[3:]}")).status_code == 200
            assert code_of(await sign_in(other, "max-h", code=now)) == "wrong_code", "no code is taken twice"
            assert (await sign_in(other, "max-h", code=recovery[0].upper())).status_code == 200
            assert code_of(await sign_in(other, "max-h", code=recovery[0])) == "wrong_code", "nor a recovery code"
        assert (await http.get("/api/account")).json()["recovery_left"] == 9
        assert (await http.post("/api/account/second-factor/off", json={"code": "123"})).status_code == 401
        assert (await http.post("/api/account/second-factor/off", json={"code": recovery[1]})).status_code == 204
        async with browser(site) as other:
            assert (await sign_in(other, "max-h")).status_code == 200


async def test_a_link_takes_nobody_past_the_second_factor(site: Site, ada: httpx.AsyncClient) -> None:
    await with_password(site, ada)
    async with browser(site) as http:
        await sign_in(http, "max-h")
        await enrolled(http)
        token = (await ada.post("/api/accounts/max-h/link")).json()["link"].partition("/welcome/")[2]
        done = await http.post(f"/api/welcome/{token}", json={"password": OTHER})
        assert done.json() == {"signed_in": False}
        assert (await http.get("/api/me")).status_code == 401, "signed out everywhere by the new password"
        assert code_of(await sign_in(http, "max-h", OTHER)) == "code_needed"
        assert (await ada.delete("/api/accounts/max-h/second-factor")).status_code == 204
        assert (await sign_in(http, "max-h", OTHER)).status_code == 200


async def test_nobody_enrols_with_what_was_begun_for_somebody_else(site: Site, ada: httpx.AsyncClient) -> None:
    async with site.person("anna") as anna:
        begun = (await ada.post("/api/account/second-factor/begin")).json()
        form = {"seal": begun["seal"], "code": pyotp.TOTP(begun["secret"]).now()}
        stolen = await anna.post("/api/account/second-factor", json=form)
        assert (stolen.status_code, code_of(stolen)) == (400, "begin_again")
        assert (await anna.get("/api/account")).json()["account"]["second_factor"] is False


async def test_whoever_must_have_a_second_factor_gets_nowhere_without(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        sign_in_settings = SignIn(second_factor_for=(Rank.MODERATOR,))
        site.config = replace(site.config, sign_in=sign_in_settings)
        async with site.desk(), site.person("clara") as clara, site.person("anna") as anna:
            assert (await anna.get("/api/sessions")).status_code == 200
            refused = await clara.get("/api/sessions")
            assert (refused.status_code, code_of(refused)) == (403, "second_factor_needed")
            page = await clara.get("/", headers={"Accept": "text/html"})
            assert (page.status_code, page.headers["location"]) == (303, "/account")
            assert (await clara.post("/api/account/tokens", json={"name": "x"})).status_code == 403
            await enrolled(clara)
            assert (await clara.get("/api/sessions")).status_code == 200


# --- where somebody is signed in --------------------------------------------------------------------------------------


async def test_people_see_where_they_are_signed_in_and_sign_out_there(site: Site, ada: httpx.AsyncClient) -> None:
    await with_password(site, ada)
    async with browser(site, **{"User-Agent": "Phone\x07 " + "x" * 400}) as phone, browser(site) as here:
        await sign_in(phone, "max-h")
        await sign_in(here, "max-h")
        browsers = (await here.get("/api/account")).json()["browsers"]
        assert [b["here"] for b in browsers].count(True) == 1
        there = next(b for b in browsers if b["agent"].startswith("Phone"))
        assert len(there["agent"]) <= 300
        assert (await ada.delete(f"/api/account/sign-ins/{there['id']}")).status_code == 404, "only one's own"
        assert (await here.delete(f"/api/account/sign-ins/{there['id']}")).status_code == 204
        assert (await phone.get("/api/me")).status_code == 401
        await sign_in(phone, "max-h")
        assert (await here.post("/api/account/sign-ins/end-others")).status_code == 204
        assert (await phone.get("/api/me")).status_code == 401
        assert (await here.get("/api/me")).status_code == 200


async def test_a_new_password_signs_out_everywhere_else(site: Site, ada: httpx.AsyncClient) -> None:
    await with_password(site, ada)
    async with browser(site) as phone, browser(site) as here:
        await sign_in(phone, "max-h")
        await sign_in(here, "max-h")
        before = here.cookies["desk"]
        wrong = await here.post("/api/account/password", json={"old": "not this one at all", "new": OTHER})
        assert (wrong.status_code, code_of(wrong)) == (401, "wrong_password")
        assert (await here.post("/api/account/password", json={"old": WORDS, "new": "short"})).status_code == 400
        assert (await here.post("/api/account/password", json={"old": WORDS, "new": OTHER})).status_code == 200
        assert here.cookies["desk"] != before
        assert (await here.get("/api/me")).status_code == 200
        assert (await phone.get("/api/me")).status_code == 401
        assert (await sign_in(phone, "max-h")).status_code == 401
        assert (await sign_in(phone, "max-h", OTHER)).status_code == 200


# --- administration ---------------------------------------------------------------------------------------------------


async def test_who_is_locked_or_removed_is_out_at_once_and_so_are_his_tokens(
    site: Site, ada: httpx.AsyncClient
) -> None:
    await with_password(site, ada)
    async with browser(site) as http, httpx.AsyncClient(base_url=site.url) as program:
        await sign_in(http, "max-h")
        made = (await http.post("/api/account/tokens", json={"name": "ticket system"})).json()
        bearer = {"Authorization": f"Bearer {made['secret']}"}
        assert (await program.get("/api/me", headers=bearer)).json()["id"] == "max-h"
        assert (await ada.post("/api/accounts/max-h/lock", json={"locked": True})).status_code == 204
        assert (await http.get("/api/me")).status_code == 401
        assert (await program.get("/api/me", headers=bearer)).status_code == 401
        assert code_of(await sign_in(http, "max-h")) == "locked"
        assert code_of(await sign_in(http, "max-h", "wrong words of mine")) == "wrong_sign_in"
        assert (await ada.post("/api/accounts/max-h/link")).status_code == 409
        assert (await ada.post("/api/accounts/max-h/lock", json={"locked": False})).status_code == 204
        assert (await sign_in(http, "max-h")).status_code == 200
        assert (await ada.delete("/api/accounts/max-h")).status_code == 204
        assert (await http.get("/api/me")).status_code == 401
        assert code_of(await sign_in(http, "max-h")) == "wrong_sign_in"
        assert "max-h" not in (await ada.get("/api/accounts")).text
        assert (await ada.delete("/api/accounts/max-h")).status_code == 404


async def test_roles_that_are_taken_away_are_gone_at_once(site: Site, ada: httpx.AsyncClient) -> None:
    await with_password(site, ada, roles=["staff", "administrator"])
    async with browser(site) as http:
        await sign_in(http, "max-h")
        assert (await http.get("/api/accounts")).status_code == 200
        changed = await ada.post("/api/accounts/max-h", json={"roles": ["fleet_manager"]})
        assert changed.json()["roles"] == ["fleet_manager"]
        assert (await http.get("/api/accounts")).status_code == 403
        assert (await http.post("/api/sessions", json={"kiosk": "kiosk-1"})).status_code == 403


async def test_somebody_is_left_who_administers(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site, site.desk(), browser(site) as ada:
        token = (tmp_path / "data" / "first-administrator.link").read_text().strip().partition("/welcome/")[2]
        form = {"password": WORDS, "id": "ada", "name": "Ada Lind", "email": "ada@site.example"}
        await ada.post(f"/api/welcome/{token}", json=form)
        demoted = await ada.post("/api/accounts/ada", json={"roles": ["staff"]})
        assert (demoted.status_code, code_of(demoted)) == (409, "last_administrator")
        for refused in (
            await ada.delete("/api/accounts/ada"),
            await ada.post("/api/accounts/ada/lock", json={"locked": True}),
        ):
            assert (refused.status_code, code_of(refused)) == (409, "oneself")
        assert (await ada.get("/api/accounts")).status_code == 200


async def test_people_of_the_settings_file_follow_it(site: Site, ada: httpx.AsyncClient) -> None:
    for refused in (
        await ada.post("/api/accounts/anna", json={"roles": ["administrator"]}),
        await ada.post("/api/accounts/anna/lock", json={"locked": True}),
        await ada.delete("/api/accounts/anna"),
    ):
        assert (refused.status_code, code_of(refused)) == (409, "follows")


async def test_whoever_is_gone_from_the_settings_file_is_locked_at_the_next_start(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        async with site.desk(), site.person("ben") as ben, site.person("anna") as anna:
            assert (await anna.get("/api/me")).status_code == 200
            kept = {"Cookie": f"desk={ben.cookies['desk']}"}
        changed = Member(id="anna", name="Anna Neu", role=Rank.MODERATOR)
        site.config = replace(site.config, people=(changed,))
        async with site.desk(), browser(site) as http, site.person("anna") as anna:
            assert (await http.get("/api/me", headers=kept)).status_code == 401
            assert (await http.get(site.link("anna"))).status_code == 303
            me = (await anna.get("/api/me")).json()
            assert (me["name"], me["role"]) == ("Anna Neu", "moderator")


async def test_an_address_of_the_settings_file_that_is_somebodys_ends_the_start_in_words(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        async with site.desk(), browser(site) as http:
            token = (tmp_path / "data" / "first-administrator.link").read_text().strip().partition("/welcome/")[2]
            form = {"password": WORDS, "id": "ada", "name": "Ada Lind", "email": "ada@site.example"}
            await http.post(f"/api/welcome/{token}", json=form)
        taken = Member(id="anna", name="Anna Berg", email="Ada@site.example")
        site.config = replace(site.config, people=(taken,))
        with pytest.raises(ConfigError, match="e-mail address"):
            async with site.desk():
                pass


async def test_somebody_may_have_no_e_mail_address(site: Site, ada: httpx.AsyncClient) -> None:
    """As the form sends it, and taken away again."""
    await invited(ada, email="")
    await invited(ada, "max-other", email="")
    assert (await ada.post("/api/accounts/max-h", json={"email": "max@site.example"})).json()["email"]
    assert (await ada.post("/api/accounts/max-h", json={"email": ""})).json()["email"] == ""


async def test_bad_input_of_administrators_is_refused(site: Site, ada: httpx.AsyncClient) -> None:
    good = {"id": "max-h", "name": "Max Huber", "email": "max@site.example", "roles": ["staff"]}
    wrong: tuple[dict[str, Any], ...] = (
        {"id": "A B"},
        {"id": "x"},
        {"id": "x" * 41},
        {"name": ""},
        {"name": "  "},
        {"name": "x" * 201},
        {"name": "a\x00b"},
        {"email": "no address"},
        {"email": "a@b>c"},
        {"roles": []},
        {"roles": ["king"]},
        {"language": "fr"},
    )
    for change in wrong:
        refused = await ada.post("/api/accounts", json={**good, **change})
        assert refused.status_code == 400, change
    assert (await ada.post("/api/accounts", json=good)).status_code == 201
    for taken in (good, {**good, "id": "max-other"}, {**good, "email": "MAX@site.example", "id": "max-third"}):
        refused = await ada.post("/api/accounts", json=taken)
        assert (refused.status_code, code_of(refused)) == (409, "taken")
    assert (await ada.post("/api/accounts/nobody-here", json={"name": "x"})).status_code == 404
    assert (await ada.post("/api/accounts/max-h", json={"email": "ada@site.example"})).status_code == 409


async def test_no_database_is_asked_for_what_is_no_text(site: Site, ada: httpx.AsyncClient) -> None:
    for path in ("/sessions/%00", "/api/sessions/s-1%00", "/api/accounts/%00/link", "/welcome/%00", "/s/%00"):
        for method in ("GET", "POST"):
            assert (await ada.request(method, path)).status_code in (400, 405), (method, path)
    for odd in ("/api/sessions/%ff%fe", "/api/sessions/%ed%a0%80", "/welcome/%ff", "/api/audit?person=%ff&since_s=nan"):
        assert (await ada.get(odd)).status_code in (200, 401, 404), odd


async def test_names_from_outside_stay_text(site: Site, ada: httpx.AsyncClient) -> None:
    token = await invited(ada, name=NASTY)
    async with browser(site, Accept="text/html") as http:
        page = (await http.get(f"/welcome/{token}")).text
        assert "<img" not in page
        assert "{{7*7}}" in page, "and is no template"
        await http.post(f"/api/welcome/{token}", json={"password": WORDS})
        for path in ("/", "/account", "/devices"):
            assert "<img src=x" not in (await http.get(path)).text


# --- tokens -----------------------------------------------------------------------------------------------------------


async def test_a_token_acts_in_its_persons_name_within_its_scopes(site: Site, ada: httpx.AsyncClient) -> None:
    async with site.kiosk() as kiosk, site.person("anna") as anna, httpx.AsyncClient(base_url=site.url) as program:
        await kiosk.told(a_session(assigned=(Person("anna", "Anna Berg"),)))
        read, write = [
            (await anna.post("/api/account/tokens", json={"name": "x", "scopes": scopes})).json()["secret"]
            for scopes in (["read"], ["read", "write"])
        ]
        for secret, seen in ((read, 403), (write, 204)):
            program.headers["Authorization"] = f"Bearer {secret}"
            assert len((await program.get("/api/sessions")).json()["sessions"]) == 1
            assert (await program.post("/api/sessions/s-1/seen")).status_code == seen
            assert (await program.post("/api/account/tokens", json={"name": "more"})).status_code == 403
            assert (await program.get("/api/account")).status_code == 403
        own = (await anna.get("/api/account")).json()["tokens"]
        assert all(read not in str(token) and write not in str(token) for token in own)
        assert all(token["used_s"] > 0 for token in own)
        assert (await ada.delete(f"/api/account/tokens/{own[0]['id']}")).status_code == 404, "only one's own"
        for token in own:
            assert (await anna.delete(f"/api/account/tokens/{token['id']}")).status_code == 204
        assert (await program.get("/api/sessions")).status_code == 401


async def test_bad_tokens_and_bad_wishes_for_tokens_are_refused(site: Site, ada: httpx.AsyncClient) -> None:
    for form in (
        {"name": ""},
        {"name": "x", "scopes": []},
        {"name": "x", "scopes": ["root"]},
        {"name": "x", "days": 0},
    ):
        assert (await ada.post("/api/account/tokens", json=form)).status_code == 400
    for _ in range(20):
        assert (await ada.post("/api/account/tokens", json={"name": "x"})).status_code == 201
    assert (await ada.post("/api/account/tokens", json={"name": "x"})).status_code == 409
    async with httpx.AsyncClient(base_url=site.url) as http:
        for value in ("Bearer desk_", "Bearer desk_wrong", "bearer", "Basic desk_x", "Bearer desk_" + "x" * 5000):
            assert (await http.get("/api/me", headers={"Authorization": value})).status_code == 401


# --- audit ------------------------------------------------------------------------------------------------------------


async def test_the_audit_log_tells_who_did_what_and_from_where(site: Site, ada: httpx.AsyncClient) -> None:
    await with_password(site, ada)
    async with browser(site) as http:
        await sign_in(http, "max-h", "wrong words of mine")
        await sign_in(http, "a secret typed into the wrong field")
    await ada.post("/api/accounts/max-h/lock", json={"locked": True})
    entries = (await ada.get("/api/audit")).json()["entries"]
    told = [(e["person"], e["what"], e["target"], e["outcome"]) for e in entries]
    assert told[0] == ("ada", "lock", "max-h", "done")
    assert ("max-h", "sign_in", "", "wrong_sign_in") in told
    assert ("", "sign_in", "", "wrong_sign_in") in told
    assert ("ada", "invite", "max-h", "staff") in told
    assert all(e["address"] == "127.0.0.1" for e in entries)
    assert "secret typed" not in str(entries)
    only = (await ada.get("/api/audit", params={"person": "max-h", "what": "sign_in"})).json()["entries"]
    assert [e["name"] for e in only] == ["Max Huber"]
    pages = [await ada.get("/api/audit", params={"limit": 2})]
    pages.append(await ada.get("/api/audit", params={"limit": 2, "before": pages[0].json()["before"]}))
    assert [e["n"] for page in pages for e in page.json()["entries"]] == [e["n"] for e in entries[:4]]
    later = await ada.get("/api/audit", params={"since_s": time.time() + 60})
    assert later.json() == {"entries": [], "before": 0}
    for bad in ({"limit": 0}, {"before": -1}, {"since_s": "x"}, {"person": "a\0b"}):
        assert (await ada.get("/api/audit", params=bad)).status_code == 400


async def test_the_export_is_no_formula_for_a_spreadsheet(site: Site, ada: httpx.AsyncClient) -> None:
    await invited(ada, name="=HYPERLINK(1)")
    async with browser(site) as http:
        token = (await ada.post("/api/accounts/max-h/link")).json()["link"].partition("/welcome/")[2]
        await http.post(f"/api/welcome/{token}", json={"password": WORDS})
    exported = await ada.get("/api/audit/export", params={"person": "max-h"})
    assert exported.headers["content-type"].startswith("text/csv")
    assert "attachment" in exported.headers["content-disposition"]
    lines = exported.text.splitlines()
    assert lines[0] == "time,person,name,what,target,outcome,address"
    assert len(lines) == 3
    assert all(re.match(r"\d{4}-\d\d-\d\dT[\d:]+\+00:00,max-h,'=HYPERLINK\(1\),", line) for line in lines[1:])
