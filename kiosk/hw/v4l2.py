"""What Video4Linux lets one ask beside FFmpeg: whether a picture is there, and which cameras are."""

from __future__ import annotations

import contextlib
import os
import select
from pathlib import Path

_BY_ID = Path("/dev/v4l/by-id")
_OPENED = Path("/proc/self/fd")


def descriptor(device: str) -> int | None:
    """Of the device that FFmpeg has just opened and does not name: its read waits for good where a camera hangs."""
    real = os.path.realpath(device)
    with contextlib.suppress(OSError):
        return max((int(link.name) for link in _OPENED.iterdir() if _leads_to(link, real)), default=None)
    return None


def readable(descriptor: int, limit_s: float) -> bool:
    """Waits until a picture is there, or an error that reading will raise. False: neither in time."""
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN | select.POLLPRI)
    return bool(waiting.poll(limit_s * 1000))


def others() -> str:
    """Cameras that are there, in words, by names that stay the same wherever they are plugged in."""
    found = sorted(str(path) for path in _BY_ID.glob("*-video-index0"))
    return f" (there are: {', '.join(found)})" if found else ""


def _leads_to(link: Path, real: str) -> bool:
    with contextlib.suppress(OSError):  # the folder's own, gone by now
        return str(link.readlink()) == real
    return False
