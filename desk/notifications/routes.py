"""Notifications over HTTP: each person's own, on the account page. Addresses and subscriptions go in, never out."""

from __future__ import annotations

import time
from typing import Annotated, Any

from litestar import Request, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler
from msgspec import Meta, Struct

from desk.bodies import json_body
from desk.config import Member
from desk.notifications.channels import Address, PushBrowser, Subscription, Wishes
from desk.notifications.notifier import Notifier, Tried
from desk.people.guard import address_of
from desk.people.tries import Count, Tries
from desk.problems import Problem
from desk.sessions.store import Store

AnyRequest = Request[Any, Any, Any]
PATH = "/api/account/notifications"
TESTS, ENTERED = 10, 30
"""So many in a quarter of an hour."""


class OwnNotifications(Struct, frozen=True):
    """key: what browsers subscribe with. schemas: kinds of addresses that may be entered. mail: where e-mail would go,
    where the desk can send any."""

    key: str
    browsers: list[PushBrowser]
    addresses: list[Address]
    wishes: Wishes
    schemas: tuple[str, ...]
    mail: str


class NewAddress(Struct, frozen=True):
    address: Annotated[str, Meta(min_length=1, max_length=1000)]
    name: Annotated[str, Meta(max_length=100)] = ""


class Tests(Struct, frozen=True):
    results: list[Tried]


@get(PATH)
async def own_notifications(notifier: NamedDependency[Notifier], me: NamedDependency[Member]) -> OwnNotifications:
    return OwnNotifications(
        key=await notifier.keys.public(),
        browsers=await notifier.channels.browsers(me.id),
        addresses=await notifier.channels.addresses(me.id),
        wishes=await notifier.channels.wishes(me.id),
        schemas=notifier.schemas,
        mail=me.email if notifier.mails else "",
    )


@post(PATH, status_code=200)
async def change_wishes(
    request: AnyRequest, notifier: NamedDependency[Notifier], me: NamedDependency[Member]
) -> Wishes:
    wishes = await json_body(request, Wishes)
    await notifier.channels.wish(me.id, wishes)
    return wishes


@post(PATH + "/browsers", status_code=201)
async def subscribe(
    request: AnyRequest, notifier: NamedDependency[Notifier], store: NamedDependency[Store], me: NamedDependency[Member]
) -> PushBrowser:
    """This browser wants Web Push, and is this person's."""
    await _tries(store).take(Count(f"push {me.id}", ENTERED))
    subscription = await json_body(request, Subscription)
    return await notifier.channels.subscribe(me.id, subscription, request.headers.get("user-agent", ""))


@delete(PATH + "/browsers/{browser_id:str}", status_code=204)
async def unsubscribe(
    notifier: NamedDependency[Notifier], me: NamedDependency[Member], browser_id: FromPath[str]
) -> None:
    await notifier.channels.unsubscribe(me.id, browser_id)


@post(PATH + "/addresses", status_code=201)
async def add_address(
    request: AnyRequest,
    notifier: NamedDependency[Notifier],
    store: NamedDependency[Store],
    me: NamedDependency[Member],
) -> Address:
    form = await json_body(request, NewAddress)
    address = form.address.strip()
    schema = address.partition("://")[0].lower()
    if "://" not in address or not address.isprintable():
        raise Problem(400, "bad_address", "an address looks like kind://…")
    if schema not in notifier.schemas:
        raise Problem(400, "kind_not_allowed", f"{schema[:20]}:// is not allowed here")
    await _tries(store).take(Count(f"address {me.id}", ENTERED))
    service = await notifier.look_at(address)
    if not service:
        raise Problem(400, "bad_address", f"this is no address of {schema}:// that is understood")
    added = await notifier.channels.add_address(me.id, form.name.strip() or service, service, address)
    await store.audit(me.id, "add_address", added.id, service, address_of(request))
    return added


@delete(PATH + "/addresses/{address_id:str}", status_code=204)
async def remove_address(
    request: AnyRequest,
    notifier: NamedDependency[Notifier],
    store: NamedDependency[Store],
    me: NamedDependency[Member],
    address_id: FromPath[str],
) -> None:
    await notifier.channels.remove_address(me.id, address_id)
    await store.audit(me.id, "remove_address", address_id, "done", address_of(request))


@post(PATH + "/test", status_code=200)
async def send_a_test(
    notifier: NamedDependency[Notifier], store: NamedDependency[Store], me: NamedDependency[Member]
) -> Tests:
    """To all of one's own places at once; says how each of them took it."""
    await _tries(store).take(Count(f"test {me.id}", TESTS))
    return Tests(await notifier.test(me))


ROUTES: tuple[ControllerRouterHandler, ...] = (
    own_notifications,
    change_wishes,
    subscribe,
    unsubscribe,
    add_address,
    remove_address,
    send_a_test,
)


def _tries(store: Store) -> Tries:
    return Tries(store.transactions, time.time)
