"""Whether the wall clock can be believed: a Pi has none that runs without power; timesyncd says when it knows."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)

LOOK_S = 2.0


async def follow(
    known: Callable[[], bool], tell: Callable[[bool], None], pause: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> None:
    """Tells at the start and at each change whether the time is `known`; returns never."""
    told: bool | None = None
    while True:
        right = known()
        if right != told:
            log.info("the time is %s", "known" if right else "not known yet")
            told = right
            tell(right)
        await pause(LOOK_S)
