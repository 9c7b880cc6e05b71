"""The buttons: gpiozero pins in, a press's story out.

gpiozero calls from threads, which note what moved when; one task of the loop reads that, and then the level at the pin,
which counts in the end, so that a lost or doubled edge does no harm. A press that began and ended while the loop was
busy is told all the same. Debouncing is done here and not by the pin factory, so that the simulated kiosk and the Pi
run the same code.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Self

import gpiozero

from kiosk.errors import DeviceTrouble
from kiosk.hw.device import Stream
from kiosk.hw.ports import ButtonName, Press
from kiosk.mailbox import Queue

log = logging.getLogger(__name__)

Phase = Literal["down", "short", "long", "up"]

DEBOUNCE_S = 0.02
"""A level counts once it has stood so long: contacts bounce for a few ms, and motors spark into long wires."""

STUCK_S = 30.0
_WAITING = 64
_FOREVER_S = 3600.0


@dataclass(slots=True)
class ButtonStory:
    """PURE: levels with their times in, phases out. `down`, then `short` or `long`, and `up` at the end of each.

    A button that is held when the kiosk starts tells nothing until it was let go once.
    """

    long_s: float
    debounce_s: float = DEBOUNCE_S
    stuck_s: float = STUCK_S
    stuck: bool = False
    _level: bool = False
    """The level that counts, since `_since_s`; `_seen` is the level at the pin, since `_seen_s`."""
    _since_s: float = 0.0
    _seen: bool = False
    _seen_s: float = 0.0
    _told_long: bool = False
    _asleep: bool = False

    def begin(self, pressed: bool, now_s: float) -> None:
        self._level = self._seen = self._asleep = pressed
        self._since_s = self._seen_s = now_s

    def at(self, pressed: bool, now_s: float) -> list[Phase]:
        """What has come about by `now_s`, the pin being `pressed`; call it after each edge and at `due_s`."""
        if pressed != self._seen:
            self._seen, self._seen_s = pressed, now_s
        if self._seen != self._level and now_s >= self._seen_s + self.debounce_s:
            return self._turn(self._seen_s + self.debounce_s)
        return self._hold(now_s)

    def edge(self, pressed: bool, at_s: float) -> list[Phase]:
        """The pin moved to `pressed` at `at_s`, perhaps a while ago: what came about until then. From then on what is
        seen must stand anew, also where it reads as before by now."""
        phases = [*self.at(self._seen, at_s), *self.at(self._seen, at_s)]  # pressed, and by then held for long
        self._seen, self._seen_s = pressed, at_s
        return phases

    @property
    def due_s(self) -> float | None:
        """When `at` has something to say without an edge."""
        if self._seen != self._level:
            return self._seen_s + self.debounce_s
        if not self._level or self.stuck:
            return None
        if self._told_long or self._asleep:
            return self._since_s + self.stuck_s
        return self._since_s + self.long_s

    def _turn(self, at_s: float) -> list[Phase]:
        self._level, self._since_s, self.stuck = self._seen, at_s, False
        asleep, self._asleep = self._asleep, self._asleep and self._level
        if self._level:
            self._told_long = False
            return ["down"]
        if asleep:
            return []
        return ["up"] if self._told_long else ["short", "up"]

    def _hold(self, now_s: float) -> list[Phase]:
        if not self._level:
            return []
        held_s = now_s - self._since_s
        self.stuck = held_s >= self.stuck_s
        if held_s >= self.long_s and not self._told_long and not self._asleep:
            self._told_long = True
            return ["long"]
        return []


def pin_errors() -> tuple[type[Exception], ...]:
    """What a pin that cannot be had raises: gpiozero hands on what lgpio says of other programs' pins as it is."""
    lgpio = sys.modules.get("lgpio")
    return (gpiozero.GPIOZeroError, *((lgpio.error,) if lgpio else ()))


class GpioButtons:
    """ports.Buttons on pins that pull to ground, by gpiozero's `factory` (lgpio on a Pi, mock for the simulated one).

    pins: BCM number of each button.
    """

    def __init__(
        self,
        pins: Mapping[ButtonName, int],
        factory: Any,
        long_press_s: float,
        *,
        debounce_s: float = DEBOUNCE_S,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pins, self._factory, self._now = dict(pins), factory, now
        self._long_press_s, self._debounce_s = long_press_s, debounce_s
        self._devices: dict[ButtonName, gpiozero.DigitalInputDevice] = {}
        self._stories: dict[ButtonName, ButtonStory] = {}

    @property
    def trouble(self) -> str | None:
        """A button that is held for half a minute or longer, in words."""
        stuck = [name for name, story in self._stories.items() if story.stuck]
        return f"button stuck: {', '.join(stuck)}" if stuck else None

    async def __aenter__(self) -> Self:
        """Raises DeviceTrouble: a pin is taken or not there."""
        self._presses: Queue[Press | DeviceTrouble] = Queue(_WAITING)
        self._edges: Queue[tuple[ButtonName, bool, float]] = Queue(_WAITING)
        now = self._now()
        try:
            for name, pin in self._pins.items():
                device = self._devices[name] = self._device(name, pin)
                story = self._stories[name] = ButtonStory(self._long_press_s, self._debounce_s)
                story.begin(bool(device.value), now)
        except pin_errors() as error:
            self._release()
            raise DeviceTrouble(f"buttons: {error}") from error
        self._task = asyncio.create_task(self._follow(), name="buttons")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._release()
        self._presses.close()

    def presses(self) -> AsyncIterator[Press]:
        return Stream(self._presses)

    def _device(self, name: ButtonName, pin: int) -> gpiozero.DigitalInputDevice:
        def pressed() -> None:  # both from gpiozero's threads
            self._edges.put((name, True, self._now()))

        def released() -> None:
            self._edges.put((name, False, self._now()))

        device = gpiozero.DigitalInputDevice(pin, pull_up=True, pin_factory=self._factory)
        device.when_activated, device.when_deactivated = pressed, released
        return device

    def _release(self) -> None:
        for device in self._devices.values():
            device.close()
        self._devices.clear()

    async def _follow(self) -> None:
        while True:
            now = self._now()
            for name, story in self._stories.items():
                self._look(name, story, now)
            await self._edge_or_due(now)

    def _look(self, name: ButtonName, story: ButtonStory, now: float) -> None:
        was_stuck = story.stuck
        self._tell(name, story.at(bool(self._devices[name].value), now))
        if story.stuck and not was_stuck:
            log.warning("button %s is stuck: held for %.0f s", name, story.stuck_s)
        elif was_stuck and not story.stuck:
            log.warning("button %s is free again", name)

    async def _edge_or_due(self, now: float) -> None:
        due = [story.due_s for story in self._stories.values() if story.due_s is not None]
        wait_s = max(0.0, min(due, default=now + _FOREVER_S) - now)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                self._moved(*await self._edges.get())
        while self._edges:  # before the level is read, which may be a later one
            self._moved(*await self._edges.get())

    def _moved(self, name: ButtonName, pressed: bool, at_s: float) -> None:
        self._tell(name, self._stories[name].edge(pressed, at_s))

    def _tell(self, name: ButtonName, phases: list[Phase]) -> None:
        for phase in phases:
            self._presses.put(Press(name, phase))
