"""The simulated kiosk's wiring: gpiozero's mock pins, pressed by somebody else than a finger."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gpiozero.pins.mock import MockFactory

from kiosk.errors import Refused
from kiosk.hw.ports import ButtonName

_BOUNCES = 3


class SimPins:
    """Drives the pins that GpioButtons reads and reads the one that GpioLamp drives. From the loop or any thread.

    A contact bounces: each press and release reaches the pin as several edges, as with a real switch.
    """

    def __init__(self, buttons: Mapping[ButtonName, int], lamp: int) -> None:
        self.factory: Any = MockFactory()
        self._buttons, self._lamp = dict(buttons), lamp

    @property
    def names(self) -> tuple[ButtonName, ...]:
        """The buttons that are there."""
        return tuple(self._buttons)

    def press(self, name: ButtonName) -> None:
        """Closes the contact to ground. Raises Refused: there is no such button."""
        pin = self._pin(name)
        self._bounce(pin.drive_low, pin.drive_high)

    def release(self, name: ButtonName) -> None:
        """Raises Refused: there is no such button."""
        pin = self._pin(name)
        self._bounce(pin.drive_high, pin.drive_low)

    def lamp_on(self) -> bool:
        return bool(self.factory.pin(self._lamp).state)

    def _pin(self, name: ButtonName) -> Any:
        if name not in self._buttons:
            raise Refused(f"no button {name} here")
        return self.factory.pin(self._buttons[name])

    def _bounce(self, there: Callable[[], None], back: Callable[[], None]) -> None:
        for _ in range(_BOUNCES):
            there()
            back()
        there()
