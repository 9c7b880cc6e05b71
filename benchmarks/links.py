"""A bad link within one machine: a relay of UDP packets between two WebRTC peers. It needs no root.

Each peer is told the relay's address instead of the other's (`Emulator.pass_sdp` rewrites the candidates), so that
everything between the two goes through it: ICE, DTLS, media and feedback. What happens to a packet is decided by `Way`,
which is pure: loss by seed and number of the packet, delay, and a bottleneck of a given rate with a bounded queue
(droptail). The relay is a process of its own, wakes for a packet or when one is due, and measures how late it is.

    async with emulated(LINKS["5_150"]) as link:
        answer = await link.pass_sdp("sender", await sender_answers(await link.pass_sdp("receiver", offer)))
        await link.begin()              # the time of rate steps counts from here
        print(await link.counters())
"""

from __future__ import annotations

import asyncio
import json
import sys
from array import array
from bisect import bisect_right
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Side = Literal["sender", "receiver"]
"""Of the video. The way *from* a side bears its name."""

UDP_AND_IP_BYTES = 28
QUEUE_S = 0.25
"""What waits before the bottleneck at most; more is dropped. Between a modem's second and a good router's 50 ms."""
EARLY_PACKETS = 64


@dataclass(frozen=True, slots=True)
class Link:
    """Loss (0..1) and delay hold for each of the two ways; the bottleneck is on the way from the sender.

    steps: (seconds since `begin`, bit/s on the wire, IP and UDP headers included) in order, the first at 0;
    none: as fast as may be.
    """

    name: str
    title: str
    loss: float = 0.0
    round_trip_s: float = 0.0
    steps: tuple[tuple[float, int], ...] = ()
    queue_s: float = QUEUE_S


LINKS = {
    link.name: link
    for link in (
        Link("clean", "clean"),
        Link("1_50", "1 % loss, 50 ms", loss=0.01, round_trip_s=0.05),
        Link("5_50", "5 % loss, 50 ms", loss=0.05, round_trip_s=0.05),
        Link("5_150", "5 % loss, 150 ms", loss=0.05, round_trip_s=0.15),
        Link("1mbit", "1 Mbit/s", steps=((0, 1_000_000),)),
        Link("steps", "2.5 → 0.8 → 2.5 Mbit/s", steps=((0, 2_500_000), (10, 800_000), (20, 2_500_000))),
    )
}


# --- one way, pure ----------------------------------------------------------------------------------------------------


def chance(seed: int, number: int) -> float:
    """0..1, the same for the same two numbers everywhere and always (splitmix64: Steele, Lea, Flood 2014)."""
    z = (seed * 0x9E3779B97F4A7C15 + (number + 1) * 0xBF58476D1CE4E5B9) & (2**64 - 1)
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & (2**64 - 1)
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & (2**64 - 1)
    return ((z ^ (z >> 31)) >> 11) / 2.0**53


class Capacity:
    """How many bits a line has let through at any time: rates that change in steps, and the inverse of it."""

    def __init__(self, steps: tuple[tuple[float, int], ...], now_s: float) -> None:
        self._steps = steps
        self._times, self._bits, self._rates = [now_s], [0.0], [steps[0][1]]

    def begin(self, now_s: float) -> None:
        """The steps' time counts from now."""
        for after_s, bps in self._steps[1:]:
            self._bits.append(self.bits(now_s + after_s))
            self._times.append(now_s + after_s)
            self._rates.append(bps)

    def bits(self, at_s: float) -> float:
        k = max(0, bisect_right(self._times, at_s) - 1)
        return self._bits[k] + (at_s - self._times[k]) * self._rates[k]

    def time(self, bits: float) -> float:
        """When so many have passed."""
        k = max(0, bisect_right(self._bits, bits) - 1)
        return self._times[k] + (bits - self._bits[k]) / self._rates[k]


@dataclass(slots=True)
class Counters:
    packets: int = 0
    bytes: int = 0
    lost: int = 0
    overflowed: int = 0
    out_packets: int = 0
    out_bytes: int = 0
    queue_most_ms: float = 0.0


class Way:
    """One direction of a link. Times are seconds of any one clock; no clock of its own."""

    def __init__(self, link: Link, seed: int, now_s: float, bottleneck: bool) -> None:
        self._loss, self._delay_s, self._queue_s = link.loss, link.round_trip_s / 2, link.queue_s
        self._seed = seed
        self._capacity = Capacity(link.steps, now_s) if bottleneck and link.steps else None
        self._taken_bits = 0.0
        self.counters = Counters()

    def begin(self, now_s: float) -> None:
        if self._capacity is not None:
            self._capacity.begin(now_s)

    def arrives_s(self, now_s: float, size: int) -> float | None:
        """When a packet of `size` bytes that is sent now arrives; None: never. To be asked once for each, in order."""
        c = self.counters
        number, c.packets, c.bytes = c.packets, c.packets + 1, c.bytes + size
        if chance(self._seed, number) < self._loss:
            c.lost += 1
            return None
        through_s = now_s if self._capacity is None else self._queue(self._capacity, now_s, size)
        if through_s is None:
            c.overflowed += 1
            return None
        c.out_packets, c.out_bytes = c.out_packets + 1, c.out_bytes + size
        return through_s + self._delay_s

    def _queue(self, line: Capacity, now_s: float, size: int) -> float | None:
        """When the last bit has passed the bottleneck."""
        begins = max(line.bits(now_s), self._taken_bits)
        waits_s = line.time(begins) - now_s
        if waits_s > self._queue_s:
            return None
        self.counters.queue_most_ms = max(self.counters.queue_most_ms, round(1000 * waits_s, 1))
        self._taken_bits = begins + 8 * (size + UDP_AND_IP_BYTES)
        return line.time(self._taken_bits)


# --- addresses in SDP, pure -------------------------------------------------------------------------------------------


def own_address(sdp: str, host: str) -> tuple[str, int]:
    """The (host, port) of the one candidate of a peer that is used: UDP over IPv4, at `host` if it has one there.

    Raises:
        ValueError: there is none.
    """
    found = []
    for line in sdp.splitlines():
        if line.startswith("a=candidate:"):
            _, component, protocol, _, at, port, *_ = line.removeprefix("a=candidate:").split()
            if component == "1" and protocol.lower() == "udp" and ":" not in at:
                found.append((at, int(port)))
    if not found:
        raise ValueError("no candidate for UDP over IPv4 in the SDP")
    return min(found, key=lambda address: address[0] != host)


def with_address(sdp: str, host: str, port: int) -> str:
    """The SDP with this one candidate in each media section, instead of its own."""
    candidate = [f"a=candidate:1 1 udp 2130706431 {host} {port} typ host", "a=end-of-candidates"]
    lines: list[str] = []
    for line in sdp.splitlines():
        if line.startswith("m=") and any(earlier.startswith("m=") for earlier in lines):
            lines += candidate
        if not line.startswith(("a=candidate:", "a=end-of-candidates")):
            lines.append(line)
    return "\r\n".join([*lines, *candidate]) + "\r\n"


# --- the process, seen from the benchmark -----------------------------------------------------------------------------


class Emulator:
    """A running relay. Its methods are called one after the other."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def pass_sdp(self, of: Side, sdp: str) -> str:
        """What the other side is to be told instead of the SDP of this side."""
        return str(await self._ask(do="sdp", side=of, sdp=sdp))

    async def begin(self) -> None:
        """The time of rate steps counts from now."""
        await self._ask(do="begin")

    async def counters(self) -> dict[str, Any]:
        """{"sender": {…}, "receiver": {…}: what came from each side; "strangers": packets from elsewhere, dropped;
        "late_ms": {"median", "p99", "max"}: how much later than due packets were sent on}."""
        answer: dict[str, Any] = await self._ask(do="counters")
        return answer

    async def _ask(self, **what: object) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(what).encode() + b"\n")
        line = await asyncio.wait_for(self._process.stdout.readline(), 10)
        if not line:
            raise RuntimeError("the link's relay has ended")
        return json.loads(line)


@asynccontextmanager
async def emulated(link: Link, seed: int = 1) -> AsyncIterator[Emulator]:
    """A relay of its own for one pair of peers, until the context is left."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.links_relay", json.dumps(asdict(link)), str(seed)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=2**20,
    )
    try:
        yield Emulator(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()  # the relay ends with its input
        await process.wait()


@dataclass(slots=True)
class Lateness:
    """How much later than due packets left, in s."""

    values: array[float] = field(default_factory=lambda: array("d"))

    def figures(self) -> dict[str, float]:
        ordered = sorted(self.values) or [0.0]
        picked = {"median": 0.5, "p99": 0.99, "max": 1.0}
        return {k: round(1000 * ordered[min(len(ordered) - 1, int(v * len(ordered)))], 2) for k, v in picked.items()}
