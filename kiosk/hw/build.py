"""The kiosk's parts out of its settings: each by its name, nothing simulated that does not say so."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kiosk.config import CallSettings, Gpio, Hardware
from kiosk.errors import ConfigError
from kiosk.hw.alsa import AlsaSink, AlsaSource
from kiosk.hw.buttons import GpioButtons
from kiosk.hw.camera_frames import FramesCamera, FrameSource
from kiosk.hw.camera_picamera2 import Picamera2Source
from kiosk.hw.camera_video import file_source, v4l2_source
from kiosk.hw.display_sdl import SdlDisplay
from kiosk.hw.encoder import Encoder, X264Encoder
from kiosk.hw.encoder_board import BoardEncoder, has_board_encoder
from kiosk.hw.keyboard import Layout
from kiosk.hw.lamp import GpioLamp
from kiosk.hw.ports import ButtonName, Buttons, Camera, Display, Lamp, Microphone, Speaker, Touchscreen
from kiosk.hw.sim.camera import SceneSource
from kiosk.hw.sim.display import MemoryDisplay, SimTouchscreen
from kiosk.hw.sim.panel import Panel
from kiosk.hw.sim.pins import SimPins
from kiosk.hw.sim.scene import Scene
from kiosk.hw.sim.sound import MeterSpeaker, ToneMicrophone
from kiosk.hw.sound import Discard, Silence, ThreadMicrophone, ThreadSpeaker
from kiosk.hw.sound_file import FileSource
from kiosk.hw.touch_sdl import SdlTouchscreen

_SIZE = re.compile(r"(\d{2,4})x(\d{2,4})")


@dataclass(frozen=True, slots=True)
class Parts:
    """Each is opened by whoever uses it; camera and sound for a running call only."""

    buttons: Buttons
    lamp: Lamp
    touchscreen: Touchscreen
    camera: Camera
    microphone: Microphone
    speaker: Speaker
    display: Display
    panel: Panel | None


def build(hardware: Hardware, call: CallSettings) -> Parts:
    """Nothing is opened yet.

    Raises:
        ConfigError: a name is unknown, or two do not go together; the key is named.
    """
    source = _frame_source(hardware.camera, call)
    speaker = _speaker(hardware.speaker, hardware.speaker_volume)
    display, touchscreen = _display(hardware.display, hardware.keyboard)
    sim_pins, factory = _pins(hardware.gpio)
    lamp = GpioLamp(hardware.gpio.lamp, factory)
    camera = FramesCamera(
        source, _encoder(source, call), call.bitrate_max_bps, lamp_is_lit=lambda: lamp.shown == "live"
    )
    panel = None
    if hardware.panel_port:
        if not (isinstance(display, MemoryDisplay) and isinstance(touchscreen, SimTouchscreen) and sim_pins):
            raise ConfigError('hardware.panel_port: needs display = "memory:..." and gpio.factory = "mock"')
        panel = Panel(
            hardware.panel_port,
            display,
            touchscreen,
            sim_pins,
            sim_pins.lamp_on,
            speaker if isinstance(speaker, MeterSpeaker) else None,
            source if isinstance(source, SceneSource) else None,
            lambda: camera.opened,
        )
    return Parts(
        buttons=GpioButtons(_buttons(hardware.gpio), factory, hardware.gpio.long_press_s),
        lamp=lamp,
        touchscreen=touchscreen,
        camera=camera,
        microphone=_microphone(hardware.microphone),
        speaker=speaker,
        display=display,
        panel=panel,
    )


def _frame_source(name: str, call: CallSettings) -> FrameSource:
    width, height, fps = call.width, call.height, call.fps
    if width % 2 or height % 2:
        raise ConfigError(f"call.width, call.height: {width} x {height} are not both even")
    kind, _, address = name.partition(":")
    match kind, bool(address):
        case "scene", False:
            return SceneSource(Scene(width, height, fps))
        case "file", True:
            return file_source(_existing("hardware.camera", address), width, height, fps)
        case "v4l2", True:
            return v4l2_source(address, width, height, fps)
        case "picamera2", False:
            return Picamera2Source(width, height, fps)
    raise ConfigError(f'hardware.camera: "{name}" is none of scene, file:PATH, v4l2:DEVICE, picamera2')


def _encoder(source: FrameSource, call: CallSettings) -> Callable[[int], Encoder]:
    """The board's own, where it has one and can reach the pictures; else the CPU."""

    def make(bitrate_bps: int) -> Encoder:
        if isinstance(source, Picamera2Source) and has_board_encoder():
            return BoardEncoder(source, (call.width, call.height), call.fps, bitrate_bps)
        return X264Encoder(call.width, call.height, call.fps, bitrate_bps, call.bitrate_max_bps)

    return make


def _microphone(name: str) -> Microphone:
    kind, _, address = name.partition(":")
    match kind, bool(address):
        case "tone", False:
            return ToneMicrophone()
        case "file", True:
            return ThreadMicrophone(FileSource(_existing("hardware.microphone", address)))
        case "alsa", True:
            return ThreadMicrophone(AlsaSource(address))
        case "none", False:
            return ThreadMicrophone(Silence())
    raise ConfigError(f'hardware.microphone: "{name}" is none of tone, file:PATH, alsa:DEVICE, none')


def _speaker(name: str, volume: float) -> Speaker:
    kind, _, address = name.partition(":")
    match kind, bool(address):
        case "meter", False:
            return MeterSpeaker()
        case "alsa", True:
            return ThreadSpeaker(AlsaSink(address), volume)
        case "none", False:
            return ThreadSpeaker(Discard())
    raise ConfigError(f'hardware.speaker: "{name}" is none of meter, alsa:DEVICE, none')


def _display(name: str, layout: Layout) -> tuple[Display, Touchscreen]:
    kind, _, size = name.partition(":")
    found = _SIZE.fullmatch(size)
    if kind == "memory" and found:
        return MemoryDisplay(int(found[1]), int(found[2])), SimTouchscreen()
    if kind == "window" and found:
        window = SdlDisplay("window", (int(found[1]), int(found[2])))
        return window, SdlTouchscreen(window, layout)
    if name == "kmsdrm":
        screen = SdlDisplay("kmsdrm")
        return screen, SdlTouchscreen(screen, layout)
    raise ConfigError(f'hardware.display: "{name}" is none of memory:WIDTHxHEIGHT, window:WIDTHxHEIGHT, kmsdrm')


def _buttons(gpio: Gpio) -> dict[ButtonName, int]:
    pins: dict[ButtonName, int | None] = {
        "camera_plus": gpio.camera_plus,
        "accept": gpio.accept,
        "decline": gpio.decline,
    }
    return {name: pin for name, pin in pins.items() if pin is not None}


def _pins(gpio: Gpio) -> tuple[SimPins | None, Any]:
    """The simulated wiring, if any, and gpiozero's pin factory."""
    if gpio.factory == "mock":
        pins = SimPins(_buttons(gpio), gpio.lamp)
        return pins, pins.factory
    try:
        from gpiozero.pins.lgpio import LGPIOFactory  # noqa: PLC0415 - needs lgpio, which is on the board only

        return None, LGPIOFactory()
    except (ImportError, OSError) as error:
        raise ConfigError(f'hardware.gpio.factory: "lgpio" does not work here ({error})') from error


def _existing(key: str, path: str) -> str:
    if not Path(path).is_file():
        raise ConfigError(f"{key}: there is no file {path}")
    return path
