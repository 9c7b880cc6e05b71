"""The checks of `kiosk doctor` on the kiosk's own parts. Each raises Trouble where its part does not work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import numpy as np

from kiosk.doctor_bench import ANSWER_S, Bench, Outcome, fails, left_out, works
from kiosk.echo import AUDIBLE_DB, HEARD_DB, echo_db, level_db, tone, tone_db
from kiosk.hw.alsa import AlsaSink
from kiosk.hw.pipewire import bare_speaker
from kiosk.hw.ports import ButtonName, Picture, Press, Speaker, Touch
from kiosk.hw.sound import ThreadSpeaker

BLACK = 40
"""Luma that no point of a picture of an uncovered camera stays below, even at night (16 is black)."""
LISTEN = 25
"""Blocks: half a second."""
_LIT_S = 0.3
_PICTURE_EACH_S = 0.1


async def display(bench: Bench) -> Outcome:
    """That it shows something, the checklist says itself."""
    if bench.checklist.trouble:
        raise bench.checklist.trouble
    width, height = bench.parts.display.size
    return works("display", width=width, height=height)


async def lamp(bench: Bench) -> Outcome:
    bench.parts.lamp.show("live")
    try:
        if not bench.installer:
            await asyncio.sleep(_LIT_S)
            return works("lamp")
        return _seen(await bench.ask("lamp"), "lamp_seen")
    finally:
        bench.parts.lamp.show("idle")


async def buttons(bench: Bench) -> Outcome:
    gpio = bench.config.hardware.gpio
    there: dict[ButtonName, int | None] = {
        "camera_plus": gpio.camera_plus,
        "accept": gpio.accept,
        "decline": gpio.decline,
    }
    names = [name for name, pin in there.items() if pin is not None]
    if not bench.installer:
        return works("buttons", names=" ".join(names))
    for name in names:
        bench.hand.forget()
        await bench.checklist.asks("buttons", name)
        if (pressed := await _pressed(bench, name)) is not True:
            return left_out() if pressed is False else fails("not_pressed", seconds=round(ANSWER_S))
    return works("buttons_pressed", names=" ".join(names))


async def _pressed(bench: Bench, name: ButtonName) -> bool | None:
    """Whether that very button was; False: another one was held, to leave it out. None: nobody came."""
    while (event := await bench.hand.event()) is not None:
        if isinstance(event, Press) and event.button == name and event.phase in ("short", "long"):
            return True
        if isinstance(event, Press) and event.button != name and event.phase == "long":
            return False
    return None


async def touch(bench: Bench) -> Outcome:
    if not bench.config.hardware.touch:
        return left_out("touch_off")
    if not bench.installer:
        return works("touch")
    bench.hand.forget()
    await bench.checklist.asks("touch")
    while (event := await bench.hand.event()) is not None:
        if isinstance(event, Touch):
            return works("touch_seen", x=round(100 * event.x), y=round(100 * event.y))
        if event.phase in ("short", "long"):
            return left_out()
    return fails("not_touched", seconds=round(ANSWER_S))


async def camera(bench: Bench) -> Outcome:
    """With the lamp lit before it is opened until it is closed again."""
    bench.parts.lamp.show("live")
    try:
        async with bench.parts.camera as camera:
            pictures, packets = camera.pictures(), camera.packets()
            picture = await anext(pictures)
            await anext(packets)
            still = await camera.still()
            answer = await _watched(bench, pictures) if bench.installer else None
    finally:
        bench.parts.lamp.show("idle")
    if answer is False:
        return fails("wrong")
    if int(picture.y.max()) < BLACK:
        return fails("camera_dark")
    width, height = picture.size
    return works("camera", width=width, height=height, still_width=still.width, still_height=still.height)


async def _watched(bench: Bench, pictures: AsyncIterator[Picture]) -> bool | None:
    async def show() -> None:
        async for picture in pictures:
            await bench.checklist.shows(picture)
            await asyncio.sleep(_PICTURE_EACH_S)

    showing = asyncio.create_task(show(), name="doctor picture")
    try:
        return await bench.ask("camera")
    finally:
        showing.cancel()
        await asyncio.gather(showing, return_exceptions=True)


async def microphone(bench: Bench) -> Outcome:
    if bench.config.hardware.microphone == "none":
        return left_out("sound_off")
    async with bench.parts.microphone as microphone:
        blocks = microphone.blocks()
        heard = [await anext(blocks) for _ in range(LISTEN)]
    if not np.any(heard):
        return fails("microphone_silent")
    return works("microphone", level=round(level_db(heard)))


async def speaker(bench: Bench) -> Outcome:
    """A tone, which the microphone should hear where both are devices in one room."""
    if bench.config.hardware.speaker == "none":
        return left_out("sound_off")
    if not _in_one_room(bench):
        await _play(bench.parts.speaker)
        return _seen(await bench.ask("speaker"), "speaker") if bench.installer else works("speaker")
    async with bench.parts.microphone as microphone, _speaker_the_canceller_does_not_know(bench) as mouth:
        louder_db = await tone_db(microphone, mouth)
    code = "speaker_heard" if louder_db >= HEARD_DB else "speaker_not_heard"
    return (works if louder_db >= HEARD_DB else fails)(code, level=round(louder_db))


async def _play(speaker: Speaker) -> None:
    async with speaker as opened:
        for block in tone(LISTEN):
            opened.play(block)
            await asyncio.sleep(0.02)


def _speaker_the_canceller_does_not_know(bench: Bench) -> Speaker:
    """What is played through the canceller never comes out of it again: the tone goes to the device behind it."""
    name = bare_speaker() if bench.config.call.echo == "pipewire" else None
    volume = bench.config.hardware.speaker_volume
    return ThreadSpeaker(AlsaSink(f"pipewire:NODE={name}"), volume) if name else bench.parts.speaker


async def echo(bench: Bench) -> Outcome:
    """Of real sound only, and where a canceller is said to be."""
    if bench.config.call.echo != "pipewire":
        return works(f"echo_{bench.config.call.echo}")
    if not _in_one_room(bench):
        return works("echo_apart")
    async with bench.parts.microphone as microphone, bench.parts.speaker as speaker:
        louder_db = await echo_db(microphone, speaker)
    if louder_db > AUDIBLE_DB:
        return fails("echo_heard", level=round(louder_db))
    return works("echo", level=round(louder_db))


def _in_one_room(bench: Bench) -> bool:
    hardware = bench.config.hardware
    return hardware.microphone.startswith("alsa:") and hardware.speaker.startswith("alsa:")


def _seen(answer: bool | None, code: str) -> Outcome:
    if answer is None:
        return left_out()
    return works(code) if answer else fails("wrong")
