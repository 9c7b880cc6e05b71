"""The own account: name and language, password, second factor, where one is signed in, API tokens."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler
from msgspec import UNSET, Meta, Struct, UnsetType

from desk.bodies import json_body
from desk.config import Language
from desk.pages import Pages
from desk.people.accounts import Account, Changes
from desk.people.door import Code, Door, Enrolment, Password
from desk.people.guard import People, address_of
from desk.people.rights import Scope
from desk.people.sign_ins import Browser, SignedIn, Token
from desk.problems import Problem
from desk.sessions.store import Store
from kiosk.session.record import Text

AnyRequest = Request[Any, Any, Any]
NO_STORE = {"Cache-Control": "no-store"}


class Own(Struct, frozen=True):
    """recovery_left: unused recovery codes."""

    account: Account
    browsers: list[Browser]
    tokens: list[Token]
    recovery_left: int


class OwnChanges(Struct, frozen=True):
    name: Text | UnsetType = UNSET
    language: Language | UnsetType = UNSET


class NewPassword(Struct, frozen=True):
    new: Password
    old: Password = ""


class FirstCode(Struct, frozen=True):
    seal: Annotated[str, Meta(max_length=900)]
    code: Code


class OneCode(Struct, frozen=True):
    code: Code


class RecoveryCodes(Struct, frozen=True):
    codes: tuple[str, ...]


class NewToken(Struct, frozen=True):
    name: Annotated[str, Meta(min_length=1, max_length=100)]
    scopes: Annotated[tuple[Scope, ...], Meta(min_length=1, max_length=4)] = (Scope.READ,)
    days: Annotated[float, Meta(ge=1, le=366)] = 90


class MadeToken(Struct, frozen=True):
    """secret: shown this once."""

    token: Token
    secret: str


@get("/account")
async def account_page(
    pages: NamedDependency[Pages], people: NamedDependency[People], signed_in: NamedDependency[SignedIn]
) -> Response[str]:
    return pages.show("account.html", signed_in.member, bare=people.lacks_second_factor(signed_in))


@get("/api/account")
async def own_account(people: NamedDependency[People], signed_in: NamedDependency[SignedIn]) -> Own:
    account = await people.accounts.get(me := signed_in.member.id)
    browsers = await people.sign_ins.browsers(me, signed_in.id)
    return Own(account, browsers, await people.sign_ins.tokens(me), await people.accounts.recovery_left(me))


@post("/api/account", status_code=200)
async def change_own(
    request: AnyRequest, people: NamedDependency[People], signed_in: NamedDependency[SignedIn]
) -> Account:
    changes = await json_body(request, OwnChanges)
    account = await people.accounts.get(signed_in.member.id)
    if changes.name is not UNSET and (account.origin != "desk" or not changes.name.strip()):
        raise Problem(409, "follows", "this name is not changed here")
    return await people.accounts.change(account.id, Changes(name=changes.name, language=changes.language))


@post("/api/account/password", status_code=200)
async def change_password(
    request: AnyRequest, door: NamedDependency[Door], signed_in: NamedDependency[SignedIn]
) -> Response[dict[str, bool]]:
    form = await json_body(request, NewPassword)
    cookies = await door.change_password(request, signed_in, form.old, form.new)
    return Response({"changed": True}, cookies=cookies, headers=NO_STORE)


@post("/api/account/second-factor/begin", status_code=200)
async def begin_second_factor(door: NamedDependency[Door], signed_in: NamedDependency[SignedIn]) -> Response[Enrolment]:
    return Response(door.begin_enrolment(signed_in), headers=NO_STORE)


@post("/api/account/second-factor", status_code=200)
async def second_factor(
    request: AnyRequest, door: NamedDependency[Door], signed_in: NamedDependency[SignedIn]
) -> Response[RecoveryCodes]:
    form = await json_body(request, FirstCode)
    return Response(RecoveryCodes(await door.enrol(request, signed_in, form.seal, form.code)), headers=NO_STORE)


@post("/api/account/second-factor/off", status_code=204)
async def second_factor_off(
    request: AnyRequest, door: NamedDependency[Door], signed_in: NamedDependency[SignedIn]
) -> None:
    await door.unenrol(request, signed_in, (await json_body(request, OneCode)).code)


@delete("/api/account/sign-ins/{sign_in_id:str}", status_code=204)
async def end_sign_in(
    people: NamedDependency[People], signed_in: NamedDependency[SignedIn], sign_in_id: FromPath[str]
) -> None:
    await people.sign_ins.end_one(signed_in.member.id, sign_in_id)


@post("/api/account/sign-ins/end-others", status_code=204)
async def end_other_sign_ins(people: NamedDependency[People], signed_in: NamedDependency[SignedIn]) -> None:
    await people.sign_ins.end_all(signed_in.member.id, but=signed_in.id)


@post("/api/account/tokens", status_code=201)
async def make_token(
    request: AnyRequest,
    people: NamedDependency[People],
    store: NamedDependency[Store],
    signed_in: NamedDependency[SignedIn],
) -> Response[MadeToken]:
    form = await json_body(request, NewToken)
    me = signed_in.member.id
    token, secret = await people.sign_ins.make_token(me, form.name, form.scopes, form.days)
    await store.audit(me, "make_token", token.id, " ".join(token.scopes), address_of(request))
    return Response(MadeToken(token, secret), status_code=201, headers=NO_STORE)


@delete("/api/account/tokens/{token_id:str}", status_code=204)
async def end_token(
    request: AnyRequest,
    people: NamedDependency[People],
    store: NamedDependency[Store],
    signed_in: NamedDependency[SignedIn],
    token_id: FromPath[str],
) -> None:
    await people.sign_ins.end_token(signed_in.member.id, token_id)
    await store.audit(signed_in.member.id, "end_token", token_id, "done", address_of(request))


ROUTES: tuple[ControllerRouterHandler, ...] = (
    account_page,
    own_account,
    change_own,
    change_password,
    begin_second_factor,
    second_factor,
    second_factor_off,
    end_sign_in,
    end_other_sign_ins,
    make_token,
    end_token,
)
