"""The desk: its parts in order of need, one TaskGroup, and the HTTP server in front of it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from litestar import Litestar
from litestar.datastructures import MutableScopeHeaders
from litestar.di import Provide
from litestar.types import BeforeMessageSendHookHandler, ControllerRouterHandler, Message, Scope

from desk import api, code_user, devices, openapi, pages
from desk.calls import whep
from desk.calls.bridge import Calls
from desk.calls.ice import IceServers
from desk.calls.peers import PeerRows
from desk.calls.whep import Bridge
from desk.code_user import CodeUser
from desk.config import Config, Http, signing_secret
from desk.database import database_url
from desk.files import films, tus
from desk.files.films import Films
from desk.files.films_store import FilmRows
from desk.files.store import Files
from desk.files.uploads import Uploads
from desk.follow import Follower
from desk.keeping import clock_routes, deletion_routes, export
from desk.keeping.deletions import Deletions
from desk.keeping.export import Exports
from desk.keeping.retention import Keeper
from desk.lanes import BATCH, LANES
from desk.notifications import build as notifications
from desk.notifications import routes as notification_routes
from desk.notifications.notifier import Notifier
from desk.pages import Pages
from desk.people import administration, first, oidc, own_account, sign_in
from desk.people import guard as people
from desk.people.accounts import Accounts
from desk.people.door import Door
from desk.people.guard import People
from desk.people.links_once import OnceLinks
from desk.people.oidc import SingleSignOn
from desk.people.rights import without_rule
from desk.people.sign_ins import SignIns
from desk.seals import Seals
from desk.sessions.commands import Commands
from desk.sessions.kiosks import Kiosks
from desk.sessions.live import Hub
from desk.sessions.on_hand import OnHand
from desk.sessions.open_pages import OpenPages
from desk.sessions.store import Store, open_store
from desk.teller import Teller
from desk.webhooks import routes as webhook_routes
from desk.webhooks.build import build as webhooks_of
from desk.webhooks.courier import Courier
from desk.webhooks.outgoing import Outgoing
from desk.webhooks.rows import WebhookRows
from kiosk.errors import ConfigError, StoreTrouble
from kiosk.link.client import Client, Settings
from kiosk.settings import read_secret
from kiosk.wire import topics

log = logging.getLogger(__name__)

GRACE_S = 2
"""So long do requests in progress have when the desk ends."""


@dataclass(frozen=True, slots=True)
class Desk:
    """The parts that handlers ask for by name."""

    config: Config
    store: Store
    hub: Hub
    kiosks: Kiosks
    commands: Commands
    calls: Calls
    files: Files
    uploads: Uploads
    code_user: CodeUser
    people: People
    door: Door
    sso: SingleSignOn | None
    bridge: Bridge
    pages: Pages
    follower: Follower
    films: Films
    notifier: Notifier
    webhooks: WebhookRows
    outgoing: Outgoing
    courier: Courier
    deletions: Deletions
    exports: Exports
    keeper: Keeper


@contextlib.asynccontextmanager
async def open_desk(config: Config, url: str) -> AsyncIterator[Desk]:
    """The parts, connected and following what kiosks tell.

    Raises:
        ConfigError: a secret cannot be read.
        StoreTrouble: (in an ExceptionGroup) the database gave up while following.
    """
    secret = signing_secret(config.secret_path)
    store = await open_store(database_url(config))
    try:
        accounts, links = Accounts(store.transactions, time.time), OnceLinks(store.transactions, time.time)
        await accounts.follow_settings(config.people)
        await first.offer(accounts, links, url, Path(config.data) / "first-administrator.link")
        async with Client(_mqtt(config)) as client, asyncio.TaskGroup() as tasks:
            desk = _build(config, url, secret, store, Kiosks(client))
            await _check(desk.files)
            teller = Teller(store, desk.hub, desk.commands, desk.uploads)
            listening = tasks.create_task(store.notices.listen(), name="notices")
            telling_pages = tasks.create_task(teller.run(), name="tell pages")
            following = tasks.create_task(desk.follower.run(client.batches(BATCH)), name="follower")
            tidying = tasks.create_task(desk.uploads.keep_tidy(), name="tidy uploads")
            burning = tasks.create_task(desk.films.run(), name="films")
            notifying = tasks.create_task(desk.notifier.run(), name="notifications")
            telling_others = tasks.create_task(desk.courier.run(), name="webhooks")
            keeping = tasks.create_task(desk.keeper.run(), name="retention")
            on_hand = OnHand(desk.hub, desk.kiosks)
            desk.follower.introduced.append(on_hand.about)
            telling = tasks.create_task(on_hand.run(), name="staff on hand")
            open_pages = OpenPages(store.transactions, desk.hub, time.time)
            noting = tasks.create_task(open_pages.run(), name="open pages")
            try:
                yield desk
            finally:
                desk.hub.close()
                await desk.uploads.close()
                await desk.outgoing.close()
                following.cancel()
                tidying.cancel()
                burning.cancel()
                notifying.cancel()
                keeping.cancel()
                listening.cancel()
                telling_pages.cancel()
                telling.cancel()
                noting.cancel()
                telling_others.cancel()
    finally:
        await store.close()


async def _check(files: Files) -> None:
    """A store that refuses ends the start; one that is away for now does not: calls need no files."""
    try:
        await files.check()
    except StoreTrouble as error:
        log.error("%s; files wait on the desk's own disk until it can", error.text)


def _build(config: Config, url: str, secret: bytes, store: Store, kiosks: Kiosks) -> Desk:
    hub, seals = Hub(), Seals(secret)
    files = Files(Path(config.data), config.files)
    uploads = Uploads(store, files, kiosks, seals, url, partial_days=config.files.partial_days)
    commands = Commands(kiosks, store)
    ice = IceServers(config.call.ice_servers)
    calls = Calls(kiosks, hub, ice, PeerRows(store.transactions, time.time))
    signing = SignIns(store.transactions, config.sign_in, time.time)
    accounts, links = Accounts(store.transactions, time.time), OnceLinks(store.transactions, time.time)
    members = People(config, url, seals, store, accounts, signing, links)
    bridge = Bridge(calls, store, members, seals, ice, url)
    guests = CodeUser(store, uploads, kiosks, seals, url)
    follower = Follower(store, kiosks, commands, calls, uploads)
    follower.stored.append(guests.invite)
    uploads.followers.append(store.tell_session)
    door = Door(members, store, seals, secret)
    sso = SingleSignOn(config.oidc, members, store, seals) if config.oidc else None
    page_maker = Pages(members, ice, sso=config.oidc.label if config.oidc else "")
    notifier = notifications.build(config, url, secret, store)
    follower.stored.append(notifier.follow)
    webhooks, outgoing, courier = webhooks_of(config, url, secret, store)
    made = Films(FilmRows(store.transactions, time.time), store, files, Path(config.data) / "films")
    deletions = Deletions(store, files, time.time)
    return Desk(
        config,
        store,
        hub,
        kiosks,
        commands,
        calls,
        files,
        uploads,
        guests,
        members,
        door,
        sso,
        bridge,
        page_maker,
        follower,
        made,
        notifier,
        webhooks,
        outgoing,
        courier,
        deletions,
        Exports(store, files, deletions, time.time),
        Keeper(store, deletions, config.retention, time.time),
    )


def _mqtt(config: Config) -> Settings:
    broker = config.broker
    return Settings(
        host=broker.host,
        port=broker.port,
        username=broker.user,
        password=read_secret(broker.password_file),
        ca_file=broker.ca_file,
        client_id=broker.client_id or f"desk-{secrets.token_hex(6)}",
        keepalive_s=broker.keepalive_s,
        filters=topics.DESK_FILTERS,
        receive_maximum=LANES * BATCH,
    )


PARTS = (
    "store",
    "hub",
    "kiosks",
    "commands",
    "calls",
    "files",
    "uploads",
    "code_user",
    "people",
    "door",
    "sso",
    "bridge",
    "pages",
    "films",
    "notifier",
    "webhooks",
    "outgoing",
    "deletions",
    "exports",
    "keeper",
)
"""Of the desk, by the names that handlers ask for."""


def handlers() -> list[ControllerRouterHandler]:
    return [
        *api.ROUTES,
        *whep.ROUTES,
        *tus.ROUTES,
        *people.ROUTES,
        *sign_in.ROUTES,
        *oidc.ROUTES,
        *own_account.ROUTES,
        *administration.ROUTES,
        *devices.ROUTES,
        *webhook_routes.ROUTES,
        *code_user.ROUTES,
        *films.ROUTES,
        *notification_routes.ROUTES,
        *deletion_routes.ROUTES,
        *clock_routes.ROUTES,
        *export.ROUTES,
        *pages.routes(),
    ]


def bare_app() -> Litestar:
    """All routes and nothing behind them: for what is told about them."""
    nothing = {name: _given(None) for name in (*PARTS, "me", "signed_in")}
    return Litestar(handlers(), dependencies=nothing, openapi_config=openapi.settings(), logging_config=None)


def build_app(desk: Desk) -> Litestar:
    parts = {name: _given(getattr(desk, name)) for name in PARTS}
    app = Litestar(
        route_handlers=handlers(),
        dependencies={
            **parts,
            "me": Provide(people.me_of, sync_to_thread=False),
            "signed_in": Provide(people.signed_in_of, sync_to_thread=False),
        },
        guards=[desk.people.demand],
        exception_handlers=pages.error_handlers(desk.pages),
        before_send=[_headers(desk.config.http)],
        openapi_config=openapi.settings(),
        request_max_body_size=1 << 20,
        logging_config=None,
    )
    if missing := without_rule(app.routes):
        raise RuntimeError(f"routes without a rule in desk/people/rights.py: {', '.join(missing)}")
    return app


def _given(part: Any) -> Provide:
    return Provide(lambda: part, sync_to_thread=False)


def _headers(http: Http) -> BeforeMessageSendHookHandler:
    """What every answer says to browsers, unless it says something stricter itself."""
    framing = http.frame_ancestors
    ancestors = framing if isinstance(framing, str) else " ".join(framing) or "'none'"
    policy = {
        "Content-Security-Policy": "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
        "style-src 'self'; script-src 'self'; connect-src 'self'; worker-src 'self'; object-src 'none'; "
        f"base-uri 'none'; form-action 'self'; frame-ancestors {ancestors}",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(self), microphone=(self), display-capture=()",
    }
    if http.public_url.startswith("https:"):
        policy["Strict-Transport-Security"] = "max-age=31536000"

    async def add(message: Message, scope: Scope) -> None:
        if message["type"] != "http.response.start":
            return
        headers = MutableScopeHeaders.from_message(message)
        more = whep.FROM_ANYWHERE if scope["path"].startswith(whep.TOKEN_PATHS) else {}
        if scope["path"].startswith("/s/"):
            more = {"X-Robots-Tag": "noindex, nofollow"}  # whoever is sent the address may put it anywhere
        for name, value in {**policy, **more}.items():
            headers.setdefault(name, value)

    return add


class _Server(uvicorn.Server):
    """Says when it is ready; leaves signals to us."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


async def run(config: Config, ready: Callable[[str], None], stop: asyncio.Event | None = None) -> None:
    """The desk until SIGTERM, SIGINT or `stop`; `ready` is called with its address.

    Raises:
        ConfigError: the address is taken, or a secret cannot be read.
    """
    listener = _listen(config.http)
    url = config.http.public_url.rstrip("/") or f"http://{config.http.host}:{listener.getsockname()[1]}"
    stop = stop or _stop_at_signals()
    with contextlib.closing(listener):
        async with open_desk(config, url) as desk:
            server = _Server(_uvicorn(build_app(desk), config.http), lambda: ready(url))
            serving = asyncio.create_task(server.serve([listener]), name="http")
            stopping = asyncio.create_task(stop.wait(), name="stop")
            try:
                await asyncio.wait([serving, stopping], return_when=asyncio.FIRST_COMPLETED)
            finally:
                stopping.cancel()
                desk.hub.close()  # before the server waits for its connections: live updates never end by themselves
                server.should_exit = True
                await serving


def _uvicorn(app: Litestar, http: Http) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(http.trusted_proxies),
        forwarded_allow_ips=list(http.trusted_proxies),
        timeout_graceful_shutdown=GRACE_S,
        timeout_keep_alive=30,
    )


def _listen(http: Http) -> socket.socket:
    try:
        listener = socket.create_server((http.host, http.port), family=_family(http.host), backlog=512)
        # asyncio does so for sockets of its own only; without it each small answer waits 40 ms for an acknowledgement
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    except OSError as error:
        raise ConfigError(f"http: {http.host}:{http.port}: {error.strerror}") from error


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _stop_at_signals() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop
