"""The emulated board's wiring: lines of the kernel's gpio-sim, read by the real gpiozero through lgpio."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from gpiozero.pins.lgpio import LGPIOFactory

from kiosk.errors import Refused
from kiosk.hw.ports import ButtonName

_BOUNCES = 10
_BOUNCE_S = 0.002


@cache
def _chip() -> Any:
    """One for the whole run: an edge that comes after a chip was closed ends lgpio's only thread."""
    return LGPIOFactory(chip=0)


class GpioSimPins:
    """As kiosk.hw.sim.pins.SimPins, on a real gpiochip. sysfs: the folder of gpio-sim's bank."""

    def __init__(self, sysfs: Path, buttons: Mapping[ButtonName, int], lamp: int) -> None:
        self.factory = _chip()
        self._sysfs, self._buttons, self._lamp = sysfs, dict(buttons), lamp
        for name in self._buttons:
            self._open(name)

    @property
    def names(self) -> tuple[ButtonName, ...]:
        return tuple(self._buttons)

    def press(self, name: ButtonName) -> None:
        self._bounce(lambda: self._close(name), lambda: self._open(name))

    def release(self, name: ButtonName) -> None:
        self._bounce(lambda: self._open(name), lambda: self._close(name))

    def lamp_on(self) -> bool:
        return self._line(self._lamp, "value").read_text().strip() == "1"

    def _close(self, name: ButtonName) -> None:
        self._pull(name, "pull-down")

    def _open(self, name: ButtonName) -> None:
        self._pull(name, "pull-up")

    def _pull(self, name: ButtonName, how: str) -> None:
        if name not in self._buttons:
            raise Refused(f"no button {name} here")
        self._line(self._buttons[name], "pull").write_text(how)

    def _line(self, pin: int, what: str) -> Path:
        return self._sysfs / f"sim_gpio{pin}" / what

    def _bounce(self, there: Callable[[], None], back: Callable[[], None]) -> None:
        for _ in range(_BOUNCES):
            there()
            time.sleep(_BOUNCE_S)
            back()
            time.sleep(_BOUNCE_S)
        there()
