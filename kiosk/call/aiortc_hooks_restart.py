"""ICE restart (RFC 8445, section 9), which aiortc 1.16 has not: a second aioice agent takes a transport over.

Both agents fill one queue, so that packets come through whichever way the other side uses; ours go the old way until
the new one is found. DTLS and all above notice nothing. Where no new way is found, the old one stays.
tests/contract/test_connection.py fails where a name used here is gone or means something else.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from aioice import Candidate
from aioice import Connection as Agent
from aiortc import RTCPeerConnection

from kiosk.call.aiortc_hooks_ice import gather_for, transports
from kiosk.call.ice import Ways
from kiosk.call.offer import Fragment
from kiosk.errors import WrongState

log = logging.getLogger(__name__)

LIMIT_S = 30.0


class Restart:
    """One restart of one connection: `gather`, `begin`, and `close` whatever happened. From the loop only."""

    def __init__(self, connection: RTCPeerConnection, ways: Ways, limit_s: float) -> None:
        """limit_s: for the gathering of candidates.

        Raises:
            WrongState: it has no way yet, or its sections have ways of their own.
        """
        found = transports(connection)
        if len(found) != 1 or found[0].state != "completed":
            raise WrongState("there is no connection yet whose ICE could be restarted")
        self._transport = found[0]
        self._old: Any = self._transport._connection
        self._new: Any = Agent(self._old.ice_controlling, transport_policy=self._old._transport_policy)
        self._new._queue = self._old._queue
        gather_for(self._new, ways, limit_s)
        self._finding: asyncio.Task[None] | None = None

    @property
    def pending(self) -> bool:
        """Whether packets of ours go the old way."""
        return self._transport._connection is not self._new

    async def gather(self) -> Fragment:
        """Our side of it."""
        await self._new.gather_candidates()
        lines = tuple(f"candidate:{c.to_sdp()}" for c in self._new.local_candidates)
        return Fragment(self._new.local_username, self._new.local_password, (*lines, ""))

    def begin(self, remote: Fragment) -> None:
        """Looks for a way with what the other side has told so far; more may be added."""
        self._new.remote_is_lite = self._old.remote_is_lite
        self._new.remote_username, self._new.remote_password = remote.ufrag, remote.password
        self._pause_consent()
        self._finding = asyncio.create_task(self._find(remote.candidates), name="ice-restart")

    async def add(self, candidate: str) -> None:
        """`candidate:…` of the other side; an empty one is the end of them. Raises ValueError."""
        await self._new.add_remote_candidate(
            Candidate.from_sdp(candidate.removeprefix("candidate:")) if candidate else None
        )

    async def close(self) -> None:
        """Lets go of whichever agent is not in use."""
        if self.pending:
            if self._finding is not None:
                self._finding.cancel()
            await self._drop_new()
        elif self._finding is not None:
            await asyncio.wait({self._finding})

    async def _find(self, candidates: tuple[str, ...]) -> None:
        adding = asyncio.gather(*map(self.add, candidates), return_exceptions=True)  # a name may take its time
        try:
            await asyncio.wait_for(self._new.connect(), LIMIT_S)
        except (ConnectionError, TimeoutError):
            log.info("an ICE restart has found no way; the connection stays on the old one")
            self._old._query_consent_task = asyncio.create_task(self._old.query_consent())
            await self._drop_new()
        else:
            self._take_over()
            await self._old.close()
        finally:
            adding.cancel()

    async def _drop_new(self) -> None:
        self._new._queue = asyncio.Queue()  # its end is not the end of the connection
        await self._new.close()

    def _take_over(self) -> None:
        transport, old, new = self._transport, self._old, self._new
        old._queue = asyncio.Queue()
        new._event_waiter, old._event_waiter = old._event_waiter, None
        transport._connection = transport.iceGatherer._connection = new
        transport._recv, transport._send = new.recv, new.send

    def _pause_consent(self) -> None:
        """The old way is often dead already, and would end the connection while the new one is looked for."""
        if self._old._query_consent_task is not None:
            self._old._query_consent_task.cancel()
