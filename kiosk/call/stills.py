"""One sharp picture a second, for participants whose link carries no video. Nobody else pays for them.

Whose link takes longer than a second for one gets the newest as soon as the one before has left (relay.py, pacer.py).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from kiosk.call.relay import Keyframes, Relay
from kiosk.errors import DeviceTrouble
from kiosk.hw.ports import Camera

log = logging.getLogger(__name__)

APART_S = 1.0
LEAST_BITS, MOST_BITS = 90_000, 200_000
"""Less shows nothing that is worth waiting for; more is hardly sharper."""


class Stills:
    """A relay of its own, on which every unit is a keyframe. `run` is its task; it rests while nobody follows."""

    def __init__(self, camera: Camera, now: Callable[[], float]) -> None:
        loop = asyncio.get_running_loop()
        self._camera = camera
        self._asked = asyncio.Event()
        # a lost one is not sent again: a newer one comes within the second
        self.relay = Relay(Keyframes(self._asked.set, now, loop.call_later))
        self._bps = float(LEAST_BITS)
        self._failed = False
        self.sent = (0, 0)
        """(width, height) in px of the last one."""

    def carry(self, targets_bps: Iterable[int]) -> None:
        """What the links of those who follow carry; the thinnest counts."""
        self._bps = float(max(1, min(targets_bps, default=LEAST_BITS)))

    @property
    def bits(self) -> int:
        """Of one picture: what the thinnest link carries in a second."""
        return int(min(MOST_BITS, max(LEAST_BITS, self._bps * APART_S)))

    async def run(self) -> None:
        while True:
            if not len(self.relay):
                self._asked.clear()
                await self._asked.wait()
            await self._one()
            await asyncio.sleep(APART_S)

    async def _one(self) -> None:
        try:
            unit = await self._camera.sharp(self.bits)
        except DeviceTrouble as trouble:  # the camera's own streams tell of it
            if not self._failed:
                log.warning("stills: %s", trouble.text)
            self._failed = True
        else:
            self._failed = False
            self.sent = unit.size
            self.relay.pass_on(unit)

    def close(self) -> None:
        self.relay.close()
