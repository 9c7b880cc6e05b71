"""While somebody is in a call, the way to the broker is watched: a change of network must not cost half a minute.

Without it a connection that leads nowhere any more is noticed by the keep-alive only, and until then no participant
who looks for us anew is answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

import ifaddr

EACH_S = 1.5
ANSWER_S = 3.0
CHANGED_ANSWER_S = 0.7
"""After a change of our addresses the doubt is greater than the patience."""

IDLE_EACH_S = 30.0
IDLE_ANSWER_S = 10.0
"""Out of a call: for the watchdog, which wants to see that the connection lives, or that another is being tried."""


class Asked(Protocol):
    """What we use of kiosk.link.client.Client."""

    def hurry(self, on: bool) -> None: ...
    async def check(self, limit_s: float) -> None: ...


def own_addresses() -> frozenset[str]:
    """The addresses of this machine, as text."""
    return frozenset(str(ip.ip) for adapter in ifaddr.get_adapters() for ip in adapter.ips)


async def watch(
    client: Asked,
    in_call: Callable[[], bool],
    addresses: Callable[[], frozenset[str]] = own_addresses,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Never returns. Out of a call the broker is asked now and then only."""
    known = addresses()
    idle_s = 0.0
    while True:
        await pause(EACH_S)
        client.hurry(in_call())
        if not in_call():
            idle_s += EACH_S
            if idle_s >= IDLE_EACH_S:
                idle_s = 0.0
                await client.check(IDLE_ANSWER_S)
            continue
        now = await asyncio.to_thread(addresses)
        await client.check(ANSWER_S if now == known else CHANGED_ANSWER_S)
        known = now
