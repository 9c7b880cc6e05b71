"""What is done against loss before it happens: copies, and the time a receiver waits for repairs. Pure.

A repair takes a round trip, and for so long the receiver must hold frames back, or the picture stutters. Where that
would be long and the link has room, each packet is sent twice instead: the receiver then waits for the copy only. Where
even that stutters, three times.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

Copies = Literal["none", "last", "all", "all twice"]

NOISE, QUIET = 0.004, 0.002
"""Loss from which on something is done about it, and below which nothing is any more."""
COPY_MOST_S = 0.03
"""A copy follows its packet within a frame's time."""
EARLY_ROUND_TRIP_S = 0.08
"""On a way so long nobody waits to see how much is lost: the first seconds would stutter."""
BEARABLE_S = 0.11
"""Where packet and copy are lost, the picture stands still for a round trip less what was waited for: so long at most,
which is hardly seen (a freeze, as webrtc-stats counts them, begins at 150 ms more than usual)."""
DETECT_S = 0.01
"""From a loss to the receiver's asking: it must see a later packet first, which the next one of the frame is. And the
repair waits its turn here."""
HARDLY_S = 0.04
"""Playout at once is only for links where nothing is late by more than that."""
LONGEST_S = 0.5
RAISE_S, LOWER_S = 0.1, 0.03
"""Steps of the playout delay in s per second: up soon, down unnoticed. The browser follows at 0.1 s per second."""
MEMORY_S = 10.0
STEP_S = 0.01


class _Limits(NamedTuple):
    """From which loss and rate on something is done, and below which loss it is not any more."""

    loss: float
    less_loss: float
    least_bps: int


_TWICE = _Limits(0.02, 0.01, 1_600_000)
"""Half of it still is a picture."""
_THRICE = _Limits(0.03, 0.02, 2_400_000)
"""A third of it still is. Of 200 packets a second, 5 % lost, one is lost with its copy each two seconds, with two
copies each forty."""
KEPT = 0.6


@dataclass(frozen=True, slots=True)
class Plan:
    """playout_s: what the receiver is asked to keep between a frame's arrival and its being shown."""

    copies: Copies = "none"
    playout_s: float = 0.0

    @property
    def copied(self) -> float:
        """The share (0..1) of copies in what is sent, where all packets have some."""
        return {"none": 0.0, "last": 0.0, "all": 1 / 2, "all twice": 2 / 3}[self.copies]


class Protection:
    """The plan for one link; `look` as often as there is news."""

    def __init__(self, now_s: float) -> None:
        self.plan = Plan()
        self._noise = 0.0
        self._looked_s = now_s
        self._playout_s = 0.0

    def look(self, noise: float | None, round_trip_s: float, jitter_s: float, total_bps: float, now_s: float) -> Plan:
        """noise: loss (0..1) that comes without a queue, which sending less does not cure; None: not known yet."""
        passed_s = min(1.0, max(0.0, now_s - self._looked_s))
        self._looked_s = now_s
        self._noise = max(noise or 0.0, self._noise * math.exp(-passed_s / MEMORY_S))
        early = noise is None and round_trip_s > EARLY_ROUND_TRIP_S
        copies: Copies = "all" if early else self._copies(round_trip_s, total_bps)
        self._approach(self._wanted(copies, round_trip_s, jitter_s), passed_s)
        self.plan = Plan(copies, round(self._playout_s / STEP_S) * STEP_S)
        return self.plan

    def _copies(self, round_trip_s: float, total_bps: float) -> Copies:
        had = self.plan.copies
        if self._noise < (NOISE if had == "none" else QUIET):
            return "none"
        if round_trip_s > BEARABLE_S and self._worth(_THRICE, had == "all twice", total_bps):
            return "all twice"
        if round_trip_s > HARDLY_S and self._worth(_TWICE, had.startswith("all"), total_bps):
            return "all"
        return "last"

    def _worth(self, limits: _Limits, had: bool, total_bps: float) -> bool:
        """Whether so many copies are; what is had already is kept for longer."""
        if had:
            return self._noise >= limits.less_loss and total_bps >= KEPT * limits.least_bps
        return self._noise >= limits.loss and total_bps >= limits.least_bps

    def _wanted(self, copies: Copies, round_trip_s: float, jitter_s: float) -> float:
        if copies == "none":
            return 0.0 if jitter_s < HARDLY_S else min(jitter_s, LONGEST_S)
        if copies != "last":
            bearable_s = round_trip_s + DETECT_S - BEARABLE_S
            return min(round_trip_s + DETECT_S, LONGEST_S, max(COPY_MOST_S + jitter_s, bearable_s))
        return min(LONGEST_S, round_trip_s + DETECT_S + jitter_s)

    def _approach(self, wanted_s: float, passed_s: float) -> None:
        if wanted_s > self._playout_s:
            self._playout_s = min(wanted_s, self._playout_s + max(RAISE_S * passed_s, STEP_S))
        elif wanted_s < self._playout_s - STEP_S or not wanted_s:
            self._playout_s = max(wanted_s, self._playout_s - LOWER_S * passed_s)
