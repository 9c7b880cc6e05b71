"""Staff who are not assigned cannot signal into a session: refused by the kiosk as well, with the desk bypassed.

The desk's own refusal, with the kiosk bypassed, is tested in test_desk_calls.py and test_desk_commands.py.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kiosk.calls import Calls, Equipment
from kiosk.config import CallSettings
from kiosk.fleet.board import Board
from kiosk.session import inputs
from kiosk.session.record import CODE_USER, Actor
from kiosk.session.states import Role, State
from kiosk.upload.spool import Spool
from kiosk.wire import topics
from kiosk.wire.codec import decode, encode
from kiosk.wire.messages import Answer, AnswerSdp, Bye, Candidate, Command, Offer, SignalUp
from kiosk.wire.topics import Topic
from tests.contract.broker_site import Ear, Mosquitto, until
from tests.contract.fakes import FakeCamera, FakeMicrophone, FakeSpeaker, Peer
from tests.contract.link_site import KIOSK, Kiosk, running_kiosk

ANNA = Actor(Role.STAFF, "anna", "Anna Berg")
OUTSIDERS = (
    Actor(Role.STAFF, "ben", "Ben Okoye"),  # says that he is assigned
    Actor(Role.MODERATOR, "clara", "Clara Wolf"),
    Actor(Role.OUTSIDER, "ben", "Ben Okoye"),
    Actor(Role.CODE_USER),
    Actor(Role.SYSTEM),
    Actor(Role.FLEET, "fleet-1"),
)


@dataclass
class Scene:
    """A call is on, and whoever holds the desk's account says what he likes."""

    kiosk: Kiosk
    calls: Calls
    ear: Ear
    session: str

    async def signal(self, body: Any) -> None:
        await self.ear.client.publish(str(Topic(KIOSK, topics.SIGNAL_DOWN, self.session)), encode(body))

    def told(self) -> list[Any]:
        payloads = self.ear.payloads(str(Topic(KIOSK, topics.SIGNAL_UP, self.session)))
        union: Any = SignalUp
        return [decode(p, union) for p in payloads]

    async def answer_to(self, peer: str) -> Any:
        return await until(lambda: next((t for t in self.told() if t.peer == peer), None))


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    mosquitto = Mosquitto(tmp_path / "broker", tls=False)
    await mosquitto.start()
    own = mosquitto.settings(KIOSK, ())
    connection = {"host": own.host, "port": own.port, "username": KIOSK, "password": own.password}
    async with running_kiosk(tmp_path, connection) as kiosk, mosquitto.heard_by("desk", *topics.DESK_FILTERS) as ear:
        session = await kiosk.book.put(None, inputs.Request(), CODE_USER)
        await kiosk.book.put(session.id, inputs.Confirm(), ANNA)
        await kiosk.book.put(session.id, inputs.Start(other_present=True), ANNA)
        calls = Calls(
            book=kiosk.book,
            equipment=Equipment(FakeCamera(), FakeMicrophone(), FakeSpeaker()),
            settings=CallSettings(loopback=True),
            spool=Spool(tmp_path / "spool"),
            board=Board(lambda: None),
            on_picture=lambda _: None,
            on_staff_picture=lambda _: None,
            changed=lambda: None,
        )
        task = asyncio.create_task(calls.run(kiosk.link.signal, kiosk.link.signals))
        await until(lambda: calls.camera_is_live)
        yield Scene(kiosk, calls, ear, session.id)
        await kiosk.book.put(session.id, inputs.End(), ANNA)
        await calls.over()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    await mosquitto.kill()


async def test_an_offer_of_somebody_who_is_not_assigned_is_refused_by_the_kiosk(scene: Scene) -> None:
    async with Peer("anna") as anna:
        sdp = await anna.offer()
        for n, actor in enumerate(OUTSIDERS):
            await scene.signal(Offer(peer=f"outsider-{n}", actor=actor, sdp=sdp))
            refused = await scene.answer_to(f"outsider-{n}")
            assert (type(refused), refused.code) == (Bye, "not_assigned"), actor
        await scene.signal(Candidate(peer="outsider-0", candidate="candidate:1 1 udp 1 127.0.0.1 9 typ host"))
        await scene.signal(Offer(peer=anna.id, actor=ANNA, sdp=sdp))
        assert isinstance(await scene.answer_to(anna.id), AnswerSdp)
    assert {t.peer for t in scene.told() if isinstance(t, AnswerSdp)} == {anna.id}


async def test_a_command_of_somebody_who_is_not_assigned_is_refused_by_the_kiosk(scene: Scene) -> None:
    wishes: tuple[inputs.Command, ...] = (
        inputs.End(),
        inputs.AskRecording(),
        inputs.Cancel(),
        inputs.Assign(scene.kiosk.book.provider.staff[0]),
    )
    before = scene.kiosk.book.sessions[scene.session]
    commands = [
        Command(f"cmd-{n}-{m}", actor, wish, scene.session)
        for n, actor in enumerate(OUTSIDERS)
        for m, wish in enumerate(wishes)
    ]
    for command in commands:
        await scene.ear.client.publish(str(Topic(KIOSK, topics.COMMAND)), encode(command))
    place = str(Topic(KIOSK, topics.ANSWER))
    await until(lambda: len(scene.ear.payloads(place)) == len(commands))
    answers = [decode(p, Answer) for p in scene.ear.payloads(place)]
    assert not [a for a in answers if a.ok]
    assert {a.code for a in answers} <= {"not_assigned", "not_allowed"}
    assert scene.kiosk.book.sessions[scene.session] == before
    assert before.state is State.RUNNING
