"""What aiortc reads from us: our encoded video as packets."""

from __future__ import annotations

from collections import OrderedDict
from fractions import Fraction
from typing import Any

from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from av.packet import Packet

from kiosk.call.relay import Outlet, Relay
from kiosk.hw.ports import AccessUnit

VIDEO_CLOCK_HZ = 90_000
VIDEO_TIME_BASE = Fraction(1, VIDEO_CLOCK_HZ)
REMEMBERED_FRAMES = 900
"""30 s: what a staff member taps on has been on his screen for less."""

WAITING_FRAMES = 20
"""0.7 s: a link that is further behind sees the present sooner from the next keyframe on."""


class PacketTrack(MediaStreamTrack):
    """The camera's access units as av.Packet, passed through without another encoder.

    pts is in 90 kHz since `begin_s`, so that the RTP timestamps are the camera's clock.
    """

    kind = "video"

    def __init__(self, relay: Relay, begin_s: float) -> None:
        super().__init__()
        self._relay, self._room = relay, WAITING_FRAMES
        self._begin_s = begin_s
        self._outlet: Outlet | None = None
        self._last_pts = -1
        self._captured: OrderedDict[int, float] = OrderedDict()

    def pts(self, captured_s: float) -> int:
        return round((captured_s - self._begin_s) * VIDEO_CLOCK_HZ)

    def captured_s(self, pts: int) -> float | None:
        """When the frame of this pts was captured; None where it was never sent or is forgotten."""
        return self._captured.get(pts)

    @property
    def dropped(self) -> int:
        return self._outlet.dropped if self._outlet else 0

    async def recv(self) -> Packet[Any]:
        """The next access unit. The outlet opens with the first call: only then is somebody there to see."""
        if self.readyState != "live":
            raise MediaStreamError
        unit = await self._next()
        packet: Packet[Any] = Packet(unit.data)
        # a picture may come twice, by one relay and then by the other: a decoder drops what is not newer
        self._last_pts = packet.pts = packet.dts = max(self._last_pts + 1, self.pts(unit.captured_s))
        packet.time_base = VIDEO_TIME_BASE
        self._remember(packet.pts, unit.captured_s)
        return packet

    async def _next(self) -> AccessUnit:
        while True:
            if self._outlet is None:
                self._outlet = self._relay.open(self._room)
            outlet = self._outlet
            try:
                return await outlet.get()
            except StopAsyncIteration:
                if outlet is self._outlet:
                    raise MediaStreamError from None

    def follow(self, relay: Relay, waiting: int | None = None) -> None:
        """Leads the same track to another relay, which begins with a keyframe within a moment; nothing more of the one
        before is sent, since the link has no room for it, or it is older.

        waiting: at most so many of its units wait.
        """
        if relay is self._relay:
            return
        self._relay, self._room = relay, waiting or WAITING_FRAMES
        old, self._outlet = self._outlet, None
        if old is not None:
            old.close()  # who waits for it goes on with the other; opened later, it gathers nothing meanwhile

    def stop(self) -> None:
        super().stop()
        if self._outlet is not None:
            self._outlet.close()

    def _remember(self, pts: int, captured_s: float) -> None:
        self._captured[pts] = captured_s
        if len(self._captured) > REMEMBERED_FRAMES:
            self._captured.popitem(last=False)
