"""A call's surroundings for its contract tests: devices that behave, a participant made of a real aiortc peer."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from fractions import Fraction
from types import TracebackType
from typing import Any, Self

import av
import msgspec
import numpy as np
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

from kiosk.call.aiortc_hooks_ice import gather_over
from kiosk.call.author import Author
from kiosk.call.ice import Ways
from kiosk.errors import DeviceTrouble, Trouble
from kiosk.hw.encoder import X264Encoder
from kiosk.hw.ports import SAMPLE_RATE_HZ, SAMPLES_PER_BLOCK, AccessUnit, Encoding, Picture, Samples, Still
from kiosk.hw.sharp import SharpEncoder
from kiosk.mailbox import Queue, Slot
from kiosk.session.record import Person
from kiosk.wire import channel, codec

WIDTH, HEIGHT, FPS = 320, 192, 30
STEPS = 16


class Clock:
    """The real clock, which can be put forward."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead_s


class _Opened:
    """Something that is opened and closed, and knows how often."""

    opened = 0
    closed = 0

    async def __aenter__(self) -> Self:
        self.opened += 1
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closed += 1


def bars(number: int, captured_s: float) -> Picture:
    """A bright bar on grey that moves by a sixteenth of the width with each number."""
    y = np.full((HEIGHT, WIDTH), 60, np.uint8)
    step = WIDTH // STEPS
    at = number % STEPS * step
    y[:, at : at + step] = 220
    grey = np.full((HEIGHT // 2, WIDTH // 2), 128, np.uint8)
    return Picture(y, grey, grey, captured_s)


def bar_of(luma: Any) -> int:
    """Where the bar is in a decoded (H, W) picture, in sixteenths."""
    columns = np.asarray(luma)[:, :WIDTH].mean(axis=0).reshape(STEPS, -1).mean(axis=1)
    return int(columns.argmax())


class FakeCamera(_Opened):
    """Encodes moving bars; can be unplugged and plugged in again, and can hang while closing."""

    def __init__(self) -> None:
        self.keyframes_asked = 0
        self.keyframes_made = 0
        self.encoders = 0
        self.bitrates: list[int] = []
        self.encodings: list[Encoding] = []
        self.sharp_made = 0
        self._own: tuple[int, int, int] | None = None
        self._encoder: X264Encoder | None = None  # until it is opened
        self.plugged = True
        self.hangs_closing = False
        self.numbers: dict[float, int] = {}
        self._newest: Picture | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        if not self.plugged:
            raise DeviceTrouble("the camera is not there")
        self._units: Queue[AccessUnit] = Queue(60)
        self._pictures: Slot[Picture] = Slot()
        self._encoder = X264Encoder(WIDTH, HEIGHT, FPS, 400_000)
        if self.encodings:
            self._encoder.set_encoding(self.encodings[-1])
        self.encoders += 1
        self._task = asyncio.create_task(self._see(), name="fake-camera")
        return await super().__aenter__()

    async def __aexit__(self, *args: Any) -> None:
        assert self._task is not None
        self._task.cancel()
        if self.hangs_closing:
            await asyncio.Event().wait()
        await super().__aexit__(*args)

    def unplug(self) -> None:
        self.plugged = False

    def request_keyframe(self) -> None:
        self.keyframes_asked += 1
        if self._encoder is not None:
            self._encoder.request_keyframe()

    def set_bitrate(self, bps: int) -> None:
        self.bitrates.append(bps)

    def set_encoding(self, encoding: Encoding) -> None:
        self.encodings.append(encoding)
        self.bitrates.append(encoding.bps)
        if self._encoder is not None:
            self._encoder.set_encoding(
                Encoding(*(self._own or (encoding.width, encoding.height, encoding.fps)), encoding.bps)
            )

    def insist(self, width: int, height: int, fps: int) -> None:
        """On a size of its own, as hardware may; the rate is followed."""
        self._own = width, height, fps
        self.set_encoding(self.encodings[-1])

    async def sharp(self, bits: int) -> AccessUnit:
        picture = self._newest
        if picture is None:
            raise DeviceTrouble("no picture yet")
        self.sharp_made += 1
        return SharpEncoder().encode(picture, bits)

    async def still(self) -> Still:
        raise DeviceTrouble("no stills here")

    async def packets(self) -> AsyncIterator[AccessUnit]:
        async for unit in self._units:
            yield unit
        raise DeviceTrouble("the camera is gone")

    async def pictures(self) -> AsyncIterator[Picture]:
        async for picture in self._pictures:
            yield picture

    async def _see(self) -> None:
        number = 0
        while self.plugged:
            picture = self._newest = bars(number, time.monotonic())
            self.numbers[picture.captured_s] = number % STEPS
            assert self._encoder is not None
            unit = self._encoder.encode(picture)
            if unit is not None:
                self.keyframes_made += unit.keyframe
                self._units.put(unit)
            self._pictures.put(picture)
            number += 1
            await asyncio.sleep(1 / FPS)
        self._units.close()
        self._pictures.close()


def tone(hz: float, number: int, amplitude: int = 8000) -> Samples:
    """Block `number` of a steady tone."""
    n = np.arange(SAMPLES_PER_BLOCK) + number * SAMPLES_PER_BLOCK
    wave: Samples = (amplitude * np.sin(2 * np.pi * hz * n / SAMPLE_RATE_HZ)).astype(np.int16)
    return wave


def strength(sound: Samples, hz: float) -> float:
    """How much of `hz` is in a second or so of sound: about its amplitude."""
    n = np.arange(len(sound))
    return float(2 * abs(np.mean(sound * np.exp(-2j * np.pi * hz * n / SAMPLE_RATE_HZ))))


class FakeMicrophone(_Opened):
    def __init__(self, hz: float = 440.0) -> None:
        self._hz = hz
        self.plugged = True

    async def blocks(self) -> AsyncIterator[Samples]:
        next_s, number = time.monotonic(), 0
        while self.plugged:
            yield tone(self._hz, number)
            number += 1
            next_s += SAMPLES_PER_BLOCK / SAMPLE_RATE_HZ
            await asyncio.sleep(max(0.0, next_s - time.monotonic()))
        raise DeviceTrouble("the microphone is gone")


class FakeSpeaker(_Opened):
    def __init__(self) -> None:
        self.played: list[Samples] = []

    async def lost(self) -> None:
        await asyncio.Event().wait()

    def play(self, block: Samples) -> None:
        self.played.append(block)
        del self.played[:-100]

    @property
    def last_second(self) -> Samples:
        return np.concatenate(self.played[-50:])


class FakeTools(_Opened):
    """Passes strokes on, refuses marks, keeps what came."""

    def __init__(self, tell: Callable[[Any, Author | None], None], tell_poses: Callable[..., None]) -> None:
        self.tell, self.tell_poses = tell, tell_poses
        self.heard: list[tuple[Author, Any, float | None]] = []
        self.people: list[str] = []
        self.pictures = 0
        self.greeting: tuple[Any, ...] = ()
        self.broken = False

    def join(self, author: Author) -> None:
        self.people.append(author.id)

    def leave(self, author: Author) -> None:
        self.people.remove(author.id)

    def greet(self) -> tuple[Any, ...]:
        return self.greeting

    async def handle(self, author: Author, event: Any, captured_s: float | None) -> None:
        self.heard.append((author, event, captured_s))
        if self.broken:
            raise ZeroDivisionError
        if isinstance(event, channel.MarkCreate):
            raise Trouble("not today")
        if isinstance(event, channel.StrokeBegin):
            self.tell(msgspec.structs.replace(event, by=author.name, colour=author.colour), author)

    def feed(self, picture: Picture) -> None:
        self.pictures += 1


class _Tone(MediaStreamTrack):
    kind = "audio"

    def __init__(self, hz: float) -> None:
        super().__init__()
        self._hz, self._number, self._begin_s = hz, 0, time.monotonic()

    async def recv(self) -> av.AudioFrame:
        due_s = self._begin_s + self._number * SAMPLES_PER_BLOCK / SAMPLE_RATE_HZ
        await asyncio.sleep(max(0.0, due_s - time.monotonic()))
        frame = av.AudioFrame.from_ndarray(tone(self._hz, self._number).reshape(1, -1), "s16", "mono")
        frame.sample_rate = SAMPLE_RATE_HZ
        frame.pts, frame.time_base = self._number * SAMPLES_PER_BLOCK, Fraction(1, SAMPLE_RATE_HZ)
        self._number += 1
        return frame


class _Bars(MediaStreamTrack):
    kind = "video"

    def __init__(self) -> None:
        super().__init__()
        self._number = 0

    async def recv(self) -> av.VideoFrame:
        await asyncio.sleep(1 / 10)
        picture = bars(self._number, 0.0)
        planes = np.concatenate([picture.y.reshape(-1), picture.u.reshape(-1), picture.v.reshape(-1)])
        frame = av.VideoFrame.from_ndarray(planes.reshape(HEIGHT * 3 // 2, WIDTH), "yuv420p")
        frame.pts, frame.time_base = self._number * 9000, Fraction(1, 90_000)
        self._number += 1
        return frame


class Peer:
    """A participant: a real aiortc connection that offers, and keeps what it receives.

    sound_hz 0: sends no sound. channels False: a plain client.
    """

    def __init__(self, name: str, *, sound_hz: float = 0.0, camera: bool = False, channels: bool = True) -> None:
        self.id = f"peer-{name}"
        self.person = Person(f"person-{name}", name.title())
        self.connection = RTCPeerConnection()
        self.frames: list[av.VideoFrame] = []
        self.sound: list[Samples] = []
        self.events: list[Any] = []
        self.chunks: list[bytes] = []
        self.poses: list[channel.Poses] = []
        self._tasks: list[asyncio.Task[None]] = []
        self.connection.on("track", self._read)
        self.connection.addTransceiver(_Bars() if camera else "video", "sendrecv" if camera else "recvonly")
        self.connection.addTransceiver(_Tone(sound_hz) if sound_hz else "audio", "sendrecv" if sound_hz else "recvonly")
        if channels:
            self.events_channel = self.connection.createDataChannel("events")
            self.events_channel.on("message", self._hear)
            poses = self.connection.createDataChannel("poses", ordered=False, maxRetransmits=0)
            poses.on("message", lambda data: self.poses.append(codec.decode(data, channel.Poses)))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *args: object) -> None:
        await self.close()

    async def offer(self) -> str:
        gather_over(self.connection, Ways(loopback=True), 2.0)
        await self.connection.setLocalDescription(await self.connection.createOffer())
        return self.connection.localDescription.sdp

    async def join(self, call: Any, ice: tuple[Any, ...] = ()) -> str:
        answer: str = await call.join(self.id, self.person, await self.offer(), ice)
        await self.answered(answer)
        return answer

    async def answered(self, answer: str) -> None:
        await self.connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await self.connection.close()

    def say(self, event: msgspec.Struct | str | bytes) -> None:
        data = codec.encode(event).decode() if isinstance(event, msgspec.Struct) else event
        self.events_channel.send(data)

    def told(self, kind: type[Any]) -> list[Any]:
        return [e for e in self.events if isinstance(e, kind)]

    def _hear(self, data: str | bytes) -> None:
        if isinstance(data, bytes):
            self.chunks.append(data)
        else:
            self.events.append(codec.decode(data, channel.FromKiosk))

    def _read(self, track: MediaStreamTrack) -> None:
        self._tasks.append(asyncio.create_task(self._take(track), name=f"{self.id}-{track.kind}"))

    async def _take(self, track: MediaStreamTrack) -> None:
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                if isinstance(frame, av.VideoFrame):
                    self.frames.append(frame)
                elif isinstance(frame, av.AudioFrame):
                    self.sound.append(np.asarray(frame.to_ndarray(), np.int16).reshape(-1, 2)[:, 0])


async def until(true: Callable[[], Any], limit_s: float = 15.0) -> None:
    """Waits for what is to happen on the real stack; how long it takes proves nothing."""
    async with asyncio.timeout(limit_s):
        while not true():
            await asyncio.sleep(0.01)
