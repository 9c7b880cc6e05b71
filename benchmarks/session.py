"""A session's two numbers: a request outlives 48 hours without network, and a command is told back at once.

1. 48 h: real book on a real disk, real link, real Mosquitto that is down all the time; the loop's clock jumps from
   timer to timer. Meanwhile the button is pressed each hour, and the power goes every 11 hours. When the broker is back
   exactly one request arrives, and counts as sent when the desk has receipted it.
2. command -> state told back: from the desk's publish to the arrival of the session document with the new revision;
   Mosquitto on loopback, the book with fsync, its memory of answers as full as it may be. Rival in the same run:
   the same way without a book, a message there and one back over the same broker.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import selectors
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.report import median, percentile, tell
from kiosk.book.book import Book
from kiosk.book.memory import MOST_ANSWERS
from kiosk.errors import Busy
from kiosk.link.client import Client
from kiosk.session import inputs as do
from kiosk.session.record import CODE_USER, Actor, Session
from kiosk.session.states import Role, State
from kiosk.wire import topics
from kiosk.wire.codec import decode, encode
from kiosk.wire.messages import Answer, Command, Guard, SessionTold, Stored
from kiosk.wire.topics import Topic
from tests.contract.test_link import DEVICE, PROVIDER, Broker, Kiosk

HOURS = int(os.environ.get("SESSION_HOURS", "48"))
COMMANDS = int(os.environ.get("SESSION_COMMANDS", "200"))
REMEMBERED = int(os.environ.get("SESSION_REMEMBERED", str(MOST_ANSWERS - COMMANDS)))
POWER_CUT_HOURS = 11
BAR_MS = 20.0
ANNA = Actor(Role.STAFF, "anna", "Anna Berg")


def main() -> int:
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="kiosk-bench-") as folder:
        loop = JumpingLoop()
        arrived, presses, sent = loop.run_until_complete(without_network(Path(folder), loop))
        loop.close()
    with tempfile.TemporaryDirectory(prefix="kiosk-bench-") as folder:
        told_ms, answered_ms, bare_ms = asyncio.run(commands(Path(folder)))
    reached = arrived == 1 and sent and median(told_ms) <= BAR_MS
    tell(
        "Sessions",
        [
            (f"requests that arrive after {HOURS} h without network", f"{arrived}", f"of {presses} presses; bar: 1"),
            ("and count as sent, once receipted", "yes" if sent else "NO", "bar: yes"),
            line("command → state told back", told_ms, f"; bar: {BAR_MS:.0f} ms"),
            line("command → answer", answered_ms),
            line("rival: a bare message there and back", bare_ms),
        ],
        {
            "benchmark": "session",
            "hours_without_network": HOURS,
            "requests_arrived": arrived,
            "counted_as_sent": sent,
            "told_back_ms": spread(told_ms),
            "answered_ms": spread(answered_ms),
            "bare_message_ms": spread(bare_ms),
            "ratio_to_bare": round(median(told_ms) / median(bare_ms), 1),
            "reached": reached,
        },
    )
    return 0 if reached else 1


def line(what: str, values: list[float], more: str = "") -> tuple[str, str, str]:
    return what, f"{median(values):.1f} / {percentile(values, 0.95):.1f} ms", f"median / p95 of {len(values)}{more}"


def spread(values: list[float]) -> dict[str, float]:
    return {"median": round(median(values), 2), "p95": round(percentile(values, 0.95), 2)}


# --- 48 hours -------------------------------------------------------------------------------------------------------


class JumpingLoop(asyncio.SelectorEventLoop):
    """Nobody sleeps: where only a timer is waited for, the clock jumps to it. `grace_s` is for threads and sockets."""

    def __init__(self) -> None:
        self.jumped_s = 0.0
        self.grace_s = 0.0005
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        return super().time() + self.jumped_s


class _JumpingSelector(selectors.DefaultSelector):
    def __init__(self, loop: JumpingLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        ready = super().select(min(timeout, self._loop.grace_s))
        if not ready and timeout > self._loop.grace_s:
            self._loop.jumped_s += timeout - self._loop.grace_s
        return ready


async def without_network(folder: Path, loop: JumpingLoop) -> tuple[int, int, bool]:
    """How many requests arrived, of how many presses, and whether the kiosk counts its own as sent."""
    broker = Broker(folder / "broker")
    began_s = loop.time()

    def clock() -> datetime:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=loop.time() - began_s)  # no RTC

    def hours() -> float:
        return (loop.time() - began_s) / 3600

    presses = 0
    while hours() < HOURS:
        async with kiosk_of(broker, folder, clock) as kiosk:
            until_h = min(HOURS, hours() + POWER_CUT_HOURS)
            while hours() < until_h:
                with contextlib.suppress(Busy):
                    await kiosk.book.put(None, do.Request(reason="Jam"), CODE_USER)
                presses += 1
                await asyncio.sleep(3600)
    loop.grace_s = 0.2  # now sockets are waited for
    await broker.start()
    async with kiosk_of(broker, folder, clock) as kiosk, Client(broker.settings("desk", topics.DESK_FILTERS)) as client:
        told, sent = await arrivals(kiosk, client)
    await broker.kill()
    return len({s.id for s in told}), presses, sent


async def arrivals(kiosk: Kiosk, client: Client) -> tuple[list[Session], bool]:
    """What the desk hears; it receipts all of it, and listens on for a minute of the loop's time."""
    told: list[Session] = []

    async def listen() -> None:
        async for incoming in client.messages():
            if topics.parse(incoming.topic).kind == topics.SESSION:
                told.append(session := decode(incoming.payload, SessionTold).session)
                receipt = Stored(session=session.id, epoch=session.epoch, rev=session.rev)
                await client.publish(str(Topic("kiosk-1", topics.RECEIPT)), encode(receipt))
            incoming.done()

    task = asyncio.create_task(listen())
    await asyncio.sleep(60)
    task.cancel()
    session = kiosk.book.open_session
    return told, session is not None and session.state is State.REQUESTED and kiosk.link.is_sent(session)


@contextlib.asynccontextmanager
async def kiosk_of(broker: Broker, folder: Path, clock: Callable[[], datetime]) -> AsyncIterator[Kiosk]:
    """A kiosk's book and link, until its power goes."""
    book = await Book.open(folder / "book.json", "kiosk-1", DEVICE, PROVIDER, clock=clock, clock_ok=False)
    async with Client(broker.settings("kiosk-1", (topics.kiosk_filter("kiosk-1"),))) as client:
        kiosk = Kiosk(book, client)
        task = asyncio.create_task(kiosk.link.run())
        yield kiosk
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


# --- a command, there and back --------------------------------------------------------------------------------------


class Ear:
    """Notes when each message of the kiosk arrives at the desk."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._waiting: dict[str, asyncio.Future[float]] = {}

    async def listen(self) -> None:
        async for incoming in self._client.messages():
            now = time.perf_counter()
            for key in keys_of(incoming.topic, incoming.payload):
                if key in self._waiting and not self._waiting[key].done():
                    self._waiting[key].set_result(now)
            incoming.done()

    def expect(self, key: str) -> asyncio.Future[float]:
        return self._waiting.setdefault(key, asyncio.get_running_loop().create_future())


def keys_of(topic: str, payload: bytes) -> list[str]:
    kind = topics.parse(topic).kind
    if kind == topics.SESSION:
        return [f"rev {decode(payload, SessionTold).session.rev}"]
    if kind == topics.ANSWER:
        return [decode(payload, Answer).id]
    return [payload.decode()] if kind == topics.ABOUT else []


async def commands(folder: Path) -> tuple[list[float], list[float], list[float]]:
    """Milliseconds to the state, to the answer, and of a bare message there and back."""
    broker = Broker(folder / "broker")
    await broker.start()
    try:
        settings = broker.settings("desk", topics.DESK_FILTERS)
        async with kiosk_of(broker, folder, lambda: datetime.now(UTC)) as kiosk, Client(settings) as client:
            await anext(client.connections())
            ear = Ear(client)
            listening = asyncio.create_task(ear.listen())
            session = await with_full_memory(kiosk.book)
            told, answered = await one_by_one(client, ear, session)
            listening.cancel()
        return told, answered, await bare_messages(broker)
    finally:
        await broker.kill()


async def with_full_memory(book: Book) -> Session:
    session = await book.put(None, do.Request(reason="Jam"), CODE_USER)
    for n in range(REMEMBERED):
        await book.command(Command(f"old-{n}-x", ANNA, do.Close(), session.id))
    return session


async def one_by_one(client: Client, ear: Ear, session: Session) -> tuple[list[float], list[float]]:
    told_ms: list[float] = []
    answered_ms: list[float] = []
    for n in range(COMMANDS):
        what = do.SetVisibility("public" if n % 2 else "internal")
        rev = session.rev + n
        command = Command(f"cmd-{n}-x", ANNA, what, session.id, Guard(State.REQUESTED, rev))
        told, answered = ear.expect(f"rev {rev + 1}"), ear.expect(command.id)
        began = time.perf_counter()
        await client.publish(str(Topic("kiosk-1", topics.COMMAND)), encode(command), expiry_s=30)
        async with asyncio.timeout(10):
            told_ms.append(1000 * (await told - began))
            answered_ms.append(1000 * (await answered - began))
    return told_ms, answered_ms


async def bare_messages(broker: Broker) -> list[float]:
    """A message of the desk to somebody who sends it straight back."""
    times: list[float] = []
    kiosk_settings = broker.settings("kiosk-1", (topics.kiosk_filter("kiosk-1"),))
    desk_settings = broker.settings("desk", topics.DESK_FILTERS)
    async with Client(kiosk_settings) as kiosk, Client(desk_settings) as desk:
        await anext(kiosk.connections())
        await anext(desk.connections())
        ear = Ear(desk)
        tasks = [asyncio.create_task(ear.listen()), asyncio.create_task(echo(kiosk))]
        for n in range(COMMANDS):
            back = ear.expect(f"bare-{n}")
            began = time.perf_counter()
            await desk.publish(str(Topic("kiosk-1", topics.COMMAND)), f"bare-{n}".encode())
            async with asyncio.timeout(10):
                times.append(1000 * (await back - began))
        for task in tasks:
            task.cancel()
    return times


async def echo(kiosk: Client) -> None:
    async for incoming in kiosk.messages():
        await kiosk.publish(str(Topic("kiosk-1", topics.ABOUT)), incoming.payload)
        incoming.done()


if __name__ == "__main__":
    sys.exit(main())
