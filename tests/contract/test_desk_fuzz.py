"""The whole API under schemathesis: whoever asks, and whatever, is answered as the document says, and never with a 5xx
of the desk's own.

The seed is fixed: what is red stays red until it is mended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import HypothesisException, Unsatisfiable
from schemathesis import Case
from schemathesis.core.failures import FailureGroup
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from desk import openapi
from desk.app import bare_app
from tests.contract.fuzz_site import FRAGMENT, OFFER, FuzzSite, running

CHECKS: list[Any] = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
FITTING, UNFITTING = GenerationMode.POSITIVE, GenerationMode.NEGATIVE
EACH = 3
"""Requests for each operation and each of WHO."""
WHO = ("nobody", "anna", "flo", "ada", "token", "guest")
"""Nobody; staff; a fleet manager; an administrator; a program with an administrator's token; a code user, who has an
address only."""
ENDLESS = {"/api/events"}
"""Has tests of its own (test_desk_live.py)."""
KNOWN = {
    "session_id": ("s-open", "s-running", "s-over", "s-foreign", "s-none"),
    "artifact_id": ("a-flat", "a-late", "a-none"),
    "account_id": ("ben", "clara", "ada", "nobody"),
}
LIMIT_S = 20
OF_OTHERS = {"unreachable"}
"""What is answered with a 5xx and is no defect of the desk: a kiosk that says nothing."""
OF_TYPE = {"application/sdp": OFFER, "application/trickle-ice-sdpfrag": FRAGMENT}


@schemathesis.serializer(*OF_TYPE, "application/offset+octet-stream")
def as_it_is(_context: object, value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode(errors="replace")


@dataclass
class Client:
    """Somebody who asks. Who was signed out by what he asked for signs in again."""

    here: FuzzSite
    who: str
    http: requests.Session = field(default_factory=requests.Session)

    def begin(self) -> None:
        self.http.headers.update({"X-Desk": "1", "Origin": self.here.url})
        if self.who in ("anna", "flo", "ada", "token") and self.http.get(f"{self.here.url}/api/me").status_code != 200:
            self.http.headers.pop("Authorization", None)
            self.http.cookies.clear()
            person = "ada" if self.who == "token" else self.who
            self.http.get(self.here.site.link(person), allow_redirects=False)
            if self.who == "token":
                self._become_a_program()

    def _become_a_program(self) -> None:
        form = {"name": "fuzz", "scopes": ["read", "write"]}
        made = self.http.post(f"{self.here.url}/api/account/tokens", json=form).json()
        self.http.cookies.clear()
        self.http.headers["Authorization"] = f"Bearer {made['secret']}"

    def ask(self, case: Case[Any]) -> requests.Response:
        for name, value in dict(case.path_parameters).items():
            case.path_parameters[name] = self._known(name, str(value), case.path)
        if case.media_type in OF_TYPE and isinstance(case.body, str) and len(case.body) % 2:
            case.body = OF_TYPE[case.media_type]
        headers = {"Accept": "*/*"} | self._of_protocols(case)
        request = case.as_transport_kwargs(base_url=self.here.url, headers=headers)
        return self.http.request(**request, timeout=LIMIT_S, allow_redirects=False)

    def _known(self, name: str, value: str, path: str) -> str:
        """Mostly something that there is; which, follows from what was drawn."""
        if name == "token":
            good = self.here.guest if path.startswith("/s/") else self.here.grant
            return good if len(value) % 3 else value
        choices = (*KNOWN.get(name, ()), value)
        return choices[sum(value.encode(errors="replace")) % len(choices)]

    def _of_protocols(self, case: Case[Any]) -> dict[str, str]:
        """What tus asks for in every request, and what would only be refused without."""
        if not case.path.startswith("/uploads/"):
            return {"If-Match": "*"} if case.method == "PATCH" else {}
        return {"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Upload-Length": "1025"}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FuzzSite]:
    with running(tmp_path_factory.mktemp("fuzz")) as site:
        yield site


@pytest.fixture(scope="module")
def api() -> Any:
    """Without what it says about security: who asks is somebody real, or nobody."""
    document = openapi.document(bare_app())
    for item in document["paths"].values():
        for operation in item.values():
            del operation["security"]
    return schemathesis.openapi.from_dict(document)


@pytest.mark.timeout(300)  # hundreds of requests, and this machine may have more to do
@pytest.mark.parametrize(
    ("who", "mode"),
    [*((who, FITTING) for who in WHO), *((who, UNFITTING) for who in ("nobody", "flo", "ada", "guest"))],
)
def test_the_api_answers_as_its_document_says(here: FuzzSite, api: Any, who: str, mode: GenerationMode) -> None:
    client, wrong = Client(here, who), list[str]()
    for found in api.get_all_operations():
        operation = found.ok()
        takes_something = list(operation.query) or list(operation.body)
        if operation.path not in ENDLESS and (takes_something or mode is FITTING):
            client.begin()
            wrong += _tried(client, operation, mode)
    assert not wrong, "\n\n".join(wrong)


def _tried(client: Client, operation: Any, mode: GenerationMode) -> list[str]:
    """What was wrong with its answers."""

    def ask(case: Case[Any]) -> None:
        answer = client.ask(case)
        case.validate_response(answer, checks=CHECKS)
        assert answer.status_code < 500 or answer.json()["code"] in OF_OTHERS, answer.text

    try:
        _bounded(given(case=operation.as_strategy(generation_mode=mode))(ask))()
    except Unsatisfiable:
        return []  # nothing about it could be unfitting
    except (AssertionError, FailureGroup, requests.RequestException, HypothesisException) as error:
        return [f"{operation.label}: {error}"]
    return []


def _bounded(test: Callable[[], None]) -> Callable[[], None]:
    bounds = settings(
        max_examples=EACH,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    return seed(20260301)(bounds(test))
