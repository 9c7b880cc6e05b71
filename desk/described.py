"""What the API's document says of each operation beside what its handler's signature says (desk.openapi).

A route of the API without a line here fails tests/contract/test_desk_openapi.py, as does one without a rule in
desk.people.rights. Pages for browsers are no part of the API.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from desk import api
from desk.calls.offers import FRAGMENT, SDP
from desk.files.tus import CHECKSUM_MISMATCH, PATCH_TYPE
from desk.keeping.clock_routes import ClockRight
from desk.keeping.deletion_routes import DeletionWish
from desk.notifications import routes as notification_routes
from desk.notifications.channels import Subscription, Wishes
from desk.people import administration, door, own_account
from desk.people.accounts import Changes, Profile
from desk.sessions.ratings import Rated
from desk.webhooks.routes import AgainWish, NewWebhook, WebhookChange

FILE = "application/octet-stream image/jpeg image/svg+xml video/mp4 application/json application/x-ndjson"


@dataclass(frozen=True, slots=True)
class Entry:
    """body: the form of the JSON that a request brings; sends: its content type, where it is no JSON. gives: content
    types of a success that is no JSON, space separated. statuses: of a success, where there are several, or another
    than the handler's own. problems: beside those that follow from its rule and its parameters. viewer: a token for
    one session is shown."""

    title: str
    body: Any = None
    sends: str = ""
    gives: str = ""
    statuses: tuple[int, ...] = ()
    problems: tuple[int, ...] = ()
    viewer: bool = False


TAGS = {
    "Sessions": "Requests and sessions: lists, details, what is done to them.",
    "Files": "Recordings, snapshots and what else belongs to a session.",
    "Calls": "Joining a call: WHEP to see, WHIP to send, `talk` for both, our pages' own way.",
    "Devices": "Kiosks and the machines they are attached to.",
    "People": "Who may sign in. Administrators change it.",
    "My account": "Of whoever asks.",
    "Audit log": "Who did what.",
    "Webhooks": "Other programs that are told of changes.",
    "Live updates": "Server-sent events.",
    "Uploads": "tus 1.0, for kiosks.",
    "Code user": "What is public of one session, behind an address that nobody guesses.",
    "Desk": "The desk itself.",
}
PROBLEMS = {
    400: "What came is no address, no value, or does not fit its form.",
    401: "Nobody is signed in, or a password, a code or a token is not the right one.",
    403: "Not for this person, this token, or from this page.",
    404: "There is no such thing (any more).",
    406: "The answer would be of a type that was not asked for.",
    408: "The sender was not heard of any more; what came is kept.",
    409: "A rule says no, or somebody was faster; nothing has changed.",
    410: "It was here, and is deleted or over.",
    412: "It is not (any more) what it was thought to be, or the protocol's version is another one.",
    413: "Too large.",
    415: "Of a type that is not understood here.",
    416: "This part lies outside of the file.",
    422: "It is understood, and cannot be answered.",
    423: "All of it is here and is being verified: ask again.",
    428: "The header If-Match is needed.",
    429: "Too many tries: wait as long as Retry-After says.",
    460: "What came is not what its checksum says (tus).",
    503: "The kiosk, or the broker, does not answer: try again.",
    507: "The desk's disk takes no more.",
}

_TAG_OF = (
    ("/api/sessions/{session_id}/call", "Calls"),
    ("/api/sessions/{session_id}/token", "Calls"),
    ("/api/sessions/{session_id}/artifacts", "Files"),
    ("/api/sessions/{session_id}/deletions", "Files"),
    ("/api/sessions/{session_id}/export", "Files"),
    ("/api/sessions", "Sessions"),
    ("/api/retention", "Files"),
    ("/api/ice-servers", "Calls"),
    ("/whep", "Calls"),
    ("/whip", "Calls"),
    ("/talk", "Calls"),
    ("/api/kiosks", "Devices"),
    ("/api/providers", "Devices"),
    ("/api/people", "People"),
    ("/api/accounts", "People"),
    ("/api/account", "My account"),
    ("/api/me", "My account"),
    ("/api/sign-in", "My account"),
    ("/api/welcome", "My account"),
    ("/leave", "My account"),
    ("/api/webhooks", "Webhooks"),
    ("/api/audit", "Audit log"),
    ("/api/events", "Live updates"),
    ("/uploads", "Uploads"),
    ("/s/", "Code user"),
)
"""Beginnings of addresses; the first that fits."""


def tag_of(path: str) -> str:
    return next((tag for start, tag in _TAG_OF if path.startswith(start)), "Desk")


def _file(title: str) -> Entry:
    return Entry(title, gives=FILE, statuses=(200, 206, 304), problems=(416,))


def _join(title: str, *more: int) -> Entry:
    problems = (*more, 406, 409, 422, 503)
    return Entry(title, sends=SDP, gives=SDP, problems=problems, viewer=bool(more))


def _trickle(title: str, *more: int) -> Entry:
    problems = (*more, 409, 412, 422, 428, 503)
    return Entry(title, sends=FRAGMENT, gives=FRAGMENT, statuses=(200, 204), problems=problems, viewer=bool(more))


def _with_token(way: str) -> dict[str, Entry]:
    return {
        f"POST /{way}/{{session_id}}": _join(f"Join a call ({way})", 401, 403),
        f"PATCH /{way}/{{session_id}}/{{peer_id}}": _trickle(f"Tell candidates, or restart ICE ({way})", 401, 403),
        f"DELETE /{way}/{{session_id}}/{{peer_id}}": Entry(f"Hang up ({way})", problems=(401, 403), viewer=True),
    }


DESCRIBED: dict[str, Entry] = {
    "GET /api/me": Entry("Who I am"),
    # sessions
    "GET /api/sessions": Entry("List sessions"),
    "POST /api/sessions": Entry("Create a session", body=api.NewSession, problems=(404, 409, 503)),
    "GET /api/sessions/{session_id}": Entry("A session's details"),
    "POST /api/sessions/{session_id}/commands": Entry("Do something to a session", api.Wish, problems=(409, 503)),
    "POST /api/sessions/{session_id}/seen": Entry("Tell that I have seen it", problems=(503,)),
    # files
    "GET /api/sessions/{session_id}/artifacts/{artifact_id}": _file("A file"),
    "GET /api/sessions/{session_id}/artifacts/{artifact_id}/drawn": Entry("How far the film with drawings is"),
    "POST /api/sessions/{session_id}/artifacts/{artifact_id}/drawn": Entry(
        "Ask for the film with drawings", problems=(409,)
    ),
    "DELETE /api/sessions/{session_id}/artifacts/{artifact_id}/drawn": Entry("Do not make the film with drawings"),
    "GET /api/sessions/{session_id}/artifacts/{artifact_id}/drawn/file": _file("The film with drawings"),
    "GET /api/sessions/{session_id}/export": Entry("Everything as a ZIP", gives="application/zip"),
    "GET /api/sessions/{session_id}/deletions": Entry("Receipts of what was deleted"),
    "POST /api/sessions/{session_id}/deletions": Entry("Delete files", DeletionWish, problems=(409,)),
    # calls
    "POST /api/sessions/{session_id}/call": _join("Join a call (page)"),
    "PATCH /api/sessions/{session_id}/call/{peer_id}": _trickle("Tell candidates, or restart ICE (page)"),
    "DELETE /api/sessions/{session_id}/call/{peer_id}": Entry("Hang up (page)"),
    "POST /api/sessions/{session_id}/token": Entry("A token for this session's call"),
    "GET /api/ice-servers": Entry("STUN and TURN servers"),
    **_with_token("whep"),
    **_with_token("whip"),
    **_with_token("talk"),
    # devices, people, live updates
    "GET /api/kiosks": Entry("List devices"),
    "GET /api/kiosks/{kiosk_id}": Entry("Get a device"),
    "GET /api/providers": Entry("List providers"),
    "GET /api/people": Entry("List who may be assigned"),
    "GET /api/events": Entry("Live updates", gives="text/event-stream", problems=(503,)),
    # signing in and out, and the own account
    "POST /api/sign-in": Entry("Sign in", body=door.SignInForm, problems=(401, 429)),
    "POST /api/welcome/{token}": Entry("Set a password by a link", door.WelcomeForm, problems=(401, 409, 410, 429)),
    "POST /leave": Entry("Sign out"),
    "GET /api/account": Entry("My account"),
    "POST /api/account": Entry("Change my account", own_account.OwnChanges, problems=(409,)),
    "POST /api/account/password": Entry("Change my password", own_account.NewPassword, problems=(409, 429)),
    "POST /api/account/second-factor/begin": Entry("Begin to set up a second factor"),
    "POST /api/account/second-factor": Entry("Set up a second factor", own_account.FirstCode, problems=(429,)),
    "POST /api/account/second-factor/off": Entry("Take the second factor off", own_account.OneCode, problems=(429,)),
    "DELETE /api/account/sign-ins/{sign_in_id}": Entry("Sign another browser out"),
    "POST /api/account/sign-ins/end-others": Entry("Sign all other browsers out"),
    "POST /api/account/tokens": Entry("Make an API token", own_account.NewToken, problems=(409,)),
    "DELETE /api/account/tokens/{token_id}": Entry("End an API token"),
    "GET /api/account/notifications": Entry("How I am told of requests"),
    "POST /api/account/notifications": Entry("Change when I am told of requests", Wishes),
    "POST /api/account/notifications/browsers": Entry("Web Push to this browser", Subscription, problems=(429,)),
    "DELETE /api/account/notifications/browsers/{browser_id}": Entry("No more Web Push to a browser"),
    "POST /api/account/notifications/addresses": Entry(
        "Add an address that I am told by", notification_routes.NewAddress, problems=(409, 429)
    ),
    "DELETE /api/account/notifications/addresses/{address_id}": Entry("Remove such an address"),
    "POST /api/account/notifications/test": Entry("Send me a test everywhere", problems=(429,)),
    # administration
    "GET /api/accounts": Entry("List accounts"),
    "POST /api/accounts": Entry("Invite somebody", Profile, problems=(409,)),
    "POST /api/accounts/{account_id}": Entry("Change an account", Changes, problems=(409,)),
    "DELETE /api/accounts/{account_id}": Entry("Remove an account", problems=(409,)),
    "POST /api/accounts/{account_id}/lock": Entry("Lock or unlock an account", administration.Lock, problems=(409,)),
    "POST /api/accounts/{account_id}/link": Entry("A link to set a password with", problems=(409,)),
    "DELETE /api/accounts/{account_id}/second-factor": Entry("Take somebody's second factor off"),
    "DELETE /api/accounts/{account_id}/sign-ins": Entry("Sign somebody out everywhere"),
    "GET /api/retention/clock": Entry("Whether files may be deleted by the clock"),
    "POST /api/retention/clock": Entry("Say that the clock is right", body=ClockRight, problems=(409,)),
    # webhooks
    "GET /api/webhooks": Entry("List webhooks"),
    "POST /api/webhooks": Entry("Add a webhook", body=NewWebhook, problems=(409,)),
    "POST /api/webhooks/{webhook_id}": Entry("Change a webhook", body=WebhookChange),
    "DELETE /api/webhooks/{webhook_id}": Entry("Remove a webhook"),
    "POST /api/webhooks/{webhook_id}/secret": Entry("Draw a new secret for a webhook"),
    "POST /api/webhooks/{webhook_id}/test": Entry("Try a webhook out"),
    "GET /api/webhooks/{webhook_id}/deliveries": Entry("A webhook's last deliveries"),
    "POST /api/webhooks/{webhook_id}/again": Entry("Send again what was given up", body=AgainWish, problems=(409,)),
    "GET /api/audit": Entry("Read the audit log"),
    "GET /api/audit/export": Entry("The audit log as CSV", gives="text/csv"),
    # whoever has the token in the address
    "POST /uploads/{token}": Entry("Begin an upload", problems=(401, 408, 412, 413, 423, CHECKSUM_MISMATCH, 507)),
    "HEAD /uploads/{token}": Entry("How much is here", problems=(401, 408, 412, 423, CHECKSUM_MISMATCH, 507)),
    "PATCH /uploads/{token}": Entry(
        "Go on with an upload",
        sends=PATCH_TYPE,
        statuses=(204,),
        problems=(401, 408, 409, 412, 423, CHECKSUM_MISMATCH, 507),
    ),
    "DELETE /uploads/{token}": Entry("Give an upload up", statuses=(204,), problems=(401, 403, 408, 412, 423)),
    "GET /s/{token}/{artifact_id}": _file("A public file"),
    "POST /s/{token}/rating": Entry(
        "Rate the session", Rated, sends="application/x-www-form-urlencoded", statuses=(303,), problems=(422,)
    ),
    "GET /healthz": Entry("Whether the desk is well"),
}
"""By the key of desk.people.rights.TABLE."""
