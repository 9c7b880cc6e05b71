"""Sound cards: our ALSA adapters on the kernel's loopback card, in the emulated machine (modprobe snd-aloop)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from kiosk.echo import AUDIBLE_DB, HEARD_DB, echo_db, tone, tone_db
from kiosk.errors import DeviceTrouble
from kiosk.hw.alsa import AlsaSink, AlsaSource
from kiosk.hw.ports import SAMPLES_PER_BLOCK
from kiosk.hw.sound import ThreadMicrophone, ThreadSpeaker

DRIVER = Path("/sys/bus/platform/drivers/snd_aloop")
pytestmark = pytest.mark.skipif(not DRIVER.exists(), reason="runs in the emulated machine (make appliance)")

SPEAKER, MICROPHONE = "plughw:CARD=Loopback,DEV=0", "plughw:CARD=Loopback,DEV=1"


@pytest.fixture(autouse=True)
def _card() -> Iterator[None]:
    plugged(True)
    yield
    plugged(True)


def a_microphone() -> ThreadMicrophone:
    return ThreadMicrophone(AlsaSource(MICROPHONE))


def a_speaker(volume: float = 1.0) -> ThreadSpeaker:
    return ThreadSpeaker(AlsaSink(SPEAKER), volume)


async def test_blocks_come_in_real_time() -> None:
    async with a_speaker(), a_microphone() as microphone:
        blocks = microphone.blocks()
        await anext(blocks)
        began_s = asyncio.get_running_loop().time()
        for _ in range(50):
            block = await anext(blocks)
            assert block.shape == (SAMPLES_PER_BLOCK,)
            assert block.dtype == np.int16
        assert asyncio.get_running_loop().time() - began_s > 0.7


async def test_a_tone_is_heard() -> None:
    async with a_speaker() as speaker, a_microphone() as microphone:
        assert await tone_db(microphone, speaker) >= HEARD_DB


async def test_an_echo_that_nobody_cancels_is_heard() -> None:
    async with a_speaker() as speaker, a_microphone() as microphone:
        assert await echo_db(microphone, speaker) > AUDIBLE_DB


async def test_a_lower_volume_is_quieter() -> None:
    async with a_speaker(1.0) as speaker, a_microphone() as microphone:
        loud_db = await tone_db(microphone, speaker)
    async with a_speaker(0.1) as speaker, a_microphone() as microphone:
        assert loud_db - await tone_db(microphone, speaker) == pytest.approx(20, abs=6)


async def test_a_card_that_is_pulled_out_is_told_on_both_sides_and_works_when_it_is_back() -> None:
    speaker, microphone = a_speaker(), a_microphone()
    async with speaker, microphone:
        blocks = microphone.blocks()
        await anext(blocks)
        talking = asyncio.create_task(talk(speaker))
        pulling = asyncio.create_task(asyncio.to_thread(plugged, False))  # the kernel waits until we let go of it
        with pytest.raises(DeviceTrouble):
            async with asyncio.timeout(30):
                [_ async for _ in blocks]
        with pytest.raises(DeviceTrouble):
            await asyncio.wait_for(speaker.lost(), 30)
        talking.cancel()
        await asyncio.wait_for(pulling, 30)
    plugged(True)
    async with speaker, microphone:
        await anext(microphone.blocks())


def test_a_card_that_is_not_there_says_so() -> None:
    plugged(False)
    with pytest.raises(DeviceTrouble, match="Loopback"):
        AlsaSource(MICROPHONE).open()


async def talk(speaker: ThreadSpeaker) -> None:
    while True:
        for block in tone(50):
            speaker.play(block)
            await asyncio.sleep(0.02)


def plugged(there: bool) -> None:
    if (DRIVER / "snd_aloop.0").exists() is not there:
        (DRIVER / ("bind" if there else "unbind")).write_text("snd_aloop.0")
