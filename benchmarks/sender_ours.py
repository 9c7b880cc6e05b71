"""The kiosk's side of the benchmarks: a real kiosk.call.Call that films the film. See senders.py, which starts it."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from benchmarks.film import FPS, HEIGHT, WIDTH, Film
from benchmarks.film_studio import FilmSource
from kiosk import memory
from kiosk.call.call import Call
from kiosk.call.tools import Tools
from kiosk.call.tools_port import Tell, TellPoses
from kiosk.config import CallSettings
from kiosk.hw.camera_frames import FramesCamera
from kiosk.hw.encoder import X264Encoder
from kiosk.hw.ports import SAMPLES_PER_BLOCK, Samples
from kiosk.hw.sound import Discard, Silence, ThreadMicrophone, ThreadSpeaker
from kiosk.session.record import Person, Recording
from tests.contract.call_site import CONSENT, SESSION


class Room(Silence):
    """Noise of two bits, as a microphone gives at its quietest."""

    def __init__(self) -> None:
        self._noise = np.random.default_rng(1).integers(-2, 3, SAMPLES_PER_BLOCK, np.int16)

    def read(self) -> Samples:
        return self._noise


def camera(settings: CallSettings) -> FramesCamera:
    def encoder(bps: int) -> X264Encoder:
        return X264Encoder(WIDTH, HEIGHT, FPS, bps, settings.bitrate_max_bps)

    return FramesCamera(FilmSource(Film()), encoder, settings.bitrate_max_bps)


@asynccontextmanager
async def call(
    settings: CallSettings,
    folder: Path,
    record: bool = False,
    camera: Callable[[CallSettings], FramesCamera] = camera,
    room: bool = False,
) -> AsyncIterator[Call]:
    """A call on the film, silent, with everything that a call of the kiosk has but display and speaker.

    room: the silence is that of a room, which is encoded as rivals encode theirs; nothing at all would cost nothing.
    """
    eye = camera(settings)

    def tools(tell: Tell, tell_poses: TellPoses) -> Tools:
        return Tools(
            call_id="call-bench",
            tell=tell,
            tell_poses=tell_poses,
            still=eye.still,
            folder=folder,
            artifact=lambda artifact: None,
            settings=settings,
            changed=lambda: None,
        )

    recording = Recording(allowed=True, asked=record, consent=CONSENT)
    async with Call(
        session=msgspec.structs.replace(SESSION, recording=recording),
        call_id="call-bench",
        camera=eye,
        microphone=ThreadMicrophone(Room() if room else Silence()),
        speaker=ThreadSpeaker(Discard()),
        settings=settings,
        make_tools=tools,
        folder=folder,
    ) as opened:
        news = asyncio.create_task(_read(opened))
        yield opened
    await news


async def _read(opened: Call) -> None:
    """The news must be read as the book does, or they would wait for ever."""
    async for _ in opened.news():
        pass


async def serve(options: dict[str, Any]) -> None:
    settings = CallSettings(loopback=True, bitrate_max_bps=options.get("bitrate_bps", CallSettings().bitrate_max_bps))
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader(limit=2**20)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    with tempfile.TemporaryDirectory(prefix="kiosk-bench-") as folder:
        recorded, room = options.get("record", False), options.get("room", False)
        async with call(settings, Path(folder), recorded, room=room) as opened:
            print(json.dumps("ready"), flush=True)
            while line := await lines.readline():
                print(json.dumps(await do(opened, json.loads(line))), flush=True)


async def do(opened: Call, what: dict[str, Any]) -> object:
    match what["do"]:
        case "offer":
            return await opened.join(what["peer"], Person(what["peer"], what["peer"]), what["sdp"])
        case "leave":
            await opened.leave(what["peer"])
            return None
        case "record":
            opened.record(what["on"])
            return None
    raise ValueError(what["do"])


if __name__ == "__main__":
    memory.settle()  # as `kiosk run` does
    asyncio.run(serve(json.loads(sys.argv[1])))
