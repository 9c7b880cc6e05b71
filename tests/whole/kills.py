"""Broker, desk and kiosk die at random instants during traffic: who drives the traffic, and what must hold after.

No browser: buttons are pressed over the panel's websocket, staff use the desk's API. Used by test_kill.py and by
benchmarks/kill.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import msgspec

from kiosk.book.storage import CrashSafeStorage
from kiosk.demo.run import Running, running
from kiosk.demo.site import KIOSK, Choices
from kiosk.session.record import Session
from kiosk.session.states import ENDED

PROGRAMS = ("broker", "desk", "kiosk")
WISHERS = 3
RIGHT_LIMIT_S = 20.0
UPLOADS_LIMIT_S = 30.0
COMMANDS = ("confirm", "start", "end", "close", "cancel", "cancel", "reopen", "link-ticket", "link-ticket")
AWAY = (aiohttp.ClientError, TimeoutError, ConnectionError)


@dataclass
class Seen:
    """What was said to staff: what they were told is done, what is refused; by each wish's own words."""

    created: dict[str, str] = field(default_factory=dict)  # reason -> session
    linked: dict[str, tuple[str, int]] = field(default_factory=dict)  # ticket -> (session, rev)
    moved: list[tuple[str, int, str]] = field(default_factory=list)  # session, rev, its state then
    refused: set[str] = field(default_factory=set)  # reasons and tickets
    newest: dict[str, Session] = field(default_factory=dict)  # by live updates
    went_back: list[str] = field(default_factory=list)


class Traffic:
    """Staff and a code user who never rest. `wish` may be used alone."""

    def __init__(self, system: Running, http: aiohttp.ClientSession, luck: random.Random) -> None:
        self._site, self._http, self._luck = system.site, http, luck
        self._wishes = 0
        self.seen = Seen()

    @asynccontextmanager
    async def going(self) -> AsyncIterator[None]:
        works = (*([self._wish] * WISHERS), self._press, self._watch)
        tasks = [asyncio.create_task(self._for_ever(work)) for work in works]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for task in tasks:
                if not task.cancelled() and (error := task.exception()):
                    raise error

    async def _for_ever(self, work: Callable[[], Awaitable[object]]) -> None:
        while True:
            with contextlib.suppress(*AWAY):  # one of the programs is dead just now
                await work()
            await asyncio.sleep(self._luck.uniform(0.01, 0.15))

    async def _wish(self) -> None:
        listed = (await self._ask("GET", "/api/sessions?limit=4"))[1]
        found = msgspec.convert(listed["sessions"], list[Session]) if listed else []
        if not found or self._luck.random() < 0.15:
            await self.create()
        else:
            await self._command(self._luck.choice(found).id, self._luck.choice(COMMANDS))

    async def create(self) -> bool:
        """Whether the kiosk answered, one way or the other."""
        reason = self._words("wish")
        status, body = await self._ask("POST", "/api/sessions", {"kiosk": KIOSK, "reason": reason})
        if status == 201:
            self.seen.created[reason] = body["session"]
        if status == 409:
            self.seen.refused.add(reason)
        return status in (201, 409)

    async def _command(self, session: str, kind: str) -> None:
        ticket = self._words("T")
        wish: dict[str, Any] = {"kind": kind}
        if kind == "link-ticket":
            wish["ticket"] = {"id": ticket}
        status, body = await self._ask("POST", f"/api/sessions/{session}/commands", {"do": wish})
        if status == 409:
            self.seen.refused.add(ticket)
        if status == 200:
            self.seen.moved.append((session, body["rev"], body["state"]))
            if kind == "link-ticket":
                self.seen.linked[ticket] = session, body["rev"]

    def _words(self, what: str) -> str:
        self._wishes += 1
        return f"{what} {self._wishes}"

    async def _ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        url = self._site.desk_url
        headers = {"X-Desk": "1", "Origin": url}
        async with self._http.request(method, url + path, json=body, headers=headers) as answer:
            known = answer.status < 300
            return answer.status, await answer.json() if known else None

    async def _press(self) -> None:
        """At the machine: any button, again and again."""
        async with self._http.ws_connect(
            self._site.panel_url + "/socket",
            headers={"Origin": self._site.panel_url},
            timeout=aiohttp.ClientWSTimeout(),
        ) as panel:
            while not panel.closed:
                button = self._luck.choice(("camera_plus", "camera_plus", "accept", "decline"))
                for down in (True, False):
                    await panel.send_json({"type": "button", "name": button, "down": down})
                    await asyncio.sleep(0.06)
                await asyncio.sleep(self._luck.uniform(0.05, 0.4))

    async def _watch(self) -> None:
        """An open page: what it is told of a session never goes back."""
        async with self._http.get(self._site.desk_url + "/api/events", timeout=aiohttp.ClientTimeout()) as events:
            event = b""
            async for line in events.content:
                name, _, value = line.rstrip(b"\n").partition(b": ")
                if name == b"event":
                    event = value
                elif name == b"data" and event == b"session":
                    self._told(msgspec.convert(msgspec.json.decode(value)["session"], Session))

    def _told(self, session: Session) -> None:
        before = self.seen.newest.get(session.id)
        if before and (session.epoch != before.epoch or session.rev < before.rev):
            self.seen.went_back.append(f"{session.id} from {before.rev} to {session.rev}")
        if before and session.rev == before.rev and session != before:
            self.seen.went_back.append(f"{session.id} was told in two forms of {session.rev}")
        self.seen.newest[session.id] = session


class Presence(NamedTuple):
    online: bool
    boot: str
    connection: int


class World:
    """What is really on both disks."""

    def __init__(self, folder: Path) -> None:
        self._book = folder / "kiosk" / "book.json"
        self._desk = folder / "desk" / "desk.sqlite"

    def book(self) -> dict[str, Session]:
        tables = CrashSafeStorage(self._book).read() or {}
        return {row["id"]: msgspec.convert(row["body"], Session) for row in tables.get("sessions", {}).values()}

    def desk(self) -> dict[str, Session]:
        rows = self._select("select document from sessions")
        return {s.id: s for (document,) in rows for s in [msgspec.json.decode(document, type=Session)]}

    def presence(self) -> Presence:
        rows = self._select("select online, boot, connection from kiosks")
        return Presence(bool(rows[0][0]), *rows[0][1:]) if rows else Presence(False, "", 0)

    def _select(self, query: str) -> list[Any]:
        with contextlib.closing(sqlite3.connect(f"file:{self._desk}?mode=ro", uri=True, timeout=5)) as db:
            return db.execute(query).fetchall()

    def agrees(self) -> bool:
        """The desk has each session as the kiosk has it."""
        desk = self.desk()
        return all(desk.get(s.id) == s for s in self.book().values())

    def all_is_uploaded(self) -> bool:
        """Of what is over."""
        over = [s for s in self.book().values() if s.state in ("CLOSED", "CANCELLED")]
        return all(a.uploaded for s in over for a in s.artifacts)


@dataclass
class Kills:
    """The system, its traffic, and how long after each kill everybody was right again."""

    system: Running
    traffic: Traffic
    world: World
    luck: random.Random
    seconds: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in PROGRAMS})

    async def kill(self, name: str, *, forget: bool = False) -> None:
        """In the middle of traffic; started again at once, the broker without its memory if it shall `forget`."""
        async with self.traffic.going():
            await asyncio.sleep(self.luck.uniform(0.2, 1.2))
            before = self.world.presence()
            await self.system.kill(name)
            if forget:
                (self.system.site.folder / "broker" / "mosquitto.db").unlink(missing_ok=True)
            await self.system.start(name)
            await self.system.ready()
        began = time.monotonic()
        await self._right_again(name, before, began + RIGHT_LIMIT_S)
        self.seconds[name].append(time.monotonic() - began)

    async def _right_again(self, name: str, before: Presence, end: float) -> None:
        def is_back() -> bool:
            now = self.world.presence()
            new = now.boot != before.boot if name == "kiosk" else name == "desk" or now.connection > before.connection
            return now.online and new

        await until(is_back, end, "the kiosk online again")
        while not await self._answers():
            assert time.monotonic() < end, "no answer to a wish"
        await until(self.world.agrees, end, "the desk with what the kiosk has")

    async def _answers(self) -> bool:
        with contextlib.suppress(*AWAY):
            return await self.traffic.create()
        return False

    async def finish(self) -> None:
        """Waits until everything has arrived that is on its way."""
        end = time.monotonic() + UPLOADS_LIMIT_S
        await until(lambda: self.world.all_is_uploaded() and self.world.agrees(), end, "all files at the desk")

    def lost(self) -> list[str]:
        desk, seen = self.world.desk(), self.traffic.seen
        tickets = {s.id: {t.id for t in s.tickets} for s in desk.values()}
        told = [(session, rev) for session, rev, _ in seen.moved]
        return [
            *(f"session {s} ({reason})" for reason, s in seen.created.items() if s not in desk),
            *(f"ticket {t} of {s}" for t, (s, _) in seen.linked.items() if t not in tickets.get(s, ())),
            *(f"revision {rev} of {s}" for s, rev in told if s not in desk or desk[s].rev < rev),
            *(f"{s.id} is not as at the kiosk" for s in self.world.book().values() if desk.get(s.id) != s),
            *(f"{i} is open, and not at the kiosk" for i, s in desk.items() if self._vanished(i, s)),
        ]

    def _vanished(self, session_id: str, session: Session) -> bool:
        return session.state not in ENDED and session_id not in self.world.book()

    def doubled(self) -> list[str]:
        """Applied twice, applied though told refused, or told in the wrong order."""
        desk, seen = self.world.desk(), self.traffic.seen
        reasons = Counter(s.reason for s in desk.values() if s.reason)
        words = {*reasons, *(t.id for s in desk.values() for t in s.tickets)}
        return [
            *(f"{reason} {count} times" for reason, count in reasons.items() if count > 1),
            *(f"{wish} was told refused" for wish in sorted(seen.refused & words)),
            *(f"history of {s.id}" for s in desk.values() if not _is_chain(s)),
            *seen.went_back,
        ]


def _is_chain(session: Session) -> bool:
    """Each change begins where the one before ended."""
    targets = [None, *(change.target for change in session.history)]
    return [change.source for change in session.history] == targets[:-1] and targets[-1] == session.state


async def until(true: Callable[[], bool], end: float, what: str) -> None:
    while not await asyncio.to_thread(true):
        assert time.monotonic() < end, f"not seen in time: {what}"
        await asyncio.sleep(0.03)


@asynccontextmanager
async def deadly(folder: Path, luck: random.Random) -> AsyncIterator[Kills]:
    """The demo's three programs, with Anna signed in."""
    jar = aiohttp.CookieJar(unsafe=True)  # the desk is an address here, not a name
    timeout = aiohttp.ClientTimeout(total=12)
    async with (
        running(folder, Choices(steps=(), display="320x240")) as system,
        aiohttp.ClientSession(cookie_jar=jar, timeout=timeout) as http,
    ):
        async with http.get(await system.sign_in_link("anna")) as answer:
            assert answer.ok
        yield Kills(system, Traffic(system, http, luck), World(folder), luck)
