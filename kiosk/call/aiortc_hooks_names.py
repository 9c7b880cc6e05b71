"""Which RTP timestamps frames bear that aiortc encodes itself: it adds a random number to each pts, and tells nobody.

tests/contract/test_aiortc_hooks.py fails loudly where a name used here is gone or means something else.
"""

from __future__ import annotations

from typing import Any, cast

from aiortc import RTCRtpTransceiver


class FrameNames:
    """Of one RTCRtpSender, made before it sends anything. Used from the loop only; pts are in 90 kHz."""

    def __init__(self, transceiver: RTCRtpTransceiver) -> None:
        self._sender = cast(Any, transceiver.sender)
        self._aiortc_next_frame = self._sender._next_encoded_frame
        self._origin: int | None = None
        self._pts: int | None = None
        self._sender._next_encoded_frame = self._next_frame

    async def _next_frame(self, codec: Any) -> Any:
        """The frame before was sent by now."""
        if self._origin is None and self._pts is not None:
            self._origin = (int(self._sender._RTCRtpSender__rtp_timestamp) - self._pts) % 2**32
        frame = await self._aiortc_next_frame(codec)
        if frame is not None:
            self._pts = int(frame.timestamp)
        return frame

    def to_wire(self, pts: int) -> int | None:
        """None before the first frame went out."""
        return None if self._origin is None else (self._origin + pts) % 2**32

    def from_wire(self, t: int) -> int | None:
        """The one nearest to the last frame sent."""
        if self._origin is None or self._pts is None:
            return None
        behind = (self._origin + self._pts - t + 2**31) % 2**32 - 2**31
        return self._pts - behind
