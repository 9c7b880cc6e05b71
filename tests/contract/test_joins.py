"""Joining and leaving again and again leaves nothing behind. (Two hundred in a row: benchmarks/call_soak.py.)"""

from __future__ import annotations

import asyncio
import gc
import logging
from collections import Counter
from pathlib import Path

import pytest

from tests.contract.call_site import Stage, a_call
from tests.contract.fakes import Peer, until

WARM, ROUNDS = 10, 30
KINDS = ("RTCPeerConnection", "RTCDtlsTransport", "Connection", "RTCRtpSender", "Participant", "PacketTrack", "Task")
"""What a connection is made of. They are counted: memory itself breathes with everything else."""


def held() -> tuple[int, Counter[str]]:
    """Open files and sockets, and how many there are of each of KINDS."""
    gc.collect()
    found = Counter(type(thing).__name__ for thing in gc.get_objects() if type(thing).__name__ in KINDS)
    return len(list(Path("/proc/self/fd").iterdir())), found


async def settled() -> tuple[int, Counter[str]]:
    """As soon as nothing is being closed any more: twice the same."""
    before = held()
    while True:
        await asyncio.sleep(0.5)
        now = held()
        if now == before:
            return now
        before = now


async def grown_since(before: Counter[str]) -> dict[str, int]:
    """What stays, of KINDS: a connection that was cut off in the middle gives up its last tries after half a minute."""
    for _ in range(120):
        _, now = await settled()
        grown = {kind: now[kind] - before[kind] for kind in KINDS if now[kind] > before[kind]}
        if all(by < ROUNDS / 3 for by in grown.values()):
            break
    return grown


async def come_and_go(stage: Stage, number: int) -> None:
    """A third leaves with a word, a third without one, a third is gone before it is connected."""
    async with Peer(f"n{number % 4}", camera=number % 5 == 0) as peer:
        if number % 3 == 2:
            await stage.call.join(peer.id, peer.person, await peer.offer())
        else:
            await peer.join(stage.call)
            await until(lambda: peer.frames)
        if number % 3 == 0:
            await stage.call.leave(peer.id)
    await stage.call.leave(peer.id)


@pytest.mark.timeout(240)  # forty connections: on a machine that is busy with other things they take their time
async def test_who_comes_and_goes_forty_times_leaves_no_socket_and_no_connection(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "aioice")  # as the kiosk has it: a record that pytest keeps keeps its connection
    async with a_call(tmp_path) as stage:
        for number in range(WARM):
            await come_and_go(stage, number)
        files, kinds = await settled()
        for number in range(ROUNDS):
            await come_and_go(stage, number)
        grown = await grown_since(kinds)
        assert all(by < ROUNDS / 3 for by in grown.values()), grown
        files_after, _ = await settled()
        assert files_after <= files + 3
        assert len(stage.call.participants) == 0
