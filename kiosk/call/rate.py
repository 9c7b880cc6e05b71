"""How many bits a second each participant gets, and the encoder with them. Pure: numbers in, numbers out.

Where the participant tells when each packet came (feedback.py), its link is steered by delay (delay_rate.py) and by
loss; else by the receiver's own estimate (REMB), which sees queues grow, and the loss it reports. A link begins in the
middle, rises while it is clean, and falls at once where it is not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from kiosk.call.delay_rate import DelayRate
from kiosk.call.feedback import Fate

Code = Literal["good", "fair", "poor", ""]

START_BPS = 1_300_000
RISE_PER_S = 0.10
CLEAN_LOSS = 0.02
BAD_LOSS = 0.10
"""Loss between the two is a radio link's everyday noise: neither rise nor fall (as in draft-ietf-rmcat-gcc-02, 6)."""
REMB_SHARE = 0.9
LINK_LIMITED = 0.6
"""Sending less than this share of the target, a link says nothing about what it could carry."""
LEAST_BPS = 60_000
"""A link is followed down to here, below what any picture needs: to see that it is hopeless."""
MOST_OVERHEAD, MOST_WITH_COPIES = 1.25, 2.2
"""Times the most that the picture may take: for sound, repairs and copies."""
LOSS_SPAN_S = 1.0
KNOWN_PACKETS = 250
LOSS_ALONE_BPS = 200_000
"""Loss without any queue takes the rate no further down: it would not become less."""
LOOK_SHARE, LOOK_S, NOT_OURS_S = 0.6, 2.0, 30.0
"""Below that rate it is tried once whether less is lost where less is sent."""
HOPELESS_BPS, HOPEFUL_BPS = 110_000, 200_000
HOPELESS_AFTER_S, HOPEFUL_AFTER_S = 4.0, 3.0
AGAIN_AFTER_S, AGAIN_MOST_S = 10.0, 120.0
"""A link without a picture says little of itself: after so long (twice as long each time) it is tried again."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What is known of the link to one participant.

    target_bps: for the picture. total_bps: for everything, repairs and sound included. acknowledged_bps: what arrives
    (0: not known). queue_s: how long packets wait on the way. hopeless: it carries no moving picture for now, and the
    encoder does not follow it down.
    """

    target_bps: int
    loss: float
    round_trip_s: float
    total_bps: int = 0
    acknowledged_bps: int = 0
    queue_s: float = 0.0
    jitter_s: float = 0.0
    room_bps: int = 0
    hopeless: bool = False


class LinkRate:
    """The target of one link. Times are monotonic seconds."""

    def __init__(self, min_bps: int, max_bps: int, now_s: float) -> None:
        self._least, self._max = min(LEAST_BPS, min_bps), max_bps
        self._target = float(min(max(START_BPS, min_bps), max_bps))
        self._delay: DelayRate | None = None
        self._remb: float | None = None
        self._risen_s = now_s
        self._fell_s = float("-inf")
        self._loss = 0.0
        self._looks_since_s: float | None = None
        self._not_ours_until_s = float("-inf")
        self._counted, self._calm = _Loss(now_s), _Loss(now_s)
        self._noise, self._noises = 0.0, 0
        self._round_trip_s = 0.0
        self._overhead = 0.0
        self._hope = _Hope()
        self.copying = False
        """Whether packets are sent more than once, which needs more room."""

    @property
    def figures(self) -> Figures:
        seen = self._delay.seen if self._delay else None
        return Figures(
            target_bps=int(min(self._max, self.total_bps * (1 - self._overhead))),
            loss=self._loss,
            round_trip_s=self._round_trip_s,
            total_bps=int(self.total_bps),
            acknowledged_bps=int(seen.acknowledged_bps or 0) if seen else 0,
            queue_s=seen.queue_s if seen else 0.0,
            jitter_s=seen.jitter_s if seen else 0.0,
            room_bps=int(seen.room_bps or 0) if seen else 0,
            hopeless=self._hope.hopeless,
        )

    @property
    def total_bps(self) -> float:
        """Of everything that is sent."""
        return self._target if self._delay is None else min(self._target, self._delay.advised_bps())

    @property
    def noise(self) -> float | None:
        """The loss (0..1) while no queue was there: that of the air, which sending less does not cure.

        None: not known yet.
        """
        if self._delay is None:
            return self._loss
        return self._noise if self._counted.all > KNOWN_PACKETS or self._delay.congested else None

    def spends(self, overhead: float, share: float = 1.0) -> None:
        """So much (0..1) of the total is not new picture: sound, repairs, copies. share: how much the news counts."""
        self._overhead += share * (min(0.8, max(0.0, overhead)) - self._overhead)

    def arrived(self, fates: list[Fate], now_s: float) -> None:
        """The receiver told when each packet came. From the first time on this steers, and no estimate of its own."""
        if self._delay is None:
            self._delay = DelayRate(self._target, now_s)
        delay = self._delay
        delay.bps = self._target
        delay.arrived(fates, now_s, self._least, self._most, self._loss)
        self._round_trip_s = delay.round_trip_s
        self._set(delay.bps)
        for loss in self._counted.add(fates, now_s):
            self._lost(loss, now_s)
        for loss in self._calm.add([] if delay.congested else fates, now_s):
            self._noises += 1
            self._noise += max(0.3, 1 / self._noises) * (loss - self._noise)

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
        if self._delay is not None:
            return  # counted by ourselves, and sooner
        if round_trip_s is not None:
            self._round_trip_s = max(0.0, round_trip_s)
        self._lost(loss, now_s)

    def advance(self, now_s: float) -> int:
        """Rises for the time since the last call where the link is clean; returns the target in bit/s."""
        passed_s = min(2.0, max(0.0, now_s - self._risen_s))
        self._risen_s = now_s
        if self._delay is None and self._loss < CLEAN_LOSS:
            self._set(self._target * (1 + RISE_PER_S * passed_s))
        self._keep_below_remb()
        self._hope.look(self.total_bps * (1 - self._loss), now_s)
        return self.figures.target_bps

    def _lost(self, loss: float, now_s: float) -> None:
        self._loss = 0.7 * self._loss + 0.3 * loss
        if loss <= BAD_LOSS:
            self._looks_since_s = None
        elif now_s - self._fell_s > max(0.3, self._round_trip_s):
            self._fell_s = now_s
            self._set(self._after_loss(loss, now_s))

    def _after_loss(self, loss: float, now_s: float) -> float:
        fallen = self._target * (1 - 0.5 * loss)
        if self._delay is None or self._delay.congested:
            return fallen
        if self._target > LOSS_ALONE_BPS:
            return max(fallen, LOSS_ALONE_BPS) if now_s > self._not_ours_until_s else self._target
        return self._look_whose_it_is(now_s)

    def _look_whose_it_is(self, now_s: float) -> float:
        """Loss, and no queue to be seen: either one that was full from the beginning, which sending far less shows, or
        it is not ours."""
        if self._looks_since_s is None and now_s > self._not_ours_until_s:
            self._looks_since_s = now_s
            acknowledged = self._delay.seen.acknowledged_bps if self._delay else None
            return LOOK_SHARE * (acknowledged or self._target)
        if self._looks_since_s is not None and now_s - self._looks_since_s > LOOK_S:
            self._looks_since_s, self._not_ours_until_s = None, now_s + NOT_OURS_S
            return float(LOSS_ALONE_BPS)
        return self._target

    def _keep_below_remb(self) -> None:
        if self._remb is not None and self._delay is None:
            self._set(min(self._target, REMB_SHARE * self._remb))

    def _set(self, bps: float) -> None:
        self._target = min(self._most, max(float(self._least), bps))

    @property
    def _most(self) -> float:
        if self._delay is None:
            return float(self._max)
        return self._max * (MOST_WITH_COPIES if self.copying else MOST_OVERHEAD)


class _Loss:
    """The share of lost packets, told once a second or so: a report of its own may be of three packets."""

    def __init__(self, now_s: float) -> None:
        self._since_s = now_s
        self._lost = self._all = 0
        self.all = 0

    def add(self, fates: list[Fate], now_s: float) -> Iterable[float]:
        self.all += len(fates)
        self._all += len(fates)
        self._lost += sum(fate.arrived_s is None for fate in fates)
        if now_s - self._since_s >= LOSS_SPAN_S and self._all:
            yield self._lost / self._all
            self._since_s, self._lost, self._all = now_s, 0, 0


class _Hope:
    """Whether a link is good for a moving picture, with patience in both directions."""

    def __init__(self) -> None:
        self.hopeless = False
        self._since_s: float | None = None
        self._given_up_s = 0.0
        self._again_s = AGAIN_AFTER_S

    def look(self, bps: float, now_s: float) -> None:
        changes = bps > HOPEFUL_BPS if self.hopeless else bps < HOPELESS_BPS
        patience_s = HOPEFUL_AFTER_S if self.hopeless else HOPELESS_AFTER_S
        if not changes:
            self._since_s = None
        elif self._since_s is None:
            self._since_s = now_s
        elif now_s - self._since_s >= patience_s:
            self._turn(now_s)
        if self.hopeless and now_s - self._given_up_s >= self._again_s:
            self._again_s = min(AGAIN_MOST_S, 2 * self._again_s)
            self._turn(now_s)

    def _turn(self, now_s: float) -> None:
        self.hopeless = not self.hopeless
        self._since_s, self._given_up_s = None, now_s


def encoder_bps(targets: Iterable[int], floor_bps: int, idle_bps: int = START_BPS) -> int:
    """What the one encoder aims at: what the worst link carries, though never below the floor, for everybody's sake."""
    return max(floor_bps, min(targets, default=idle_bps))


def quality(figures: Iterable[Figures]) -> Code:
    """The worst link in one word; empty where there is none."""
    order: tuple[Code, ...] = ("poor", "fair", "good")
    return min((_of_one(f) for f in figures), key=order.index, default="")


def _of_one(link: Figures) -> Code:
    if link.loss > 0.08 or link.round_trip_s > 0.6 or link.target_bps < 300_000 or link.hopeless:
        return "poor"
    if link.loss > 0.025 or link.round_trip_s > 0.25 or link.target_bps < 700_000:
        return "fair"
    return "good"
