"""Tells each kiosk how many of those who are responsible for its device have a page open here (wire: StaffTold)."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable

from desk.sessions.kiosks import Kiosks, tell_if_possible
from desk.sessions.live import Hub
from kiosk.wire.messages import About, StaffTold

LOOK_S = 2.0
STAYS_S = 15.0
"""Somebody whose last page was closed is taken to be there for so long: they may just be opening another one."""

RENEW_S = 60.0


class OnHand:
    """Knows kiosks by what they say of themselves, which the broker retains; nothing of it is kept.

    From the loop only. `now`: monotonic seconds.
    """

    def __init__(self, hub: Hub, kiosks: Kiosks, now: Callable[[], float] = time.monotonic) -> None:
        self._hub, self._kiosks, self._now = hub, kiosks, now
        self._desk = f"desk-{secrets.token_hex(6)}"
        self._staff: dict[str, frozenset[str]] = {}
        self._seen_s: dict[str, float] = {}
        self._told: dict[str, tuple[int, float]] = {}

    async def about(self, kiosk: str, about: About) -> None:
        """It told about itself: at each of its connections, and as soon as we hear the broker."""
        self._told.pop(kiosk, None)
        if about.staff:
            self._staff[kiosk] = frozenset(about.staff)
        else:
            self._staff.pop(kiosk, None)

    async def run(self, pause: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        while True:
            await self.tell()
            await pause(LOOK_S)

    async def tell(self) -> None:
        """What is news to a kiosk, or was told too long ago."""
        here, now = self._here(), self._now()
        for kiosk, staff in tuple(self._staff.items()):
            present = len(staff & here)
            before, at_s = self._told.get(kiosk, (-1, now))
            due = present != before or (present and now - at_s >= RENEW_S)
            if due and await tell_if_possible(self._kiosks.staff(kiosk, StaffTold(self._desk, present))):
                self._told[kiosk] = (present, now)

    def _here(self) -> frozenset[str]:
        now = self._now()
        self._seen_s.update(dict.fromkeys(self._hub.people, now))
        self._seen_s = {person: at_s for person, at_s in self._seen_s.items() if now - at_s < STAYS_S}
        return frozenset(self._seen_s)
