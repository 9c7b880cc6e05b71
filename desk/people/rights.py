"""Who may use which route: one table, from which the guard works. What one may do to *one* session, its record says.

A route without a line here ends the desk at its start, and fails tests/contract/test_desk_rights.py before.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, StrEnum

from litestar.routes import BaseRoute, HTTPRoute

from desk.config import Rank


class Scope(StrEnum):
    """What an API token may be good for, within what its person may do."""

    READ = "read"
    WRITE = "write"


class Way(Enum):
    """How somebody shows that he may."""

    OPEN = "open"  # nothing to show, and nothing that could be changed
    FORM = "form"  # nobody is signed in yet, but it must come from our own pages
    BEARER = "bearer"  # the address or a header holds a token that the handler judges
    SIGNED_IN = "signed in"


@dataclass(frozen=True, slots=True)
class Rule:
    """ranks: any one of these is needed. scope: what an API token needs; None: no token is good for it. own: also for
    somebody who has yet to set up the second factor that is asked of him."""

    way: Way = Way.SIGNED_IN
    ranks: frozenset[Rank] = frozenset(Rank)
    scope: Scope | None = None
    own: bool = False


STAFF = frozenset({Rank.STAFF, Rank.MODERATOR, Rank.ADMINISTRATOR})

OPEN, FORM, BEARER = Rule(Way.OPEN), Rule(Way.FORM), Rule(Way.BEARER)
READ = Rule(scope=Scope.READ)
"""Everybody who is signed in; lists hold what the person may see."""
PAGE = Rule()
HELP = Rule(ranks=STAFF, scope=Scope.WRITE)
"""To act in sessions."""
MODERATE = Rule(ranks=frozenset({Rank.MODERATOR, Rank.ADMINISTRATOR}), scope=Scope.WRITE)
LOOK = Rule(ranks=STAFF, scope=Scope.READ)
OWN = Rule(own=True)
ADMINISTER = Rule(ranks=frozenset({Rank.ADMINISTRATOR}))

TABLE: dict[str, Rule] = {
    "GET /": PAGE,
    "GET /devices": PAGE,
    "GET /devices/{kiosk_id}": PAGE,
    "GET /sessions/new": Rule(ranks=STAFF),
    "GET /sessions/{session_id}": PAGE,
    "GET /api/me": Rule(scope=Scope.READ, own=True),
    "GET /api/sessions": READ,
    "POST /api/sessions": HELP,
    "GET /api/sessions/{session_id}": READ,
    "POST /api/sessions/{session_id}/commands": HELP,
    "POST /api/sessions/{session_id}/seen": HELP,
    "GET /api/sessions/{session_id}/artifacts/{artifact_id}": READ,
    "GET /api/sessions/{session_id}/artifacts/{artifact_id}/drawn": READ,
    "POST /api/sessions/{session_id}/artifacts/{artifact_id}/drawn": HELP,
    "DELETE /api/sessions/{session_id}/artifacts/{artifact_id}/drawn": HELP,
    "GET /api/sessions/{session_id}/artifacts/{artifact_id}/drawn/file": READ,
    "GET /api/sessions/{session_id}/deletions": READ,
    "GET /api/sessions/{session_id}/export": LOOK,
    "POST /api/sessions/{session_id}/deletions": MODERATE,
    "POST /api/sessions/{session_id}/call": HELP,
    "PATCH /api/sessions/{session_id}/call/{peer_id}": HELP,
    "DELETE /api/sessions/{session_id}/call/{peer_id}": HELP,
    "POST /api/sessions/{session_id}/token": HELP,
    "GET /api/ice-servers": LOOK,
    "GET /api/kiosks": READ,
    "GET /api/kiosks/{kiosk_id}": READ,
    "GET /api/providers": READ,
    "GET /api/people": READ,
    "GET /api/events": READ,
    "GET /schema": READ,
    "GET /schema/openapi.json": OPEN,
    "GET /schema/{path}": READ,
    # signing in and out, and the own account
    "GET /sign-in": OPEN,
    "POST /api/sign-in": FORM,
    "GET /sign-in/sso": OPEN,
    "GET /sign-in/sso/back": OPEN,
    "GET /enter/{token}": BEARER,
    "GET /welcome/{token}": BEARER,
    "POST /api/welcome/{token}": FORM,
    "POST /leave": OWN,
    "GET /account": OWN,
    "GET /api/account": OWN,
    "POST /api/account": OWN,
    "POST /api/account/password": OWN,
    "POST /api/account/second-factor/begin": OWN,
    "POST /api/account/second-factor": OWN,
    "POST /api/account/second-factor/off": OWN,
    "POST /api/account/sign-ins/end-others": OWN,
    "DELETE /api/account/sign-ins/{sign_in_id}": OWN,
    "POST /api/account/tokens": PAGE,
    "DELETE /api/account/tokens/{token_id}": OWN,
    "GET /api/account/notifications": PAGE,
    "POST /api/account/notifications": PAGE,
    "POST /api/account/notifications/browsers": PAGE,
    "DELETE /api/account/notifications/browsers/{browser_id}": PAGE,
    "POST /api/account/notifications/addresses": PAGE,
    "DELETE /api/account/notifications/addresses/{address_id}": PAGE,
    "POST /api/account/notifications/test": PAGE,
    # administration
    "GET /people": ADMINISTER,
    "GET /api/accounts": ADMINISTER,
    "POST /api/accounts": ADMINISTER,
    "POST /api/accounts/{account_id}": ADMINISTER,
    "DELETE /api/accounts/{account_id}": ADMINISTER,
    "POST /api/accounts/{account_id}/lock": ADMINISTER,
    "POST /api/accounts/{account_id}/link": ADMINISTER,
    "DELETE /api/accounts/{account_id}/second-factor": ADMINISTER,
    "DELETE /api/accounts/{account_id}/sign-ins": ADMINISTER,
    "GET /webhooks": ADMINISTER,
    "GET /api/webhooks": ADMINISTER,
    "POST /api/webhooks": ADMINISTER,
    "POST /api/webhooks/{webhook_id}": ADMINISTER,
    "DELETE /api/webhooks/{webhook_id}": ADMINISTER,
    "POST /api/webhooks/{webhook_id}/secret": ADMINISTER,
    "POST /api/webhooks/{webhook_id}/test": ADMINISTER,
    "GET /api/webhooks/{webhook_id}/deliveries": ADMINISTER,
    "POST /api/webhooks/{webhook_id}/again": ADMINISTER,
    "GET /api/retention/clock": ADMINISTER,
    "POST /api/retention/clock": ADMINISTER,
    "GET /audit": ADMINISTER,
    "GET /api/audit": ADMINISTER,
    "GET /api/audit/export": ADMINISTER,
    # whoever has the token in the address or in the header
    "GET /s/{token}": BEARER,
    "GET /s/{token}/{artifact_id}": BEARER,
    "POST /s/{token}/rating": BEARER,
    **{f"{method} /uploads/{{token}}": BEARER for method in ("OPTIONS", "POST", "HEAD", "PATCH", "DELETE")},
    **{
        f"{method} /{way}/{{session_id}}": BEARER
        for way in ("whep", "whip", "talk")
        for method in ("OPTIONS", "GET", "HEAD", "POST")
    },
    **{
        f"{method} /{way}/{{session_id}}/{{peer_id}}": BEARER
        for way in ("whep", "whip", "talk")
        for method in ("OPTIONS", "GET", "HEAD", "PATCH", "DELETE")
    },
    # what holds no secret
    "GET /static/{file_path}": OPEN,
    "HEAD /static/{file_path}": OPEN,
    "GET /sw.js": OPEN,
    "GET /healthz": OPEN,
}


def rule_of(method: str, path: str) -> Rule | None:
    """`path` with its parameters in braces. OPTIONS that a handler does not answer itself say what there is: for
    everybody who is signed in."""
    return TABLE.get(f"{method} {path}") or (PAGE if method == "OPTIONS" else None)


def routes_of(routes: Iterable[BaseRoute]) -> set[str]:
    """ "METHOD /path" of each, without the OPTIONS that are answered by themselves."""
    return {
        f"{method} {route.path_format}"
        for route in routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        for method in handler.http_methods
        if method != "OPTIONS" or f"OPTIONS {route.path_format}" in TABLE
    }


def without_rule(routes: Iterable[BaseRoute]) -> list[str]:
    return sorted(routes_of(routes) - TABLE.keys())
