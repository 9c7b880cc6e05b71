"""The ports Display and Touchscreen, on the simulated ones and on SDL's window (with its dummy driver)."""

from __future__ import annotations

import asyncio
import ctypes
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sdl2

from kiosk.errors import DeviceTrouble
from kiosk.hw import drm, evdev
from kiosk.hw.display_sdl import SdlDisplay
from kiosk.hw.keyboard import Layout, character
from kiosk.hw.ports import Display, Layer, Pixels, Rect, Touch
from kiosk.hw.sim.display import MemoryDisplay, SimTouchscreen
from kiosk.hw.touch_sdl import SdlTouchscreen
from kiosk.ui.gallery import flat, picture_of, sample_picture
from kiosk.ui.gallery_views import sample_views
from kiosk.ui.paint import Painter
from tests.unit.test_evdev import plug

SIZE = (320, 200)
ALL = (Rect(0, 0, *SIZE),)


def overlay(bgra: tuple[int, int, int, int] = (0, 0, 0, 0)) -> Pixels:
    return np.full((SIZE[1], SIZE[0], 4), bgra, np.uint8)


def plain(bgr: tuple[int, int, int], size: tuple[int, int] = (64, 48)) -> Layer:
    picture = picture_of(np.full((size[1], size[0], 3), bgr, np.uint8), 0.0)
    return Layer(picture, Rect(0, 0, *SIZE))


def near(pixel: Pixels, bgr: tuple[int, int, int], by: int = 6) -> bool:
    return bool(np.abs(pixel.astype(int) - bgr).max() <= by)


@pytest.fixture(params=["memory", "window"])
async def display(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Display]:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    made: MemoryDisplay | SdlDisplay
    made = MemoryDisplay(*SIZE) if request.param == "memory" else SdlDisplay("window", SIZE)
    async with made as opened:
        yield opened


@pytest.fixture
async def memory() -> AsyncIterator[MemoryDisplay]:
    async with MemoryDisplay(*SIZE) as opened:
        yield opened


# --- both -------------------------------------------------------------------------------------------------------------


async def test_it_has_the_size_it_was_made_with(display: Display) -> None:
    assert display.size == SIZE


async def test_layers_and_overlay_are_presented_from_the_painting_thread(display: Display) -> None:
    def paint() -> None:
        display.present((), overlay((10, 20, 30, 255)), ALL)
        for layers in ((plain((0, 0, 255)),), (plain((0, 0, 255)), plain((0, 255, 0))), (plain((9, 9, 9), (32, 24)),)):
            display.present(layers, overlay(), ALL)
        display.present((), overlay(), ())

    await asyncio.to_thread(paint)


@pytest.mark.parametrize("kind", ["memory", "window"])
async def test_it_can_be_opened_anew_each_time_for_another_painting_thread(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    display: Display = MemoryDisplay(*SIZE) if kind == "memory" else SdlDisplay("window", SIZE)
    for _ in range(3):
        async with display as opened:
            await asyncio.to_thread(opened.present, (plain((0, 0, 255)),), overlay(), ALL)
            assert opened.size == SIZE


async def test_nothing_is_lost_as_long_as_it_is_there_and_nobody_waits_when_it_is_closed(display: Display) -> None:
    lost = asyncio.create_task(display.lost())
    await asyncio.sleep(0.02)
    assert not lost.done()
    await display.__aexit__(None, None, None)
    async with asyncio.timeout(5):
        await lost
    await display.__aenter__()


async def test_its_panel_sleeps_or_goes_on_and_neither_is_trouble(display: Display) -> None:
    def paint() -> None:
        for on in (False, False, True, True):
            display.power(on)
            display.present((), overlay(), ALL)

    await asyncio.to_thread(paint)


# --- what the simulated one shows -------------------------------------------------------------------------------------


async def test_a_picture_has_its_colours(memory: MemoryDisplay) -> None:
    for bgr in ((0, 0, 255), (0, 255, 0), (255, 0, 0), (128, 128, 128)):
        memory.present((plain(bgr),), overlay(), ALL)
        assert near(memory.grab()[100, 160], bgr)


async def test_the_overlay_lies_over_the_layers_with_its_alpha(memory: MemoryDisplay) -> None:
    memory.present((plain((0, 0, 200)),), overlay((200, 0, 0, 128)), ALL)
    assert near(memory.grab()[100, 160], (100, 0, 100))


async def test_only_the_changed_part_of_the_overlay_is_taken(memory: MemoryDisplay) -> None:
    memory.present((), overlay((0, 0, 0, 255)), ALL)
    memory.present((), overlay((255, 255, 255, 255)), (Rect(10, 20, 30, 40),))
    shown = memory.grab()
    assert shown[20:60, 10:40].min() == 255
    shown[20:60, 10:40] = 0
    assert shown.max() == 0


async def test_layers_stand_where_they_are_told_and_the_rest_is_black(memory: MemoryDisplay) -> None:
    below = Layer(plain((0, 0, 255)).picture, Rect(40, 40, 100, 100))
    above = Layer(plain((0, 255, 0), (32, 32)).picture, Rect(60, 60, 20, 20))
    memory.present((below, above), overlay(), ALL)
    shown = memory.grab()
    assert near(shown[50, 50], (0, 0, 255))
    assert near(shown[70, 70], (0, 255, 0))
    assert near(shown[10, 10], (0, 0, 0))


async def test_a_mirrored_layer_is_mirrored(memory: MemoryDisplay) -> None:
    bgr = np.zeros((48, 64, 3), np.uint8)
    bgr[:, :32] = 255
    layer = Layer(picture_of(bgr, 0.0), Rect(0, 0, *SIZE), mirrored=True)
    memory.present((layer,), overlay(), ALL)
    shown = memory.grab()
    assert near(shown[100, 40], (0, 0, 0))
    assert near(shown[100, 280], (255, 255, 255))


async def test_a_new_picture_in_the_same_place_is_shown(memory: MemoryDisplay) -> None:
    memory.present((plain((0, 0, 255)),), overlay(), ALL)
    memory.present((plain((0, 255, 0)),), overlay(), ())
    assert near(memory.grab()[100, 160], (0, 255, 0))


async def test_every_screen_is_composed_as_it_was_painted() -> None:
    size, live = (1024, 600), sample_picture(1280, 720, 40)
    async with MemoryDisplay(*size) as display:
        painter = Painter(size)
        for name, view, front in sample_views("de", size, live):
            painted = painter.paint(view, front, live, live)
            display.present(painted.layers, painted.overlay, painted.changed)
            apart = np.abs(display.grab().astype(int) - flat(painted, size))
            assert apart.mean() < 1.5, name


async def test_each_picture_is_counted_and_told(memory: MemoryDisplay) -> None:
    told: list[str] = []
    memory.on_present = lambda: told.append(threading.current_thread().name)
    before = memory.generation
    await asyncio.to_thread(memory.present, (), overlay(), ALL)
    assert memory.generation == before + 1
    assert told
    assert told[0] != threading.current_thread().name


async def test_a_grab_is_a_copy(memory: MemoryDisplay) -> None:
    memory.present((), overlay((1, 2, 3, 255)), ALL)
    first = memory.grab()
    memory.present((), overlay((9, 9, 9, 255)), ALL)
    assert tuple(first[0, 0]) == (1, 2, 3)
    assert first.shape == (SIZE[1], SIZE[0], 3)


async def test_an_unplugged_display_says_so_and_comes_back(memory: MemoryDisplay) -> None:
    memory.unplug()
    with pytest.raises(DeviceTrouble):
        memory.present((), overlay(), ALL)
    memory.plug()
    memory.present((), overlay(), ALL)


async def test_a_closed_display_shows_nothing_and_harms_nobody() -> None:
    display = MemoryDisplay(*SIZE)
    async with display:
        display.present((), overlay((1, 2, 3, 255)), ALL)
    assert not display.grab().any()
    with pytest.raises(DeviceTrouble):
        display.present((), overlay(), ALL)


# --- touch ------------------------------------------------------------------------------------------------------------


async def test_the_simulated_touchscreen_tells_what_it_is_fed_from_any_thread() -> None:
    async with SimTouchscreen() as touchscreen:
        touches = touchscreen.touches()
        await asyncio.to_thread(touchscreen.feed, Touch("down", 0.25, 0.5))
        assert await anext(touches) == Touch("down", 0.25, 0.5)


async def test_touches_end_when_the_touchscreen_is_closed() -> None:
    touchscreen = SimTouchscreen()
    async with touchscreen:
        touches = touchscreen.touches()
    assert [t async for t in touches] == []


def push(kind: int, **fields: Any) -> None:
    """Puts an event into SDL's queue, as its driver would."""
    event = sdl2.SDL_Event()
    event.type = kind
    part = event.tfinger if "fingerId" in fields else event.motion if "state" in fields else event.button
    for name, value in fields.items():
        setattr(part, name, value)
    sdl2.SDL_PushEvent(ctypes.byref(event))


async def test_fingers_and_the_mouse_reach_the_touchscreen_of_a_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    async with SdlDisplay("window", SIZE) as display, SdlTouchscreen(display) as touchscreen:
        touches = touchscreen.touches()
        push(sdl2.SDL_MOUSEBUTTONDOWN, button=sdl2.SDL_BUTTON_LEFT, x=160, y=50)
        assert await anext(touches) == Touch("down", 0.5, 0.25)
        push(sdl2.SDL_MOUSEMOTION, state=sdl2.SDL_BUTTON_LMASK, x=80, y=50)
        assert await anext(touches) == Touch("move", 0.25, 0.25)
        push(sdl2.SDL_MOUSEBUTTONUP, button=sdl2.SDL_BUTTON_LEFT, x=80, y=50)
        assert await anext(touches) == Touch("up", 0.25, 0.25)
        push(sdl2.SDL_FINGERDOWN, fingerId=7001, x=0.5, y=0.5)
        push(sdl2.SDL_FINGERDOWN, fingerId=7002, x=0.25, y=0.5)
        push(sdl2.SDL_FINGERUP, fingerId=7001, x=0.5, y=0.5)
        told = [await anext(touches) for _ in range(3)]
        assert [(t.phase, t.finger) for t in told] == [("down", 0), ("down", 1), ("up", 0)]


async def test_a_window_that_is_closed_is_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    async with SdlDisplay("window", SIZE) as display, SdlTouchscreen(display) as touchscreen:
        push(sdl2.SDL_QUIT)
        with pytest.raises(DeviceTrouble):
            await anext(touchscreen.touches())


async def test_where_there_is_no_screen_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "no-such-driver")
    with pytest.raises(DeviceTrouble):
        async with SdlDisplay("window", SIZE):
            pass


def sysfs(folder: Path, **connectors: str) -> Path:
    """As /sys/class/drm on a Pi 4; `card1_HDMI_A_1="connected 1920x1080 1280x720"`."""
    for name in ("card0", "version", "renderD128", "card1-Writeback-1"):
        (folder / name).mkdir(exist_ok=True)
    (folder / "card1-Writeback-1" / "status").write_text("unknown\n")
    for name, told in connectors.items():
        status, *modes = told.split()
        there = folder / name.replace("_", "-")
        there.mkdir(exist_ok=True)
        (there / "status").write_text(f"{status}\n")
        (there / "modes").write_text("".join(f"{m}\n" for m in modes))
        (there / "connector_id").write_text("32\n")
    return folder


def test_the_card_with_a_screen_at_it_is_found_whatever_its_number_is(tmp_path: Path) -> None:
    there = sysfs(
        tmp_path, card0_DSI_1="disconnected", card1_HDMI_A_1="disconnected", card1_HDMI_A_2="connected 800x480"
    )
    assert drm.attached(there) == drm.Screen(1, "HDMI-A-2", ("800x480",), 32)


def test_of_two_screens_the_first_connector_of_the_first_card_is_used(tmp_path: Path) -> None:
    there = sysfs(tmp_path, card10_DSI_1="connected", card2_HDMI_A_2="connected", card2_HDMI_A_1="connected")
    found = drm.attached(there)
    assert found
    assert (found.card, found.connector) == (2, "HDMI-A-1")


def test_where_nothing_is_attached_or_the_kernel_tells_nothing_there_is_no_screen(tmp_path: Path) -> None:
    assert drm.attached(sysfs(tmp_path, card1_HDMI_A_1="disconnected")) is None
    assert drm.attached(tmp_path / "none") is None


def test_a_screen_that_is_being_pulled_out_is_not_another_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel tells the old status until it is done, and its modes only then."""
    there, read = sysfs(tmp_path, card1_HDMI_A_1="connected 1920x1080"), drm._read

    def read_meanwhile(path: Path) -> str:
        if path.name == "modes":
            sysfs(tmp_path, card1_HDMI_A_1="disconnected")
        return read(path)

    monkeypatch.setattr(drm, "_read", read_meanwhile)
    assert drm.attached(there) is None


async def test_a_bare_display_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(DeviceTrouble, match="none is connected"):
        async with SdlDisplay("kmsdrm", sysfs=sysfs(tmp_path)):
            pass


@pytest.mark.parametrize("now", ["disconnected", "connected 1280x720"])
async def test_a_bare_display_that_is_pulled_out_or_changed_is_lost(
    tmp_path: Path, now: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kiosk.hw.display_sdl.LOOK_S", 0.01)
    display = SdlDisplay("kmsdrm", sysfs=sysfs(tmp_path, card1_HDMI_A_1="connected 1920x1080"))
    display._screen, display._window = drm.attached(tmp_path), object()  # as opened; no KMS can be had here
    lost = asyncio.create_task(display.lost())
    await asyncio.sleep(0.05)
    assert not lost.done()
    display._lit = False
    sysfs(tmp_path, card1_HDMI_A_1=now)
    await asyncio.sleep(0.05)
    assert not lost.done(), "some monitors seem to be gone while they sleep"
    display._lit = True
    with pytest.raises(DeviceTrouble):
        await lost


async def test_a_bare_display_is_opened_anew_for_another_keyboard_but_not_for_a_power_button(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kiosk.hw.display_sdl.LOOK_S", 0.01)
    inputs = tmp_path / "input"
    plug(inputs, "event0", "input3", keys={28})
    display = SdlDisplay("kmsdrm", sysfs=sysfs(tmp_path, card1_HDMI_A_1="connected 1920x1080"), inputs=inputs)
    display._screen, display._window = drm.attached(tmp_path), object()  # as opened; no KMS can be had here
    display._present, display._inputs = evdev.present(inputs), evdev.plugged_in(inputs)
    lost = asyncio.create_task(display.lost())
    plug(inputs, "event1", "input4", keys={116})
    await asyncio.sleep(0.1)
    assert not lost.done()
    plug(inputs, "event2", "input5", keys={28})
    with pytest.raises(DeviceTrouble, match="anew"):
        await lost


def test_a_panel_that_cannot_be_switched_is_no_trouble() -> None:
    assert not drm.switch(-1, 32, on=False)


# --- keys -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layout", "key", "plain", "shifted"),
    [("de", 28, "z", "Z"), ("en", 28, "y", "Y"), ("de", 51, "ö", "Ö"), ("en", 51, ";", ":"), ("de", 36, "7", "/"),
     ("en", 36, "7", "&"), ("de", 56, "-", "_"), ("en", 45, "-", "_"), ("de", 44, " ", " "), ("en", 98, "0", "0")],
)  # fmt: skip
def test_keys_write_what_stands_on_them(layout: Layout, key: int, plain: str, shifted: str) -> None:
    assert (character(key, layout), character(key, layout, shift=True)) == (plain, shifted)
    assert character(76, layout) == "", "the delete key writes nothing"


def test_the_third_sign_of_a_german_key_is_written() -> None:
    assert character(20, "de", third=True) == "@"
    assert character(20, "en", third=True) == ""


async def test_keys_of_a_window_are_told_with_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    async with SdlDisplay("window", SIZE) as display, SdlTouchscreen(display) as touchscreen:
        event = sdl2.SDL_Event()
        event.type = sdl2.SDL_TEXTINPUT
        event.text.text = "ä".encode()
        sdl2.SDL_PushEvent(ctypes.byref(event))
        down = sdl2.SDL_Event()
        down.type = sdl2.SDL_KEYDOWN
        down.key.keysym.scancode = sdl2.SDL_SCANCODE_RETURN
        sdl2.SDL_PushEvent(ctypes.byref(down))
        keys = touchscreen.keys()
        told = [await anext(keys), await anext(keys)]
        assert [k.name for k in told] == ["ä", "enter"]
        assert abs(told[1].at_s - time.monotonic()) < 30


async def test_a_bare_display_has_the_layout_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    display = SdlDisplay("kmsdrm")
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    async with SdlDisplay("window", SIZE), SdlTouchscreen(display, "de") as touchscreen:
        event = sdl2.SDL_Event()
        event.type = sdl2.SDL_KEYDOWN
        event.key.keysym.scancode, event.key.keysym.mod = sdl2.SDL_SCANCODE_Z, sdl2.KMOD_LSHIFT
        sdl2.SDL_PushEvent(ctypes.byref(event))
        assert (await anext(touchscreen.keys())).name == "Y"


async def test_the_simulated_scanner_types_at_its_pace() -> None:
    async with SimTouchscreen() as touchscreen:
        touchscreen.type("A1\n", 0.01, at_s=5.0)
        keys = touchscreen.keys()
        told = [await anext(keys) for _ in range(3)]
        assert [(k.name, round(k.at_s, 3)) for k in told] == [("A", 4.98), ("1", 4.99), ("enter", 5.0)]
