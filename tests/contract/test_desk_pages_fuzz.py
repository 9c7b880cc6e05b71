"""Every page, asked for with what no page would ask: whoever asks, and whatever stands in the address, is answered
without a 5xx, and nothing of it comes back as anything but text.

The API has schemathesis (test_desk_fuzz.py); pages have no document to go by, so what is odd stands here.
"""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterator
from urllib.parse import quote, urlsplit

import pytest
import requests

from desk.pages import NO_PAGES
from desk.people.rights import TABLE
from tests.contract.fuzz_site import FuzzSite, running

MARK = "zq7"
NASTY = f"{MARK}\"'><img src=x onerror=alert(1)></script><svg/onload=alert(1)>{{{{7*7}}}}"
ODD = (
    NASTY,
    "ä€😀\u202e\u0000\u001b[31m",
    "\ud800",
    "..",
    "../../etc/passwd",
    "%",
    "%2e%2e%2f%00",
    "x" * 3000,
    "' OR 1=1 --",
    "javascript:alert(1)",
    "//evil.example/",
    "-1",
    "1e999",
    "[]",
    "None",
    " ",
)
QUERIES = (
    "device",
    "ticket",
    "title",
    "link",
    "reason",
    "to",
    "q",
    "state",
    "mine",
    "since",
    "after",
    "thanks",
    "code",
)
RAW = (b"/%", b"/%ff%fe", b"/sessions/%c0%af", b"/sessions/%00", b"/s/%zz", b"/?%", b"/?to=%ff&to=&&=&", b"//", b"/;/x")
"""As no library would write it."""
WHO = ("nobody", "anna", "clara", "flo", "ada")
"""Nobody (as code users are), staff, a moderator, a fleet manager, an administrator."""
PAGES = sorted(
    path
    for method, _, path in (route.partition(" ") for route in TABLE)
    if method == "GET" and not path.startswith(NO_PAGES)
)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FuzzSite]:
    with running(tmp_path_factory.mktemp("pages")) as site:
        yield site


@pytest.fixture(params=WHO)
def who(request: pytest.FixtureRequest, here: FuzzSite) -> Iterator[requests.Session]:
    with requests.Session() as http_session:
        http_session.headers["Accept"] = "text/html"
        if request.param != "nobody":
            http_session.get(here.site.link(request.param), allow_redirects=False)
            assert http_session.get(f"{here.url}/api/me").json()["id"] == request.param
        yield http_session


def encoded(text: str) -> str:
    return quote(text.encode(errors="surrogatepass"), safe="")


def judged(answer: requests.Response) -> None:
    assert answer.status_code < 500, f"{answer.url}: {answer.status_code} {answer.text[:300]}"
    sent = answer.content.decode(errors="replace")
    if "html" in answer.headers.get("content-type", ""):
        for place in re.finditer(MARK, sent):
            around = sent[place.start() : place.start() + len(NASTY)]
            assert not re.search(r"[<>\"]|{{7", around), f"{answer.url}: {around}"
            assert "49" not in around, answer.url
    target = urlsplit(answer.headers.get("location", ""))
    assert not target.netloc or answer.url.startswith(f"{target.scheme}://{target.netloc}/"), answer.headers["location"]


def test_the_pages_that_are_asked_for_are_all_of_them() -> None:
    assert {"/", "/sessions/{session_id}", "/devices/{kiosk_id}", "/s/{token}", "/sign-in", "/account"} <= set(PAGES)


@pytest.mark.parametrize("odd", ODD, ids=ascii)
def test_odd_ids_and_tokens_in_an_address_are_answered_and_not_echoed(
    here: FuzzSite, who: requests.Session, odd: str
) -> None:
    for page in PAGES:
        if "{" in page:
            judged(who.get(here.url + re.sub(r"\{\w+\}", lambda _: encoded(odd), page), allow_redirects=False))


@pytest.mark.parametrize("odd", ODD, ids=ascii)
def test_odd_values_behind_the_question_mark_are_answered_and_not_echoed(
    here: FuzzSite, who: requests.Session, odd: str
) -> None:
    known = {"session_id": "s-open", "kiosk_id": "kiosk-1", "token": here.guest, "artifact_id": "a-flat"}
    query = "&".join(f"{name}={encoded(odd)}" for name in QUERIES) + f"&{encoded(odd)}={encoded(odd)}"
    for page in PAGES:
        path = re.sub(r"\{(\w+)\}", lambda found: known.get(found[1], "x"), page)
        judged(who.get(f"{here.url}{path}?{query}", allow_redirects=False))


def test_a_page_names_its_modules_and_one_without_any_names_none(here: FuzzSite) -> None:
    assert (
        "</static/js/sign_in.js>; rel=modulepreload" in requests.get(f"{here.url}/sign-in", timeout=10).headers["link"]
    )
    assert "link" not in requests.get(f"{here.url}/static/js/dom.js", timeout=10).headers


@pytest.mark.parametrize("raw", RAW, ids=ascii)
def test_an_address_that_is_none_is_answered(here: FuzzSite, raw: bytes) -> None:
    place = urlsplit(here.url)
    line = http.client.HTTPConnection(place.hostname or "", place.port, timeout=10)
    line.connect()
    line.sock.sendall(b"GET " + raw + b" HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\nConnection: close\r\n\r\n")
    answer = http.client.HTTPResponse(line.sock)
    answer.begin()
    assert answer.status < 500, answer.read()[:300]
    line.close()
