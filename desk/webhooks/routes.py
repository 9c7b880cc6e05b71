"""For administrators: who is told, of what, and what came of it."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from litestar import Request, Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler
from msgspec import Meta, Struct

from desk.bodies import json_body
from desk.config import Member
from desk.pages import Pages
from desk.people.guard import address_of
from desk.problems import Problem
from desk.sessions.store import Store
from desk.webhooks.events import KINDS, test_event
from desk.webhooks.outgoing import Outgoing, Unsent
from desk.webhooks.rows import Delivery, Webhook, WebhookRows

AnyRequest = Request[Any, Any, Any]
NO_STORE = {"Cache-Control": "no-store"}

Kind = Literal[
    "session.requested",
    "session.confirmed",
    "session.running",
    "session.completed",
    "session.closed",
    "session.cancelled",
]


class NewWebhook(Struct, frozen=True):
    """kinds: of which events it is told; at least one."""

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    url: Annotated[str, Meta(min_length=8, max_length=1000)]
    kinds: Annotated[tuple[Kind, ...], Meta(min_length=1, max_length=20)]


class WebhookChange(NewWebhook, frozen=True):
    active: bool = True


class WebhookList(Struct, frozen=True):
    """kinds: which events there are."""

    webhooks: list[Webhook]
    kinds: tuple[str, ...] = KINDS


class WithSecret(Struct, frozen=True):
    """secret: what signatures are verified with; shown this once."""

    webhook: Webhook
    secret: str


class Deliveries(Struct, frozen=True):
    """Newest first."""

    deliveries: list[Delivery]


class TestSent(Struct, frozen=True):
    event: str


class AgainWish(Struct, frozen=True):
    """deliveries: their ids; none named: all of this webhook's that were given up."""

    deliveries: Annotated[tuple[Annotated[int, Meta(ge=1, le=2**53)], ...], Meta(max_length=1000)] = ()


class SentAgain(Struct, frozen=True):
    """again: how many are on their way."""

    again: int


@get("/webhooks")
async def webhooks_page(pages: NamedDependency[Pages], me: NamedDependency[Member]) -> Response[str]:
    return pages.show("webhooks.html", me)


@get("/api/webhooks")
async def list_webhooks(webhooks: NamedDependency[WebhookRows]) -> WebhookList:
    return WebhookList(await webhooks.all())


@post("/api/webhooks", status_code=201)
async def add_webhook(
    request: AnyRequest,
    webhooks: NamedDependency[WebhookRows],
    outgoing: NamedDependency[Outgoing],
    store: NamedDependency[Store],
    me: NamedDependency[Member],
) -> Response[WithSecret]:
    new = await json_body(request, NewWebhook)
    await _may_be_told(outgoing, new.url)
    webhook, secret = await webhooks.add(new.name.strip() or new.url[:200], new.url, dict.fromkeys(new.kinds))
    await store.audit(me.id, "webhook_add", webhook.id, "done", address_of(request))
    return Response(WithSecret(webhook, secret), status_code=201, headers=NO_STORE)


@post("/api/webhooks/{webhook_id:str}", status_code=200)
async def change_webhook(
    request: AnyRequest,
    webhooks: NamedDependency[WebhookRows],
    outgoing: NamedDependency[Outgoing],
    store: NamedDependency[Store],
    me: NamedDependency[Member],
    webhook_id: FromPath[str],
) -> Webhook:
    new = await json_body(request, WebhookChange)
    await _may_be_told(outgoing, new.url)
    name, kinds = new.name.strip() or new.url[:200], dict.fromkeys(new.kinds)
    webhook = await webhooks.change(webhook_id, name, new.url, kinds, new.active)
    await store.audit(me.id, "webhook_change", webhook_id, "done", address_of(request))
    return webhook


@delete("/api/webhooks/{webhook_id:str}", status_code=204)
async def remove_webhook(
    request: AnyRequest,
    webhooks: NamedDependency[WebhookRows],
    store: NamedDependency[Store],
    me: NamedDependency[Member],
    webhook_id: FromPath[str],
) -> None:
    await webhooks.remove(webhook_id)
    await store.audit(me.id, "webhook_remove", webhook_id, "done", address_of(request))


@post("/api/webhooks/{webhook_id:str}/secret", status_code=201)
async def renew_webhook_secret(
    request: AnyRequest,
    webhooks: NamedDependency[WebhookRows],
    store: NamedDependency[Store],
    me: NamedDependency[Member],
    webhook_id: FromPath[str],
) -> Response[WithSecret]:
    """The former one signs nothing any more."""
    webhook, secret = await webhooks.renew_secret(webhook_id)
    await store.audit(me.id, "webhook_secret", webhook_id, "done", address_of(request))
    return Response(WithSecret(webhook, secret), status_code=201, headers=NO_STORE)


@post("/api/webhooks/{webhook_id:str}/test", status_code=202)
async def test_webhook(webhooks: NamedDependency[WebhookRows], webhook_id: FromPath[str]) -> TestSent:
    """An event of the kind `test`, told like all others; what came of it stands among the deliveries."""
    at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    event = test_event(secrets.token_hex(16), at)
    await webhooks.put_test(webhook_id, event)
    return TestSent(event.id)


@get("/api/webhooks/{webhook_id:str}/deliveries")
async def webhook_deliveries(webhooks: NamedDependency[WebhookRows], webhook_id: FromPath[str]) -> Deliveries:
    """The last hundred, newest first."""
    return Deliveries(await webhooks.deliveries(webhook_id))


@post("/api/webhooks/{webhook_id:str}/again", status_code=202)
async def send_webhook_again(
    request: AnyRequest,
    webhooks: NamedDependency[WebhookRows],
    store: NamedDependency[Store],
    me: NamedDependency[Member],
    webhook_id: FromPath[str],
) -> SentAgain:
    """What was given up is told once more, at once and under the same id, with as many tries as what is new."""
    wish = await json_body(request, AgainWish)
    n = await webhooks.again(webhook_id, wish.deliveries)
    await store.audit(me.id, "webhook_again", webhook_id, "done", address_of(request))
    return SentAgain(n)


ROUTES: tuple[ControllerRouterHandler, ...] = (
    webhooks_page,
    list_webhooks,
    add_webhook,
    change_webhook,
    remove_webhook,
    renew_webhook_secret,
    test_webhook,
    webhook_deliveries,
    send_webhook_again,
)


async def _may_be_told(outgoing: Outgoing, url: str) -> None:
    """A name that is not known now may be later; what it leads to is judged anew each time."""
    try:
        await outgoing.place(url)
    except Unsent as error:
        if error.code == "address":
            raise Problem(400, "no_web_address", "an address of the form https://host/path is needed") from error
        if error.code == "private":
            raise Problem(400, "private_address", "the settings open no such network ([webhooks] networks)") from error
