"""Whether any of the responsible staff are at a desk, as the desks say it (wire: StaffTold)."""

from __future__ import annotations

from collections.abc import Callable

from kiosk.wire.messages import STAFF_GOOD_S, StaffTold

MAX_DESKS = 50
"""Each start of a desk gives it a new id; of so many the newest are remembered."""


class OnHand:
    """From the loop only. `now`: monotonic seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._told: dict[str, tuple[int, float]] = {}

    def take(self, told: StaffTold) -> None:
        self._told.pop(told.desk, None)
        self._told[told.desk] = (told.present, self._now())
        while len(self._told) > MAX_DESKS:
            del self._told[next(iter(self._told))]

    @property
    def anybody(self) -> bool | None:
        """None: no desk has said anything yet."""
        if not self._told:
            return None
        return any(present and self._now() - at_s < STAFF_GOOD_S for present, at_s in self._told.values())
