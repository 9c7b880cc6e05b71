"""A photograph as the display can show it."""

from __future__ import annotations

import cv2
import numpy as np

from kiosk.errors import DeviceTrouble
from kiosk.hw.ports import Picture, Still


def to_picture(still: Still, most_px: int = 1920) -> Picture:
    """The still as I420, at most `most_px` wide and with even sides. Blocks (20 ms and more): for a thread.

    Raises:
        DeviceTrouble: the camera gave something that is no JPEG.
    """
    bgr = cv2.imdecode(np.frombuffer(still.jpeg, np.uint8), cv2.IMREAD_COLOR)
    if bgr is None:
        raise DeviceTrouble("the camera's photograph cannot be read")
    scale = min(1.0, most_px / still.width)
    width, height = (int(side * scale) // 2 * 2 for side in (still.width, still.height))
    i420 = cv2.cvtColor(cv2.resize(bgr, (width, height), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2YUV_I420)
    flat = i420.astype(np.uint8, copy=False).reshape(-1)
    luma, chroma = width * height, width * height // 4
    return Picture(
        y=flat[:luma].reshape(height, width),
        u=flat[luma : luma + chroma].reshape(height // 2, width // 2),
        v=flat[luma + chroma :].reshape(height // 2, width // 2),
        captured_s=still.captured_s,
    )
