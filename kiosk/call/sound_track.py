"""What aiortc reads from us for a participant's ears: Opus packets that are made already."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from av.packet import Packet

from kiosk.hw.ports import SAMPLE_RATE_HZ, SAMPLES_PER_BLOCK
from kiosk.mailbox import Queue

SOUND_TIME_BASE = Fraction(1, SAMPLE_RATE_HZ)
WAITING = 10
"""Packets (200 ms); then the oldest is dropped."""


class SoundTrack(MediaStreamTrack):
    """What one participant hears, 20 ms a packet. The receiver's time goes on where none is sent or one is dropped."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._packets: Queue[tuple[int, bytes]] = Queue(WAITING)
        self._ticks = 0
        self._begun = False

    def put(self, packet: bytes | None) -> None:
        """Once each 20 ms; None where nothing need be sent."""
        if packet is not None:
            self._packets.put((self._ticks, packet))
        self._ticks += 1

    async def recv(self) -> Packet[Any]:
        if self.readyState != "live":
            raise MediaStreamError
        if not self._begun:
            self._begun = True
            self._packets.clear()  # what gathered while connecting would be heard 200 ms late for ever
        try:
            tick, data = await self._packets.get()
        except StopAsyncIteration:
            raise MediaStreamError from None
        packet: Packet[Any] = Packet(data)
        packet.pts = packet.dts = tick * SAMPLES_PER_BLOCK
        packet.time_base = SOUND_TIME_BASE
        return packet

    def stop(self) -> None:
        super().stop()
        self._packets.close()
