"""The kiosk's side of the sound benchmark, in a process of its own: one line of JSON in per participant, one out.

`kiosk`: a real Call with a camera that never shows anything. `aiortc`: connections as aiortc makes them, each with an
encoder and a decoder of its own, mixing nothing.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.contrib.media import MediaBlackhole

from kiosk.call.aiortc_hooks_ice import gather_over
from kiosk.call.call import Call
from kiosk.call.ice import Ways
from kiosk.config import CallSettings
from kiosk.hw.ports import SAMPLE_RATE_HZ, SAMPLES_PER_BLOCK, AccessUnit, Picture, Samples
from kiosk.session.record import Person
from tests.contract.call_site import SESSION
from tests.contract.fakes import FakeCamera, FakeSpeaker, FakeTools
from tests.speech import speech

BLOCK_S = SAMPLES_PER_BLOCK / SAMPLE_RATE_HZ


class DarkCamera(FakeCamera):
    """Never shows anything, and costs nothing."""

    async def __aenter__(self) -> DarkCamera:
        return self

    async def __aexit__(self, *args: Any) -> None:
        """Nothing was opened."""

    async def packets(self) -> AsyncIterator[AccessUnit]:
        await asyncio.Event().wait()
        yield AccessUnit(b"", 0.0, keyframe=True)

    async def pictures(self) -> AsyncIterator[Picture]:
        await asyncio.Event().wait()
        raise AssertionError
        yield

    def request_keyframe(self) -> None:
        """Nothing to ask for."""


class Talk:
    """A microphone that speech comes from, in real time."""

    def __init__(self) -> None:
        self._blocks = list(speech(500).reshape(-1, SAMPLES_PER_BLOCK))

    async def __aenter__(self) -> Talk:
        return self

    async def __aexit__(self, *args: object) -> None:
        """Nothing was opened."""

    async def blocks(self) -> AsyncIterator[Samples]:
        begin_s, count = time.monotonic(), 0
        while True:
            yield self._blocks[count % len(self._blocks)]
            count += 1
            await asyncio.sleep(max(0.0, begin_s + count * BLOCK_S - time.monotonic()))


class TalkTrack(MediaStreamTrack):
    """The same for aiortc."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._blocks = Talk().blocks()
        self._pts = 0

    async def recv(self) -> av.AudioFrame:
        block = await anext(self._blocks)
        frame = av.AudioFrame.from_ndarray(block.reshape(1, -1), "s16", "mono")
        frame.sample_rate, frame.time_base, frame.pts = SAMPLE_RATE_HZ, Fraction(1, SAMPLE_RATE_HZ), self._pts
        self._pts += SAMPLES_PER_BLOCK
        return frame


async def kiosk(lines: asyncio.StreamReader) -> None:
    with tempfile.TemporaryDirectory() as folder:
        call = Call(
            session=SESSION,
            call_id="call-bench",
            camera=DarkCamera(),
            microphone=Talk(),
            speaker=FakeSpeaker(),
            settings=CallSettings(loopback=True),
            make_tools=FakeTools,
            folder=Path(folder),
        )
        async with call:
            while line := await lines.readline():
                asked = json.loads(line)
                peer = asked["peer"]
                print(json.dumps(await call.join(peer, Person(peer, peer), asked["sdp"])), flush=True)


async def plain(lines: asyncio.StreamReader) -> None:
    kept: list[object] = []
    while line := await lines.readline():
        connection, hole = RTCPeerConnection(RTCConfiguration([])), MediaBlackhole()
        kept += [connection, hole]
        connection.on("track", hole.addTrack)
        await connection.setRemoteDescription(RTCSessionDescription(json.loads(line)["sdp"], "offer"))
        connection.addTrack(TalkTrack())
        gather_over(connection, Ways(loopback=True), 1.0)
        await connection.setLocalDescription(await connection.createAnswer())
        await hole.start()
        print(json.dumps(connection.localDescription.sdp), flush=True)


async def main() -> None:
    lines = asyncio.StreamReader(limit=2**20)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    await (kiosk(lines) if sys.argv[1] == "kiosk" else plain(lines))


if __name__ == "__main__":
    asyncio.run(main())
