"""When a call without participants is over. PURE."""

from __future__ import annotations

from typing import Literal

HUNG_UP = "hung up"
LEFT = "left"


class Ending:
    """Nobody has to sit before a kiosk that nobody is connected to any more. Times in seconds of any one clock."""

    def __init__(self, lost_s: float) -> None:
        """lost_s: so long whoever has not taken leave may take to come back."""
        self._lost_s = lost_s
        self._anybody_yet = False
        self._alone_since_s: float | None = None
        self._hung_up = False
        self._missing: dict[str, float] = {}

    def came(self, peer: str) -> None:
        """Is connected, or heard again."""
        self._anybody_yet = True
        self._alone_since_s = None
        self._missing.pop(peer, None)

    def parted(self, peer: str, why: str, now_s: float) -> None:
        self._hung_up = why == HUNG_UP
        if why in (HUNG_UP, LEFT):
            self._missing.pop(peer, None)
        else:
            self._missing[peer] = now_s

    def tick(self, anybody: bool, now_s: float) -> Literal["", "hung_up", "link_lost"]:
        """anybody: whether a participant is connected now. Returns why the call is over, once, or ""."""
        self._missing = {peer: s for peer, s in self._missing.items() if now_s - s < self._lost_s}
        if anybody or not self._anybody_yet:
            return ""
        if self._alone_since_s is None:
            self._alone_since_s = now_s
        over = self._hung_up and not self._missing
        if not over and now_s - self._alone_since_s < self._lost_s:
            return ""
        self._anybody_yet = False
        return "hung_up" if over else "link_lost"
