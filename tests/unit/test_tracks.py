"""The track of a participant: led from one relay to another without a renegotiation."""

from __future__ import annotations

import asyncio

import pytest
from aiortc.mediastreams import MediaStreamError

from kiosk.call.relay import Relay
from kiosk.call.tracks import PacketTrack
from kiosk.hw.ports import AccessUnit
from tests.unit.test_relay import delta, key, made


async def a_track(relay: Relay) -> PacketTrack:
    """Whose first unit has been read."""
    track = PacketTrack(relay, begin_s=0.0)
    first = asyncio.create_task(track.recv())
    await asyncio.sleep(0)
    relay.pass_on(key(1))
    await first
    return track


async def test_it_goes_on_with_the_other_relays_keyframe_and_nothing_more_of_the_old() -> None:
    main, other = made()[0], made()[0]
    track = await a_track(main)
    main.pass_on(delta(2))
    track.follow(other)
    main.pass_on(delta(3))
    waiting = asyncio.create_task(track.recv())
    await asyncio.sleep(0)
    assert (len(main), len(other)) == (0, 1)
    other.pass_on(delta(4))
    other.pass_on(AccessUnit(b"other", 5.0, True))
    assert bytes(await waiting) == b"other"


async def test_who_waits_for_a_unit_of_the_old_relay_gets_one_of_the_other() -> None:
    main, other = made()[0], made()[0]
    track = await a_track(main)
    waiting = asyncio.create_task(track.recv())
    await asyncio.sleep(0)
    track.follow(other)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    other.pass_on(AccessUnit(b"other", 4.0, True))
    assert bytes(await waiting) == b"other"


async def test_what_comes_while_nobody_reads_is_not_gathered() -> None:
    main, other = made()[0], made()[0]
    track = await a_track(main)
    track.follow(other)
    for n in range(10):
        other.pass_on(key(n))
    waiting = asyncio.create_task(track.recv())
    await asyncio.sleep(0)
    other.pass_on(AccessUnit(b"newest", 20.0, True))
    assert bytes(await waiting) == b"newest"


async def test_a_picture_that_came_already_by_the_other_relay_is_newer_all_the_same() -> None:
    main, other = made()[0], made()[0]
    track = await a_track(main)
    track.follow(other)
    waiting = asyncio.create_task(track.recv())
    await asyncio.sleep(0)
    other.pass_on(AccessUnit(b"other", 1.0, True))
    assert (await waiting).pts == 90_001
    assert track.captured_s(90_001) == 1.0


async def test_a_track_that_is_stopped_leaves_nothing_open() -> None:
    main, other = made()[0], made()[0]
    track = await a_track(main)
    track.follow(other)
    waiting = asyncio.create_task(track.recv())
    await asyncio.sleep(0)
    track.follow(other)
    track.stop()
    with pytest.raises(MediaStreamError):
        await waiting
    assert (len(main), len(other)) == (0, 0)


async def test_before_anybody_reads_no_relay_is_asked() -> None:
    main, other = made()[0], made()[0]
    track = PacketTrack(main, begin_s=0.0)
    track.follow(other)
    assert (len(main), len(other)) == (0, 0)
    reading = asyncio.create_task(track.recv())
    await asyncio.sleep(0)
    assert (len(main), len(other)) == (0, 1)
    other.close()
    with pytest.raises(MediaStreamError):
        await reading
