"""The board's camera without the board: how its memory is read, and how large its photographs are."""

from __future__ import annotations

import numpy as np
import pytest

from kiosk.errors import DeviceTrouble
from kiosk.hw.camera_picamera2 import MOST_STILL_PIXELS, Mode, Size, as_picture, still_size


def test_yuv420_is_taken_apart_as_picamera2_lays_it_out() -> None:
    """Luma lines, then U and V each with half lines side by side; lines are longer than the picture."""
    flat = np.zeros((6, 16), np.uint8)
    flat[:4], flat[4], flat[5] = 100, 50, 200
    picture = as_picture(flat, "YUV420", (12, 4), 2.5)
    assert picture.captured_s == 2.5
    assert (picture.y.shape, picture.u.shape, picture.v.shape) == ((4, 12), (2, 6), (2, 6))
    assert {plane.max() for plane in (picture.y, picture.u, picture.v)} == {100, 50, 200}
    assert (picture.y == 100).all()
    assert (picture.u == 50).all()
    assert (picture.v == 200).all()


def test_nv12_is_taken_apart_and_none_of_it_is_the_cameras_memory_any_more() -> None:
    flat = np.zeros((6, 12), np.uint8)
    flat[:4], flat[4:, 0::2], flat[4:, 1::2] = 100, 50, 200
    picture = as_picture(flat, "NV12", (12, 4), 2.5)
    flat[:] = 0
    assert (picture.y == 100).all()
    assert (picture.u == 50).all()
    assert (picture.v == 200).all()


def test_another_format_is_named() -> None:
    with pytest.raises(DeviceTrouble, match="MJPEG"):
        as_picture(np.zeros((6, 12), np.uint8), "MJPEG", (12, 4), 0.0)


def mode(width: int, height: int, fps: float, view: Size) -> Mode:
    return {"size": (width, height), "fps": fps, "crop_limits": (0, 0, *view), "bit_depth": 10}


MODULE_2 = (
    mode(640, 480, 103.0, (1280, 960)),
    mode(1640, 1232, 41.8, (3280, 2464)),
    mode(1920, 1080, 47.6, (1920, 1080)),
    mode(3280, 2464, 21.2, (3280, 2464)),
)
MODULE_3 = (
    mode(1536, 864, 120.1, (3072, 1728)),
    mode(2304, 1296, 56.0, (4608, 2592)),
    mode(4608, 2592, 14.4, (4608, 2592)),
)
HIGH_QUALITY = (
    mode(1332, 990, 120.0, (2664, 1980)),
    mode(2028, 1080, 50.0, (4056, 2160)),
    mode(2028, 1520, 40.0, (4056, 3040)),
    mode(4056, 3040, 10.0, (4056, 3040)),
)


@pytest.mark.parametrize(
    ("modes", "size", "read_out"),
    [
        (MODULE_2, (1640, 922), (1640, 1232)),  # the whole view, where 1920 x 1080 would show a third of it
        (MODULE_3, (2304, 1296), (2304, 1296)),
        (HIGH_QUALITY, (2028, 1140), (2028, 1520)),
    ],
)
def test_photographs_are_as_large_as_the_sensor_gives_at_the_calls_rate(
    modes: tuple[Mode, ...], size: Size, read_out: Size
) -> None:
    found, chosen = still_size(modes, (1280, 720), 30)
    assert found == size
    assert chosen is not None
    assert chosen["size"] == read_out


def test_no_photograph_is_larger_than_the_board_can_process_with_every_frame() -> None:
    (width, height), _ = still_size((mode(4608, 2592, 60.0, (4608, 2592)),), (1280, 720), 30)
    assert width * height <= MOST_STILL_PIXELS
    assert width / height == pytest.approx(16 / 9, abs=0.01)


def test_a_sensor_that_is_too_slow_for_the_call_gives_the_calls_size() -> None:
    assert still_size((mode(4056, 3040, 10.0, (4056, 3040)),), (1280, 720), 30) == ((1280, 720), None)
