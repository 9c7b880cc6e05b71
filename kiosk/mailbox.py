"""The only place where threads meet the event loop.

Frames go through a Slot (newest wins, drops counted), events through a Queue (bounded; a full one drops the oldest
and counts). What must not be lost goes through a Backlog: a full one lets whoever fills it wait. All may be filled from
any thread (a Backlog not from the loop's); all are read by one task of the loop they were made for.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class Queue(Generic[T]):
    """A bounded queue from any thread to one task.

    Where it is full the *oldest* item is dropped and `dropped` counts it: what reads here is told of a stream, and
    late news of an old thing is worth less than the newest.
    """

    def __init__(self, size: int, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._loop = loop or asyncio.get_running_loop()
        self._items: deque[T] = deque()
        self._size = size
        self._ready = asyncio.Event()
        self._closed = False
        self.dropped = 0

    def put(self, item: T) -> None:
        """From any thread; never blocks. Nothing happens once the loop or the queue is closed."""
        if self._closed:
            return
        if len(self._items) >= self._size:
            try:
                self._items.popleft()
                self.dropped += 1
            except IndexError:  # the reader was faster
                pass
        self._items.append(item)
        self._wake()

    def close(self) -> None:
        """From any thread: what is in it is still read, then iteration ends."""
        self._closed = True
        self._wake()

    def clear(self) -> int:
        """Drops all that waits; returns how many."""
        n = len(self._items)
        self._items.clear()
        self.dropped += n
        return n

    def __len__(self) -> int:
        return len(self._items)

    async def get(self) -> T:
        """The oldest item.

        Raises:
            StopAsyncIteration: the queue is closed and empty.
        """
        while not self._items:
            if self._closed:
                raise StopAsyncIteration
            self._ready.clear()
            if not self._items and not self._closed:  # filled between the test and the clear
                await self._ready.wait()
        return self._items.popleft()

    def take(self, most: int) -> list[T]:
        """What is there now, the oldest first, without waiting."""
        return [self._items.popleft() for _ in range(min(most, len(self._items)))]

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        return await self.get()

    def _wake(self) -> None:
        if asyncio._get_running_loop() is self._loop:  # put from the loop itself: nothing has to be woken
            self._ready.set()
            return
        if self._ready.is_set():  # the reader is not waiting: it looks once more after it has cleared this
            return
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody reads any more
            self._loop.call_soon_threadsafe(self._ready.set)


class Slot(Queue[T]):
    """Holds the newest item only."""

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        super().__init__(1, loop)


class Backlog(Queue[T]):
    """Loses nothing: where it is full, the thread that fills it waits until something was taken, or it is closed."""

    def __init__(self, size: int, loop: asyncio.AbstractEventLoop | None = None) -> None:
        super().__init__(size, loop)
        self._room = threading.Condition()

    def put(self, item: T) -> None:
        """From one thread, and never the loop's: that one makes room."""
        self.put_all([item])

    def put_all(self, items: Sequence[T]) -> None:
        """The same; as much at once as there is room for."""
        start = 0
        while start < len(items):
            with self._room:
                self._room.wait_for(lambda: self._closed or len(self._items) < self._size)
            if self._closed:
                return
            piece = items[start : start + self._size - len(self._items)]
            self._items.extend(piece)
            start += len(piece)
            self._wake()

    def close(self) -> None:
        super().close()
        self._make_room()

    def clear(self) -> int:
        n = super().clear()
        self._make_room()
        return n

    async def get(self) -> T:
        item = await super().get()
        self._make_room()
        return item

    def take(self, most: int) -> list[T]:
        items = super().take(most)
        self._make_room()
        return items

    def _make_room(self) -> None:
        with self._room:
            self._room.notify()
