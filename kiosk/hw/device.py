"""What device adapters share: a stream that can carry trouble, and drivers' calls that may never return."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

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


class Openable(Protocol):
    def open(self) -> None:
        """Raises DeviceTrouble."""

    def close(self) -> None: ...


class Opener:
    """Opens a device in a thread. One that comes open too late, or after nobody wants it any more, is closed at once:
    else it would see or hear with nobody knowing, and be taken when it is wanted again."""

    def __init__(self, device: Openable) -> None:
        self._device = device
        self._one_at_a_time = threading.Lock()

    async def open(self, limit_s: float, otherwise: str) -> None:
        """Raises DeviceTrouble: `otherwise` after `limit_s`, or what the device raises."""
        state = _Opening()
        try:
            await limited(lambda: self._open(state), limit_s, otherwise)
        except BaseException:  # cancelled as well
            with state.lock:
                state.given_up, late = True, state.opened
            if late:
                threading.Thread(target=self._device.close, name="closing", daemon=True).start()
            raise

    def _open(self, state: _Opening) -> None:
        with self._one_at_a_time:
            if state.given_up:
                return
            self._device.open()
            with state.lock:
                state.opened, given_up = True, state.given_up
            if given_up:
                log.warning("a device that came open too late is closed again")
                self._device.close()


@dataclass(slots=True)
class _Opening:
    lock: threading.Lock = field(default_factory=threading.Lock)
    opened: bool = False
    given_up: bool = False


async def joined(thread: threading.Thread) -> None:
    """Waits for a thread that was told to end; one that hangs in its driver is left behind, and said."""
    await asyncio.to_thread(thread.join, CLOSE_S)
    if thread.is_alive():
        log.warning("%s: its driver does not let go", thread.name)
