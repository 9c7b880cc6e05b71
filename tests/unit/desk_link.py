"""The desk's link to a broker that takes everything, or that is not there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from kiosk.errors import Unreachable
from kiosk.link.client import Incoming


@dataclass
class Link:
    """said: topic, payload, expiry in s. retained: the topics of those that the broker keeps."""

    connected: bool = True
    said: list[tuple[str, bytes, int | None]] = field(default_factory=list)
    retained: set[str] = field(default_factory=set)

    async def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int = 1,
        retain: bool = False,
        expiry_s: int | None = None,
        response_topic: str = "",
        correlation: bytes = b"",
    ) -> None:
        if not self.connected:
            raise Unreachable("no broker")
        if retain:
            self.retained.add(topic)
        self.said.append((topic, payload, expiry_s))

    def messages(self) -> AsyncIterator[Incoming]:
        raise NotImplementedError

    def connections(self) -> AsyncIterator[int]:
        raise NotImplementedError
