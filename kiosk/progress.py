"""The watchdog is fed by progress: whoever stands still longer than its allowance starves it, and systemd starts anew.

The loop is watched by running in it; what works elsewhere (painting thread, camera, MQTT) shows signs that change.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, field

from kiosk.notify import Systemd

log = logging.getLogger(__name__)

FEEDS = 4
"""In the time that the watchdog gives: a late one is no alarm."""


@dataclass(slots=True)
class Part:
    """Something that must get on.

    sign: any value that changes when it does; None while nothing is expected of it.
    allowance_s: so long may the sign stay as it is.
    """

    name: str
    sign: Callable[[], Hashable | None]
    allowance_s: float
    _seen: Hashable | None = None
    _since_s: float = 0.0

    def stands_still(self, now_s: float) -> bool:
        """Looks at the sign. Call it more often than the allowance is long."""
        sign = self.sign()
        if sign is None or sign != self._seen:
            self._seen, self._since_s = sign, now_s
        return now_s - self._since_s > self.allowance_s


@dataclass(slots=True)
class Progress:
    """Which parts stand still; logs the edges."""

    parts: Sequence[Part]
    _stuck: tuple[str, ...] = field(default=())

    def stuck(self, now_s: float) -> tuple[str, ...]:
        stuck = tuple(part.name for part in self.parts if part.stands_still(now_s))
        if stuck and stuck != self._stuck:
            log.error("no progress: %s; the watchdog is not fed", ", ".join(stuck))
        elif self._stuck and not stuck:
            log.warning("progress again")
        self._stuck = stuck
        return stuck


async def feed(
    systemd: Systemd,
    progress: Progress,
    poke: Callable[[], None],
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    now: Callable[[], float] = time.monotonic,
) -> None:
    """Never returns while there is a watchdog; `poke` gives idle parts something to do, so that they show a sign."""
    if systemd.watchdog_s is None:
        return
    while True:
        if not progress.stuck(now()):
            systemd.alive()
        poke()
        await pause(systemd.watchdog_s / FEEDS)
