"""The lamp: an LED on a pin, by gpiozero. On whenever the camera is."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

import gpiozero

from kiosk.errors import DeviceTrouble
from kiosk.hw.buttons import pin_errors
from kiosk.hw.ports import LampState

_BLINK_S = 0.7


class GpioLamp:
    """ports.Lamp. Dark when closed, whatever happened. `show` is called from the loop."""

    def __init__(self, pin: int, factory: Any) -> None:
        self._pin, self._factory = pin, factory
        self._shown: LampState = "idle"

    @property
    def shown(self) -> LampState:
        """idle while it is closed."""
        return self._shown

    async def __aenter__(self) -> Self:
        """Raises DeviceTrouble: the pin is taken or not there."""
        try:
            self._led = gpiozero.LED(self._pin, pin_factory=self._factory)
        except pin_errors() as error:
            raise DeviceTrouble(f"lamp: {error}") from error
        self._shown = "idle"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._led.off()
        self._led.close()
        self._shown = "idle"

    def show(self, state: LampState) -> None:
        if state == self._shown:
            return
        self._shown = state
        if state == "live":
            self._led.on()
        elif state == "waiting":
            self._led.blink(_BLINK_S, _BLINK_S)  # by a thread of gpiozero's, ended by the next on or off
        else:
            self._led.off()
