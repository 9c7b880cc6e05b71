"""The process of an emulated link: `python -m benchmarks.links_relay LINK SEED` (see links.py, which starts it).

It is told what to do by lines of JSON on its input, answers each by one on its output, and ends with its input.
select() and no event loop: asyncio rounds its timers up to whole milliseconds.
"""

from __future__ import annotations

import contextlib
import heapq
import json
import os
import select
import socket
import sys
import time
from itertools import count

from benchmarks.links import EARLY_PACKETS, Lateness, Link, Side, Way, own_address, with_address

BUFFER_BYTES = 1 << 22
OTHER: dict[Side, Side] = {"sender": "receiver", "receiver": "sender"}

Address = tuple[str, int]


def own_host() -> str:
    """This machine's address where it has a network, else the loopback: libnice talks to no loopback but its own.

    Nothing is sent; packets from a machine to its own address never leave it.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # of no use to anybody (RFC 5737), so it goes the default way
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


class Face:
    """The socket that one side sees, standing for the other side."""

    def __init__(self, way: Way, host: str) -> None:
        self.way = way
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            self.socket.setsockopt(socket.SOL_SOCKET, option, BUFFER_BYTES)
        self.socket.bind((host, 0))
        self.peer: Address | None = None
        self.early: list[tuple[bytes, Address]] = []

    @property
    def port(self) -> int:
        return int(self.socket.getsockname()[1])


class Relay:
    def __init__(self, link: Link, seed: int) -> None:
        now_s, self._host = time.monotonic(), own_host()
        self.faces: dict[Side, Face] = {
            "sender": Face(Way(link, 2 * seed, now_s, bottleneck=True), self._host),
            "receiver": Face(Way(link, 2 * seed + 1, now_s, bottleneck=False), self._host),
        }
        self._due: list[tuple[float, int, bytes, Side]] = []
        self._numbers = count()
        self._late = Lateness()
        self._strangers = 0

    # --- packets ------------------------------------------------------------------------------------------------------

    def wait_s(self) -> float | None:
        return max(0.0, self._due[0][0] - time.monotonic()) if self._due else None

    def take_in(self, side: Side) -> None:
        """All that has come from this side."""
        face = self.faces[side]
        while True:
            try:
                data, address = face.socket.recvfrom(65536)
            except BlockingIOError:
                return
            except OSError:  # an ICMP "port unreachable" of a peer that has gone comes in here
                continue
            self._take(side, data, address)

    def _take(self, side: Side, data: bytes, address: Address) -> None:
        face = self.faces[side]
        if face.peer is None:  # a peer may begin before its SDP has passed
            if len(face.early) < EARLY_PACKETS:
                face.early.append((data, address))
            return
        if address[1] != face.peer[1]:  # another of its sockets: one pair of addresses, one way between them
            self._strangers += 1
            return
        face.peer = address
        now_s = time.monotonic()
        arrives_s = face.way.arrives_s(now_s, len(data))
        if arrives_s is not None:
            heapq.heappush(self._due, (arrives_s, next(self._numbers), data, OTHER[side]))

    def send_due(self) -> None:
        while self._due and self._due[0][0] <= (now_s := time.monotonic()):
            due_s, _, data, side = heapq.heappop(self._due)
            face = self.faces[side]
            self._late.values.append(now_s - due_s)
            if face.peer is not None:
                with contextlib.suppress(OSError):  # gone, or its buffer is full: lost, as on any network
                    face.socket.sendto(data, face.peer)

    # --- what the benchmark wants -------------------------------------------------------------------------------------

    def do(self, what: dict[str, str]) -> object:
        match what["do"]:
            case "sdp":
                return self._pass_sdp("sender" if what["side"] == "sender" else "receiver", what["sdp"])
            case "begin":
                for face in self.faces.values():
                    face.way.begin(time.monotonic())
                return None
        return self._counters()

    def _counters(self) -> dict[str, object]:
        counted: dict[str, object] = {side: _as_dict(face.way) for side, face in self.faces.items()}
        return counted | {"strangers": self._strangers, "late_ms": self._late.figures()}

    def _pass_sdp(self, side: Side, sdp: str) -> str:
        face = self.faces[side]
        host, port = own_address(sdp, self._host)
        face.peer = (self._host if host.endswith(".local") else host, port)
        early, face.early = face.early, []
        for data, address in early:
            self._take(side, data, address)
        return with_address(sdp, self._host, self.faces[OTHER[side]].port)


def _as_dict(way: Way) -> dict[str, float]:
    return {name: getattr(way.counters, name) for name in way.counters.__slots__}


def run(relay: Relay) -> None:
    """Until the input ends."""
    sides = {face.socket.fileno(): side for side, face in relay.faces.items()}
    unread = b""
    while True:
        ready, _, _ = select.select([0, *sides], [], [], relay.wait_s())
        for descriptor in ready:
            if descriptor:
                relay.take_in(sides[descriptor])
        relay.send_due()
        if 0 in ready:
            read = os.read(0, 1 << 16)
            if not read:
                return
            *lines, unread = (unread + read).split(b"\n")
            for line in lines:
                print(json.dumps(relay.do(json.loads(line))), flush=True)


def be_punctual() -> None:
    """Before everybody else, as a network card is; without the right to it the lateness says what that costs."""
    with contextlib.suppress(PermissionError, AttributeError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))


def main() -> None:
    be_punctual()
    fields = json.loads(sys.argv[1])
    steps = tuple((at_s, bps) for at_s, bps in fields.pop("steps"))
    run(Relay(Link(**fields, steps=steps), int(sys.argv[2])))


if __name__ == "__main__":
    main()
