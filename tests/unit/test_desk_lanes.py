"""What waits for a lane of the follower: in order, bounded, and taken together."""

from __future__ import annotations

import asyncio

from desk.lanes import BATCH, Lane
from kiosk.link.client import Incoming


def some(count: int, first: int = 0) -> list[Incoming]:
    return [Incoming(f"t/{n}", b"", False, "", b"", lambda: None) for n in range(first, first + count)]


def numbers(taken: list[Incoming]) -> list[int]:
    return [int(incoming.topic.removeprefix("t/")) for incoming in taken]


async def test_what_came_in_pieces_is_taken_together() -> None:
    lane = Lane()
    for n in range(10):
        await lane.put(some(3, 3 * n))
    assert numbers(await lane.take()) == list(range(30))
    taking = asyncio.create_task(lane.take())
    await asyncio.sleep(0)
    assert not taking.done(), "nothing is there"
    await lane.put(some(1, 30))
    assert numbers(await taking) == [30]


async def test_whoever_puts_waits_while_a_whole_batch_is_waiting() -> None:
    lane = Lane()
    await lane.put(some(BATCH - 1))
    await lane.put(some(BATCH, BATCH - 1))
    putting = asyncio.create_task(lane.put(some(2, 2 * BATCH - 1)))
    for _ in range(3):
        await asyncio.sleep(0)
    assert not putting.done()
    assert len(await lane.take()) == 2 * BATCH - 1
    await putting
    assert numbers(await lane.take()) == [2 * BATCH - 1, 2 * BATCH]
