"""Which display is attached, by the kernel's own word (sysfs), and its panel's switch (DPMS, through libdrm)."""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

DRM = Path("/sys/class/drm")

_CONNECTOR = 0xC0C0C0C0  # DRM_MODE_OBJECT_CONNECTOR (drm_mode.h)
_DPMS_ON, _DPMS_OFF = 0, 3


@dataclass(frozen=True, slots=True)
class Screen:
    """A display at its connector. modes: as the kernel lists them, its own first, like "1920x1080".

    number: the kernel's of the connector; 0 where it does not tell (before Linux 6.0).
    """

    card: int
    connector: str
    modes: tuple[str, ...] = ()
    number: int = 0


def attached(drm: Path = DRM) -> Screen | None:
    """The display that is used: the first one of the card with the lowest number. None: nothing is attached.

    Cards change their numbers from boot to boot, and on a Pi one of them has no connectors at all.
    """
    return min(_connected(drm), key=lambda s: (s.card, s.connector), default=None)


def _connected(drm: Path) -> Iterator[Screen]:
    for folder in drm.glob("card*-*"):
        card, _, connector = folder.name.removeprefix("card").partition("-")
        if not card.isdigit() or not _is_connected(folder):
            continue
        modes = tuple(_read(folder / "modes").split())
        if not _is_connected(folder):  # of one that is just being pulled out the modes are gone before its status is
            continue
        number = _read(folder / "connector_id")
        yield Screen(int(card), connector, modes, int(number) if number.isdigit() else 0)


def _is_connected(folder: Path) -> bool:
    return _read(folder / "status") == "connected"


def _read(path: Path) -> str:
    with suppress(OSError):  # it is being pulled out just now
        return path.read_text().strip()
    return ""


# --- the panel's switch -----------------------------------------------------------------------------------------------


class _Properties(ctypes.Structure):
    """drmModeObjectProperties (xf86drmMode.h)."""

    _fields_ = (
        ("count", ctypes.c_uint32),
        ("ids", ctypes.POINTER(ctypes.c_uint32)),
        ("values", ctypes.POINTER(ctypes.c_uint64)),
    )


class _Property(ctypes.Structure):
    """The beginning of drmModePropertyRes."""

    _fields_ = (("id", ctypes.c_uint32), ("flags", ctypes.c_uint32), ("name", ctypes.c_char * 32))


def switch(fd: int, connector: int, on: bool) -> bool:
    """Lights a connector's panel, or lets it sleep; `fd` is the DRM master's. False: it cannot be switched."""
    try:
        lib = _libdrm()
        dpms = _property(lib, fd, connector, b"DPMS")
        value = ctypes.c_uint64(_DPMS_ON if on else _DPMS_OFF)
        return dpms != 0 and lib.drmModeConnectorSetProperty(fd, connector, dpms, value) == 0
    except OSError as error:  # there is no libdrm
        log.info("the panel cannot be switched: %s", error)
        return False


def _libdrm() -> Any:
    lib = ctypes.CDLL("libdrm.so.2", use_errno=True)
    lib.drmModeObjectGetProperties.restype = ctypes.POINTER(_Properties)
    lib.drmModeGetProperty.restype = ctypes.POINTER(_Property)
    lib.drmModeFreeObjectProperties.argtypes = [ctypes.POINTER(_Properties)]
    lib.drmModeFreeProperty.argtypes = [ctypes.POINTER(_Property)]
    return lib


def _property(lib: Any, fd: int, connector: int, name: bytes) -> int:
    """The number of a connector's property; 0 where it has none of that name."""
    listed = lib.drmModeObjectGetProperties(fd, connector, ctypes.c_uint32(_CONNECTOR))
    if not listed:
        return 0
    found = 0
    for i in range(listed.contents.count):
        told = lib.drmModeGetProperty(fd, listed.contents.ids[i])
        if told:
            found = int(told.contents.id) if told.contents.name == name else found
            lib.drmModeFreeProperty(told)
    lib.drmModeFreeObjectProperties(listed)
    return found
