"""Deleting files by hand, and the receipts of what was deleted."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler
from msgspec import Meta, Struct

from desk.bodies import json_body
from desk.config import Member
from desk.keeping.deletions import OVER, Cause, DeletionReceipt, Deletions
from desk.keeping.retention import Keeper
from desk.people.guard import address_of
from desk.problems import Problem, not_found
from desk.sessions.store import Store
from desk.sessions.visible import visible_session
from kiosk.session.record import Id

AnyRequest = Request[Any, Any, Any]


class DeletionWish(Struct, frozen=True):
    """artifacts: which files, with what belongs to them (layers, timelines, films with drawings); none named: all of
    the session's. reason: stands in the receipt for good."""

    reason: Annotated[str, Meta(min_length=1, max_length=200, pattern=r"\S")]
    artifacts: Annotated[tuple[Id, ...], Meta(max_length=200)] = ()


class DeletionReceipts(Struct, frozen=True):
    deletions: list[DeletionReceipt]


@get("/api/sessions/{session_id:str}/deletions")
async def deletion_receipts(
    store: NamedDependency[Store],
    deletions: NamedDependency[Deletions],
    me: NamedDependency[Member],
    session_id: FromPath[str],
) -> DeletionReceipts:
    """What was deleted of this session, oldest first: when, by whom or by which rule, and the hash of what it was."""
    session = await visible_session(store, me, session_id)
    return DeletionReceipts(await deletions.receipts(session.id))


@post("/api/sessions/{session_id:str}/deletions", status_code=202)
async def delete_files(
    request: AnyRequest,
    store: NamedDependency[Store],
    deletions: NamedDependency[Deletions],
    keeper: NamedDependency[Keeper],
    me: NamedDependency[Member],
    session_id: FromPath[str],
) -> DeletionReceipts:
    """From now on nobody can have these files; they are gone from disk or S3 in a moment, and that cannot be taken
    back. Only of a session that is over."""
    wish = await json_body(request, DeletionWish)
    session = await visible_session(store, me, session_id)
    if session.state.value not in OVER:
        raise Problem(409, "wrong_state", "files of a session that is not over may still be needed")
    receipts = await deletions.by_hand(session, wish.artifacts, Cause(wish.reason.strip(), me.id))
    if not receipts:
        raise not_found("file here")
    await store.audit(me.id, "delete_files", session.id, f"{len(receipts)} files", address_of(request))
    keeper.ask()
    return DeletionReceipts(receipts)


ROUTES: tuple[ControllerRouterHandler, ...] = (deletion_receipts, delete_files)
"""Moderators only: by desk.people.rights."""
