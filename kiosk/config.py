"""The kiosk's settings: one TOML file, strictly read. What is wrong is said with file and key."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct

from kiosk import settings
from kiosk.session.provider import Provider
from kiosk.session.record import Device, Id

Port = Annotated[int, Meta(ge=1, le=65535)]


class _Section(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


class Broker(_Section, frozen=True, kw_only=True):
    """The kiosk signs in with its id as user name and client id. Secrets stand in files, never here."""

    host: str = "127.0.0.1"
    port: Port = 1883
    password_file: str = ""
    ca_file: str = ""  # given: TLS
    certificate_file: str = ""
    key_file: str = ""
    keepalive_s: Annotated[int, Meta(ge=2, le=300)] = 30


class Gpio(_Section, frozen=True, kw_only=True):
    """BCM numbers. Buttons pull to ground. `factory` is "lgpio" on a Pi and "mock" for the simulated kiosk."""

    factory: Literal["lgpio", "mock"] = "lgpio"
    camera_plus: int = 17
    accept: int | None = None
    decline: int | None = None
    lamp: int = 27
    long_press_s: Annotated[float, Meta(gt=0.2, lt=5)] = 0.8


class Hardware(_Section, frozen=True, kw_only=True):
    """Each part by name; nothing is simulated unless it says so here.

    camera: "scene" (simulated), "file:PATH", "v4l2:/dev/videoN", "picamera2"
    microphone: "tone" (simulated), "file:PATH", "alsa:DEVICE", "none"
    speaker: "meter" (simulated), "alsa:DEVICE", "none"
    display: "memory:WIDTHxHEIGHT" (simulated), "window:WIDTHxHEIGHT", "kmsdrm"
    """

    camera: str = "picamera2"
    microphone: str = "alsa:default"
    speaker: str = "alsa:default"
    speaker_volume: Annotated[float, Meta(ge=0, le=1)] = 1.0
    """Of what the device gives at full, by amplitude: 0.5 is 6 dB quieter."""
    display: str = "kmsdrm"
    sleep_s: Annotated[float, Meta(ge=0)] = 600.0
    """A display at which nobody does anything for so long goes dark; 0: never."""
    keyboard: Literal["de", "en"] = "de"
    """Which letters the keys of a keyboard or scanner stand for, where nobody else knows (kmsdrm)."""
    touch: bool = True
    """Whether the display takes touches; without, nothing can be typed, and steps that need it are left out."""
    gpio: Gpio = Gpio()
    panel_port: Annotated[int, Meta(ge=0, le=65535)] = 0
    """Where the simulated kiosk's front is served (loopback only); 0: nowhere."""


class CallSettings(_Section, frozen=True, kw_only=True):
    width: int = 1280
    height: int = 720
    fps: Annotated[int, Meta(ge=5, le=60)] = 30
    bitrate_max_bps: int = 2_500_000
    bitrate_min_bps: int = 200_000
    stun: str = ""  # "stun:host:port"
    turn: str = ""  # "turn:host:port?transport=tcp"
    turn_user: str = ""
    turn_password_file: str = ""
    turn_ca_file: str = ""
    """Who vouches for TURN servers over TLS; left out: the authorities that the system knows."""
    relay_only: bool = False
    """Nothing but relayed ways: nobody learns the kiosk's addresses, and no other way through its network is tried."""
    loopback: bool = False
    """Also offer 127.0.0.1 as an address: for a kiosk and a browser on one machine."""
    lost_s: Annotated[float, Meta(gt=0)] = 90.0
    """A call without any participant for so long is over."""
    fade_s: Annotated[float, Meta(ge=0.5, le=60)] = 4.0
    echo: Literal["pipewire", "duck", "none"] = "pipewire"
    """Who keeps staff from hearing themselves: PipeWire's canceller, as the image sets it up; our half-duplex ducking,
    which says so; or nobody (headset, simulated sound)."""


class UploadSettings(_Section, frozen=True, kw_only=True):
    call_bps: Annotated[int, Meta(ge=10_000)] = 500_000
    """So much of the line (bits per second) may uploads take while a call runs."""


class Config(_Section, frozen=True, kw_only=True):
    id: Id
    device: Device
    data: str = "/var/lib/kiosk"
    desk_url: str = ""
    clock_ok: bool = True
    clock_sign: str = ""
    """A file that is there as soon as the wall clock is right; empty: nobody says, and `clock_ok` counts."""
    update_sign: str = ""
    """A file that is there while the software is being updated; empty: nobody says."""
    broker: Broker = Broker()
    hardware: Hardware = Hardware()
    call: CallSettings = CallSettings()
    upload: UploadSettings = UploadSettings()
    provider: Provider = Provider()

    @property
    def data_folder(self) -> Path:
        return Path(self.data)


def load(path: Path) -> Config:
    """Raises ConfigError, which names file and key."""
    return settings.load(path, Config)
