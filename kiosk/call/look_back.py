"""The last seconds of a call before its recording begins: in memory only, until everybody has agreed.

The camera is closed where no call is on, so these are the call's own packets and its mixed sound. They begin with a
keyframe at any time, and are never more than asked for, in seconds and in bytes. `recording.py` says what becomes of
them: a recording begins with them, or they are let go of.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable

from kiosk.call.recorder import Block, Item
from kiosk.call.relay import Outlet, Relay
from kiosk.hw.ports import SAMPLE_RATE_HZ, AccessUnit, Samples

MOST_BYTES = 24 * 1024 * 1024
"""30 s of sound and of picture at 5.7 Mbit/s, twice the rate that calls have at most by default."""
KEYFRAMES_SHARE = 6
"""Whole groups fall out at the old end, and the camera's own are up to 10 s long: with six keyframes in the time held
at most a sixth of it is missing. For 30 s that is one each 5 s."""
RELAY_FRAMES = 90


class LookBack:
    """Reads one outlet of `relay`. From the loop only; the 20 ms of sound that always come are its clock."""

    def __init__(self, seconds: float, relay: Relay, most_bytes: int = MOST_BYTES) -> None:
        self._seconds, self._relay, self._most_bytes = seconds, relay, most_bytes
        self._outlet = relay.open(RELAY_FRAMES)
        self._groups: deque[list[AccessUnit]] = deque()
        self._blocks: deque[Block] = deque()
        self._newest_s = float("-inf")
        self.bytes = 0

    def sound(self, samples: Samples, at_s: float) -> None:
        """20 ms of everything that is heard, from `at_s` on."""
        self._hold(Block(samples, at_s))
        self._newest_s = max(self._newest_s, at_s + len(samples) / SAMPLE_RATE_HZ)
        self._drain()

    def take(self) -> tuple[deque[Item], Outlet]:
        """All that is held, in the order of time and beginning with a keyframe, and where it goes on without a gap.

        Nothing is held any more.
        """
        self._drain()
        if not self._groups:
            self._blocks.clear()
        units: Iterable[tuple[float, Item]] = ((u.captured_s, u) for group in self._groups for u in group)
        blocks: Iterable[tuple[float, Item]] = ((b.at_s, b) for b in self._blocks)
        items = deque(item for _, item in heapq.merge(units, blocks, key=lambda timed: timed[0]))
        self._forget()
        return items, self._outlet

    def let_go(self) -> None:
        self._outlet.close()
        self._forget()

    def _drain(self) -> None:
        for unit in self._outlet.waiting():
            self._unit(unit)
        self._trim()

    def _unit(self, unit: AccessUnit) -> None:
        self._newest_s = max(self._newest_s, unit.captured_s)
        if unit.keyframe:
            self._groups.append([])
        if self._groups:
            self._groups[-1].append(unit)
            self.bytes += len(unit.data)
        if not self._groups or unit.captured_s - self._groups[-1][0].captured_s > self._seconds / KEYFRAMES_SHARE:
            self._relay.keyframes.request()

    def _hold(self, block: Block) -> None:
        self._blocks.append(block)
        self.bytes += block.samples.nbytes

    def _trim(self) -> None:
        oldest_s = self._newest_s - self._seconds
        while self._groups and (self._groups[0][0].captured_s < oldest_s or self.bytes > self._most_bytes):
            self.bytes -= sum(len(unit.data) for unit in self._groups.popleft())
        begin_s = self._groups[0][0].captured_s if self._groups else oldest_s
        while self._blocks and (self._blocks[0].at_s < begin_s or self.bytes > self._most_bytes):
            self.bytes -= self._blocks.popleft().samples.nbytes

    def _forget(self) -> None:
        self._groups.clear()
        self._blocks.clear()
        self.bytes = 0
