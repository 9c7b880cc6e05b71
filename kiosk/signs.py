"""What others on the board say by a file that is there or not: that the time is right, that software is updated."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

LOOK_S = 2.0


async def follow(
    there: Callable[[], bool], tell: Callable[[bool], None], pause: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> None:
    """Tells at the start and at each change whether the sign is `there`; returns never."""
    told: bool | None = None
    while True:
        now = there()
        if now != told:
            told = now
            tell(now)
        await pause(LOOK_S)
