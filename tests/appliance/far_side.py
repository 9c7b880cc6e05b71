"""The other side of the wire, for the machine's kiosk: a broker on this machine, and what a desk would say there."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Self

from kiosk.demo.broker import find_mosquitto, write_configuration
from kiosk.demo.site import free_ports
from kiosk.link.client import Client, Settings
from kiosk.session import inputs as do
from kiosk.session.record import Actor, Session
from kiosk.session.states import Role, State
from kiosk.wire import topics
from kiosk.wire.codec import decode, encode
from kiosk.wire.messages import Answer, Command, Health, SessionTold, StaffTold
from kiosk.wire.topics import Topic

KIOSK = "machine-1"
ANNA = Actor(Role.STAFF, "anna", "Anna")
REPEAT_S = 1.0
_PASSWORD = Path(__file__).parent / "guest" / "broker-password"


@contextmanager
def a_broker(folder: Path) -> Iterator[Settings]:
    """Mosquitto with a place for the machine's kiosk, and the desk's settings. Raises ConfigError: it is not there."""
    folder.mkdir()
    port = free_ports(1)[0]
    (folder / f"{KIOSK}.password").write_text(_PASSWORD.read_text().strip())
    configuration = write_configuration(folder, port, [KIOSK])
    broker = subprocess.Popen([find_mosquitto(), "-c", str(configuration)], stderr=subprocess.DEVNULL)
    try:
        password = (folder / "desk.password").read_text()
        yield Settings("127.0.0.1", port, "desk", topics.DESK_FILTERS, username="desk", password=password)
    finally:
        broker.kill()
        broker.wait()


class Desk:
    """As far as a call needs it. sessions: all that were told of, by id; health: of the kiosk's parts."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.sessions: dict[str, Session] = {}
        self.health: dict[str, str] = {}
        self._answers: dict[str, Answer] = {}

    @classmethod
    @asynccontextmanager
    async def at(cls, settings: Settings) -> AsyncIterator[Self]:
        async with Client(settings) as client:
            desk = cls(client)
            listening = asyncio.create_task(desk._listen(), name="desk")
            try:
                await anext(client.connections())
                await desk._staff(1)
                yield desk
            finally:
                await desk._staff(0)
                listening.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await listening

    async def wish(self, what: do.Command, session: str = "", limit_s: float = 120.0) -> None:
        """Said again until the kiosk has answered, as a desk does: it may be away. Raises TimeoutError."""
        command = Command(f"c-{time.time_ns()}", ANNA, what, session)
        async with asyncio.timeout(limit_s):
            while command.id not in self._answers:
                await self._client.publish(str(Topic(KIOSK, topics.COMMAND)), encode(command))
                await asyncio.sleep(REPEAT_S)
        assert self._answers[command.id].ok, self._answers[command.id]

    async def until(self, state: State, limit_s: float = 120.0) -> Session:
        """The session that has come to it. Raises TimeoutError."""
        async with asyncio.timeout(limit_s):
            while not (there := [s for s in self.sessions.values() if s.state is state]):
                await asyncio.sleep(0.05)
        return there[-1]

    async def _staff(self, present: int) -> None:
        await self._client.publish(str(Topic(KIOSK, topics.STAFF)), encode(StaffTold("desk-1", present)), retain=True)

    async def _listen(self) -> None:
        async for incoming in self._client.messages():
            kind = topics.parse(incoming.topic).kind
            if kind == topics.SESSION and incoming.payload:
                told = decode(incoming.payload, SessionTold).session
                self.sessions[told.id] = told
            elif kind == topics.ANSWER:
                answer = decode(incoming.payload, Answer)
                self._answers[answer.id] = answer
            elif kind == topics.HEALTH:
                self.health = decode(incoming.payload, Health).parts
            incoming.done()
