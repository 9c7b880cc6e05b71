"""The board's camera: our adapter on the real picamera2, on libcamera's virtual camera. Run by tests/appliance."""

from __future__ import annotations

import asyncio
import gc
import itertools
from typing import Any

import pytest

from kiosk.errors import DeviceTrouble
from kiosk.hw.camera_frames import FramesCamera
from kiosk.hw.camera_picamera2 import Picamera2Source
from kiosk.hw.encoder_board import BoardEncoder
from kiosk.hw.ports import Encoding
from tests.contract.camera_promises import (
    FPS,
    HEIGHT,
    WIDTH,
    CameraPromises,
    Clock,
    ScalingPromises,
    decoded,
    drained,
    first_of,
    while_time_goes_on,
    x264,
)

pytest.importorskip("libcamera", reason="runs in the chroot of tests/appliance (make appliance)")
from tests.appliance.inside.virtual_camera import PLUG, adapt, software_h264, starved

adapt()
NO_CAMERA = "%YAML 1.1\n---\n{}\n"
pytestmark = pytest.mark.filterwarnings("ignore:setDaemon:DeprecationWarning", "ignore::ResourceWarning")  # picamera2's


def a_source() -> Picamera2Source:
    return Picamera2Source(WIDTH, HEIGHT, FPS)


def with_board_encoder(**options: Any) -> FramesCamera:
    source = a_source()
    return FramesCamera(
        source, lambda bps: BoardEncoder(source, (WIDTH, HEIGHT), FPS, bps, software_h264), 1_000_000, **options
    )


class TestPicamera2(CameraPromises, ScalingPromises):
    """As on a Pi 5: encoded by the CPU."""

    @pytest.fixture
    def camera(self) -> FramesCamera:
        return FramesCamera(a_source(), x264, 1_000_000)


class TestPicamera2WithItsEncoder(CameraPromises):
    """As on a Pi 4, with picamera2's software encoder in the place of its hardware one."""

    @pytest.fixture
    def camera(self) -> FramesCamera:
        return with_board_encoder()


async def test_a_photograph_has_the_cameras_resolution_not_the_calls() -> None:
    async with FramesCamera(a_source(), x264, 1_000_000) as camera:
        await anext(camera.packets())
        still = await camera.still()
    assert (still.width, still.height) == (1280, 720)


async def test_photographs_do_not_stop_the_video() -> None:
    async with FramesCamera(a_source(), x264, 1_000_000) as camera:
        packets = camera.packets()
        before = await anext(packets)
        stills = [await camera.still() for _ in range(5)]
        after = [unit async for unit in first_of(packets, 10)]
    assert all(still.captured_s >= before.captured_s for still in stills)
    times = [before.captured_s] + [unit.captured_s for unit in after]
    assert not any(unit.keyframe for unit in after)  # nothing was lost, nothing begun anew
    assert max(b - a for a, b in itertools.pairwise(times)) < 1.0


async def test_a_camera_that_gives_nothing_any_more_is_told_after_three_seconds_and_comes_back() -> None:
    """So it is with a cable that is pulled out of a Pi: its camera stays known, and no picture comes."""
    clock = Clock()
    source = a_source()
    async with FramesCamera(source, x264, 1_000_000, now=clock, watch_s=0.01) as camera:
        packets = camera.packets()
        await anext(packets)
        held = await asyncio.to_thread(starved, source._camera)
        with pytest.raises(DeviceTrouble):
            await while_time_goes_on(clock, drained(packets))
        back = await asyncio.wait_for(anext(packets), 20)
        for request in held:
            request.release()
    assert back.keyframe


async def test_a_camera_that_another_program_has_says_so_and_is_opened_once_it_is_free() -> None:
    other, source = a_source(), a_source()
    await asyncio.to_thread(other.open)
    with pytest.raises(DeviceTrouble):
        await asyncio.to_thread(source.open)
    await asyncio.to_thread(other.close)
    await asyncio.to_thread(source.open)
    await asyncio.to_thread(source.close)


async def test_a_size_that_the_camera_has_not_is_refused() -> None:
    with pytest.raises(DeviceTrouble, match="not 800 x 450"):
        await FramesCamera(Picamera2Source(800, 450, FPS), x264, 1_000_000).__aenter__()


# --- the board's encoder ----------------------------------------------------------------------------------------------


async def test_the_encoder_follows_a_falling_rate_with_a_keyframe_where_it_cannot_follow_live() -> None:
    async with with_board_encoder() as camera:
        packets = camera.packets()
        units = [unit async for unit in first_of(packets, 5)]
        camera.set_bitrate(300_000)
        units += [unit async for unit in first_of(packets, 10)]
    assert units[0].keyframe
    assert any(unit.keyframe for unit in units[1:])
    assert len(decoded(units)) == 15


async def test_the_encoder_keeps_its_size_and_says_so_and_halves_its_pictures() -> None:
    async with with_board_encoder() as camera:
        packets = camera.packets()
        units = [await anext(packets)]
        camera.set_encoding(Encoding(320, 180, 10, 900_000))
        units += [unit async for unit in first_of(packets, 12)]
    assert {unit.size for unit in units} == {(WIDTH, HEIGHT)}
    assert units[-1].captured_s - units[4].captured_s > 8 * 0.07
    assert {frame.width for frame in decoded(units)} <= {WIDTH}


# --- the last one: libcamera does not find its virtual camera again within a process ----------------------------------


async def test_a_camera_that_is_not_there_says_so() -> None:
    PLUG.write_text(NO_CAMERA)
    gc.collect()  # cameras of the tests before, for which libcamera would not look again
    with pytest.raises(DeviceTrouble, match="none is found"):
        await FramesCamera(a_source(), x264, 1_000_000).__aenter__()
