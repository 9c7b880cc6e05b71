"""Errors over HTTP: problem details (RFC 9457) everywhere, with the codes of kiosk.errors and a few of HTTP's own."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from msgspec import Struct

from kiosk import errors
from kiosk.wire.messages import Answer

PROBLEM_TYPE = "application/problem+json"


class Problem(errors.Trouble):
    """An answer over HTTP that is an error; ends the request wherever it is raised."""

    def __init__(
        self,
        status: int,
        code: str,
        text: str = "",
        headers: Mapping[str, str] | None = None,
        body: Answer | None = None,
    ) -> None:
        super().__init__(text or code)
        self.status = status
        self.problem = code
        self.headers = dict(headers or {})
        self.answer = body
        """The kiosk's, where it was the kiosk that refused."""

    @property
    def body(self) -> ProblemBody:
        return problem_body(self.status, self.problem, self.text, self.answer)


class ProblemBody(Struct, frozen=True, omit_defaults=True):
    """What went wrong (RFC 9457). code: stable, for programs; `type` is made of it. detail: a sentence for people."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    answer: Answer | None = None


def problem_body(status: int, code: str, detail: str, answer: Answer | None = None) -> ProblemBody:
    title = HTTPStatus(status).phrase if status in _KNOWN else "Refused"
    return ProblemBody(f"urn:video-desk:problem:{code}", title, status, detail, code, answer)


_KNOWN = frozenset(HTTPStatus)


_STATUS: dict[type[errors.Trouble], int] = {
    errors.TooLarge: 413,
    errors.Malformed: 400,
    errors.NotAllowed: 403,
    errors.NotAssigned: 403,
    errors.RequestsOff: 403,
    errors.NoSuchSession: 404,
    errors.Refused: 409,
    errors.Unreachable: 503,
    errors.StoreTrouble: 507,
}


def status_of(trouble: errors.Trouble) -> int:
    """The HTTP status of an error: of the nearest of its classes in the table."""
    return next((_STATUS[c] for c in type(trouble).__mro__ if c in _STATUS), 500)


def not_found(what: str) -> Problem:
    return Problem(404, "not_found", f"there is no such {what}")


def wrong_type(wanted: str) -> Problem:
    return Problem(415, "wrong_type", f"only {wanted} is understood here", {"Accept": wanted})
