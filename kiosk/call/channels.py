"""The two data channels of a participant: `events` (reliable) and `poses` (unreliable). Strict in what they take."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from kiosk.call.peer_clock import PeerClock
from kiosk.errors import Malformed, Trouble
from kiosk.wire import channel, codec

if TYPE_CHECKING:  # a kiosk that waits has not loaded aiortc: see Calls
    from aiortc import RTCDataChannel

log = logging.getLogger(__name__)

MESSAGES_PER_S = 200
MAX_UNSENT = 8 * 1024 * 1024
"""Bytes on the way to one participant. One that far behind does not follow, and is better off joining anew."""
MAX_UNSENT_POSES = 16 * 1024
"""Poses are worth nothing once newer ones exist: about half a second of them."""


class Flood:
    """A token bucket: so many messages a second, twice as many in a burst."""

    def __init__(self, per_s: float, now: Callable[[], float]) -> None:
        self._per_s, self._now = per_s, now
        self._tokens, self._at_s = 2 * per_s, now()

    def allow(self) -> bool:
        now_s = self._now()
        self._tokens = min(2 * self._per_s, self._tokens + (now_s - self._at_s) * self._per_s)
        self._at_s = now_s
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Channels:
    """Both channels of one participant. From the loop only.

    deliver: gets each valid event but heartbeats. opened: the events channel has just opened.
    """

    def __init__(
        self, deliver: Callable[[Any], None], opened: Callable[[], None], now: Callable[[], float], peer: str
    ) -> None:
        self._deliver, self._opened, self._now, self._peer = deliver, opened, now, peer
        self._events: RTCDataChannel | None = None
        self._poses: RTCDataChannel | None = None
        self._flood = Flood(MESSAGES_PER_S, now)
        self._beats = 0
        self._beat_heard: tuple[float, float] | None = None  # (its sent_ms, when)
        self.clock = PeerClock()
        self.heard_s = now()
        self.refused = 0
        self.flooded = 0

    @property
    def has_events(self) -> bool:
        return self._events is not None and self._events.readyState == "open"

    @property
    def overflows(self) -> bool:
        return self._events is not None and self._events.bufferedAmount > MAX_UNSENT

    def adopt(self, opened: RTCDataChannel) -> None:
        """A channel the participant has opened; others than the two are of no use to anybody."""
        if opened.label == "events":
            self._events = opened
            self.heard_s = self._now()
            opened.on("message", self._hear)
            self._opened()
        elif opened.label == "poses":
            self._poses = opened
        else:
            opened.close()

    def tell(self, what: msgspec.Struct | bytes | str) -> None:
        """An event, one that is encoded already (text), or a binary chunk."""
        data = codec.encode(what).decode() if isinstance(what, msgspec.Struct) else what
        _send(self._events, data)

    def tell_poses(self, poses: channel.Poses) -> None:
        if self._poses is not None and self._poses.bufferedAmount <= MAX_UNSENT_POSES:
            _send(self._poses, codec.encode(poses).decode())

    def beat(self) -> None:
        self._beats += 1
        now_ms = self._now() * 1000
        beat = channel.Heartbeat(n=self._beats, sent_ms=round(now_ms, 2))
        if self._beat_heard is not None:
            sent_ms, heard_s = self._beat_heard
            beat = replace(beat, echo_ms=sent_ms, held_ms=round(now_ms - heard_s * 1000, 2))
        self.tell(beat)

    def _hear(self, data: str | bytes) -> None:
        self.heard_s = self._now()
        if not self._flood.allow():
            self.flooded += 1
            if self.flooded == 1:
                self._refuse("flood", f"more than {MESSAGES_PER_S} messages a second; some were left out")
            return
        try:
            event = codec.decode(data, channel.FromParticipant, codec.MAX_EVENT)
        except Malformed as error:
            self.refused += 1
            if self.refused == 1:
                self._refuse(error.code, error.text)
            return
        if isinstance(event, channel.Heartbeat):
            self._beat_heard = (event.sent_ms, self.heard_s)
            self.clock.heard(event, self.heard_s)
        else:
            self._deliver(event)

    def _refuse(self, code: str, text: str) -> None:
        """Said and logged once; from then on only counted."""
        log.warning("participant %s: %s", self._peer, text)
        self.tell(trouble(code, text))


def trouble(code: str, text: str) -> channel.Trouble:
    return channel.Trouble(code=code, text=text[:200])


def of(error: Trouble) -> channel.Trouble:
    return trouble(error.code, error.text)


def _send(to: RTCDataChannel | None, data: str | bytes) -> None:
    if to is None or to.readyState != "open":
        return
    from aiortc.exceptions import InvalidStateError  # noqa: PLC0415 - whoever has a channel has loaded it

    try:
        to.send(data)
    except (InvalidStateError, ConnectionError):  # closing at this moment: the connection's state tells of it
        log.debug("data channel %s closed while sending", to.label)
