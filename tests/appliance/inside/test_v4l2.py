"""USB cameras: our V4L2 adapter on the kernel's vivid, in the emulated machine (modprobe vivid node_types=0x1)."""

from __future__ import annotations

import asyncio
import fcntl
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kiosk.errors import DeviceTrouble
from kiosk.hw.camera_frames import FramesCamera
from kiosk.hw.camera_video import VideoSource, v4l2_source
from tests.contract.camera_promises import (
    FPS,
    HEIGHT,
    WIDTH,
    CameraPromises,
    Clock,
    ScalingPromises,
    drained,
    while_time_goes_on,
    x264,
)

DRIVER = Path("/sys/bus/platform/drivers/vivid")
DEVICES = Path("/sys/class/video4linux")
pytestmark = pytest.mark.skipif(not DRIVER.exists(), reason="runs in the emulated machine (make appliance)")

_QUERY, _SET, _NEXT = 0xC0445624, 0xC008561C, 0x80000000
"""videodev2.h: VIDIOC_QUERYCTRL, VIDIOC_S_CTRL, V4L2_CTRL_FLAG_NEXT_CTRL."""


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0.05)


def a_camera(device: str, clock: Clock | None = None) -> FramesCamera:
    source = v4l2_source(device, WIDTH, HEIGHT, FPS)
    if clock is None:
        return FramesCamera(source, x264, 1_000_000)
    return FramesCamera(source, x264, 1_000_000, now=clock, watch_s=0.01)


@pytest.fixture
def device() -> Iterator[str]:
    plugged(True)
    yield found()
    plugged(True)
    set_control(found(), "Percentage of Dropped Buffers", 0)


class TestVivid(CameraPromises, ScalingPromises):
    @pytest.fixture
    def camera(self, device: str) -> FramesCamera:
        return a_camera(device)


async def test_a_camera_that_hangs_is_told_after_three_seconds_and_comes_back(device: str) -> None:
    clock = Clock()
    async with a_camera(device, clock) as camera:
        packets = camera.packets()
        await anext(packets)
        set_control(device, "Percentage of Dropped Buffers", 100)
        with pytest.raises(DeviceTrouble):
            await while_time_goes_on(clock, drained(packets))
        set_control(device, "Percentage of Dropped Buffers", 0)
        assert await asyncio.wait_for(anext(packets), 60)


async def test_a_camera_that_is_unplugged_is_told_and_comes_back_under_its_name(device: str) -> None:
    clock = Clock()
    async with a_camera(device, clock) as camera:
        packets = camera.packets()
        await anext(packets)
        plugged(False)
        with pytest.raises(DeviceTrouble):
            await while_time_goes_on(clock, drained(packets))
        source = camera.source
        assert isinstance(source, VideoSource)
        await until(lambda: source._container is None)
        plugged(True)
        async with asyncio.timeout(60):
            while not (await anext(packets)).keyframe:  # what waited from before
                pass


async def test_a_camera_that_is_not_there_says_so(device: str) -> None:
    plugged(False)
    with pytest.raises(DeviceTrouble, match=device):
        await a_camera(device).__aenter__()


# --- vivid ------------------------------------------------------------------------------------------------------------


def found() -> str:
    return next(
        f"/dev/{path.name}" for path in DEVICES.iterdir() if (path / "name").read_text().strip().endswith("vid-cap")
    )


def plugged(there: bool) -> None:
    """Pulls the camera out, whoever has it open, or plugs it in."""
    if (DRIVER / "vivid.0").exists() is not there:
        (DRIVER / ("bind" if there else "unbind")).write_text("vivid.0")


def set_control(device: str, name: str, value: int) -> None:
    handle = os.open(device, os.O_RDWR)
    try:
        fcntl.ioctl(handle, _SET, struct.pack("=Ii", _control(handle, name), value))
    finally:
        os.close(handle)


def _control(handle: int, name: str) -> int:
    """Walks through the driver's controls."""
    number = 0
    while True:
        told = fcntl.ioctl(handle, _QUERY, struct.pack("=I64x", number | _NEXT))
        number = int(struct.unpack_from("=I", told)[0])
        if told[8:40].split(b"\0")[0].decode() == name:
            return number
