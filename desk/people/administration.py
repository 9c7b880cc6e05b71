"""For administrators: people (invited, changed, locked, removed, helped in again) and the audit log."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, QueryParameter
from litestar.response import Stream
from litestar.types import ControllerRouterHandler
from msgspec import Struct

from desk.bodies import json_body
from desk.config import Member
from desk.pages import Pages
from desk.people import audit_log
from desk.people.accounts import Account, Changes, Profile
from desk.people.audit_log import Asked, Entry
from desk.people.door import INVITATION_S
from desk.people.guard import People, address_of
from desk.problems import Problem
from desk.sessions.store import Store

AnyRequest = Request[Any, Any, Any]
NO_STORE = {"Cache-Control": "no-store"}


class AccountList(Struct, frozen=True):
    accounts: list[Account]


class Invited(Struct, frozen=True):
    """link: to be handed to the person; shown this once, good once and for a week."""

    account: Account
    link: str


class Lock(Struct, frozen=True):
    locked: bool


class AuditPage(Struct, frozen=True):
    """before: ask for what comes next with it; 0: that was all."""

    entries: list[Entry]
    before: int


@get("/people")
async def people_page(pages: NamedDependency[Pages], me: NamedDependency[Member]) -> Response[str]:
    return pages.show("people.html", me)


@get("/api/accounts")
async def list_accounts(people: NamedDependency[People]) -> AccountList:
    return AccountList(await people.accounts.all())


@post("/api/accounts", status_code=201)
async def invite(
    request: AnyRequest, people: NamedDependency[People], store: NamedDependency[Store], me: NamedDependency[Member]
) -> Response[Invited]:
    profile = await json_body(request, Profile)
    if not profile.name.strip() or not profile.roles:
        raise Problem(400, "malformed", "a name and at least one role are needed")
    account = await people.accounts.add(profile)
    await store.audit(me.id, "invite", account.id, " ".join(account.roles), address_of(request))
    return Response(await _link(people, account), status_code=201, headers=NO_STORE)


@post("/api/accounts/{account_id:str}", status_code=200)
async def change_account(
    request: AnyRequest,
    people: NamedDependency[People],
    store: NamedDependency[Store],
    me: NamedDependency[Member],
    account_id: FromPath[str],
) -> Account:
    account = await people.accounts.change(account_id, await json_body(request, Changes))
    await store.audit(me.id, "change_account", account_id, " ".join(account.roles), address_of(request))
    return account


@post("/api/accounts/{account_id:str}/lock", status_code=204)
async def lock_account(
    request: AnyRequest,
    people: NamedDependency[People],
    store: NamedDependency[Store],
    me: NamedDependency[Member],
    account_id: FromPath[str],
) -> None:
    locked = (await json_body(request, Lock)).locked
    _not_oneself(me, account_id)
    await people.accounts.lock(account_id, locked)
    await store.audit(me.id, "lock" if locked else "unlock", account_id, "done", address_of(request))


@delete("/api/accounts/{account_id:str}", status_code=204)
async def remove_account(
    request: AnyRequest,
    people: NamedDependency[People],
    store: NamedDependency[Store],
    me: NamedDependency[Member],
    account_id: FromPath[str],
) -> None:
    _not_oneself(me, account_id)
    await people.accounts.remove(account_id)
    await store.audit(me.id, "remove", account_id, "done", address_of(request))


@post("/api/accounts/{account_id:str}/link", status_code=201)
async def new_link(
    request: AnyRequest,
    people: NamedDependency[People],
    store: NamedDependency[Store],
    me: NamedDependency[Member],
    account_id: FromPath[str],
) -> Response[Invited]:
    """To set a password with: an invitation once more, or because it was forgotten."""
    account = await people.accounts.get(account_id)
    if account.locked:
        raise Problem(409, "locked", "this account is locked")
    if account.origin == "sso":
        raise Problem(409, "follows", "this account follows single sign-on")
    await store.audit(me.id, "make_link", account_id, "done", address_of(request))
    return Response(await _link(people, account), status_code=201, headers=NO_STORE)


@delete("/api/accounts/{account_id:str}/second-factor", status_code=204)
async def reset_second_factor(
    request: AnyRequest,
    people: NamedDependency[People],
    store: NamedDependency[Store],
    me: NamedDependency[Member],
    account_id: FromPath[str],
) -> None:
    """For somebody whose phone and recovery codes are gone: after it, the password alone signs in."""
    await people.accounts.set_second_factor(account_id, None, 0, ())
    await store.audit(me.id, "second_factor_reset", account_id, "done", address_of(request))


@delete("/api/accounts/{account_id:str}/sign-ins", status_code=204)
async def sign_out_everywhere(
    request: AnyRequest,
    people: NamedDependency[People],
    store: NamedDependency[Store],
    me: NamedDependency[Member],
    account_id: FromPath[str],
) -> None:
    await people.sign_ins.end_all(account_id)
    await store.audit(me.id, "sign_out", account_id, "done", address_of(request))


# --- audit log --------------------------------------------------------------------------------------------------------


@get("/audit")
async def audit_page(pages: NamedDependency[Pages], me: NamedDependency[Member]) -> Response[str]:
    return pages.show("audit.html", me)


@get("/api/audit")
async def audited(
    store: NamedDependency[Store],
    person: FromQuery[str] = "",
    what: FromQuery[str] = "",
    target: FromQuery[str] = "",
    since_s: FromQuery[float] = 0.0,
    until_s: FromQuery[float] = 0.0,
    before: Annotated[int, QueryParameter(ge=0, lt=2**62)] = 0,
    limit: Annotated[int, QueryParameter(ge=1, le=500)] = 100,
) -> AuditPage:
    """Newest first."""
    asked = Asked(person, what, target, since_s, until_s)
    entries = await audit_log.entries(store.transactions, asked, before, limit)
    return AuditPage(entries, entries[-1].n if len(entries) == limit else 0)


@get("/api/audit/export")
async def export_audit(
    store: NamedDependency[Store],
    person: FromQuery[str] = "",
    what: FromQuery[str] = "",
    target: FromQuery[str] = "",
    since_s: FromQuery[float] = 0.0,
    until_s: FromQuery[float] = 0.0,
) -> Stream:
    """All that fits, newest first, as CSV."""
    rows = audit_log.as_csv(store.transactions, Asked(person, what, target, since_s, until_s))
    headers = {"Content-Disposition": 'attachment; filename="audit.csv"', **NO_STORE}
    return Stream(rows, media_type="text/csv; charset=utf-8", headers=headers)


ROUTES: tuple[ControllerRouterHandler, ...] = (
    people_page,
    list_accounts,
    invite,
    change_account,
    lock_account,
    remove_account,
    new_link,
    reset_second_factor,
    sign_out_everywhere,
    audit_page,
    audited,
    export_audit,
)


async def _link(people: People, account: Account) -> Invited:
    token = await people.links.make(account.id, INVITATION_S)
    return Invited(account, f"{people.url}/welcome/{token}")


def _not_oneself(me: Member, account: str) -> None:
    if me.id == account:
        raise Problem(409, "oneself", "nobody locks himself out")
