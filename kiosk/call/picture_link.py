"""The picture's way to one participant: its track and sender, the rate it is given, and what is done against loss."""

from __future__ import annotations

from collections.abc import Callable

from aiortc import RTCPeerConnection, RTCRtpTransceiver

from kiosk.call.aiortc_hooks import VideoSender
from kiosk.call.feedback import Fate
from kiosk.call.protection import Plan, Protection
from kiosk.call.rate import Figures, LinkRate
from kiosk.call.relay import Relay
from kiosk.call.tracks import PacketTrack

CHANGED = 0.08
"""A target that has moved by this share is told at once, not at the next second: a queue grows by the frame."""
SHARE_SMOOTHING = 0.3
LEAST_MEASURED_S = 0.25


class PictureLink:
    """Used from the loop only. changed: the target has moved far enough for the encoder to follow it now."""

    def __init__(
        self,
        relay: Relay,
        bounds_bps: tuple[int, int],
        begin_s: float,
        now: Callable[[], float],
        changed: Callable[[], None],
    ) -> None:
        """bounds_bps: the least and the most that the picture may take."""
        self._relay, self._now, self._changed = relay, now, changed
        self._stills = False
        self.track = PacketTrack(relay, begin_s)
        self.sender: VideoSender | None = None
        self._rate = LinkRate(*bounds_bps, now())
        self._protection = Protection(now())
        self._told_bps = 0
        self._measured_s, self._sent_bytes, self._new_bytes = now(), 0, 0
        self.sent_bps = 0.0
        """Of everything, over the last second."""

    def attach(
        self, connection: RTCPeerConnection, picture: RTCRtpTransceiver, sound: RTCRtpTransceiver | None
    ) -> None:
        """Between the two descriptions."""
        self.sender = VideoSender(connection, picture, self, self._now)
        if sound is not None:
            self.sender.add_sound(connection, sound)
        self._apply()

    async def run(self) -> None:
        if self.sender is not None:
            await self.sender.run()

    @property
    def figures(self) -> Figures:
        return self._rate.figures

    @property
    def plan(self) -> Plan:
        return self._protection.plan

    def tick(self) -> None:
        """Once a second."""
        self._measure()
        self._rate.advance(self._now())
        self._apply()

    def follow(self, relay: Relay, *, stills: bool) -> None:
        """Gets the units of another relay from its next keyframe on, and asks that one for keyframes.

        stills: each stands alone, so that only the newest may wait, and has a second to go.
        """
        self._relay, self._stills = relay, stills
        self.track.follow(relay, 1 if stills else None)

    # --- frames and their names on the wire -------------------------------------------------------------------------

    def to_wire(self, captured_s: float) -> int | None:
        """The RTP timestamp of the frame captured then; None before any went out."""
        return self.sender.to_wire(self.track.pts(captured_s)) if self.sender else None

    def captured_s(self, t: int) -> float | None:
        """When the frame was captured that bears the RTP timestamp `t`; None if unknown."""
        pts = self.sender.from_wire(t) if self.sender else None
        return None if pts is None else self.track.captured_s(pts)

    # --- what the receiver says (aiortc_hooks.Feedback) -------------------------------------------------------------

    def keyframe_wanted(self) -> None:
        self._relay.keyframes.request()

    def estimated(self, remb_bps: float) -> None:
        self._rate.estimated(remb_bps, self.sent_bps)
        self._apply()

    def reported(self, loss: float, round_trip_s: float | None) -> None:
        self._rate.reported(loss, round_trip_s, self._now())
        self._apply()

    def arrived(self, fates: list[Fate]) -> None:
        self._rate.arrived(fates, self._now())
        if self._now() - self._measured_s >= LEAST_MEASURED_S:
            self._measure()
        self._apply()

    # --- what follows from it ---------------------------------------------------------------------------------------

    def _apply(self) -> None:
        figures = self._rate.figures
        plan = self._protection.look(
            self._rate.noise, figures.round_trip_s, figures.jitter_s, figures.total_bps, self._now()
        )
        self._rate.copying = plan.copied > 0
        if self.sender is not None:
            self.sender.follow(
                figures.total_bps, figures.loss, figures.round_trip_s, plan, self._stills, figures.room_bps
            )
        if abs(figures.target_bps - self._told_bps) > CHANGED * self._told_bps:
            self._told_bps = figures.target_bps
            self._changed()

    def _measure(self) -> None:
        """What is sent, and how much of it is not new picture."""
        now_s, sender = self._now(), self.sender
        if sender is None or now_s <= self._measured_s:
            return
        sent, new = sender.sent_bytes - self._sent_bytes, sender.new_bytes - self._new_bytes
        self.sent_bps = 8 * sent / (now_s - self._measured_s)
        extra_bps = 8 * (sent - new) / (now_s - self._measured_s)
        share = extra_bps / max(self.sent_bps, self._rate.total_bps)
        self._rate.spends(max(self.plan.copied, share), SHARE_SMOOTHING)
        self._measured_s, self._sent_bytes, self._new_bytes = now_s, sender.sent_bytes, sender.new_bytes
