"""Each part of the hardware by its name in the settings; a wrong name is told with its key."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kiosk.config import CallSettings, Gpio, Hardware
from kiosk.errors import ConfigError, DeviceTrouble
from kiosk.hw.build import Parts, build
from kiosk.hw.camera_picamera2 import Picamera2Source
from kiosk.hw.display_sdl import SdlDisplay
from kiosk.hw.sim.display import MemoryDisplay
from kiosk.hw.sim.scene import canvas
from kiosk.hw.sim.sound import MeterSpeaker, ToneMicrophone

SIMULATED = Hardware(
    camera="scene",
    microphone="tone",
    speaker="meter",
    display="memory:640x360",
    gpio=Gpio(factory="mock", accept=22, decline=23),
    panel_port=8099,
)


def test_a_simulated_kiosk_has_every_part_and_its_front() -> None:
    parts = build(SIMULATED, CallSettings())
    assert all(getattr(parts, field.name) is not None for field in fields(Parts))
    assert isinstance(parts.display, MemoryDisplay)
    assert isinstance(parts.microphone, ToneMicrophone)
    assert isinstance(parts.speaker, MeterSpeaker)


def test_without_a_port_there_is_no_front() -> None:
    assert build(changed(panel_port=0), CallSettings()).panel is None


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("camera", "sccene"),
        ("camera", "scene:1"),
        ("camera", "file:"),
        ("camera", "file:/nowhere/at/all.mp4"),
        ("microphone", "tones"),
        ("microphone", "file:/nowhere/at/all.wav"),
        ("microphone", "alsa:"),
        ("speaker", "tone"),
        ("display", "memory"),
        ("display", "memory:9x9"),
        ("display", "kmsdrm:640x360"),
        ("display", "framebuffer"),
    ],
)
def test_an_unknown_name_is_told_with_its_key(key: str, name: str) -> None:
    with pytest.raises(ConfigError, match=rf"hardware\.{key}"):
        build(changed(panel_port=0, **{key: name}), CallSettings())


def test_a_front_needs_a_simulated_display_and_simulated_pins() -> None:
    with pytest.raises(ConfigError, match=r"hardware\.panel_port"):
        build(changed(display="window:640x360"), CallSettings())


async def test_no_way_opens_the_camera_while_the_lamp_is_dark() -> None:
    canvas()  # a camera has ten seconds to open, which a busy machine may need for the scene alone
    parts = build(SIMULATED, CallSettings())
    with pytest.raises(DeviceTrouble, match="lamp is dark"):
        await parts.camera.__aenter__()
    async with parts.lamp as lamp:
        lamp.show("waiting")  # blinks: half of the time it is dark
        with pytest.raises(DeviceTrouble, match="lamp is dark"):
            await parts.camera.__aenter__()
        lamp.show("live")
        async with parts.camera as camera:
            assert await anext(camera.pictures())
    with pytest.raises(DeviceTrouble, match="lamp is dark"):  # closed, and off whatever it showed
        await parts.camera.__aenter__()


def test_a_picture_must_have_even_sides() -> None:
    with pytest.raises(ConfigError, match=r"call\.width"):
        build(SIMULATED, CallSettings(width=641))


def test_a_window_and_devices_are_built_without_being_opened(tmp_path: Path) -> None:
    sound = tmp_path / "beep.wav"
    sound.write_bytes(b"")
    names = changed(
        display="window:640x360",
        camera="v4l2:/dev/video9",
        microphone=f"file:{sound}",
        speaker="alsa:default",
        panel_port=0,
    )
    assert isinstance(build(names, CallSettings()).display, SdlDisplay)


def test_the_pi_s_camera_says_what_is_missing_where_there_is_none() -> None:
    with pytest.raises(DeviceTrouble, match="picamera2 is not installed"):
        Picamera2Source(1280, 720, 30).open()


def changed(**parts: Any) -> Hardware:
    return msgspec.structs.replace(SIMULATED, **parts)
