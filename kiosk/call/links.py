"""The links of a call taken together: what the one encoder is asked for, and who gets stills instead of video.

Everybody whose link carries video shares the encoder's picture, which follows the worst of them; those whose link does
not are led to a relay of stills, and are no longer counted. Each is told its own rung of the ladder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median
from typing import Protocol
from weakref import WeakKeyDictionary

from kiosk.call.ladder import Ladder, Step
from kiosk.call.peer_clock import PeerClock
from kiosk.call.rate import Figures, encoder_bps, quality
from kiosk.call.relay import Relay
from kiosk.call.stills import Stills
from kiosk.call.summary import Summary
from kiosk.config import CallSettings
from kiosk.hw.ports import AccessUnit, Camera, Encoding
from kiosk.wire import channel

TELL_EACH_S = 2
WORTH_TELLING = 0.03
"""A smaller change of the rate is not worth the encoder's while."""


class Linked(Protocol):
    """A participant, as far as its link is concerned."""

    @property
    def figures(self) -> Figures | None:
        """None: it gets no video."""

    @property
    def sent_bps(self) -> float: ...

    @property
    def clock(self) -> PeerClock: ...

    def follow(self, relay: Relay, *, stills: bool) -> None: ...
    def captured_s(self, t: int | None) -> float | None: ...
    def tell(self, event: channel.Quality) -> None: ...


@dataclass
class _Seat:
    """What is known of one participant: what he gets and was told, and what he says he sees."""

    stills: bool = False
    told: Step | None = None
    delay_s: float | None = None
    freezes: int = 0
    frozen_s: float = 0.0


class Links:
    """All from the loop. `run` is its task."""

    def __init__(
        self,
        camera: Camera,
        relay: Relay,
        settings: CallSettings,
        summary: Summary,
        participants: Callable[[], Iterable[Linked]],
        now: Callable[[], float],
    ) -> None:
        self._camera, self._relay, self._settings, self._summary = camera, relay, settings, summary
        self._participants, self._now = participants, now
        self._ladder = Ladder(settings.width, settings.height, settings.fps)
        self._stills = Stills(camera, now)
        self._seats: WeakKeyDictionary[Linked, _Seat] = WeakKeyDictionary()
        self._asked: Encoding | None = None
        self._sent = (0, 0)
        self._seconds = 0
        self.look()  # an encoder begins with what it was asked for last, in a call before this one

    async def run(self) -> None:
        await self._stills.run()

    def close(self) -> None:
        self._stills.close()

    # --- the encoder --------------------------------------------------------------------------------------------------

    def passes(self, unit: AccessUnit) -> None:
        """Each unit of the encoder."""
        self._sent = unit.size

    def look(self) -> None:
        """Asks the encoder for what the links carry now, and leads each participant to the relay it can follow.

        As soon as a link has changed: a rate that falls must be in the encoder before a queue has grown.
        """
        links = self._links()
        if not links:
            self._ladder.begin_anew()
        self._lead(links)
        self._stills.carry(max(f.target_bps, f.total_bps) for p, f in links if self._seat(p).stills)
        self._ask(self._wanted([f.target_bps for p, f in links if not self._seat(p).stills]))
        for participant, figures in links:
            if self._seat(participant).told != self._step_of(participant):
                self._tell(participant, figures)

    def _links(self) -> list[tuple[Linked, Figures]]:
        return [(p, f) for p in self._participants() if (f := p.figures)]

    def _lead(self, links: list[tuple[Linked, Figures]]) -> None:
        """To stills who is hopeless. Who was, and is thought to be no longer, must reach the floor first where there
        are others: he is tried again and again, and they must not pay for it."""
        alone = all(self._seat(p).stills or f.hopeless for p, f in links)
        least = 0 if alone else self._settings.bitrate_min_bps
        for participant, figures in links:
            seat = self._seat(participant)
            seat.stills = figures.hopeless or (seat.stills and figures.target_bps < least)
            participant.follow(self._stills.relay if seat.stills else self._relay, stills=seat.stills)

    def _wanted(self, targets: list[int]) -> Encoding:
        """The floor keeps one thin link from spoiling it for the others. Where nobody reaches it, it is of no use, down
        to what the last rung needs. A picture that nobody is sent, but perhaps recorded, is whole; and the ladder waits
        where it was."""
        if not targets:
            return self._ladder.whole(encoder_bps((), self._settings.bitrate_min_bps))
        floor = min(self._settings.bitrate_min_bps, max(self._ladder.least_bps, *targets))
        wanted = self._ladder.advance(encoder_bps(targets, floor), self._now())
        self._summary.steps_down, self._summary.steps_up = self._ladder.downs, self._ladder.ups
        return wanted

    def _ask(self, wanted: Encoding) -> None:
        asked = self._asked
        if asked is None or _shape(asked) != _shape(wanted) or abs(wanted.bps - asked.bps) > WORTH_TELLING * asked.bps:
            self._asked = wanted
            self._camera.set_encoding(wanted)

    # --- what people are told -----------------------------------------------------------------------------------------

    def tick(self, connected: int) -> None:
        """Once a second."""
        self._seconds += 1
        self.look()
        links = self._links()
        self._summary.sample(connected, (f for _, f in links), self._worst(links))
        if self._seconds % TELL_EACH_S == 0:
            for participant, figures in links:
                self._tell(participant, figures)

    @property
    def step(self) -> Step | None:
        """The best rung that a participant is on: what the picture is like for those who get one."""
        links = self._links()
        if not links:
            return None
        return "stills" if all(self._seat(p).stills for p, _ in links) else self._ladder.step

    def on_stills(self, participant: Linked) -> bool:
        return self._seat(participant).stills

    def seen(self, participant: Linked, told: channel.Seen) -> None:
        """What a participant says it saw."""
        seat, summary = self._seat(participant), self._summary
        if not seat.stills:  # which are one long freeze to a browser
            summary.freezes += max(0, told.freezes - seat.freezes)
            summary.frozen_s += max(0.0, told.frozen_s - seat.frozen_s)
        seat.freezes, seat.frozen_s = told.freezes, told.frozen_s
        delays = [d for t, shown_ms in told.frames if (d := self._delay_s(participant, t, shown_ms)) is not None]
        taken = [d for d in delays if summary.delays.add(d, participant.clock.uncertain_s)]
        if taken:
            seat.delay_s = max(0.0, median(taken))

    def _delay_s(self, participant: Linked, t: int, shown_ms: float) -> float | None:
        shown_s, captured_s = participant.clock.ours_s(shown_ms), participant.captured_s(t)
        return None if shown_s is None or captured_s is None else shown_s - captured_s

    def _tell(self, participant: Linked, figures: Figures) -> None:
        seat = self._seat(participant)
        seat.told = self._step_of(participant)
        asked = self._asked or Encoding(0, 0, 0, 0)
        sent = self._stills.sent if seat.stills else self._sent
        width, height = sent if sent[0] else (asked.width, asked.height)
        event = channel.Quality(
            bitrate_bps=min(asked.bps, int(participant.sent_bps)) or asked.bps,
            loss=round(figures.loss, 4),
            round_trip_ms=round(figures.round_trip_s * 1000, 1),
            step=seat.told,
            width=width,
            height=height,
            fps=1 if seat.stills else asked.fps,
            word=quality((figures,)),
            delay_ms=None if seat.delay_s is None else round(1000 * seat.delay_s, 1),
        )
        participant.tell(event)

    def _step_of(self, participant: Linked) -> Step:
        return "stills" if self._seat(participant).stills else self._ladder.step

    def _worst(self, links: list[tuple[Linked, Figures]]) -> Step | None:
        if not links:
            return None
        return "stills" if any(self._seat(p).stills for p, _ in links) else self._ladder.step

    def _seat(self, participant: Linked) -> _Seat:
        return self._seats.setdefault(participant, _Seat())


def _shape(encoding: Encoding) -> tuple[int, int, int]:
    return encoding.width, encoding.height, encoding.fps
