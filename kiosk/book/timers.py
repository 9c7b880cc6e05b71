"""What time alone does to a session: the review ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable

from kiosk.errors import Refused, StoreTrouble
from kiosk.session.record import Session
from kiosk.session.states import State

log = logging.getLogger(__name__)

RETRY_S = 10.0


async def close_after_review(
    sessions: AsyncIterator[Session],
    close: Callable[[Session], Awaitable[object]],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Closes each session that has been COMPLETED for its review time.

    Measured by the monotonic clock from when we see it: after a restart the review time begins anew, since without an
    RTC nobody knows how long the power was off.
    """
    waiting: dict[str, asyncio.Task[None]] = {}

    async def wait_and_close(session: Session) -> None:
        await sleep(session.review_s)
        while True:
            try:
                await close(session)
            except StoreTrouble as error:  # the disk is full: tried again until it takes it
                log.warning("session %s cannot be closed: %s", session.id, error.text)
                await sleep(RETRY_S)
            except Refused:  # closed, cancelled or reopened in the same moment
                return
            else:
                return

    async with asyncio.TaskGroup() as group:
        async for session in sessions:
            if session.state is State.COMPLETED and session.id not in waiting:
                waiting[session.id] = group.create_task(wait_and_close(session), name=f"review {session.id}")
            elif session.state is not State.COMPLETED and session.id in waiting:
                waiting.pop(session.id).cancel()
