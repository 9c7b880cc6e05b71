"""Buttons and lamp: the classes of the Pi on gpiozero's mock pins, and a press's story on a clock of our own.

In the emulated machine (tests/appliance) the same tests run on a real gpiochip: KIOSK_GPIO_SIM names its folder there.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from kiosk.errors import DeviceTrouble, Refused
from kiosk.hw.buttons import DEBOUNCE_S, STUCK_S, ButtonStory, GpioButtons
from kiosk.hw.lamp import GpioLamp
from kiosk.hw.ports import ButtonName, Press
from kiosk.hw.sim.pins import SimPins

BOARD = os.environ.get("KIOSK_GPIO_SIM", "")
LONG_S = 5.0 if BOARD else 0.25
"""An emulated machine takes its time to press a button."""

SETTLED_S = 0.25 if BOARD else DEBOUNCE_S
"""There a bounce may last longer than contacts ever do."""

STORY_LONG_S = 0.25
PINS: dict[ButtonName, int] = {"camera_plus": 17, "accept": 22}


class Pins(Protocol):
    """A board's wiring, with contacts that bounce."""

    factory: Any

    @property
    def names(self) -> tuple[ButtonName, ...]: ...
    def press(self, name: ButtonName) -> None: ...
    def release(self, name: ButtonName) -> None: ...
    def lamp_on(self) -> bool: ...


@pytest.fixture
def pins() -> Pins:
    if not BOARD:
        return SimPins(PINS, 27)
    from tests.contract.gpio_sim import GpioSimPins  # needs lgpio

    return GpioSimPins(Path(BOARD), PINS, 27)


@pytest.fixture
async def buttons(pins: Pins) -> AsyncIterator[GpioButtons]:
    async with GpioButtons(PINS, pins.factory, LONG_S, debounce_s=SETTLED_S) as opened:
        yield opened


async def test_a_short_press_tells_its_story_in_spite_of_bounces(pins: Pins, buttons: GpioButtons) -> None:
    presses = buttons.presses()
    pins.press("camera_plus")
    assert await anext(presses) == Press("camera_plus", "down")
    pins.release("camera_plus")
    assert await anext(presses) == Press("camera_plus", "short")
    assert await anext(presses) == Press("camera_plus", "up")


async def test_a_long_press_is_told_while_it_is_held(pins: Pins, buttons: GpioButtons) -> None:
    presses = buttons.presses()
    pins.press("accept")
    assert [await anext(presses) for _ in range(2)] == [Press("accept", "down"), Press("accept", "long")]
    pins.release("accept")
    assert await anext(presses) == Press("accept", "up")


async def test_a_press_that_came_and_went_while_the_loop_was_busy_is_told(pins: Pins, buttons: GpioButtons) -> None:
    presses = buttons.presses()
    for _ in range(2):
        pins.press("accept")
        time.sleep(2 * SETTLED_S)  # the busy loop
        pins.release("accept")
        assert [(await anext(presses)).phase for _ in range(3)] == ["down", "short", "up"]


async def test_two_buttons_at_once_each_tell_their_own(pins: Pins, buttons: GpioButtons) -> None:
    presses = buttons.presses()
    pins.press("camera_plus")
    pins.press("accept")
    down = {await anext(presses), await anext(presses)}
    assert down == {Press("camera_plus", "down"), Press("accept", "down")}


async def test_closing_ends_the_presses_and_frees_the_pins(pins: Pins) -> None:
    for _ in range(2):
        async with GpioButtons(PINS, pins.factory, LONG_S) as buttons:
            presses = buttons.presses()
        assert [press async for press in presses] == []


async def test_a_pin_used_twice_is_told_as_device_trouble(pins: Pins, buttons: GpioButtons) -> None:
    with pytest.raises(DeviceTrouble, match="17"):
        await GpioButtons({"camera_plus": 17}, pins.factory, LONG_S).__aenter__()


async def test_a_pin_that_another_program_holds_is_told_as_device_trouble(pins: Pins) -> None:
    if not BOARD:
        pytest.skip("a simulated pin has no other program")
    import lgpio  # type: ignore[import-not-found,unused-ignore]  # on the board only

    other = lgpio.gpiochip_open(0)
    lgpio.gpio_claim_input(other, 5)  # pins that no other test has had: lgpio keeps those until its chip is closed
    lgpio.gpio_claim_input(other, 6)
    with pytest.raises(DeviceTrouble, match="buttons"):
        await GpioButtons({"camera_plus": 5}, pins.factory, LONG_S).__aenter__()
    with pytest.raises(DeviceTrouble, match="lamp"):
        await GpioLamp(6, pins.factory).__aenter__()
    lgpio.gpiochip_close(other)
    async with GpioButtons({"camera_plus": 5}, pins.factory, LONG_S), GpioLamp(6, pins.factory):
        pass


async def test_a_button_that_is_not_there_cannot_be_pressed(pins: Pins) -> None:
    with pytest.raises(Refused, match="decline"):
        pins.press("decline")
    assert pins.names == ("camera_plus", "accept")


async def test_a_stuck_button_is_told(pins: Pins) -> None:
    clock = [100.0]
    async with GpioButtons(PINS, pins.factory, LONG_S, now=lambda: clock[0]) as buttons:
        presses = buttons.presses()
        pins.press("camera_plus")
        while not buttons.trouble:
            clock[0] += 1.0
            await asyncio.sleep(0)
        assert buttons.trouble == "button stuck: camera_plus"
        pins.release("camera_plus")
        while buttons.trouble:
            clock[0] += 1.0
            await asyncio.sleep(0)
        assert [(await anext(presses)).phase for _ in range(3)] == ["down", "long", "up"]


# --- the lamp ---------------------------------------------------------------------------------------------------------


async def test_the_lamp_is_on_while_live_and_dark_when_idle_or_closed(pins: Pins) -> None:
    async with GpioLamp(27, pins.factory) as lamp:
        assert not pins.lamp_on()
        lamp.show("live")
        assert pins.lamp_on()
        lamp.show("idle")
        assert not pins.lamp_on()
        lamp.show("live")
    assert not pins.lamp_on()


async def test_a_waiting_lamp_blinks_and_stops_when_live(pins: Pins) -> None:
    async with GpioLamp(27, pins.factory) as lamp:
        lamp.show("waiting")
        async with asyncio.timeout(10):
            while not pins.lamp_on():
                await asyncio.sleep(0.005)
        lamp.show("live")
        assert pins.lamp_on()
        assert lamp.shown == "live"


# --- the story, without pins ------------------------------------------------------------------------------------------


def test_a_spark_shorter_than_the_debounce_time_is_no_press() -> None:
    story = begun(pressed=False)
    assert story.at(True, 1.0) == []
    assert story.due_s == 1.0 + DEBOUNCE_S
    assert story.at(False, 1.0 + DEBOUNCE_S / 2) == []
    assert story.due_s is None


def test_chatter_that_reads_the_same_each_time_starts_the_debounce_time_anew() -> None:
    story = begun(pressed=False)
    story.at(True, 1.0)
    assert story.edge(True, 1.015) == []
    assert story.at(True, 1.021) == []
    assert story.at(True, 1.036) == ["down"]


def test_what_is_heard_of_late_counts_from_when_it_was() -> None:
    story = begun(pressed=False)
    assert story.edge(True, 1.0) == []
    assert story.edge(False, 1.1) == ["down"]
    assert story.at(False, 9.0) == ["short", "up"]
    assert story.edge(True, 10.0) == []
    assert story.edge(False, 10.01) == [], "a spark stays one"
    assert story.edge(True, 11.0) == []
    assert story.edge(False, 12.0) == ["down", "long"]
    assert story.at(False, 13.0) == ["up"]


def test_long_is_told_once_and_up_without_short() -> None:
    story = begun(pressed=False)
    story.at(True, 1.0)
    assert story.at(True, 1.02) == ["down"]
    assert story.due_s == pytest.approx(1.02 + STORY_LONG_S)
    assert story.at(True, 2.0) == ["long"]
    assert story.at(True, 3.0) == []
    story.at(False, 4.0)
    assert story.at(False, 4.1) == ["up"]


def test_a_button_held_while_the_kiosk_starts_tells_nothing_until_let_go() -> None:
    story = begun(pressed=True)
    assert story.at(True, 5.0) == []
    story.at(False, 6.0)
    assert story.at(False, 6.1) == []
    story.at(True, 7.0)
    assert story.at(True, 7.1) == ["down"]


def test_a_button_held_from_the_start_is_found_stuck() -> None:
    story = begun(pressed=True)
    assert story.due_s == STUCK_S
    story.at(True, STUCK_S)
    assert story.stuck
    assert story.due_s is None


def begun(*, pressed: bool) -> ButtonStory:
    story = ButtonStory(STORY_LONG_S)
    story.begin(pressed, 0.0)
    return story
