"""What all senders film: the moving scene, rendered once, played from memory, each frame with its number and time.

Frames lie one after the other as I420 in a file under build/, which every sender maps or reads, so that a source costs
all of them the same: a copy of the frame and 14 kB of corner code. The film runs forth and back, without a jump.

Only the standard library here: GStreamer's sender runs in the system's Python. The corner code is laid out in
kiosk/hw/sim/corner_code.py.
"""

from __future__ import annotations

import mmap
import time
from pathlib import Path

WIDTH, HEIGHT, FPS = 1280, 720, 30
PERIOD_S = 1.001 / FPS
"""29.97 frames a second, as many cameras: else the phase between camera and screen (60 Hz) would be an accident that
lasts for the whole run, and worth up to 16 ms."""
FRAMES = 240
FRAME_BYTES = WIDTH * HEIGHT * 3 // 2
PATH = Path(__file__).parents[1] / "build" / f"film-{WIDTH}x{HEIGHT}-{FRAMES}.i420"

CELL_PX = WIDTH // 80
CODE_WIDTH_PX = 14 * CELL_PX
CODE_ROWS = 4


def index(number: int) -> int:
    """Which of the film's frames is played as frame `number`: 0, 1, … last, … 1, 0, 1 …"""
    at = number % (2 * FRAMES - 2)
    return at if at < FRAMES else 2 * FRAMES - 2 - at


class Film:
    """The film as it is played. `frame` from any thread."""

    def __init__(self, path: Path = PATH) -> None:
        """Raises FileNotFoundError: it has not been rendered (benchmarks/film_studio.py)."""
        with path.open("rb") as file:
            self._frames = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))

    def frame(self, number: int) -> bytearray:
        """A copy of frame `number`, stamped with it and with the time now."""
        at = index(number) * FRAME_BYTES
        copy = bytearray(self._frames[at : at + FRAME_BYTES])
        stamp(copy, number, int(time.time() * 1000))
        return copy


def stamp(frame: bytearray, number: int, time_ms: int) -> None:
    """Writes the corner code into the Y plane that `frame` begins with."""
    data = (number % 2**16).to_bytes(2, "big") + (time_ms % 2**24).to_bytes(3, "big")
    bits = f"{int.from_bytes(data + bytes([crc8(data)]), 'big'):048b}"
    for row in range(CODE_ROWS):
        finders = "10" if row % 2 == 0 else "01"
        cells = finders[0] + bits[12 * row : 12 * row + 12] + finders[1]
        line = b"".join((b"\xeb" if cell == "1" else b"\x10") * CELL_PX for cell in cells)
        top = HEIGHT - (CODE_ROWS - row) * CELL_PX
        for y in range(top, top + CELL_PX):
            frame[y * WIDTH : y * WIDTH + CODE_WIDTH_PX] = line


def crc8(data: bytes) -> int:
    value = 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value << 1) ^ (0x107 if value & 0x80 else 0)
    return value
