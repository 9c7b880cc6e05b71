"""Tells webhooks what stands in the outbox: each delivery by one process, again with growing pauses where it fails.

A webhook that does not answer pauses as a whole, so that it costs the others nothing; what is to be told to it waits in
the database, for days, also while no desk runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import secrets
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC
from email.utils import parsedate_to_datetime

from sqlalchemy.exc import SQLAlchemyError

from desk.webhooks import signature
from desk.webhooks.outgoing import Answer, Unsent
from desk.webhooks.rows import Job, WebhookRows

log = logging.getLogger(__name__)

LOOK_S = 2.0
"""So long may what another desk has put there wait unseen."""
TIDY_S = 3600.0
AT_ONCE, OF_EACH = 16, 4
MOST_TRIES = 11
FIRST_S, MOST_S = 5.0, 12 * 3600.0
"""The pause after the first try, four times as long after each other one: eleven tries take about two days."""
MOST_PAUSE_S = 300.0
GONE = 410
SAYS_WHEN = (429, 503)
"""With `Retry-After` (RFC 9110, 10.2.3; RFC 6585, 4): the program is there, and asks to be left alone for so long."""

Post = Callable[[str, bytes, dict[str, str]], Awaitable[Answer]]


def again_after_s(tries: int, spread: float) -> float | None:
    """How long until the next try, after so many; None: it is given up. `spread` in 0..1, so that not all come at
    once."""
    if tries >= MOST_TRIES:
        return None
    return min(MOST_S, FIRST_S * 4.0 ** (tries - 1)) * (0.8 + 0.4 * spread)


def pause_s(failures: int, spread: float) -> float:
    """How long a webhook is left alone that has failed so often in a row before."""
    return min(MOST_PAUSE_S, FIRST_S * 2.0 ** min(failures, 10)) * (0.8 + 0.4 * spread)


def asked_s(answer: Answer, now_s: float) -> float:
    """For how long the program wants to be left alone, in 0..MOST_S; 0 as well where it says so in no way that is
    understood. `now_s`: wall time."""
    if answer.status not in SAYS_WHEN:
        return 0.0
    said = answer.retry_after.strip()
    if said.isascii() and said.isdecimal():
        return min(MOST_S, float(said))
    try:
        at = parsedate_to_datetime(said)
    except ValueError:
        return 0.0
    return min(MOST_S, max(0.0, at.replace(tzinfo=at.tzinfo or UTC).timestamp() - now_s))


class Courier:
    """`run` is its task. `post` raises Unsent; `now` is wall time."""

    def __init__(
        self,
        rows: WebhookRows,
        post: Post,
        now: Callable[[], float] = time.time,
        spread: Callable[[], float] = random.random,
    ) -> None:
        self._rows, self._post, self._now, self._spread = rows, post, now, spread
        self._desk = f"desk-{secrets.token_hex(8)}"
        self._busy: Counter[str] = Counter()
        self._tidied_s = 0.0

    async def run(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    if not await self._begin(group):
                        await self._wait()
        finally:
            with contextlib.suppress(SQLAlchemyError):  # then the lease ends by itself
                await self._rows.give_back(self._desk)

    async def _begin(self, group: asyncio.TaskGroup) -> bool:
        """Whether anything was begun."""
        self._rows.due.clear()
        free = AT_ONCE - self._busy.total()
        if free <= 0:
            return False
        try:
            await self._tidy()
            full = [webhook for webhook, n in self._busy.items() if n >= OF_EACH]
            jobs = await self._rows.take(self._desk, min(free, OF_EACH), full)
        except SQLAlchemyError as error:
            log.warning("the outbox of webhooks cannot be read: %s", type(error).__name__)
            return False
        for job in jobs:
            self._busy[job.webhook] += 1
            group.create_task(self._tell(job), name=f"webhook {job.id}")
        return bool(jobs)

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(LOOK_S):
                await self._rows.due.wait()
        except TimeoutError:
            pass

    async def _tidy(self) -> None:
        if self._now() - self._tidied_s > TIDY_S:
            self._tidied_s = self._now()
            await self._rows.tidy()

    async def _tell(self, job: Job) -> None:
        try:
            await self.tell(job)
        except SQLAlchemyError as error:
            log.warning("webhook %s: what came of it cannot be written: %s", job.webhook, type(error).__name__)
        finally:
            self._busy[job.webhook] -= 1
            self._busy += Counter()  # lets go of those that are at 0
            self._rows.due.set()

    async def tell(self, job: Job) -> None:
        """One try."""
        began_s = time.monotonic()
        answer, error = await self._send(job)
        status = answer.status
        took_ms = round(1000 * (time.monotonic() - began_s))
        if 200 <= status < 300:
            return await self._rows.ended(job, self._desk, status, "", took_ms, None)
        if job.failures == 0:
            log.warning("webhook %s does not take it: %s", job.webhook, status or error)
        now_s = self._now()
        wait_s = None if status == GONE else again_after_s(job.tries, self._spread())
        asked = asked_s(answer, now_s)
        again_s = None if wait_s is None else now_s + max(wait_s, asked)
        await self._rows.ended(job, self._desk, status, error, took_ms, again_s)
        await self._rows.pause(job.webhook, now_s + max(pause_s(job.failures, self._spread()), asked))

    async def _send(self, job: Job) -> tuple[Answer, str]:
        """An answer, or (status 0) why there was none."""
        if not job.secret:
            return Answer(0), "secret"
        headers = signature.headers(job.secret, job.event, job.kind, job.body, self._now())
        try:
            return await self._post(job.url, job.body, headers), ""
        except Unsent as error:
            return Answer(0), error.code
