"""How fast uploads may go while a call has the line."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable


class Pace:
    """A token bucket for all files together, without a burst: whoever takes bytes waits until those before are paid."""

    def __init__(
        self,
        bits_per_s: float,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._bytes_per_s = bits_per_s / 8
        self._now = now
        self._sleep = sleep
        self._free_at_s = 0.0

    async def take(self, size: int) -> None:
        """Returns when `size` bytes may go."""
        begin_s = max(self._now(), self._free_at_s)
        self._free_at_s = begin_s + size / self._bytes_per_s
        await self._sleep(begin_s - self._now())
