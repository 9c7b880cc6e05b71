"""What every camera promises; a camera's test is a subclass with a fixture `camera` of WIDTH x HEIGHT at FPS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from typing import TypeVar

import av
import cv2
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from kiosk.hw.camera_frames import PACKETS_WAITING, FramesCamera
from kiosk.hw.encoder import X264Encoder
from kiosk.hw.ports import AccessUnit, Encoding

WIDTH, HEIGHT, FPS = 640, 360, 30
T = TypeVar("T")


def x264(bps: int) -> X264Encoder:
    return X264Encoder(WIDTH, HEIGHT, FPS, bps)


class CameraPromises:
    async def test_the_first_packet_is_where_a_viewer_can_begin(self, camera: FramesCamera) -> None:
        async with camera:
            first = await anext(camera.packets())
        assert first.keyframe
        kinds = nal_kinds(first.data)
        assert kinds.index(7) < kinds.index(8) < kinds.index(5)  # SPS, PPS, IDR
        assert first.data[first.data.index(b"\x67") + 1] == 66  # baseline...
        assert first.data[first.data.index(b"\x67") + 2] & 0x40  # ...constrained

    async def test_every_packet_is_a_picture_of_its_own_time(self, camera: FramesCamera) -> None:
        async with camera:
            packets = [unit async for unit in first_of(camera.packets(), 12)]
        times = [unit.captured_s for unit in packets]
        assert times == sorted(set(times))
        assert len(decoded(packets)) == 12

    async def test_pictures_are_whole_i420_and_carry_the_time_of_their_packet(self, camera: FramesCamera) -> None:
        async with camera:
            packets = camera.packets()
            async for picture in first_of(camera.pictures(), 5):
                assert picture.size == (WIDTH, HEIGHT)
                assert picture.u.shape == picture.v.shape == (HEIGHT // 2, WIDTH // 2)
                assert picture.y.dtype == picture.u.dtype == np.uint8
                unit = await anext(packets)
                while unit.captured_s < picture.captured_s:
                    unit = await anext(packets)
                assert unit.captured_s == picture.captured_s

    async def test_a_keyframe_comes_when_asked_for(self, camera: FramesCamera) -> None:
        async with camera:
            packets = camera.packets()
            await anext(packets)
            later = [unit async for unit in first_of(packets, 3)]
            assert not any(unit.keyframe for unit in later)
            camera.request_keyframe()
            assert any([unit.keyframe async for unit in first_of(packets, PACKETS_WAITING)])

    async def test_a_slow_reader_goes_on_at_a_keyframe(self, camera: FramesCamera) -> None:
        async with camera:
            async for _ in first_of(camera.pictures(), 2 * PACKETS_WAITING):
                pass
            packets = [unit async for unit in first_of(camera.packets(), 6)]
        assert packets[0].keyframe
        assert len(decoded(packets)) == 6

    async def test_a_photograph_is_taken_while_the_video_runs(self, camera: FramesCamera) -> None:
        async with camera:
            packets = camera.packets()
            await anext(packets)
            still = await camera.still()
            await anext(packets)
        image = cv2.imdecode(np.frombuffer(still.jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert image is not None
        assert image.shape == (still.height, still.width, 3)
        assert still.width >= WIDTH

    async def test_a_sharp_picture_stands_alone_beside_the_stream(self, camera: FramesCamera) -> None:
        async with camera:
            packets = camera.packets()
            units = [await anext(packets)]
            sharp = await camera.sharp(200_000)
            units += [unit async for unit in first_of(packets, 5)]
        assert sharp.keyframe
        assert sharp.captured_s >= units[0].captured_s
        assert nal_kinds(sharp.data)[:2] == [7, 8]
        assert 5 in nal_kinds(sharp.data)
        (frame,) = decoded([sharp])
        assert (frame.width, frame.height) == sharp.size == (WIDTH * 3 // 4, HEIGHT * 3 // 4)
        assert len(decoded(units)) == 6  # the stream knows nothing of it

    async def test_closing_ends_both_streams_and_it_can_be_opened_again(self, camera: FramesCamera) -> None:
        async with camera:
            packets, pictures = camera.packets(), camera.pictures()
            await anext(packets)
            assert camera.opened
        assert not camera.opened
        [_ async for _ in packets]
        [_ async for _ in pictures]
        async with camera:
            assert (await anext(camera.packets())).keyframe


class ScalingPromises:
    """Of cameras whose encoder makes other sizes than its own; the board's does not."""

    async def test_a_smaller_encoding_begins_with_a_keyframe_and_the_pictures_stay_as_they_are(
        self, camera: FramesCamera
    ) -> None:
        async with camera:
            packets = camera.packets()
            first = await anext(packets)
            camera.set_encoding(Encoding(320, 180, 15, 200_000))
            units = [first] + [unit async for unit in first_of(packets, 20)]
            picture = await anext(camera.pictures())
        smaller = [unit for unit in units if unit.size == (320, 180)]
        assert first.size == (WIDTH, HEIGHT)
        assert smaller
        assert smaller[0].keyframe
        assert {frame.width for frame in decoded(smaller)} == {320}
        assert picture.size == (WIDTH, HEIGHT)


# --- helpers ----------------------------------------------------------------------------------------------------------


class Clock:
    """Time that only goes on when told."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


async def first_of(stream: AsyncIterator[T], count: int) -> AsyncIterator[T]:
    for _ in range(count):
        yield await anext(stream)


async def drained(stream: AsyncIterator[T]) -> None:
    async for _ in stream:
        pass


async def while_time_goes_on(clock: Clock, waiting: Awaitable[None]) -> None:
    async def go_on() -> None:
        while True:
            await asyncio.sleep(0.005)
            clock.now_s += 0.5

    clockwork = asyncio.create_task(go_on())
    try:
        await waiting
    finally:
        clockwork.cancel()


def decoded(units: list[AccessUnit]) -> list[VideoFrame]:
    decoder = VideoCodecContext.create("h264", "r")
    frames = [frame for unit in units for frame in decoder.decode(av.Packet(unit.data))]
    return frames + decoder.decode(None)


def nal_kinds(data: bytes) -> list[int]:
    starts = [i + 3 for i in range(len(data) - 3) if data[i : i + 3] == b"\0\0\1"]
    return [data[i] & 0x1F for i in starts]
