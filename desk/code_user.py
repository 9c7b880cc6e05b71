"""The code user's page behind the QR code: no account, nothing to guess, one session's public recordings and pictures,
for a limited time. There the code user says how it was, and may say so anew while the page lives."""

from __future__ import annotations

import time
from datetime import date
from typing import Any, get_args
from urllib.parse import parse_qs

from babel.dates import format_date
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect
from litestar.types import ControllerRouterHandler
from msgspec import Struct, ValidationError, convert

from desk.config import Language
from desk.files.serve import file_response
from desk.files.store import Files
from desk.files.uploads import Uploads
from desk.pages import AnyRequest, Pages, language_of
from desk.problems import Problem, wrong_type
from desk.seals import BadSeal, Guest, Seals
from desk.sessions.kiosks import Kiosks, tell_if_possible
from desk.sessions.ratings import MOST_WORDS, Rated, rate, rating_of
from desk.sessions.store import Store
from kiosk.session.record import Artifact, ArtifactKind, Session
from kiosk.session.states import ENDED, OPEN
from kiosk.wire.messages import PublicLink

LINK_S = 7 * 24 * 3600
MOST_FORM_BYTES = 16 * 1024
SHOWN = (ArtifactKind.RECORDING, ArtifactKind.FLATTENED)
"""Originals, layers, timelines and session data are for staff."""


class Item(Struct, frozen=True):
    """One file on the page. `url` is empty while it is on its way; `percent` says how far."""

    kind: str
    url: str
    percent: int


class CodeUser:
    def __init__(self, store: Store, uploads: Uploads, kiosks: Kiosks, seals: Seals, url: str) -> None:
        self._store, self._uploads, self._kiosks, self._seals, self._url = store, uploads, kiosks, seals, url

    async def invite(self, session: Session) -> None:
        """Tells the kiosk the address for its QR code, once the call is over and as long as the session is public."""
        if session.state in OPEN or not session.calls or session.visibility != "public":
            return
        link = PublicLink(session=session.id, url=f"{self._url}/s/{self.token(session)}")
        await tell_if_possible(self._kiosks.receipt(session.kiosk, link))

    def token(self, session: Session) -> str:
        return self._seals.seal("guest", Guest(session.id, self._seals.until(LINK_S)))

    async def session(self, token: str) -> Session:
        """The session that the token opens.

        Raises:
            Problem: 404, whatever the reason: forged, over, or no longer public.
        """
        try:
            session = await self._store.session(self._seals.open("guest", token, Guest).session)
        except BadSeal:
            session = None
        if session is None or session.visibility != "public":
            raise Problem(404, "not_found", "there is nothing here (any more)")
        return session

    async def items(self, token: str, session: Session) -> list[Item]:
        views = await self._uploads.views(session)
        kept = [a for a in shown(session) if not views[a.id].deleted_s]
        return [self._item(token, a, views[a.id].uploaded, views[a.id].received) for a in kept]

    @staticmethod
    def _item(token: str, artifact: Artifact, here: bool, received: int) -> Item:
        url = f"/s/{token}/{artifact.id}" if here else ""
        return Item(artifact.kind.value, url, 100 * received // max(1, artifact.bytes))

    async def rated(self, session: Session) -> Rated | None:
        """What the code user said here; else what was said at the machine."""
        said = await rating_of(self._store.transactions, session.id)
        there = session.rating
        return said or (Rated(there.stars, there.text[:MOST_WORDS]) if there else None)

    async def rate(self, session: Session, rated: Rated) -> None:
        await rate(self._store.transactions, session.id, rated, time.time())
        await self._store.tell_session(session.id)  # pages that show it


def shown(session: Session) -> list[Artifact]:
    """Not what is lost: nobody is to wait for it."""
    return [a for a in session.artifacts if a.kind in SHOWN and not a.lost]


@get("/s/{token:str}")
async def code_user_page(
    request: AnyRequest, pages: NamedDependency[Pages], code_user: NamedDependency[CodeUser], token: FromPath[str]
) -> Response[Any]:
    session = await code_user.session(token)
    items = await code_user.items(token, session)
    here = sum(bool(item.url) for item in items)
    waiting = here < len(items) or (not items and session.state not in ENDED)  # what is over gets nothing new
    language = language_of(request) or (session.language if session.language in get_args(Language) else "en")
    values: dict[str, Any] = {
        "session": session,
        "day": _day(session, language),
        "items": items,
        "here": here,
        "waiting": waiting,
    }
    values |= {"rated": await code_user.rated(session), "thanks": "thanks" in request.query_params, "token": token}
    return pages.show("code_user.html", None, language=language, **values)


def _day(session: Session, language: str) -> str:
    """As the kiosk told it, where that is no date: it need not be."""
    try:
        return format_date(date.fromisoformat(session.created_at[:10]), "long", locale=language)
    except ValueError:
        return session.created_at[:10]


@post("/s/{token:str}/rating", status_code=303)
async def rate_session(
    request: AnyRequest, code_user: NamedDependency[CodeUser], token: FromPath[str]
) -> Response[Any]:
    """A plain form, so that it works without scripts; the token in the address is all it takes."""
    session = await code_user.session(token)
    await code_user.rate(session, await _rated(request))
    return Redirect(f"/s/{token}?thanks#rating", status_code=303)


async def _rated(request: AnyRequest) -> Rated:
    """
    Raises:
        Problem: 413, 415 or 422: this is not what the form sends.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise wrong_type("application/x-www-form-urlencoded")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_FORM_BYTES:
            raise Problem(413, "too_large", f"at most {MOST_FORM_BYTES} bytes are taken")
    try:
        fields = {name: values[-1] for name, values in parse_qs(body.decode(), max_num_fields=10).items()}
        words = "".join(c for c in fields.get("words", "") if c.isprintable() or c == "\n").strip()
        return convert({"stars": fields.get("stars", ""), "words": words}, Rated, strict=False)
    except (ValueError, ValidationError) as error:
        raise Problem(422, "malformed", "a rating has one to five stars and at most 1000 letters") from error


@get("/s/{token:str}/{artifact_id:str}")
async def code_user_file(
    request: AnyRequest,
    code_user: NamedDependency[CodeUser],
    store: NamedDependency[Store],
    files: NamedDependency[Files],
    token: FromPath[str],
    artifact_id: FromPath[str],
) -> Response[Any]:
    session = await code_user.session(token)
    artifact = next((a for a in shown(session) if a.id == artifact_id), None)
    file = await store.file(session.id, artifact_id, artifact.sha256) if artifact else None
    if artifact is None or file is None:
        raise Problem(404, "not_found", "there is no such file (any more)")
    return file_response(request, files, file, artifact, False)


ROUTES: tuple[ControllerRouterHandler, ...] = (code_user_page, rate_session, code_user_file)
