"""The pages: thin frames that their modules fill through the API. Also errors, as a page or as JSON."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from gettext import NullTranslations
from pathlib import Path
from typing import Any, get_args

import jinja2
import msgspec
from litestar import Request, Response, get
from litestar.config.compression import CompressionConfig
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException
from litestar.middleware import DefineMiddleware
from litestar.middleware.compression import CompressionMiddleware
from litestar.params import FromPath
from litestar.response import Redirect
from litestar.static_files import create_static_files_router
from litestar.types import ControllerRouterHandler, ExceptionHandlersMap

from desk.calls.ice import IceServers
from desk.config import Language, Member
from desk.people.guard import People, safe_path
from desk.preloads import Preloads
from desk.problems import PROBLEM_TYPE, Problem, ProblemBody, problem_body, status_of
from desk.sessions.kiosks import Kiosks
from desk.sessions.store import Store
from desk.sessions.visible import visible_session
from desk.texts import WEB, texts
from kiosk.errors import Trouble

log = logging.getLogger(__name__)

NO_PAGES = ("/api/", "/uploads/", "/whep/", "/whip/", "/talk/", "/static/", "/schema")
HTML = "text/html"

AnyRequest = Request[Any, Any, Any]


class Pages:
    """Templates and catalogues, read once."""

    def __init__(self, people: People, ice: IceServers, folder: Path = WEB, *, sso: str = "") -> None:
        """`sso`: what the button of single sign-on says; empty: there is none."""
        self._sso = sso
        self._people = people
        self._ice = ice
        self._templates = jinja2.Environment(loader=jinja2.FileSystemLoader(folder / "templates"), autoescape=True)
        self._texts: dict[str, NullTranslations] = {
            language: texts(language, folder / "locale") for language in get_args(Language)
        }
        modules = "".join(module.read_text() for module in sorted((folder / "static" / "js").glob("*.js")))
        self._preloads = Preloads(folder / "static" / "js")
        self._for_modules = {language: _plain(known, modules) for language, known in self._texts.items()}

    def show(
        self, template: str, me: Member | None, status: int = 200, *, language: str = "", **more: Any
    ) -> Response[str]:
        """A page, in the person's language unless another is asked for.

        Context: `me` (id, name, role) or nothing, `administers`, `language`, `_`, `texts`, `boot`, `status`, `more`.
        """
        language = language if language in self._texts else self._people.language(me)
        catalogue = self._texts[language]
        context = {
            "me": {"id": me.id, "name": me.name, "role": me.role.value, "helps": me.helps} if me else None,
            "administers": me is not None and me.administers,
            "language": language,
            "_": catalogue.gettext,
            "ngettext": catalogue.ngettext,
            "texts": self._for_modules[language],
            "boot": {"ice_servers": msgspec.to_builtins(self._ice.of(me.id))} if me else {},
            "status": status,
            **more,
        }
        page = self._templates.get_template(template).render(context)
        headers = {"Cache-Control": "no-store"}  # the page holds who is signed in
        if links := self._preloads.header(page):
            headers["Link"] = links
        return Response(page, status_code=status, media_type=HTML, headers=headers)

    def sign_in(self, to: str, language: str, status: int = 200) -> Response[str]:
        """`to`: a path of ours to go on to."""
        return self.show("sign_in.html", None, status, language=language, to=to, sso=self._sso, wants_texts=True)


def language_of(request: AnyRequest) -> str:
    """What the browser of somebody whom we do not know yet asks for, of ours; browsers name the best one first."""
    wanted = [tag.strip()[:2].lower() for tag in request.headers.get("accept-language", "").split(",")]
    return next((language for language in wanted if language in get_args(Language)), "")


@get("/")
async def sessions_page(pages: NamedDependency[Pages], me: NamedDependency[Member]) -> Response[str]:
    return pages.show("sessions.html", me)


@get("/sessions/new")
async def new_session_page(pages: NamedDependency[Pages], me: NamedDependency[Member]) -> Response[str]:
    """The form for a video session, filled in from the address (`device`, `ticket`, …); looking creates nothing."""
    return pages.show("new_session.html", me)


@get("/sessions/{session_id:str}")
async def session_page(
    pages: NamedDependency[Pages], store: NamedDependency[Store], me: NamedDependency[Member], session_id: FromPath[str]
) -> Response[str]:
    session = await visible_session(store, me, session_id)
    return pages.show("session.html", me, session_id=session.id)


@get("/devices")
async def devices_page(pages: NamedDependency[Pages], me: NamedDependency[Member]) -> Response[str]:
    return pages.show("devices.html", me)


@get("/sw.js", include_in_schema=False)
async def service_worker() -> Response[bytes]:
    """At the root, because a service worker serves what lies below it."""
    script = await asyncio.to_thread((WEB / "static" / "sw.js").read_bytes)
    return Response(script, media_type="text/javascript", headers={"Cache-Control": "no-cache"})


@get("/healthz")
async def health(kiosks: NamedDependency[Kiosks]) -> dict[str, bool]:
    return {"ok": True, "broker": kiosks.connected}


def routes() -> list[ControllerRouterHandler]:
    # scripts and styles are text, a third as long; what else the desk sends is compressed already, small, or a stream
    shorter = DefineMiddleware(CompressionMiddleware, config=CompressionConfig("gzip", gzip_compress_level=6))
    static = create_static_files_router("/static", [WEB / "static"], include_in_schema=False, middleware=[shorter])
    return [sessions_page, new_session_page, session_page, devices_page, service_worker, health, static]


# --- errors -----------------------------------------------------------------------------------------------------------


def error_handlers(pages: Pages) -> ExceptionHandlersMap:
    def on_problem(request: AnyRequest, problem: Problem) -> Response[Any]:
        return answer(request, problem.body, problem.headers)

    def on_trouble(request: AnyRequest, trouble: Trouble) -> Response[Any]:
        return answer(request, problem_body(status_of(trouble), trouble.code, trouble.text))

    def on_http(request: AnyRequest, error: HTTPException) -> Response[Any]:
        code = {404: "not_found", 405: "wrong_method", 413: "too_large"}.get(error.status_code, "malformed")
        if error.status_code >= 500:
            code = "trouble"
        return answer(request, problem_body(error.status_code, code, error.detail), error.headers)

    def on_defect(request: AnyRequest, error: Exception) -> Response[Any]:
        """A defect of ours: the one who asked is told no more than that, the log has the rest."""
        place = request.scope.get("path_template", "?")  # not the path: that may hold a token
        log.error("%s %s failed", request.method, place, exc_info=error)
        return answer(request, problem_body(500, "trouble", "something went wrong in the desk"))

    def answer(request: AnyRequest, said: ProblemBody, headers: Mapping[str, str] | None = None) -> Response[Any]:
        if not _wants_page(request):
            return Response(said, status_code=said.status, headers=headers, media_type=PROBLEM_TYPE)
        if said.status == 401:
            if said.code == "signed_out":
                return sign_in(request)
            return pages.show("signed_out.html", None, 401, language=language_of(request))
        if said.code == "second_factor_needed":
            return Redirect("/account", status_code=303, headers={"Cache-Control": "no-store"})
        me = request.state.get("me")
        guest = request.url.path.startswith("/s/")  # whoever came by the code on a kiosk's display
        language = "" if me else language_of(request)
        return pages.show(
            "error.html", me, said.status, language=language, code=said.code, text=said.detail, guest=guest
        )

    def sign_in(request: AnyRequest) -> Response[str]:
        query = request.url.query
        to = safe_path(request.url.path + (f"?{query}" if query else ""))
        return pages.sign_in(to, language_of(request), 401)

    return {Problem: on_problem, Trouble: on_trouble, HTTPException: on_http, Exception: on_defect}


def _wants_page(request: AnyRequest) -> bool:
    path = request.url.path
    return (
        request.method == "GET" and "text/html" in request.headers.get("accept", "") and not path.startswith(NO_PAGES)
    )


def _plain(catalogue: Any, modules: str) -> dict[str, str]:
    """English -> the reader's language: what stands quoted in the modules. All else is in the templates, and not sent
    twice."""
    known: dict[Any, str] = getattr(catalogue, "_catalog", {})
    return {key: text for key, text in known.items() if key and text and json.dumps(key, ensure_ascii=False) in modules}
