"""The API's document: complete, right in itself, and the one that is kept in docs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from desk import openapi
from desk.app import bare_app
from desk.described import DESCRIBED, PROBLEMS, TAGS, tag_of
from desk.people.rights import TABLE, Scope, Way, routes_of
from tests.contract.desk_site import Site

COMMITTED = Path(__file__).parents[2] / "docs" / "wire" / "openapi.json"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi.document(bare_app())


def test_the_document_in_docs_is_the_one_that_the_handlers_make() -> None:
    say = "the API has changed: python -m desk.openapi docs/wire/openapi.json"
    assert COMMITTED.read_text() == openapi.text(), say


def test_the_command_prints_it() -> None:
    said = subprocess.run([sys.executable, "-m", "desk.openapi"], capture_output=True, text=True, check=True)
    assert said.stdout == openapi.text()


def test_every_route_of_the_api_is_described_and_every_description_has_a_route() -> None:
    routes = routes_of(bare_app().routes)
    api = {route for route in routes if route.partition(" ")[2].startswith("/api/")}
    assert api - DESCRIBED.keys() == set(), "routes of the API without a line in desk/described.py"
    assert DESCRIBED.keys() - routes == set(), "lines in desk/described.py without a route"


def test_all_that_is_referred_to_is_there(document: dict[str, Any]) -> None:
    for ref in _refs(document):
        place: Any = document
        for step in ref.removeprefix("#/").split("/"):
            place = place[step]


def test_each_operation_has_a_title_a_known_tag_and_a_name_of_its_own(document: dict[str, Any]) -> None:
    found = [o for item in document["paths"].values() for o in item.values()]
    assert len({o["operationId"] for o in found}) == len(found)
    assert all(o["summary"] and o["tags"][0] in TAGS for o in found)
    assert {tag_of(path) for path in document["paths"]} == set(TAGS)


def test_what_changes_something_says_what_it_takes(document: dict[str, Any]) -> None:
    """Whoever reads a body says its form: an operation that can answer 415 has one, and the other way round."""
    for path, item in document["paths"].items():
        for method, o in item.items():
            assert ("requestBody" in o) == ("415" in o["responses"]), f"{method} {path}"


def test_every_error_is_a_problem_that_is_explained(document: dict[str, Any]) -> None:
    for path, item in document["paths"].items():
        for method, o in item.items():
            errors = {status for status in o["responses"] if status >= "400"}
            assert errors, f"{method} {path}"
            assert errors <= {str(status) for status in PROBLEMS}, f"{method} {path}"
            assert all(set(o["responses"][status]) == {"$ref"} for status in errors)


def test_what_a_token_needs_is_what_the_table_of_rights_says(document: dict[str, Any]) -> None:
    for key in DESCRIBED:
        method, _, path = key.partition(" ")
        security, rule = document["paths"][path][method.lower()]["security"], TABLE[key]
        scopes = [wish["token"] for wish in security if "token" in wish]
        assert scopes == ([[Scope(rule.scope).value]] if rule.scope else []), key
        assert ({"cookie": []} in security) == (rule.way is Way.SIGNED_IN), key


async def test_a_desk_serves_it_to_everybody(site: Site) -> None:
    async with httpx.AsyncClient(base_url=site.url) as nobody:
        answer = await nobody.get("/schema/openapi.json")
        assert answer.json() == json.loads(COMMITTED.read_text())
        assert (await nobody.get("/schema")).status_code == 401, "only the document"


async def test_errors_are_problem_details(site: Site, anna: httpx.AsyncClient) -> None:
    answer = await anna.get("/api/sessions/s-none")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "urn:video-desk:problem:not_found",
        "title": "Not Found",
        "status": 404,
        "detail": "there is no such session",
        "code": "not_found",
    }


def _refs(told: Any) -> list[str]:
    if isinstance(told, list):
        return [ref for each in told for ref in _refs(each)]
    if not isinstance(told, dict):
        return []
    own = [told["$ref"]] if isinstance(told.get("$ref"), str) else []
    return own + [ref for value in told.values() for ref in _refs(value)]
