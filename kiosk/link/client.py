"""The one MQTT adapter of both programs: paho-mqtt (MQTT 5) on a thread of its own, asyncio on this side.

Each connection is a fresh paho client with a clean start: nothing that paho still holds in memory from an earlier
connection can be sent again. That is safe because no message matters: state is told again at each connect until
receipted, commands repeat until answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

from kiosk.errors import ConfigError, Unreachable
from kiosk.link.connection import NO_ANSWER, Connection, Incoming, Message, Settings, tls
from kiosk.mailbox import Backlog, Slot

__all__ = ["Client", "Incoming", "Message", "Settings"]

log = logging.getLogger(__name__)

OPEN_TIMEOUT_S = 10.0
RETRY_S = (0.2, 30.0)
HURRIED_OPEN_S = 2.5
HURRIED_RETRY_S = 0.5
"""While somebody waits in a call, tries follow each other like this; else a fleet would storm a broker that is down."""


class Client:
    """`async with`: connects, stays connected, and says so. Used from the loop it was entered in.

    Entering raises ConfigError where the certificates named in the settings cannot be read.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._connection: Connection | None = None
        self._count = 0
        self._answers = 0
        self._hurried = asyncio.Event()

    async def __aenter__(self) -> Self:
        tls(self._settings)
        self._incoming: Backlog[Incoming] = Backlog(2 * self._settings.receive_maximum)
        self._connections: Slot[int] = Slot()
        self._task = asyncio.create_task(self._run(), name="mqtt")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._incoming.close()  # a thread that waits for room would keep its connection from being closed
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    @property
    def connected(self) -> bool:
        return self._connection is not None

    def hurry(self, on: bool) -> None:
        """Whether somebody waits for us: then a lost connection is tried anew without long pauses."""
        if on:
            self._hurried.set()
        else:
            self._hurried.clear()

    async def check(self, limit_s: float) -> None:
        """Asks the broker for a sign of life. A connection without one is given up, and made anew: after a change of
        network TCP would notice only minutes later."""
        connection = self._connection
        if connection is None:
            return
        if await connection.answers(limit_s):
            self._answers += 1
        else:
            connection.give_up(NO_ANSWER)

    @property
    def stirred(self) -> tuple[int, int]:
        """(connections tried, answers to `check`): one of them grows as long as this client works, broker or not."""
        return self._count, self._answers

    def messages(self) -> AsyncIterator[Incoming]:
        """What arrives, in order, over all connections."""
        return aiter(self._incoming)

    async def batches(self, most: int) -> AsyncIterator[list[Incoming]]:
        """The same, all that is there at once; at least one."""
        async for first in self._incoming:
            yield [first, *self._incoming.take(most - 1)]

    def connections(self) -> AsyncIterator[int]:
        """The number of the connection at each (re)connect, after the subscriptions are in force."""
        return aiter(self._connections)

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
        """Hands a message to the connection.

        Raises:
            Unreachable: there is none; nothing is kept for later.
        """
        if self._connection is None:
            raise Unreachable("no connection to the broker")
        self._connection.publish(
            topic,
            payload,
            qos,
            retain,
            MessageExpiryInterval=expiry_s,
            ResponseTopic=response_topic or None,
            CorrelationData=correlation or None,
        )

    async def _run(self) -> None:
        pause_s = RETRY_S[0]
        down_told = False
        while True:
            self._count += 1
            connection = None
            try:
                connection = Connection(self._settings, self._count, self._incoming)
                await connection.open(HURRIED_OPEN_S if self._hurried.is_set() else OPEN_TIMEOUT_S)
                log.info("connected to the broker at %s:%s", self._settings.host, self._settings.port)
                pause_s, down_told = RETRY_S[0], False
                self._connection = connection
                self._connections.put(self._count)
                reason = await connection.closed
                log.warning("connection to the broker lost: %s", reason)
            except (Unreachable, ConfigError) as error:  # a certificate may just be being replaced
                if not down_told:  # the edge, not each try
                    log.warning("no connection to the broker: %s", error)
                    down_told = True
            finally:
                self._connection = None
                if connection is not None:
                    await asyncio.shield(asyncio.to_thread(connection.stop))
            await self._pause(pause_s * random.uniform(0.5, 1.5))  # noqa: S311 - jitter, no secret
            pause_s = min(RETRY_S[1], 2 * pause_s)

    async def _pause(self, pause_s: float) -> None:
        """Cut short where somebody waits, or begins to."""
        await asyncio.sleep(min(pause_s, HURRIED_RETRY_S))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, pause_s - HURRIED_RETRY_S)):
                await self._hurried.wait()
