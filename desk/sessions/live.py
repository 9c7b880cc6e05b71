"""Live updates (server-sent events): whoever has a page open is told of what changes.

Each listener has a bounded queue. A listener that does not keep up is let go: its browser connects again and the page
loads what is true now. So nothing here has to be complete, and a sleeping phone costs nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Literal

import msgspec
from msgspec import Struct

QUEUE = 100
KEEP_ALIVE_S = 15.0
MAX_LISTENERS = 2000
KEEP_ALIVE = b": still here\n\n"
RETRY_MS = 1000

EventName = Literal["hello", "session", "presence", "gone"]


class Listener:
    """One open page. `person` as signed in; `all_sessions` for moderators."""

    def __init__(self, person: str, all_sessions: bool) -> None:
        self.person = person
        self.all_sessions = all_sessions
        self.queue: asyncio.Queue[bytes | None] = asyncio.Queue(QUEUE + 1)
        self.over = False

    def put(self, event: bytes) -> None:
        """An event, or the end where the queue is full."""
        if self.over:
            return
        if self.queue.qsize() >= QUEUE:
            self.end()
        else:
            self.queue.put_nowait(event)

    def end(self) -> None:
        """Ends at once: what waits is of no use to somebody who will load the page anew."""
        self.over = True
        while not self.queue.empty():
            self.queue.get_nowait()
        self.queue.put_nowait(None)


class Hub:
    """Used from the event loop only."""

    def __init__(self) -> None:
        self._listeners: set[Listener] = set()
        self._closed = False

    def __len__(self) -> int:
        return len(self._listeners)

    @property
    def people(self) -> frozenset[str]:
        """Who has a page open."""
        return frozenset(listener.person for listener in self._listeners)

    def tell(self, name: EventName, body: Struct, to: Callable[[Listener], bool] = lambda _: True) -> None:
        """Encoded once, however many listen."""
        event = encode_event(name, body)
        for listener in self._listeners:
            if to(listener):
                listener.put(event)

    def wanted(self, to: Callable[[Listener], bool]) -> bool:
        """Whether anybody listens who would be told."""
        return any(to(listener) for listener in self._listeners)

    @property
    def full(self) -> bool:
        """Nobody more is taken: there are too many, or the desk is ending."""
        return self._closed or len(self._listeners) >= MAX_LISTENERS

    async def stream(
        self,
        person: str,
        all_sessions: bool,
        hello: Struct,
        keep_alive_s: float = KEEP_ALIVE_S,
        still: Callable[[], Awaitable[bool]] | None = None,
    ) -> AsyncGenerator[bytes, None]:
        """The bytes of a text/event-stream, until the listener is let go or goes by itself, or may not listen `still`:
        that is asked about each `keep_alive_s`, also while there is much to tell."""
        listener, clock = Listener(person, all_sessions), asyncio.get_running_loop().time
        asked_s = clock()
        self._listeners.add(listener)
        try:
            yield f"retry: {RETRY_MS}\n\n".encode() + encode_event("hello", hello)
            while True:
                try:
                    async with asyncio.timeout(keep_alive_s):
                        event = await listener.queue.get()
                except TimeoutError:
                    event = KEEP_ALIVE
                if event is None:
                    return
                if still and clock() - asked_s >= keep_alive_s:
                    asked_s = clock()
                    if not await still():
                        return
                yield event
        finally:
            self._listeners.discard(listener)

    def close(self) -> None:
        """All streams end, and no new ones begin: the program is about to."""
        self._closed = True
        self.end_all()

    def end_all(self) -> None:
        """Every page connects again and loads what is true now: something was missed here."""
        for listener in self._listeners:
            listener.end()


def encode_event(name: EventName, body: Struct) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + msgspec.json.encode(body) + b"\n\n"
