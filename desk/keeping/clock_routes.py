"""For administrators: whether the clock is believed, by which files are deleted."""

from __future__ import annotations

from typing import Any

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.types import ControllerRouterHandler
from msgspec import Struct

from desk.bodies import json_body
from desk.config import Member
from desk.keeping.clock import ClockView
from desk.keeping.retention import Keeper


class ClockRight(Struct, frozen=True):
    """now_s: what the clock said when somebody looked at it."""

    now_s: float


@get("/api/retention/clock")
async def retention_clock(keeper: NamedDependency[Keeper]) -> ClockView:
    """While it is in doubt, nothing is deleted by rule."""
    return await keeper.clock.view()


@post("/api/retention/clock", status_code=200)
async def believe_clock(
    request: Request[Any, Any, Any], keeper: NamedDependency[Keeper], me: NamedDependency[Member]
) -> ClockView:
    """The clock is right, and files may be deleted by it."""
    said = await json_body(request, ClockRight)
    await keeper.clock.believe(me.id, said.now_s)
    keeper.ask()
    return await keeper.clock.view()


ROUTES: tuple[ControllerRouterHandler, ...] = (retention_clock, believe_clock)
"""Administrators only: by desk.people.rights."""
