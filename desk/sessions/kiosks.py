"""What the desk says to kiosks: the only place that writes their `down` topics."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from typing import Protocol

from kiosk.errors import Unreachable
from kiosk.link.client import Incoming
from kiosk.wire import topics
from kiosk.wire.codec import encode
from kiosk.wire.messages import STAFF_GOOD_S, Command, Outdated, Receipt, SignalDown, StaffTold, Stored
from kiosk.wire.topics import Topic

SIGNAL_EXPIRY_S = 30


class Link(Protocol):
    """What we use of kiosk.link.client.Client."""

    @property
    def connected(self) -> bool: ...
    def messages(self) -> AsyncIterator[Incoming]: ...
    def connections(self) -> AsyncIterator[int]: ...
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
    ) -> None: ...


class Kiosks:
    """Every method raises Unreachable where there is no broker; nothing is kept for later."""

    def __init__(self, link: Link) -> None:
        self._link = link

    @property
    def connected(self) -> bool:
        return self._link.connected

    async def receipt(self, kiosk: str, receipt: Receipt) -> None:
        await self._link.publish(str(Topic(kiosk, topics.RECEIPT)), encode(receipt))

    async def took(self, kiosk: str, receipt: Stored | Outdated) -> None:
        """A session document was; by QoS 0. A kiosk that does not hear it tells the document again, and a fleet that
        tells everything at once would wait for this side's thousands of receipts to be acknowledged."""
        await self._link.publish(str(Topic(kiosk, topics.RECEIPT)), encode(receipt), qos=0)

    async def command(self, kiosk: str, command: Command, expiry_s: int) -> None:
        await self._link.publish(
            str(Topic(kiosk, topics.COMMAND)),
            encode(command),
            expiry_s=expiry_s,
            response_topic=str(Topic(kiosk, topics.ANSWER)),
            correlation=command.id.encode(),
        )

    async def staff(self, kiosk: str, told: StaffTold) -> None:
        expiry_s = STAFF_GOOD_S if told.present else None
        await self._link.publish(str(Topic(kiosk, topics.STAFF)), encode(told), retain=True, expiry_s=expiry_s)

    async def signal(self, kiosk: str, session: str, signal: SignalDown) -> None:
        await self._link.publish(
            str(Topic(kiosk, topics.SIGNAL_DOWN, session)), encode(signal), expiry_s=SIGNAL_EXPIRY_S
        )


async def tell_if_possible(telling: Awaitable[None]) -> bool:
    """False where there is no broker now: the kiosk tells again when the link is back, and so do we."""
    try:
        await telling
    except Unreachable:
        return False
    return True
