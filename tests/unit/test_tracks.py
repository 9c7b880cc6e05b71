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


async def test_it_goes_on_as_before_until_the_other_relay_has_a_keyframe() -> None:
    main, other = made()[0], made()[0]
    track = await a_track(main)
    track.follow(other)
    main.pass_on(delta(2))
    assert (await track.recv()).pts == 2 * 90_000
    other.pass_on(delta(3))
    main.pass_on(delta(3))
    assert bytes(await track.recv()) == b"delta"
    waiting = asyncio.create_task(track.recv())
    await asyncio.sleep(0)
    other.pass_on(AccessUnit(b"other", 4.0, True))
    assert bytes(await waiting) == b"other"
    assert (len(main), len(other)) == (0, 1)


async def test_what_waits_of_the_old_relay_is_given_up_for_the_keyframe() -> None:
    main, other = made()[0], made()[0]
    track = await a_track(main)
    track.follow(other)
    main.pass_on(delta(2))
    other.pass_on(AccessUnit(b"other", 4.0, True))
    assert bytes(await track.recv()) == b"other"


async def test_a_picture_that_came_already_by_the_other_relay_is_newer_all_the_same() -> None:
    main, other = made()[0], made()[0]
    track = await a_track(main)
    track.follow(other)
    other.pass_on(AccessUnit(b"other", 1.0, True))
    packet = await track.recv()
    assert packet.pts == 90_001
    assert track.captured_s(90_001) == 1.0


async def test_following_again_before_the_keyframe_came_leaves_nothing_open() -> None:
    main, other, third = made()[0], made()[0], made()[0]
    track = await a_track(main)
    track.follow(other)
    track.follow(third)
    track.follow(third)
    assert (len(main), len(other), len(third)) == (1, 0, 1)
    third.pass_on(AccessUnit(b"third", 4.0, True))
    assert bytes(await track.recv()) == b"third"
    track.stop()
    assert (len(main), len(third)) == (0, 0)


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
