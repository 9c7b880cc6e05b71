"""Which frame is this, and when was it taken? A code in the bottom left corner of each simulated frame. PURE.

Layout, so that any program can read it (tests/whole/corner_code.js does):

- The picture is divided into cells of width/80 x height/45 (16 x 16 px at 720p). The code is 14 cells wide and 4 high
  and stands flush in the bottom left corner: its cells are the columns 0..13 and the rows 41..44 of that division.
- Column 0 is the left finder, from top to bottom white, black, white, black; column 13 the right finder, from top to
  bottom black, white, black, white. They tell that a code is there, and what white and black are here: the middle
  between the darkest white and the lightest black finder cell is the threshold.
- Columns 1..12 hold 48 bits, row by row from the top, left to right, the highest bit first; white is 1:
  16 bits frame number (modulo 2^16), 24 bits wall clock at capture in ms (Unix time modulo 2^24, 4.66 h),
  8 bits CRC-8 of those five bytes (polynomial 0x07, start 0x00, nothing reflected).

White is Y = 235 and black Y = 16 (limited range). A reader takes the mean of each cell's middle half.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kiosk.hw.ports import Pixels

GRID_COLUMNS, GRID_ROWS = 80, 45
CODE_COLUMNS, CODE_ROWS = 14, 4
NUMBER_MODULO = 1 << 16
TIME_MODULO_MS = 1 << 24

_WHITE, _BLACK = 235, 16
_LEFT = np.array([1, 0, 1, 0], np.uint8)
_RIGHT = np.array([0, 1, 0, 1], np.uint8)
_LEAST_CONTRAST = 60
"""Grey levels between white and black; a finder below that is chance."""


def draw(y_plane: Pixels, number: int, time_ms: int) -> None:
    """Writes the code into `y_plane` ((H, W) uint8, W a multiple of 80 and H of 45 for sharp cells)."""
    height, width = y_plane.shape
    rows, columns = _edges(height, GRID_ROWS), _edges(width, GRID_COLUMNS)
    for r, line in enumerate(_cells(number, time_ms)):
        top, bottom = rows[GRID_ROWS - CODE_ROWS + r], rows[GRID_ROWS - CODE_ROWS + r + 1]
        for c, bit in enumerate(line):
            y_plane[top:bottom, columns[c] : columns[c + 1]] = _WHITE if bit else _BLACK


def read(gray: Pixels) -> tuple[int, int] | None:
    """(frame number, ms) of the code in a grey picture of any size ((H, W) uint8); None where there is none."""
    means = _means(gray)
    left, right = means[:, 0], means[:, -1]
    whites = np.concatenate([left[_LEFT == 1], right[_RIGHT == 1]])
    blacks = np.concatenate([left[_LEFT == 0], right[_RIGHT == 0]])
    if whites.min() - blacks.max() < _LEAST_CONTRAST:
        return None
    bits = (means[:, 1:-1] > (whites.min() + blacks.max()) / 2).astype(np.uint8)
    data = np.packbits(bits.ravel()).tobytes()
    if crc8(data[:5]) != data[5]:
        return None
    return int.from_bytes(data[:2], "big"), int.from_bytes(data[2:5], "big")


def crc8(data: bytes) -> int:
    value = 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value << 1) ^ (0x107 if value & 0x80 else 0)
    return value


def _cells(number: int, time_ms: int) -> Pixels:
    """(4, 14) of 0 and 1."""
    data = (number % NUMBER_MODULO).to_bytes(2, "big") + (time_ms % TIME_MODULO_MS).to_bytes(3, "big")
    bits = np.unpackbits(np.frombuffer(data + bytes([crc8(data)]), np.uint8)).reshape(CODE_ROWS, -1)
    return np.column_stack([_LEFT, bits, _RIGHT])


def _means(gray: Pixels) -> NDArray[np.float64]:
    """(4, 14): the mean of each cell's middle half, in grey levels."""
    height, width = gray.shape
    cell_w, cell_h = width / GRID_COLUMNS, height / GRID_ROWS
    means = np.empty((CODE_ROWS, CODE_COLUMNS))
    for r in range(CODE_ROWS):
        top = height - (CODE_ROWS - r) * cell_h
        lines = slice(int(top + cell_h / 4), max(int(top + cell_h / 4) + 1, int(top + cell_h * 3 / 4)))
        for c in range(CODE_COLUMNS):
            start = int(c * cell_w + cell_w / 4)
            means[r, c] = gray[lines, start : max(start + 1, int((c + 0.75) * cell_w))].mean()
    return means


def _edges(length_px: int, parts: int) -> list[int]:
    return [round(i * length_px / parts) for i in range(parts + 1)]
