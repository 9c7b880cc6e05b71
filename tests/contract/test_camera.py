"""What every camera promises, on each one that runs without hardware."""

from __future__ import annotations

import asyncio
import threading
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from av.video.frame import VideoFrame

from kiosk.errors import DeviceTrouble
from kiosk.hw.camera_frames import FramesCamera
from kiosk.hw.camera_video import file_source, fitted
from kiosk.hw.encoder import X264Encoder
from kiosk.hw.ports import AccessUnit, Encoding, Picture
from kiosk.hw.sharp import SharpEncoder
from kiosk.hw.sim import corner_code
from kiosk.hw.sim.camera import SceneSource
from kiosk.hw.sim.scene import Scene, canvas
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


@pytest.fixture(scope="module", autouse=True)
def _drawn() -> None:
    """A camera has ten seconds to open, which a busy machine may need for the scene alone."""
    canvas()


@pytest.fixture(params=["scene", "file"])
def camera(request: pytest.FixtureRequest, tmp_path: Path) -> FramesCamera:
    if request.param == "scene":
        return FramesCamera(SceneSource(Scene(WIDTH, HEIGHT, FPS)), x264, 1_000_000)
    video = a_video(tmp_path / "clip.mp4")
    return FramesCamera(file_source(str(video), WIDTH, HEIGHT, FPS), x264, 1_000_000)


class TestCamera(CameraPromises, ScalingPromises):
    """The picamera2 and V4L2 ones run where they are: tests/appliance/inside."""


def test_one_decoder_takes_the_stream_a_sharp_picture_and_the_stream_again() -> None:
    scene, encoder = Scene(WIDTH, HEIGHT, FPS), x264(500_000)
    units = encoded(encoder, scene, range(5))
    units.append(SharpEncoder().encode(Picture(*scene.frame(5), 5 / FPS), 100_000))
    encoder.request_keyframe()
    units += encoded(encoder, scene, range(6, 10))
    assert [frame.width for frame in decoded(units)] == [WIDTH] * 5 + [WIDTH // 2] + [WIDTH] * 4


async def test_a_camera_without_a_picture_yet_has_no_sharp_one() -> None:
    source = SceneSource(Scene(WIDTH, HEIGHT, FPS))
    source.stall()
    async with FramesCamera(source, x264, 1_000_000) as stalled:
        with pytest.raises(DeviceTrouble, match="no picture"):
            await stalled.sharp(100_000)


async def test_a_camera_that_is_not_there_says_so_when_opened(tmp_path: Path) -> None:
    source = file_source(str(tmp_path / "none.mp4"), WIDTH, HEIGHT, FPS)
    with pytest.raises(DeviceTrouble, match=r"none\.mp4"):
        await FramesCamera(source, x264, 1_000_000).__aenter__()


# --- the simulated camera's bad luck ----------------------------------------------------------------------------------


@pytest.mark.parametrize("mishap", ["unplugged", "stalled"])
async def test_a_lost_camera_is_told_after_three_seconds_and_comes_back(mishap: str) -> None:
    clock = Clock()
    source = SceneSource(Scene(WIDTH, HEIGHT, FPS))
    async with FramesCamera(source, x264, 1_000_000, now=clock, watch_s=0.01) as camera:
        packets = camera.packets()
        await anext(packets)
        source.unplug() if mishap == "unplugged" else source.stall()
        with pytest.raises(DeviceTrouble):
            await while_time_goes_on(clock, drained(packets))
        source.plug()
        source.stall(False)
        back = await anext(packets)
        if mishap == "unplugged":
            assert back.keyframe


async def test_a_short_gap_is_no_loss() -> None:
    clock = Clock()
    source = SceneSource(Scene(WIDTH, HEIGHT, FPS))
    async with FramesCamera(source, x264, 1_000_000, now=clock, watch_s=0.01) as camera:
        packets = camera.packets()
        await anext(packets)
        source.unplug()
        clock.now_s += 2.9
        source.plug()
        assert [unit async for unit in first_of(packets, 3)]


async def test_an_unplugged_camera_cannot_be_opened() -> None:
    source = SceneSource(Scene(WIDTH, HEIGHT, FPS))
    source.unplug()
    with pytest.raises(DeviceTrouble, match="unplugged"):
        await FramesCamera(source, x264, 1_000_000).__aenter__()


class SlowSource(SceneSource):
    """As a sensor that takes its time to start."""

    def __init__(self) -> None:
        super().__init__(Scene(WIDTH, HEIGHT, FPS))
        self.asked, self.may_open = threading.Event(), threading.Event()
        self.opens = self.closes = 0

    def open(self) -> None:
        self.asked.set()
        self.may_open.wait(20)
        self.opens += 1
        super().open()

    def close(self) -> None:
        self.closes += 1


async def test_a_camera_that_comes_open_after_nobody_wants_it_any_more_is_closed_again() -> None:
    source = SlowSource()
    camera = FramesCamera(source, x264, 1_000_000)
    opening = asyncio.create_task(camera.__aenter__())
    await asyncio.to_thread(source.asked.wait, 20)
    opening.cancel()  # the call was over before it had begun
    with pytest.raises(asyncio.CancelledError):
        await opening
    source.may_open.set()
    async with camera:  # waits for the one before
        assert (source.opens, source.closes) == (2, 1)
        await anext(camera.packets())
    assert source.closes == 2


def test_the_scene_says_in_its_corner_which_frame_it_is_and_when() -> None:
    source = SceneSource(Scene(WIDTH, HEIGHT, FPS), wall=lambda: 1_700_000_000.125)
    source.open()
    numbers = []
    for _ in range(3):
        picture = source.next(threading.Event())
        assert picture is not None
        code = corner_code.read(picture.y)
        assert code is not None
        assert code[1] == 1_700_000_000_125 % corner_code.TIME_MODULO_MS
        numbers.append(code[0])
    assert numbers == sorted(set(numbers))


# --- the encoder ------------------------------------------------------------------------------------------------------


def test_the_encoder_follows_the_bitrate_while_it_runs() -> None:
    scene, encoder = Scene(WIDTH, HEIGHT, FPS), x264(1_200_000)
    rich = encoded(encoder, scene, range(60))
    encoder.set_bitrate(300_000)
    encoded(encoder, scene, range(60, 90))  # the old rate's buffer runs empty
    thin = encoded(encoder, scene, range(90, 150))
    assert bits_per_s(thin) < 450_000
    assert bits_per_s(rich) > 800_000
    assert not any(unit.keyframe for unit in thin)


def test_a_keyframe_fits_the_rate_of_its_time() -> None:
    scene, encoder = Scene(WIDTH, HEIGHT, FPS), x264(2_000_000)
    encoded(encoder, scene, range(30))
    encoder.set_bitrate(300_000)
    encoded(encoder, scene, range(30, 60))
    encoder.request_keyframe()
    (keyframe,) = encoded(encoder, scene, [60])
    assert keyframe.keyframe
    assert len(keyframe.data) * 8 < 300_000 * 0.7


def test_the_bitrate_rises_again_after_a_keyframe_on_a_thin_link() -> None:
    scene, encoder = Scene(WIDTH, HEIGHT, FPS), x264(1_200_000)
    encoder.set_bitrate(200_000)
    encoded(encoder, scene, range(30))
    encoder.request_keyframe()
    thin = encoded(encoder, scene, range(30, 60))
    encoder.set_bitrate(1_200_000)
    encoded(encoder, scene, range(60, 120))
    rich = encoded(encoder, scene, range(120, 150))
    assert bits_per_s(thin) < 350_000
    assert bits_per_s(rich) > 700_000
    assert not any(unit.keyframe for unit in rich)


def test_a_rate_that_falls_far_is_followed_at_once_with_a_keyframe_that_fits() -> None:
    scene, encoder = Scene(WIDTH, HEIGHT, FPS), X264Encoder(WIDTH, HEIGHT, FPS, 1_500_000)
    encoded(encoder, scene, range(45))
    encoder.set_bitrate(500_000)
    thin = encoded(encoder, scene, range(45, 54))
    assert thin[0].keyframe
    assert not any(unit.keyframe for unit in thin[1:])
    assert len(thin[0].data) * 8 < 0.2 * 500_000
    assert bits_per_s(thin) * 9 / FPS < 500_000 * (9 / FPS + 0.15)


def test_a_rate_that_falls_a_little_needs_no_keyframe_but_several_such_steps_do() -> None:
    scene, encoder = Scene(WIDTH, HEIGHT, FPS), X264Encoder(WIDTH, HEIGHT, FPS, 1_500_000)
    encoded(encoder, scene, range(30))
    keyframes = []
    for n, bps in enumerate((1_200_000, 960_000, 768_000), 30):
        encoder.set_bitrate(bps)
        keyframes += [unit.keyframe for unit in encoded(encoder, scene, [n])]
    assert keyframes == [False, True, False]


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1)])
def test_planes_that_lie_in_one_piece_are_encoded_like_others_whatever_their_order(order: tuple[int, int, int]) -> None:
    planes = Scene(WIDTH, HEIGHT, FPS).frame(5)
    together = [plane.reshape(-1) for plane in np.split(np.concatenate([planes[k].ravel() for k in order]), _SPLIT)]
    pieces = [together[order.index(k)].reshape(plane.shape) for k, plane in enumerate(planes)]
    units = [x264(500_000).encode(Picture(y, u, v, 0.1)) for y, u, v in (planes, pieces)]
    assert units[0] == units[1]


def test_half_the_pictures_are_evenly_spread_even_from_a_camera_that_jitters() -> None:
    scene, encoder = Scene(WIDTH, HEIGHT, FPS), x264(500_000)
    encoder.set_encoding(Encoding(320, 180, 15, 200_000))
    jitter = (0.0, 0.004, -0.004, 0.007, -0.002)
    pictures = [Picture(*scene.frame(n), n / FPS + jitter[n % 5]) for n in range(60)]
    times = [picture.captured_s for picture in pictures if encoder.encode(picture) is not None]
    assert 29 <= len(times) <= 31
    assert max(np.diff(times)) < 0.09


def test_a_keyframe_asked_for_is_not_lost_with_a_picture_that_is_left_out() -> None:
    scene, encoder = Scene(WIDTH, HEIGHT, FPS), x264(500_000)
    encoder.set_encoding(Encoding(320, 180, 15, 200_000))
    encoded(encoder, scene, range(10))
    encoder.request_keyframe()
    units = encoded(encoder, scene, range(10, 14))
    assert [unit.keyframe for unit in units] == [True, False]


def test_nothing_larger_or_faster_than_the_camera_is_made() -> None:
    scene, encoder = Scene(WIDTH, HEIGHT, FPS), x264(500_000)
    encoder.set_encoding(Encoding(1920, 1080, 60, 500_000))
    assert {unit.size for unit in encoded(encoder, scene, range(3))} == {(WIDTH, HEIGHT)}


@pytest.mark.parametrize(("bits", "size"), [(100_000, (640, 360)), (250_000, (960, 540))])
def test_a_sharp_picture_is_as_large_and_fine_as_its_bits_allow(bits: int, size: tuple[int, int]) -> None:
    picture = Picture(*Scene(1280, 720, FPS).frame(300), 1.0)
    encoder = SharpEncoder()
    units = [encoder.encode(picture, bits) for _ in range(4)]
    assert {unit.size for unit in units} == {size}
    assert all(8 * len(unit.data) <= bits for unit in units)
    assert 8 * len(units[-1].data) > 0.6 * bits


def test_no_frame_is_held_back_and_wrong_sizes_are_refused() -> None:
    scene, encoder = Scene(WIDTH, HEIGHT, FPS), x264(500_000)
    for n, unit in enumerate(encoded(encoder, scene, range(5))):
        assert unit.captured_s == n / FPS
    small = Picture(*Scene(320, 180).frame(0), 1.0)
    with pytest.raises(DeviceTrouble, match="320"):
        encoder.encode(small)


def test_a_tall_video_is_shown_whole_between_black_bars() -> None:
    frame = VideoFrame.from_ndarray(np.full((640, 360, 3), 255, np.uint8), "bgr24")
    picture = fitted(frame, WIDTH, HEIGHT, 1.0)
    assert picture.size == (WIDTH, HEIGHT)
    assert picture.y[180, 320] == 235
    assert picture.y[180, 10] == picture.y[180, 630] == 16
    assert picture.u[90, 5] == 128


_SPLIT = [WIDTH * HEIGHT, WIDTH * HEIGHT * 5 // 4]
"""Where the second and the third plane begin."""


# --- helpers ----------------------------------------------------------------------------------------------------------


def encoded(encoder: X264Encoder, scene: Scene, numbers: range | list[int]) -> list[AccessUnit]:
    units = [encoder.encode(Picture(*scene.frame(n), n / scene.fps)) for n in numbers]
    return [unit for unit in units if unit is not None]


def bits_per_s(units: list[AccessUnit]) -> float:
    return sum(len(unit.data) for unit in units) * 8 * FPS / len(units)


def a_video(path: Path) -> Path:
    """Ten frames of another size than the call's, so that it is scaled and soon looped."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 720, 540, "yuv420p"
        stream.time_base = Fraction(1, FPS)
        for n in range(10):
            image = np.zeros((540, 720, 3), np.uint8)
            cv2.circle(image, (90 + 40 * n, 260), 60, (40, 200, 240), -1)
            container.mux(stream.encode(VideoFrame.from_ndarray(image, "bgr24")))
        container.mux(stream.encode(None))
    return path
