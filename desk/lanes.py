"""How what kiosks tell is put in order for desk.follow: into lanes, and of what a lane takes together into rounds."""

from __future__ import annotations

import asyncio
import zlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

from kiosk.link.client import Incoming
from kiosk.wire.topics import Topic

Heard = dict[Topic, Any]
"""What was told, taken out of its JSON; all of it about different things."""

LANES = 2
BATCH = 500
"""So many messages wait for a lane, and are taken together then; more would only make pages wait."""


class Lane:
    """What came, in pieces, while a lane was busy: it takes all of it together, since a transaction costs the same for
    few and for many. One puts, one takes."""

    def __init__(self) -> None:
        self._waiting: list[Incoming] = []
        self._filled, self._emptied = asyncio.Event(), asyncio.Event()

    async def put(self, part: list[Incoming]) -> None:
        """Waits while a whole batch is waiting already."""
        while len(self._waiting) >= BATCH:
            self._emptied.clear()
            await self._emptied.wait()
        self._waiting += part
        self._filled.set()

    async def take(self) -> list[Incoming]:
        """At least one, in their order."""
        await self._filled.wait()
        self._filled.clear()
        taken, self._waiting = self._waiting, []
        self._emptied.set()
        return taken


class Rounds:
    """What a batch brings of some kinds: the second message about the same thing waits for the next round, so their
    order stays."""

    def __init__(self) -> None:
        self._rounds: list[tuple[list[Incoming], Heard]] = []
        self._count: Counter[str] = Counter()

    def add(self, topic: Topic, incoming: Incoming, told: Any) -> None:
        about = topic.session or f"{topic.kiosk}/{topic.kind}"  # two kiosks may name the same session
        n = self._count[about]
        self._count[about] += 1
        if n == len(self._rounds):
            self._rounds.append(([], {}))
        took, heard = self._rounds[n]
        took.append(incoming)
        heard[topic] = told

    def __iter__(self) -> Iterator[tuple[list[Incoming], Heard]]:
        return iter(self._rounds)


def lane_of(incoming: Incoming) -> int:
    """The same for all that one kiosk tells."""
    kiosk = incoming.topic.split("/", 3)[2:3]
    return zlib.crc32("".join(kiosk).encode()) % LANES
