"""How many bits a second each participant gets, and the encoder with them. Pure: numbers in, numbers out.

Two signals steer a link: the receiver's own estimate (REMB), which sees queues grow, and the loss it reports. A link
begins in the middle, rises by a few per cent a second while it is clean, and falls at once where it is not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Code = Literal["good", "fair", "poor", ""]

START_BPS = 1_300_000
RISE_PER_S = 0.10
CLEAN_LOSS = 0.02
BAD_LOSS = 0.10
"""Loss between the two is a radio link's everyday noise: neither rise nor fall (as in draft-ietf-rmcat-gcc-02, 6)."""
REMB_SHARE = 0.9
LINK_LIMITED = 0.6
"""Sending less than this share of the target, a link says nothing about what it could carry."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What is known of the link to one participant."""

    target_bps: int
    loss: float
    round_trip_s: float
    hopeless: bool = False
    """It carries no moving picture for now, and the encoder does not follow it down."""


class LinkRate:
    """The target of one link. Times are monotonic seconds."""

    def __init__(self, min_bps: int, max_bps: int, now_s: float) -> None:
        self._min, self._max = min_bps, max_bps
        self._target = float(min(max(START_BPS, min_bps), max_bps))
        self._remb: float | None = None
        self._risen_s = now_s
        self._fell_s = float("-inf")
        self._loss = 0.0
        self._round_trip_s = 0.0

    @property
    def figures(self) -> Figures:
        return Figures(int(self._target), self._loss, self._round_trip_s)

    def estimated(self, remb_bps: float, sent_bps: float) -> None:
        """The receiver estimates what the link carries, while `sent_bps` were sent.

        A receiver cannot see beyond what it is sent: an estimate above that, of a quiet picture, is no limit.
        """
        congested = remb_bps < sent_bps
        quiet = sent_bps < LINK_LIMITED * self._target
        self._remb = None if quiet and not congested else remb_bps
        self._keep_below_remb()

    def reported(self, loss: float, round_trip_s: float | None, now_s: float) -> None:
        """A receiver report: the share of packets (0..1) lost since the last one."""
        self._loss = 0.7 * self._loss + 0.3 * loss
        if round_trip_s is not None:
            self._round_trip_s = max(0.0, round_trip_s)
        if loss > BAD_LOSS and now_s - self._fell_s > max(0.3, self._round_trip_s):
            self._fell_s = now_s
            self._set(self._target * (1 - 0.5 * loss))

    def advance(self, now_s: float) -> int:
        """Rises for the time since the last call where the link is clean; returns the target in bit/s."""
        passed_s = min(2.0, max(0.0, now_s - self._risen_s))
        self._risen_s = now_s
        if self._loss < CLEAN_LOSS:
            self._set(self._target * (1 + RISE_PER_S * passed_s))
        self._keep_below_remb()
        return int(self._target)

    def _keep_below_remb(self) -> None:
        if self._remb is not None:
            self._set(min(self._target, REMB_SHARE * self._remb))

    def _set(self, bps: float) -> None:
        self._target = min(float(self._max), max(float(self._min), bps))


def encoder_bps(targets: Iterable[int], floor_bps: int, idle_bps: int = START_BPS) -> int:
    """What the one encoder aims at: what the worst link carries, though never below the floor, for everybody's sake."""
    return max(floor_bps, min(targets, default=idle_bps))


def quality(figures: Iterable[Figures]) -> Code:
    """The worst link in one word; empty where there is none."""
    order: tuple[Code, ...] = ("poor", "fair", "good")
    return min((_of_one(f) for f in figures), key=order.index, default="")


def _of_one(link: Figures) -> Code:
    if link.loss > 0.08 or link.round_trip_s > 0.6 or link.target_bps < 300_000:
        return "poor"
    if link.loss > 0.025 or link.round_trip_s > 0.25 or link.target_bps < 700_000:
        return "fair"
    return "good"
