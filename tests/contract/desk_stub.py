"""A desk without broker and database, for tests of its pages: the real templates, catalogues and static files, the API
of issue 2 over sessions in memory, and the kiosk's real rules behind the commands.

Runs in a thread with a loop of its own; `put`, `presence`, `gone` may be called from the test's thread.
"""

from __future__ import annotations

import asyncio
import io
import json
import secrets
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import jinja2
import msgspec
from aiohttp import web

from desk.sessions.consents import ConsentCheck
from desk.sessions.wanted import search_text, words_of
from desk.texts import WEB, texts
from kiosk.errors import Refused
from kiosk.session import inputs, rules
from kiosk.session.provider import Provider
from kiosk.session.record import Actor, Artifact, Device, Person, Session, Ticket
from kiosk.session.states import OPEN, Role
from kiosk.wire.messages import Guard
from tests.contract.desk_stub_call import StubCall, scene

T = TypeVar("T")
ME = Person("anna", "Anna Berger")
COLLEAGUE = Person("jonas", "Jonas Öztürk")
THIRD = Person("mira", "Mira Sand")
DEVICE = Device("presse-3", "Hydraulikpresse 3 – Halle Süd")
CSP = (
    "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; style-src 'self'; script-src 'self'; "
    "connect-src 'self'; worker-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)


class Wish(msgspec.Struct):
    do: inputs.Command
    guard: Guard = Guard()


class StubDesk:
    """`url` is there after `start`. `commands`: what pages sent; `calls`: the kiosk's ends of the connections."""

    def __init__(self, language: str = "de", files: Path | None = None) -> None:
        self.language = language
        self.files = files
        self.url = ""
        self.sessions: dict[str, Session] = {}
        self.kiosks: dict[str, dict[str, Any]] = {}
        self.commands: list[tuple[str, inputs.Command]] = []
        self.calls: list[StubCall] = []
        self.seen: list[str] = []
        self.present = True
        """Whether somebody stands at the machine: START then begins the call at once."""
        self.race: Session | None = None
        """What the kiosk has made of the session by the time the next command reaches it; no page was told."""
        self.consents: dict[str, ConsentCheck] = {}
        """Of sessions whose receipts do not fit."""
        self.places: dict[str, dict[str, Any]] = {}
        """Where the files of a session are, where that is another thing than its artifacts tell."""
        self.films: dict[str, dict[str, Any]] = {}
        """With drawings burned in, by the recording's id: what the desk says of them."""
        self.provider = Provider(recording_allowed=True, staff=(ME, COLLEAGUE))
        self.peers: dict[str, StubCall] = {}
        self._listeners: set[asyncio.Queue[bytes | None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="stub desk", daemon=True)
        self._runner: web.AppRunner | None = None
        self._clock = 0

    # --- from the test's thread ---------------------------------------------------------------------------------------

    def start(self) -> None:
        self._thread.start()
        self.run(self._serve())

    def stop(self) -> None:
        self.run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def run(self, what: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(20)

    def put(self, session: Session) -> None:
        """Told to every open page."""

        async def put() -> None:
            self._put(session)

        self.run(put())

    def do(self, session_id: str, what: inputs.Input, actor: Actor) -> Session:
        """Something happens at the kiosk."""

        async def do() -> Session:
            return self._apply(self.sessions[session_id], what, actor)

        return self.run(do())

    def tell(self, event: str, body: dict[str, Any]) -> None:
        async def tell() -> None:
            self._tell(event, body)

        self.run(tell())

    def say(self, message: dict[str, Any]) -> None:
        """On the `events` channel of the newest call."""

        async def say() -> None:
            self.calls[-1].say(message)

        self.run(say())

    def break_streams(self) -> None:
        """Every open page loses its live updates, as when the desk is restarted. The first page's are waited for."""

        async def break_() -> None:
            while not self._listeners:
                await asyncio.sleep(0.01)
            for queue in list(self._listeners):
                queue.put_nowait(None)

        self.run(break_())

    def at(self) -> str:
        self._clock += 1
        return f"2026-11-23T08:{self._clock // 60 % 60:02}:{self._clock % 60:02}Z"

    def presence(self, kiosk: str, online: bool, device: Device = DEVICE) -> None:
        plain = msgspec.to_builtins(device)
        self.kiosks[kiosk] = {"id": kiosk, "online": online, "device": plain}
        if self.url:
            self.tell("presence", {"kiosk": kiosk, "online": online, "device": plain})

    # --- the server ---------------------------------------------------------------------------------------------------

    async def _serve(self) -> None:
        templates = jinja2.Environment(loader=jinja2.FileSystemLoader(WEB / "templates"), autoescape=True)
        self._templates = templates
        app = web.Application(middlewares=[_headers])
        app.add_routes(
            [
                web.get("/", self._page("sessions.html")),
                web.get("/devices", self._page("devices.html")),
                web.get("/sessions/new", self._page("new_session.html")),
                web.get("/sessions/{id}", self._page("session.html")),
                web.get("/signed-out", self._page("signed_out.html", me=None)),
                web.get(
                    "/error", self._page("error.html", status=404, code="not_found", text="there is no such session")
                ),
                web.get("/sw.js", self._worker),
                web.get("/api/sessions", self._list),
                web.get("/api/sessions/{id}", self._details),
                web.get("/api/sessions/{id}/deletions", self._no_deletions),
                web.get("/api/kiosks", self._kiosks),
                web.get("/api/people", self._people),
                web.get("/api/events", self._events),
                web.post("/api/sessions", self._create),
                web.post("/api/sessions/{id}/commands", self._command),
                web.post("/api/sessions/{id}/seen", self._seen),
                web.post("/api/sessions/{id}/call", self._call),
                web.patch("/api/sessions/{id}/call/{peer}", self._nothing),
                web.delete("/api/sessions/{id}/call/{peer}", self._hang_up),
                web.get("/files/{name}", self._file),
                web.route("*", "/api/sessions/{id}/artifacts/{artifact}/drawn", self._film),
                web.static("/static", WEB / "static"),
            ]
        )
        self._runner = web.AppRunner(app, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"

    async def _end(self) -> None:
        for queue in self._listeners:
            queue.put_nowait(None)
        for call in self.calls:
            await call.close()
        if self._runner:
            await self._runner.cleanup()

    def _page(self, name: str, **more: Any) -> Any:
        async def show(request: web.Request) -> web.Response:
            language = request.query.get("language", self.language)
            catalogue = texts(language)
            known: dict[Any, str] = getattr(catalogue, "_catalog", {})
            context = {
                "me": {"id": ME.id, "name": ME.name, "role": "staff"},
                "language": language,
                "_": catalogue.gettext,
                "texts": {k: v for k, v in known.items() if isinstance(k, str) and k and v},
                "boot": {"ice_servers": []},
                "session_id": request.match_info.get("id", ""),
                **more,
            }
            return web.Response(text=self._templates.get_template(name).render(context), content_type="text/html")

        return show

    async def _worker(self, _: web.Request) -> web.Response:
        return web.Response(body=(WEB / "static" / "sw.js").read_bytes(), content_type="text/javascript")

    async def _list(self, request: web.Request) -> web.Response:
        states, words = request.query.getall("state", []), words_of(request.query.get("q", ""))
        fit = [s for s in self.sessions.values() if s.state in states or not states]
        return _json({"sessions": [s for s in fit if all(word in search_text(s) for word in words)], "after": ""})

    async def _details(self, request: web.Request) -> web.Response:
        session = self.sessions.get(request.match_info["id"])
        if session is None:
            return _json({"code": "not_found", "detail": "there is no such session"}, 404)
        earlier = [s for s in self.sessions.values() if s.device.id == session.device.id and s.id != session.id]
        artifacts = {
            a.id: {"url": f"/files/{a.name}" if a.uploaded else "", "uploaded": a.uploaded} for a in session.artifacts
        }
        kiosk = self.kiosks.get(session.kiosk, {"id": session.kiosk, "online": False, "device": None})
        body = {"session": session, "kiosk": kiosk, "earlier": earlier}
        body["artifacts"] = artifacts | self.places.get(session.id, {})
        return _json(body | {"consents": self.consents.get(session.id, ConsentCheck())})

    async def _no_deletions(self, _: web.Request) -> web.Response:
        return _json({"deletions": []})

    async def _people(self, _: web.Request) -> web.Response:
        return _json({"people": [ME, COLLEAGUE, THIRD]})

    async def _kiosks(self, _: web.Request) -> web.Response:
        return _json({"kiosks": list(self.kiosks.values())})

    async def _events(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await response.prepare(request)
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._listeners.add(queue)
        await response.write(b"event: hello\ndata: {}\n\n")
        try:
            while (event := await queue.get()) is not None:
                await response.write(event)
        except ConnectionResetError:
            pass
        finally:
            self._listeners.discard(queue)
        return response

    async def _create(self, request: web.Request) -> web.Response:
        body = await request.json()
        what = inputs.Create(body["reason"], tuple(msgspec.convert(t, Ticket) for t in body["tickets"]))
        kiosk = body["kiosk"]
        device = msgspec.convert(self.kiosks[kiosk]["device"], Device)
        try:
            session = rules.apply(None, what, Actor(Role.STAFF, ME.id, ME.name), self._now(device, kiosk))
        except Refused as refused:
            return _json({"code": refused.code, "detail": refused.text}, 409)
        self._put(session)
        return _json({"session": session.id}, 201)

    async def _command(self, request: web.Request) -> web.Response:
        assert request.headers.get("X-Desk") == "1"
        if self.race:
            self.sessions[self.race.id], self.race = self.race, None
        session = self.sessions[request.match_info["id"]]
        wish = msgspec.json.decode(await request.read(), type=Wish)
        self.commands.append((session.id, wish.do))
        if wish.guard.state not in (None, session.state) or wish.guard.rev not in (None, session.rev):
            return _json({"code": "wrong_state", "detail": "somebody was faster"}, 409)
        what = inputs.Start(other_present=self.present) if isinstance(wish.do, inputs.Start) else wish.do
        try:
            self._apply(session, what, Actor(Role.STAFF, ME.id, ME.name))
        except Refused as refused:
            return _json({"code": refused.code, "detail": refused.text}, 409)
        return _json({"id": "answer-1", "ok": True, "session": session.id})

    async def _seen(self, request: web.Request) -> web.Response:
        session = self.sessions[request.match_info["id"]]
        self.seen.append(session.id)
        self._apply(session, inputs.Seen(ME), Actor(Role.SYSTEM))
        return web.Response(status=204)

    async def _call(self, request: web.Request) -> web.Response:
        session = self.sessions[request.match_info["id"]]
        if session.call is None:
            return _json({"code": "wrong_state", "detail": "no call is on"}, 409)
        peer = request.query.get("peer", "")
        if peer and peer not in self.peers:
            return _json({"code": "not_found", "detail": "there is no such connection"}, 404)
        peer = peer or secrets.token_hex(16)
        if peer in self.peers:
            await self.peers[peer].close()
        call = StubCall(ME.name, session.id, session.call.id)
        self.calls.append(call)
        self.peers[peer] = call
        answer = await call.answer(await request.text())
        location = f"/api/sessions/{session.id}/call/{peer}"
        return web.Response(text=answer, status=201, content_type="application/sdp", headers={"Location": location})

    async def _hang_up(self, request: web.Request) -> web.Response:
        call = self.peers.pop(request.match_info["peer"], None)
        if call:
            await call.close()
        return web.Response()

    async def _nothing(self, _: web.Request) -> web.Response:
        return web.Response(status=204)

    async def _film(self, request: web.Request) -> web.Response:
        nothing = {"state": "none", "percent": 0, "error": "", "url": "", "bytes": 0}
        of = request.match_info["artifact"]
        if request.method == "POST":
            self.films[of] = nothing | {"state": "waiting"}
        elif request.method == "DELETE":
            self.films.pop(of, None)
            return web.Response(status=204)
        return _json(self.films.get(of, nothing))

    async def _file(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        if self.files and (self.files / name).is_file():
            return web.FileResponse(self.files / name)
        body = io.BytesIO()
        scene(len(name)).save(body, "JPEG")
        return web.Response(body=body.getvalue(), content_type="image/jpeg")

    # --- the kiosk's side ---------------------------------------------------------------------------------------------

    def _now(self, device: Device, kiosk: str) -> rules.Now:
        open_ = next((s.id for s in self.sessions.values() if s.kiosk == kiosk and s.state in OPEN), None)
        new = secrets.token_hex(4)
        return rules.Now(self.at(), True, "epoch", kiosk, device, self.provider, f"s-{new}", f"c-{new}", open_)

    def _apply(self, session: Session, what: inputs.Input, actor: Actor) -> Session:
        changed = rules.apply(session, what, actor, self._now(session.device, session.kiosk))
        self._put(changed)
        return changed

    def _put(self, session: Session) -> None:
        self.sessions[session.id] = session
        self._tell("session", {"session": msgspec.to_builtins(session)})

    def _tell(self, event: str, body: dict[str, Any]) -> None:
        for queue in self._listeners:
            queue.put_nowait(f"event: {event}\ndata: {json.dumps(body)}\n\n".encode())


@web.middleware
async def _headers(request: web.Request, handler: Any) -> web.StreamResponse:
    response: web.StreamResponse = await handler(request)
    if not response.prepared:
        response.headers["Content-Security-Policy"] = CSP
        response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _json(body: Any, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), status=status, content_type="application/json")


def artifact(id_: str, kind: str, name: str, group: str = "", uploaded: bool = True, size: int = 480_000) -> Artifact:
    plain = {"id": id_, "kind": kind, "name": name, "content_type": "image/jpeg", "bytes": size, "sha256": "a" * 64}
    return msgspec.convert({**plain, "group": group, "uploaded": uploaded}, Artifact)
