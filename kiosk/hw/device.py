"""What device adapters share: a stream that can carry trouble, and drivers' calls that may never return."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable
from typing import Generic, TypeVar

from kiosk.errors import DeviceTrouble
from kiosk.mailbox import Queue

log = logging.getLogger(__name__)

T = TypeVar("T")

CLOSE_S = 2.0


class Stream(Generic[T]):
    """What a queue holds, until it is closed; trouble in it is raised, and the stream can be read on."""

    def __init__(self, queue: Queue[T | DeviceTrouble]) -> None:
        self._queue = queue

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        item = await self._queue.get()
        if isinstance(item, DeviceTrouble):
            raise item
        return item


async def limited(work: Callable[[], T], limit_s: float, otherwise: str) -> T:
    """A driver's call in a thread; one that never returns costs that thread, not the loop.

    Raises:
        DeviceTrouble: `otherwise`, after `limit_s`; or what the call raises.
    """
    try:
        async with asyncio.timeout(limit_s):
            return await asyncio.to_thread(work)
    except TimeoutError as error:
        raise DeviceTrouble(otherwise) from error


async def joined(thread: threading.Thread) -> None:
    """Waits for a thread that was told to end; one that hangs in its driver is left behind, and said."""
    await asyncio.to_thread(thread.join, CLOSE_S)
    if thread.is_alive():
        log.warning("%s: its driver does not let go", thread.name)
