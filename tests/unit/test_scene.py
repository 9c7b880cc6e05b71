"""The simulated camera's scene and its corner code: always the same, true to their description, readable when thin."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import cast

import av
import cv2
import numpy as np
import pytest
from av.video.codeccontext import VideoCodecContext
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.hw.encoder import X264Encoder
from kiosk.hw.ports import Picture, Pixels
from kiosk.hw.sim import corner_code
from kiosk.hw.sim.corner_code import CODE_COLUMNS, CODE_ROWS, NUMBER_MODULO, TIME_MODULO_MS
from kiosk.hw.sim.scene import PERIOD_S, PHOTO_HEIGHT, PHOTO_WIDTH, Scene, canvas

READER_JS = Path(__file__).parents[1] / "whole" / "corner_code.js"


@given(number=st.integers(0, NUMBER_MODULO - 1), time_ms=st.integers(0, TIME_MODULO_MS - 1))
@settings(max_examples=50, deadline=None)
def test_the_corner_code_says_what_was_written(number: int, time_ms: int) -> None:
    assert corner_code.read(with_code(number, time_ms)) == (number, time_ms)


def test_number_and_time_wrap_around() -> None:
    picture = with_code(NUMBER_MODULO + 3, TIME_MODULO_MS * 7 + 9)
    assert corner_code.read(picture) == (3, 9)


@pytest.mark.parametrize("scale", [0.5, 0.6, 1.5])
def test_the_corner_code_survives_scaling(scale: float) -> None:
    picture = cv2.resize(with_code(4711, 123_456), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    assert corner_code.read(cast(Pixels, picture)) == (4711, 123_456)


def test_the_corner_code_survives_a_thin_link() -> None:
    scene, encoder = Scene(), X264Encoder(1280, 720, 30, 250_000)
    decoder = VideoCodecContext.create("h264", "r")
    for n in range(8):
        y, u, v = scene.frame(n)
        corner_code.draw(y, n, 1000 + n)
        unit = encoder.encode(Picture(y, u, v, n / 30))
        assert unit is not None
        frames = decoder.decode(av.Packet(unit.data))
    gray = cast(Pixels, frames[-1].to_ndarray(format="gray"))
    code = corner_code.read(gray)
    assert code is not None
    assert code[1] - code[0] == 1000


def test_without_a_code_or_with_a_damaged_one_nothing_is_read() -> None:
    assert corner_code.read(Scene().frame(0)[0]) is None
    assert corner_code.read(np.zeros((720, 1280), np.uint8)) is None
    for row in range(CODE_ROWS):
        for column in range(CODE_COLUMNS):
            picture = with_code(4711, 123_456)
            cell = picture[720 - (4 - row) * 16 :, column * 16 :][:16, :16]
            cell[:] = 251 - cell
            assert corner_code.read(picture) is None, (row, column)


@pytest.mark.skipif(shutil.which("node") is None, reason="no JavaScript here; the browser's tests read it too")
def test_the_page_reads_the_same_code() -> None:
    node = str(shutil.which("node"))
    gray = cv2.resize(with_code(4711, 9_876_543), (640, 360), interpolation=cv2.INTER_AREA)
    rgba = cv2.cvtColor(np.asarray(gray, np.uint8), cv2.COLOR_GRAY2RGBA)
    program = f"""
        const {{ readCornerCode }} = require({json.dumps(str(READER_JS))});
        const data = new Uint8ClampedArray(require("fs").readFileSync(0));
        const whole = {{ data, width: 640, height: 360 }};
        const context = {{
          getImageData: (x, y, width, height) => {{
            const part = new Uint8ClampedArray(width * height * 4);
            for (let i = 0; i < height; i += 1) {{
              const from = ((y + i) * 640 + x) * 4;
              part.set(data.subarray(from, from + width * 4), i * width * 4);
            }}
            return {{ data: part, width, height }};
          }},
        }};
        const none = {{ data: new Uint8ClampedArray(640 * 360 * 4), width: 640, height: 360 }};
        console.log(JSON.stringify([whole, context, none].map((s) => readCornerCode(s, 640, 360))));
    """
    done = subprocess.run([node, "-e", program], input=rgba.tobytes(), capture_output=True, check=True, timeout=30)
    found = {"number": 4711, "timeMs": 9_876_543}
    assert json.loads(done.stdout) == [found, found, None]


# --- the scene --------------------------------------------------------------------------------------------------------


def test_frame_n_is_always_the_same_whatever_was_shown_before() -> None:
    one, other = Scene(), Scene()
    other.frame(700)
    for a, b in zip(one.frame(31), other.frame(31), strict=True):
        assert np.array_equal(a, b)


def test_frames_have_whole_planes_and_are_never_written_to_again() -> None:
    scene = Scene()
    y, u, v = scene.frame(0)
    before = y.copy()
    scene.frame(40)
    assert np.array_equal(y, before)
    assert (y.shape, u.shape, v.shape) == ((720, 1280), (360, 640), (360, 640))


def test_the_camera_never_looks_beyond_the_machine() -> None:
    scene = Scene()
    height, width = canvas().y.shape
    corners = np.array([[0, 1279, 1279, 0], [0, 0, 719, 719], [1, 1, 1, 1]])
    for n in range(int(PERIOD_S * 30)):
        seen = np.linalg.inv(scene.pose(n)) @ corners
        seen = seen[:2] / seen[2]
        assert seen.min() >= 0
        assert seen[0].max() <= width - 1
        assert seen[1].max() <= height - 1


def test_the_path_is_smooth_and_closed() -> None:
    scene = Scene()
    middle = np.array([1280.0, 720.0, 1.0])
    places = np.array([(p := scene.pose(n) @ middle)[:2] / p[2] for n in range(int(PERIOD_S * 30) + 1)])
    steps = np.hypot(*np.diff(places, axis=0).T)
    assert steps.max() < 15  # px a frame at 30 fps: brisk, but a hand can
    assert np.abs(places[-1] - places[0]).max() < 0.01


def test_the_pose_tells_where_each_part_is() -> None:
    """What the pose maps from frame to frame is where the picture itself says it went."""
    scene = Scene()
    first, second = scene.frame(100)[0], scene.frame(112)[0]
    move = scene.pose(112) @ np.linalg.inv(scene.pose(100))
    expected = cv2.warpPerspective(first, move, (1280, 720))
    inner = (slice(80, 640), slice(120, 1160))
    difference = np.abs(expected[inner].astype(int) - second[inner].astype(int))
    assert np.median(difference) <= 3


def test_luma_and_chroma_lie_on_each_other() -> None:
    """An edge between two colours stands at the same place in both planes, to a quarter of a pixel."""
    y, u, _ = Scene().frame(200)
    half = cv2.resize(y, (640, 360), interpolation=cv2.INTER_AREA).astype(np.float32)
    blurred = [cv2.GaussianBlur(cv2.Sobel(p.astype(np.float32), cv2.CV_32F, 1, 0) ** 2, (0, 0), 3) for p in (half, u)]
    shift, _response = cv2.phaseCorrelate(np.asarray(blurred[0]), np.asarray(blurred[1]))
    assert np.linalg.norm(shift) < 0.5


def test_the_scene_is_rich_in_detail_wherever_the_camera_looks() -> None:
    scene = Scene()
    for n in range(0, int(PERIOD_S * 30), 60):
        corners = cv2.goodFeaturesToTrack(scene.frame(n)[0], 500, 0.01, 8)
        assert corners is not None
        assert len(corners) > 250


def test_a_photograph_shows_the_same_view_in_more_detail() -> None:
    scene = Scene()
    photo = scene.photo(300)
    assert photo.shape == (PHOTO_HEIGHT, PHOTO_WIDTH, 3)
    small = cv2.cvtColor(np.asarray(cv2.resize(photo, (1280, 720), interpolation=cv2.INTER_AREA)), cv2.COLOR_BGR2GRAY)
    full = small.astype(float) * 219 / 255 + 16
    assert np.median(np.abs(full - scene.frame(300)[0])) < 4


def test_a_picture_without_whole_chroma_samples_is_refused() -> None:
    with pytest.raises(ValueError, match="641"):
        Scene(641, 360)


def with_code(number: int, time_ms: int) -> Pixels:
    picture = np.random.default_rng(1).integers(16, 235, (720, 1280), np.uint8)
    corner_code.draw(picture, number, time_ms)
    return picture
