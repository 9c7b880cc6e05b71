"""Errors over HTTP: JSON {code, text} everywhere, with the codes of kiosk.errors and a few of HTTP's own."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from kiosk import errors


class Problem(errors.Trouble):
    """An answer over HTTP that is an error; ends the request wherever it is raised."""

    def __init__(
        self,
        status: int,
        code: str,
        text: str = "",
        headers: Mapping[str, str] | None = None,
        body: Struct | None = None,
    ) -> None:
        super().__init__(text or code)
        self.status = status
        self.problem = code
        self.headers = dict(headers or {})
        self.body = body
        """Said instead of {code, text}: a struct that has both."""


class ProblemBody(Struct, frozen=True):
    code: str
    text: str


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
