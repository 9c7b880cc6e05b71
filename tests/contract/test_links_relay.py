"""The emulator's process between two real sockets."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from benchmarks.links import LINKS, Link, Side, emulated, own_address


def peer() -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.bind(("", 0))
    opened.setblocking(False)
    return opened


def sdp_of(of: socket.socket) -> str:
    return f"v=0\r\nm=video 9 x 96\r\na=candidate:1 1 udp 1 127.0.0.1 {of.getsockname()[1]} typ host\r\n"


async def told(link: Any, side: Side, of: socket.socket) -> tuple[str, int]:
    return own_address(await link.pass_sdp(side, sdp_of(of)), "127.0.0.1")


async def test_packets_go_both_ways_through_the_relay_only_and_are_counted() -> None:
    loop = asyncio.get_running_loop()
    with peer() as sender, peer() as receiver, peer() as stranger:
        async with emulated(Link("slow", "slow", round_trip_s=0.04)) as link:
            for_sender = await told(link, "receiver", receiver)
            await loop.sock_sendto(sender, b"early", for_sender)  # before its own SDP has passed
            for_receiver = await told(link, "sender", sender)
            await loop.sock_sendto(stranger, b"not mine", for_sender)
            began_s = loop.time()
            await loop.sock_sendto(receiver, b"back", for_receiver)
            assert await loop.sock_recvfrom(sender, 99) == (b"back", for_sender)
            assert loop.time() - began_s >= 0.019
            assert await loop.sock_recvfrom(receiver, 99) == (b"early", for_receiver)
            counters = await link.counters()
    assert counters["sender"]["packets"] == counters["receiver"]["packets"] == 1
    assert counters["strangers"] == 1


async def test_two_runs_of_one_seed_lose_the_same_packets() -> None:
    assert await numbers_that_arrive(7) == await numbers_that_arrive(7) != await numbers_that_arrive(8)


async def numbers_that_arrive(seed: int) -> list[int]:
    loop = asyncio.get_running_loop()
    got: list[int] = []
    with peer() as sender, peer() as receiver:
        async with emulated(Link("bad", "bad", loss=0.2), seed) as link:
            for_sender = await told(link, "receiver", receiver)
            await told(link, "sender", sender)
            for n in range(100):
                await loop.sock_sendto(sender, bytes([n]), for_sender)
            while True:
                counters = (await link.counters())["sender"]
                if counters["packets"] == 100:
                    break
            while len(got) < counters["out_packets"]:
                got.append((await loop.sock_recvfrom(receiver, 9))[0][0])
    return got


async def test_the_links_of_the_issue_are_there() -> None:
    assert list(LINKS) == ["clean", "1_50", "5_50", "5_150", "1mbit", "steps"]
