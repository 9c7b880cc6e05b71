"""The routes before somebody is signed in: the sign-in page, links that are good once."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect
from litestar.types import ControllerRouterHandler

from desk.bodies import json_body
from desk.pages import Pages, language_of
from desk.people.door import Door, SignInForm, WelcomeForm
from desk.people.guard import People, safe_path

AnyRequest = Request[Any, Any, Any]


@get("/sign-in")
async def sign_in_page(
    request: AnyRequest, pages: NamedDependency[Pages], people: NamedDependency[People], to: FromQuery[str] = "/"
) -> Response[str] | Redirect:
    if await people.who(request):
        return Redirect(safe_path(to), status_code=303, headers={"Cache-Control": "no-store"})
    return pages.sign_in(safe_path(to), language_of(request))


@post("/api/sign-in", status_code=200)
async def sign_in(request: AnyRequest, door: NamedDependency[Door]) -> Response[dict[str, bool]]:
    cookies = await door.sign_in(request, await json_body(request, SignInForm))
    return Response({"signed_in": True}, cookies=cookies, headers={"Cache-Control": "no-store"})


@get("/welcome/{token:str}")
async def welcome_page(
    request: AnyRequest, pages: NamedDependency[Pages], people: NamedDependency[People], token: FromPath[str]
) -> Response[str]:
    account = await people.links.whose(token)
    language = (account.language if account else "") or language_of(request)
    return pages.show("welcome.html", None, language=language, account=account, wants_texts=True)


@post("/api/welcome/{token:str}", status_code=200)
async def welcome(request: AnyRequest, door: NamedDependency[Door], token: FromPath[str]) -> Response[dict[str, bool]]:
    cookies = await door.welcome(request, token, await json_body(request, WelcomeForm))
    return Response({"signed_in": bool(cookies)}, cookies=cookies, headers={"Cache-Control": "no-store"})


ROUTES: tuple[ControllerRouterHandler, ...] = (sign_in_page, sign_in, welcome_page, welcome)
