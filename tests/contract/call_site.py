"""A call with everything around it that a call has: for whatever joins it in tests and benchmarks."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kiosk.call.call import Call
from kiosk.config import CallSettings
from kiosk.hw.ports import Picture
from kiosk.session import inputs
from kiosk.session.record import Consent, Device, Session
from kiosk.session.states import State
from tests.contract.fakes import FakeCamera, FakeMicrophone, FakeSpeaker, FakeTools

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
    devices: list[tuple[str, bool]] = field(default_factory=list)

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
    devices: list[tuple[str, bool]] = []
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
        on_device=lambda name, trouble: devices.append((name, trouble is None)),
        **more,
    )
    stage = Stage(call, camera, microphone, speaker, folder, pictures=pictures, staff_pictures=staff_pictures)
    stage.devices = devices

    async def hear() -> None:
        async for news in call.news():
            stage.news.append(news)

    async with call:
        hearing = asyncio.create_task(hear())
        yield stage
    await asyncio.wait_for(hearing, 5)
