"""What time alone does to a session: the review ends, ringing that nobody answers is given up."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import NamedTuple

from kiosk.errors import Refused, StoreTrouble
from kiosk.session.record import Session
from kiosk.session.states import State

log = logging.getLogger(__name__)

RETRY_S = 10.0

Act = Callable[[Session], Awaitable[object]]
Sleep = Callable[[float], Awaitable[None]]


class Due(NamedTuple):
    """`what` tells this wait from the next of the same session, so that a follower may miss what was in between."""

    what: str
    wait_s: float


async def close_after_review(sessions: AsyncIterator[Session], close: Act, sleep: Sleep = asyncio.sleep) -> None:
    """Closes each session that has been COMPLETED for its review time."""

    def due(session: Session) -> Due | None:
        completed = session.state is State.COMPLETED
        return Due(f"review {len(session.history)}", session.review_s) if completed else None

    await _after(sessions, due, close, sleep)


async def give_up_ringing(
    sessions: AsyncIterator[Session], ring_s: Callable[[], float], give_up: Act, sleep: Sleep = asyncio.sleep
) -> None:
    """Gives up, for whoever rings, after `ring_s()` without an answer."""

    def due(session: Session) -> Due | None:
        return Due(f"ringing since {session.ringing.at}", ring_s()) if session.ringing else None

    await _after(sessions, due, give_up, sleep)


async def _after(
    sessions: AsyncIterator[Session], due: Callable[[Session], Due | None], act: Act, sleep: Sleep
) -> None:
    """Does `act` to each session that has been `due` for its time.

    Measured by the monotonic clock from when we see it: after a restart the time begins anew, since without an RTC
    nobody knows how long the power was off.
    """
    waiting: dict[str, tuple[str, asyncio.Task[None]]] = {}

    async def wait_and_act(session: Session, wait_s: float) -> None:
        await sleep(wait_s)
        while True:
            try:
                await act(session)
            except StoreTrouble as error:  # the disk is full: tried again until it takes it
                log.warning("time is over for session %s, but that cannot be kept: %s", session.id, error.text)
                await sleep(RETRY_S)
            except Refused:  # somebody did something else to it in the same moment
                return
            else:
                return

    async with asyncio.TaskGroup() as group:
        async for session in sessions:
            wait = due(session)
            known = waiting.get(session.id)
            if known and (wait is None or wait.what != known[0]):
                waiting.pop(session.id)[1].cancel()
                known = None
            if wait and not known:
                task = group.create_task(wait_and_act(session, wait.wait_s), name=f"{wait.what} of {session.id}")
                waiting[session.id] = wait.what, task
