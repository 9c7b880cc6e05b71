"""Colours and measures. Contrasts follow WCAG: text >= 7:1 on whatever it stands on, signs >= 3:1."""

from __future__ import annotations

import math

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
DANGER = colour("#a61b1f")  # white on it: 7.7:1
ON_DANGER = colour("#ffffff")
GOOD = colour("#5be0a5")
ALERT = colour("#ffc857")
ON_ALERT = colour("#2b1d00")
VEIL = colour("#0d131c", 0.82)
"""Under words on the live picture."""

MARGIN = 24
GAP = 10
TOP_BAR = 55
TOP_BAR_UPRIGHT = 104
"""Two lines: an upright display has no room for device and network in one."""
BANNER = 50
BUTTON = 104
"""15 mm and a little more on a 7" panel, of 1024x600 as of 16:9: what a gloved finger hits (TOUCH_MM)."""
FOOT = 44
TITLE_PX = 56
LINE_PX = 36
TEXT_PX = 32
"""Of articles."""
SMALL_PX = 28
LABEL_PX = 34
NEAR_PX = 24
"""Labels under icons, read by whoever stands close enough to touch them."""
RADIUS = 20

TOUCH_MM = 15.0
SMALLEST_PANEL_INCHES = 7.0
FAR_M = 2.0
CAPITAL = 0.711
"""Height of a capital letter of Roboto, of its size."""


def px_per_mm(size: tuple[int, int], inches: float = SMALLEST_PANEL_INCHES) -> float:
    """Of a panel of that many pixels whose diagonal is so long."""
    return math.hypot(*size) / (inches * 25.4)


def seen_minutes(px: float, size: tuple[int, int], distance_m: float = FAR_M) -> float:
    """Minutes of arc that a capital letter of text of `px` spans on the smallest panel, seen from `distance_m`.

    A normal eye reads at 5' (20/20, ISO 8596); what says where one stands is meant to have twice that.
    """
    return math.degrees(px * CAPITAL / px_per_mm(size) / (distance_m * 1000)) * 60


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
