"""The packets that aiortc reads for a participant's ears."""

from __future__ import annotations

import asyncio

import pytest
from aiortc.mediastreams import MediaStreamError

from kiosk.call.sound_track import WAITING, SoundTrack
from kiosk.hw.ports import SAMPLES_PER_BLOCK


async def begun() -> SoundTrack:
    """One that aiortc waits for; its first packet, of tick 0, is read."""
    track = SoundTrack()
    first = asyncio.create_task(track.recv())
    await asyncio.sleep(0)
    track.put(b"first")
    assert bytes(await first) == b"first"
    return track


async def test_time_goes_on_while_nothing_is_sent() -> None:
    track = await begun()
    for data in (None, None, None, b"again"):
        track.put(data)
    packet = await track.recv()
    assert (bytes(packet), packet.pts) == (b"again", 4 * SAMPLES_PER_BLOCK)


async def test_what_gathers_while_connecting_is_not_heard_late() -> None:
    track = SoundTrack()
    for n in range(5):
        track.put(b"%d" % n)
    waiting = asyncio.create_task(track.recv())
    await asyncio.sleep(0)
    track.put(b"now")
    packet = await waiting
    assert (bytes(packet), packet.pts) == (b"now", 5 * SAMPLES_PER_BLOCK)


async def test_a_link_that_does_not_take_it_loses_the_oldest() -> None:
    track = await begun()
    for n in range(WAITING + 3):
        track.put(b"%d" % n)
    packet = await track.recv()
    assert (bytes(packet), packet.pts) == (b"3", 4 * SAMPLES_PER_BLOCK)


async def test_a_stopped_track_ends_its_reader() -> None:
    track = await begun()
    waiting = asyncio.create_task(track.recv())
    await asyncio.sleep(0)
    track.stop()
    with pytest.raises(MediaStreamError):
        await waiting
    with pytest.raises(MediaStreamError):
        await track.recv()
