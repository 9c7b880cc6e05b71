"""The devices: a page for each, and what is known of its kiosk. (The list is in desk.api and desk.pages.)"""

from __future__ import annotations

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler
from msgspec import Struct

from desk.config import Member
from desk.pages import Pages
from desk.problems import not_found
from desk.sessions.store import KioskDetails, Store


class Providers(Struct, frozen=True):
    providers: list[str]


@get("/devices/{kiosk_id:str}")
async def device_page(
    pages: NamedDependency[Pages], store: NamedDependency[Store], me: NamedDependency[Member], kiosk_id: FromPath[str]
) -> Response[str]:
    details = await known_kiosk(store, kiosk_id)
    return pages.show("device.html", me, kiosk_id=details.kiosk.id)


@get("/api/kiosks/{kiosk_id:str}")
async def kiosk_details(store: NamedDependency[Store], kiosk_id: FromPath[str]) -> KioskDetails:
    return await known_kiosk(store, kiosk_id)


@get("/api/providers")
async def list_providers(store: NamedDependency[Store]) -> Providers:
    """The names of those that kiosks belong to."""
    return Providers(await store.providers())


ROUTES: tuple[ControllerRouterHandler, ...] = (device_page, kiosk_details, list_providers)


async def known_kiosk(store: Store, kiosk_id: str) -> KioskDetails:
    details = await store.kiosk_details(kiosk_id)
    if details is None:
        raise not_found("device")
    return details
