"""One encoder, many readers: access units fanned out through bounded queues. No thread, no clock of its own.

A reader always begins at a keyframe, and one that is too slow loses everything up to the next keyframe: a decoder can
use nothing of what comes between, and the queue never grows.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from typing import Protocol

from kiosk.hw.ports import AccessUnit


class Timer(Protocol):
    def cancel(self) -> None: ...


class Keyframes:
    """Keyframe requests on their way to the encoder: any number of them become at most two a second.

    A keyframe is many times as large as another frame, so that requests from a bad link must not be able to fill
    everybody's. Somebody who has just come gets his sooner.
    """

    GAP_S = 0.5
    NEWCOMER_GAP_S = 0.1

    def __init__(
        self,
        ask_encoder: Callable[[], None],
        now: Callable[[], float],
        call_later: Callable[[float, Callable[[], None]], Timer],
    ) -> None:
        self._ask_encoder = ask_encoder
        self._now = now
        self._call_later = call_later
        self._asked_s = float("-inf")
        self._due: Timer | None = None

    def request(self, newcomer: bool = False) -> None:
        """Asks now where the gap allows it, else as soon as it does."""
        wait_s = self._asked_s + (self.NEWCOMER_GAP_S if newcomer else self.GAP_S) - self._now()
        if wait_s <= 0:
            self._ask()
        elif self._due is None:
            self._due = self._call_later(wait_s, self._ask)

    def passed(self) -> None:
        """A keyframe has come out: who waited for one has it."""
        self.close()

    def close(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _ask(self) -> None:
        self.close()
        self._asked_s = self._now()
        self._ask_encoder()


class Outlet:
    """One reader's end of the relay."""

    def __init__(self, relay: Relay, size: int) -> None:
        self._relay = relay
        self._size = size
        self._units: deque[AccessUnit] = deque()
        self._ready = asyncio.Event()
        self._closed = False
        self._begun = False
        self.dropped = 0

    def put(self, unit: AccessUnit) -> None:
        """Takes the unit, or drops it where it is of no use to this reader. Never blocks."""
        if len(self._units) >= self._size:
            self.dropped += len(self._units)
            self._units.clear()
            self._begun = False
        if not (self._begun or unit.keyframe):
            self.dropped += 1
            self._relay.keyframes.request()
            return
        self._begun = True
        self._units.append(unit)
        self._ready.set()

    async def get(self) -> AccessUnit:
        """The next unit in order.

        Raises:
            StopAsyncIteration: the outlet or the relay is closed.
        """
        while not self._units:
            if self._closed:
                raise StopAsyncIteration
            self._ready.clear()
            await self._ready.wait()
        return self._units.popleft()

    def waiting(self) -> Iterator[AccessUnit]:
        """Takes what waits now, for a reader that looks in now and then."""
        while self._units:
            yield self._units.popleft()

    def __len__(self) -> int:
        return len(self._units)

    def close(self) -> None:
        self._closed = True
        self._units.clear()
        self._ready.set()
        self._relay.forget(self)


class Relay:
    """Passes every access unit on to all that have an outlet. Used from the loop only."""

    def __init__(self, keyframes: Keyframes) -> None:
        self.keyframes = keyframes
        self._outlets: set[Outlet] = set()

    def open(self, size: int = 30) -> Outlet:
        """A new reader; a keyframe is on its way to it. At most `size` units wait."""
        outlet = Outlet(self, size)
        self._outlets.add(outlet)
        self.keyframes.request(newcomer=True)
        return outlet

    def pass_on(self, unit: AccessUnit) -> None:
        if unit.keyframe:
            self.keyframes.passed()
        for outlet in tuple(self._outlets):
            outlet.put(unit)

    def forget(self, outlet: Outlet) -> None:
        self._outlets.discard(outlet)

    def close(self) -> None:
        self.keyframes.close()
        for outlet in tuple(self._outlets):
            outlet.close()

    def __len__(self) -> int:
        return len(self._outlets)
