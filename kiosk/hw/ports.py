"""What the kiosk's parts see of the hardware. Adapters translate threads and errors; nothing else imports drivers.

Every adapter is a context of its own: made with its settings, opened by `async with`, and after that it works until it
raises DeviceTrouble or is closed. Simulated adapters (kiosk/hw/sim) pass the same contract tests.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Samples = NDArray[np.int16]

SAMPLE_RATE_HZ = 48_000
SAMPLES_PER_BLOCK = 960
"""20 ms of sound: one block, mono int16."""


class Device(Protocol):
    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


# --- button, lamp -----------------------------------------------------------------------------------------------------

ButtonName = Literal["camera_plus", "accept", "decline"]


@dataclass(frozen=True, slots=True)
class Press:
    """A button's story: `down` at once, then `short` when let go early or `long` when held (while still held)."""

    button: ButtonName
    phase: Literal["down", "short", "long", "up"]


class Buttons(Device, Protocol):
    """The kiosk's buttons (one at least: camera_plus)."""

    @property
    def trouble(self) -> str | None:
        """What is wrong with them while they work all the same, in words: one is stuck."""

    def presses(self) -> AsyncIterator[Press]: ...


LampState = Literal["idle", "waiting", "live"]


class Lamp(Device, Protocol):
    def show(self, state: LampState) -> None:
        """idle: off; waiting: slow blinking; live: on, whenever the camera is."""


# --- touch ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Touch:
    """A finger or the mouse on the display, in 0..1 of the display's picture."""

    phase: Literal["down", "move", "up"]
    x: float
    y: float
    finger: int = 0


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a keyboard, or of a scanner that types. at_s: monotonic seconds; the pace tells a scanner from a person.

    name: the one character it writes, or "enter", "erase", "escape", "next", "previous".
    """

    name: str
    at_s: float


class Touchscreen(Device, Protocol):
    """Everything that people do at the display: fingers, the mouse, keys. Each may be iterated once per opening."""

    def touches(self) -> AsyncIterator[Touch]: ...

    def keys(self) -> AsyncIterator[Key]: ...


# --- camera -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Picture:
    """An I420 picture and when it was taken.

    y: (H, W) uint8; u, v: (H/2, W/2) uint8, full planes of one frame, never written to again.
    captured_s: monotonic seconds (time.monotonic), the frame's identity.
    """

    y: Pixels
    u: Pixels
    v: Pixels
    captured_s: float

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in px."""
        return self.y.shape[1], self.y.shape[0]


@dataclass(frozen=True, slots=True)
class Encoding:
    """What an encoder is asked for: size in px (both even), pictures and bits a second."""

    width: int
    height: int
    fps: int
    bps: int


@dataclass(frozen=True, slots=True)
class AccessUnit:
    """One encoded frame: H.264 Annex B, constrained baseline; SPS and PPS stand before each keyframe.

    size: (width, height) in px; it may be another one from a keyframe on. (0, 0): the encoder does not say.
    """

    data: bytes
    captured_s: float
    keyframe: bool
    size: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Still:
    """A full-resolution photograph as JPEG."""

    jpeg: bytes
    width: int
    height: int
    captured_s: float


class Camera(Device, Protocol):
    """The camera with its one encoder. Open = it sees; it is opened for a running call only, and closed with it.

    `packets` and `pictures` may be iterated once each per opening; both end when the camera is closed and raise
    DeviceTrouble when it is lost. A camera that comes back by itself goes on in the same iteration.
    """

    def packets(self) -> AsyncIterator[AccessUnit]:
        """Every encoded frame in order. Bounded: one who reads too slowly loses frames up to the next keyframe."""

    def pictures(self) -> AsyncIterator[Picture]:
        """The newest frame as it was before encoding, for display and tracker. Slow readers skip frames."""

    def request_keyframe(self) -> None:
        """The next encoded frame shall be a keyframe. From the loop; cheap to repeat."""

    def set_bitrate(self, bps: int) -> None:
        """What the encoder shall aim at from now on."""

    def set_encoding(self, encoding: Encoding) -> None:
        """The same with size and rate of pictures: a request, taken up at the next picture, with a keyframe where the
        size changes. Nothing larger or faster than the camera is ever made; hardware may round, or keep its size:
        what it is in the end, each access unit says. `pictures` stay as they are. From the loop; cheap to repeat; it
        holds over closing and opening, until the next one."""

    async def sharp(self, bits: int) -> AccessUnit:
        """The newest picture as a keyframe that stands alone, apart from the stream, in about so many bits at most:
        for those whose link carries no video. Raises DeviceTrouble."""

    async def still(self) -> Still:
        """A photograph in the camera's full resolution, without stopping the video. Raises DeviceTrouble."""


# --- sound ------------------------------------------------------------------------------------------------------------


class Microphone(Device, Protocol):
    """Opened for a running call only. `blocks` raises DeviceTrouble when it is lost: then it is to be opened anew."""

    def blocks(self) -> AsyncIterator[Samples]:
        """(960,) int16 mono at 48 kHz, one each 20 ms of real time; slow readers lose the oldest."""


class Speaker(Device, Protocol):
    def play(self, block: Samples) -> None:
        """Queues (960,) int16 mono at 48 kHz; never blocks; at most 200 ms wait, then the oldest is dropped."""

    async def lost(self) -> None:
        """Until it is closed. Raises DeviceTrouble when it is lost: then it is to be closed and opened anew."""


# --- display ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rect:
    """In px of the display, origin top left."""

    x: int
    y: int
    w: int
    h: int


@dataclass(frozen=True, slots=True)
class Layer:
    """A picture shown in `rect`, mirrored horizontally where it is the staff's own camera shown as in a mirror."""

    picture: Picture
    rect: Rect
    mirrored: bool = False


class Display(Device, Protocol):
    """`present` and `power` are used by the one painting thread; the rest by the loop."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in px; fixed while open. Opened anew it may be another one."""

    async def lost(self) -> None:
        """Until it is closed. Raises DeviceTrouble when the display was pulled out or switched off, or when another one
        is there: then it is to be closed and opened anew, which raises DeviceTrouble as long as there is none."""

    def power(self, on: bool) -> None:
        """Lights the panel, or lets it sleep, where it can be switched; where not, it goes on showing black. Never
        raises: a panel that does not sleep is no trouble."""

    def present(self, layers: tuple[Layer, ...], overlay: Pixels, changed: tuple[Rect, ...]) -> None:
        """Shows `layers` from bottom to top and `overlay` over them.

        overlay: (H, W, 4) uint8 BGRA with straight alpha, of the display's size; only the `changed` parts are
        uploaded anew. Raises DeviceTrouble.
        """
