"""Colours and measures. Contrasts are against GROUND and follow WCAG: text >= 7:1, signs >= 3:1."""

from __future__ import annotations

Colour = tuple[int, int, int, int]
"""BGRA, straight alpha."""


def colour(rgb: str, alpha: float = 1.0) -> Colour:
    """ "#rrggbb" as BGRA."""
    value = int(rgb[1:], 16)
    return value & 255, value >> 8 & 255, value >> 16, round(alpha * 255)


CLEAR: Colour = (0, 0, 0, 0)
NIGHT: Colour = (0, 0, 0, 255)
GROUND = colour("#0d131c")
SURFACE = colour("#1b2533")
RAISED = colour("#2a384c")
LINE = colour("#43546d")
INK = colour("#f5f8fc")  # 17:1
MUTED = colour("#b6c2d4")  # 10:1
ACCENT = colour("#4fc3ff")  # 9:1; apart from the rest also for the colour-blind (blue, and lighter)
ON_ACCENT = colour("#06202f")
DANGER = colour("#c9302c")
ON_DANGER = colour("#ffffff")  # 5.4:1 on DANGER, and set in large type
GOOD = colour("#5be0a5")
ALERT = colour("#ffc857")
ON_ALERT = colour("#2b1d00")
VEIL = colour("#0d131c", 0.82)
"""Under words on the live picture."""

MARGIN = 24
GAP = 12
TOP_BAR = 60
BANNER = 56
BUTTON = 100  # 15 mm on a 7" panel of 1024x600
FOOT = 38
TITLE_PX = 50
LINE_PX = 32
SMALL_PX = 26
LABEL_PX = 33
RADIUS = 20


def scale_of(size: tuple[int, int]) -> float:
    """How many px one unit of the measures above is on a display of `size`: 1.0 on 1024x600."""
    long, short = max(size), min(size)
    return min(long / 1024, short / 600)


def contrast(a: Colour, b: Colour) -> float:
    """WCAG 2.2 contrast ratio of two opaque colours."""
    first, second = sorted((_luminance(a), _luminance(b)), reverse=True)
    return (first + 0.05) / (second + 0.05)


def _luminance(c: Colour) -> float:
    def linear(v: int) -> float:
        s = v / 255
        return s / 12.92 if s <= 0.04045 else float(((s + 0.055) / 1.055) ** 2.4)

    return 0.0722 * linear(c[0]) + 0.7152 * linear(c[1]) + 0.2126 * linear(c[2])
