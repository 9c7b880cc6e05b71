"""Text as anti-aliased masks, by Pillow with Roboto; measured, wrapped and cached."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import font_roboto
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from kiosk.hw.ports import Pixels

Weight = Literal["regular", "medium", "bold"]

_FILES: dict[Weight, str] = {
    "regular": font_roboto.Roboto,
    "medium": font_roboto.RobotoMedium,
    "bold": font_roboto.RobotoBold,
}


@lru_cache(64)
def _font(weight: Weight, px: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(_FILES[weight], px)


@lru_cache(4096)
def width_of(text: str, weight: Weight, px: int) -> int:
    """In px."""
    return round(_font(weight, px).getlength(text) + 0.5)


@lru_cache(64)
def line_height(weight: Weight, px: int) -> int:
    """From the top of the tallest letter to the bottom of the deepest one."""
    ascent, descent = _font(weight, px).getmetrics()
    return int(ascent + descent)


@lru_cache(512)
def mask(text: str, weight: Weight, px: int) -> Pixels:
    """(line_height, width) uint8 coverage; read only."""
    font = _font(weight, px)
    picture = Image.new("L", (max(1, width_of(text, weight, px)), line_height(weight, px)))
    ImageDraw.Draw(picture).text((0, font.getmetrics()[0]), text, fill=255, font=font, anchor="ls")
    pixels = np.asarray(picture, dtype=np.uint8)
    pixels.flags.writeable = False
    return pixels


@lru_cache(1024)
def wrap(text: str, weight: Weight, px: int, width: int) -> tuple[str, ...]:
    """`text` in lines of at most `width` px; a word that is longer than a line is cut."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for word in filter(None, paragraph.split(" ")):  # a no-break space is none
            longer = f"{line} {word}" if line else word
            if width_of(longer, weight, px) <= width:
                line = longer
                continue
            if line:
                lines.append(line)
            line = clip(word, weight, px, width)
        lines.append(line)
    return tuple(lines)


@lru_cache(1024)
def clip(text: str, weight: Weight, px: int, width: int) -> str:
    """`text`, ended by an ellipsis where it is wider than `width` px."""
    if width_of(text, weight, px) <= width:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if width_of(text[:middle].rstrip() + "…", weight, px) <= width:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip() + "…"


@lru_cache(1024)
def shaped(text: str, weight: Weight, px: int, width: int, lines: int = 1) -> tuple[int, tuple[str, ...]]:
    """The largest size up to `px` (down to 70 % of it) at which `text` fits into `lines` of `width` px, and its lines.

    Words are not cut as long as a smaller size avoids it; what does not fit at the smallest is ended by an ellipsis.
    """
    smallest = round(px * 0.7)
    for size in range(px, smallest - 1, -1):
        widest = max((width_of(word, weight, size) for word in text.split()), default=0)
        wrapped = wrap(text, weight, size, width)
        if widest <= width and len(wrapped) <= lines:
            return size, wrapped
    wrapped = wrap(text, weight, smallest, width)
    if len(wrapped) > lines:
        rest = " ".join(wrapped[lines - 1 :])
        wrapped = (*wrapped[: lines - 1], clip(rest, weight, smallest, width))
    return smallest, wrapped
