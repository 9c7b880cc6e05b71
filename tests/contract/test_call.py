"""A call with real aiortc peers as participants."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from kiosk.call.call import Call
from kiosk.config import CallSettings
from kiosk.errors import Malformed
from kiosk.hw.ports import Picture
from kiosk.session import inputs
from kiosk.session.record import Consent, Device, Recording, Session
from kiosk.session.states import State
from kiosk.wire import channel
from tests.contract.fakes import FakeCamera, FakeMicrophone, FakeSpeaker, FakeTools, Peer, bar_of, strength, until

SETTINGS = CallSettings(loopback=True)
SESSION = Session(
    id="session-1",
    epoch="e1",
    rev=1,
    kiosk="kiosk-1",
    device=Device("device-1", "Press"),
    state=State.RUNNING,
    origin="code_user",
    created_at="2026-01-01T00:00:00Z",
)
CONSENT = Consent(True, "2026-01-01T00:00:00Z", "May we record?", "en", "call")


@dataclass
class Stage:
    """A call and everything around it."""

    call: Call
    camera: FakeCamera
    microphone: FakeMicrophone
    speaker: FakeSpeaker
    folder: Path
    news: list[inputs.Input] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    staff_pictures: list[Picture | None] = field(default_factory=list)

    @property
    def tools(self) -> FakeTools:
        tools = self.call.tools
        assert isinstance(tools, FakeTools)
        return tools

    def told(self, kind: type[Any]) -> list[Any]:
        return [n for n in self.news if isinstance(n, kind)]


@contextlib.asynccontextmanager
async def a_call(folder: Path, session: Session = SESSION, **more: Any) -> AsyncIterator[Stage]:
    camera, microphone, speaker = FakeCamera(), FakeMicrophone(), FakeSpeaker()
    pictures: list[Picture] = []
    staff_pictures: list[Picture | None] = []
    call = Call(
        session=session,
        call_id="call-1",
        camera=camera,
        microphone=microphone,
        speaker=speaker,
        settings=more.pop("settings", SETTINGS),
        make_tools=FakeTools,
        folder=folder,
        on_picture=pictures.append,
        on_staff_picture=staff_pictures.append,
        **more,
    )
    stage = Stage(call, camera, microphone, speaker, folder, pictures=pictures, staff_pictures=staff_pictures)

    async def hear() -> None:
        async for news in call.news():
            stage.news.append(news)

    async with call:
        hearing = asyncio.create_task(hear())
        yield stage
    await asyncio.wait_for(hearing, 5)


async def test_a_participant_gets_picture_and_sound_and_a_hello(tmp_path: Path) -> None:
    async with a_call(tmp_path) as stage, Peer("ann") as ann:
        await ann.join(stage.call)
        await until(lambda: len(ann.frames) > 10 and len(ann.sound) > 60 and ann.told(channel.RecordingTold))
        hello = ann.events[0]
        assert isinstance(hello, channel.Hello)
        assert (hello.you, hello.session, hello.call) == ("Ann", "session-1", "call-1")
        assert stage.told(inputs.Joined) == [inputs.Joined(ann.person)]
        assert stage.call.people == (("Ann", hello.colour),)
        assert stage.tools.people == ["peer-ann"]
    assert stage.camera.closed == stage.microphone.closed == stage.speaker.closed == 1
    summary = stage.news[-1]
    assert isinstance(summary, inputs.CallSummary)
    assert summary.figures["joins"] == 1
