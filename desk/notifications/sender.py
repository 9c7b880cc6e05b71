"""The desk's end of the process that sends: jobs go there, outcomes come back, and nobody waits longer than LIMIT_S.

The process is started with the first job and ends when it had none for a while. One that does not answer in time is
ended with all it has: a service that holds on to a connection costs a second try, not the desk.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from desk.notifications.jobs import Job, Order, Outcome

log = logging.getLogger(__name__)

POST = (sys.executable, "-m", "desk.notifications.post")
LIMIT_S = 30.0
IDLE_S = 600.0
LINE = 1 << 16


@dataclass(slots=True)
class _Process:
    process: asyncio.subprocess.Process
    waiting: dict[int, asyncio.Future[Outcome]] = field(default_factory=dict)


class Sender:
    """`async with`; `send` from the event loop only. `arguments`: of desk.notifications.post."""

    def __init__(self, arguments: Sequence[str], command: Sequence[str] = POST, limit_s: float = LIMIT_S) -> None:
        self._command, self._limit_s = (*command, *arguments), limit_s
        self._running: _Process | None = None
        self._starting = asyncio.Lock()
        self._tasks = asyncio.TaskGroup()
        self._n = 0

    async def __aenter__(self) -> Sender:
        await self._tasks.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._running:
            _end(self._running)
        await self._tasks.__aexit__(None, None, None)

    async def send(self, job: Job) -> Outcome:
        """What came of it; "late" where nothing did."""
        self._n += 1
        n = self._n
        try:
            running = await self._process()
            answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
            running.waiting[n] = answer
            _write(running, Order(n, job))
        except OSError as error:
            log.warning("notifications: the process that sends does not run: %s", error.strerror)
            return Outcome(n, "later")
        try:
            async with asyncio.timeout(self._limit_s):
                return await answer
        except TimeoutError:
            log.warning("notifications: no answer for %.0f s, begun anew", self._limit_s)
            self._let_go(running)
            return Outcome(n, "late")
        finally:
            running.waiting.pop(n, None)

    async def _process(self) -> _Process:
        async with self._starting:
            if self._running is None:
                pipe = asyncio.subprocess.PIPE
                process = await asyncio.create_subprocess_exec(*self._command, stdin=pipe, stdout=pipe, limit=LINE)
                self._running = _Process(process)
                self._tasks.create_task(self._listen(self._running), name="notifications: outcomes")
            return self._running

    def _let_go(self, running: _Process) -> None:
        if self._running is running:
            self._running = None
        _end(running)

    async def _listen(self, running: _Process) -> None:
        """Until the process ends; whoever still waits then is told to try again."""
        assert running.process.stdout is not None
        try:
            while True:
                try:
                    async with asyncio.timeout(IDLE_S):
                        line = await running.process.stdout.readline()
                except TimeoutError:
                    if running.waiting:
                        continue
                    break
                if not line:
                    break
                _answer(running, msgspec.json.decode(line, type=Outcome))
        finally:
            self._let_go(running)
            await running.process.wait()
            for n in list(running.waiting):
                _answer(running, Outcome(n, "later"))


def _write(running: _Process, order: Order) -> None:
    """Small lines, and not many: they fit into what the pipe and its transport hold."""
    assert running.process.stdin is not None
    running.process.stdin.write(msgspec.json.encode(order) + b"\n")


def _answer(running: _Process, outcome: Outcome) -> None:
    answer = running.waiting.get(outcome.n)
    if answer and not answer.done():
        answer.set_result(outcome)


def _end(running: _Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        running.process.kill()
