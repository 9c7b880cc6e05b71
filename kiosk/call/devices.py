"""Camera, microphone and speaker while a call runs: opened and closed with it, and waited for when they are lost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Literal

from kiosk.errors import DeviceTrouble
from kiosk.hw.ports import (
    SAMPLE_RATE_HZ,
    SAMPLES_PER_BLOCK,
    AccessUnit,
    Camera,
    Device,
    Microphone,
    Picture,
    Samples,
    Speaker,
)

log = logging.getLogger(__name__)

OPEN_LIMIT_S = 10.0
CLOSE_LIMIT_S = 1.5
RETRY_S = 1.0
BLOCK_S = SAMPLES_PER_BLOCK / SAMPLE_RATE_HZ

DeviceName = Literal["camera", "microphone", "speaker"]

Told = Callable[[DeviceName, DeviceTrouble | None], None]
"""(name, trouble): lost, once; (name, None): back, once."""


class Kept:
    """One device, kept open: where it is lost, it is closed and opened again until it works.

    `told` hears the edges only.
    """

    def __init__(self, name: DeviceName, device: Device, told: Told) -> None:
        self.name = name
        self._device = device
        self._told = told
        self._lost = False

    async def run(self, use: Callable[[], Awaitable[object]]) -> None:
        """Uses the device until cancelled. `use` runs anew after each opening; it calls `works` at each success."""
        while True:
            try:
                async with _opened(self.name, self._device):
                    await use()
                raise DeviceTrouble(f"the {self.name} has stopped")
            except* DeviceTrouble as group:
                self._lose(_first(group))
            await asyncio.sleep(RETRY_S)

    def works(self) -> None:
        if self._lost:
            self._lost = False
            log.warning("%s: back", self.name)
            self._told(self.name, None)

    def _lose(self, trouble: DeviceTrouble) -> None:
        if not self._lost:
            self._lost = True
            log.warning("%s: %s", self.name, trouble.text)
            self._told(self.name, trouble)


class Seeing:
    """The camera's two streams."""

    def __init__(self, camera: Camera, told: Told) -> None:
        self._camera = camera
        self._kept = Kept("camera", camera, told)

    async def run(self, on_unit: Callable[[AccessUnit], None], on_picture: Callable[[Picture], None]) -> None:
        async def packets() -> None:
            async for unit in self._camera.packets():
                self._kept.works()
                on_unit(unit)
            raise DeviceTrouble("the camera has stopped")

        async def pictures() -> None:
            async for picture in self._camera.pictures():
                on_picture(picture)

        await self._kept.run(lambda: _both(packets(), pictures()))


class Hearing:
    """The microphone, and the beat of everybody's sound: one tick each 20 ms, of silence while it gives none."""

    LATE_S = 0.1

    def __init__(self, microphone: Microphone, told: Told) -> None:
        self._microphone = microphone
        self._kept = Kept("microphone", microphone, told)
        self._heard_s = 0.0

    async def run(self, tick: Callable[[Samples], None], silence: Samples) -> None:
        loop = asyncio.get_running_loop()

        async def blocks() -> None:
            async for block in self._microphone.blocks():
                self._kept.works()
                self._heard_s = loop.time()
                tick(block)

        await _both(self._kept.run(blocks), self._fill(tick, silence, loop.time))

    async def _fill(self, tick: Callable[[Samples], None], silence: Samples, now: Callable[[], float]) -> None:
        while True:
            await asyncio.sleep(self.LATE_S)
            next_s = now()
            while now() - self._heard_s >= self.LATE_S:
                tick(silence)
                next_s = max(next_s + BLOCK_S, now() - self.LATE_S)
                await asyncio.sleep(max(0.0, next_s - now()))


class Speaking:
    """The speaker, for what it may be worth: a call goes on without."""

    def __init__(self, speaker: Speaker, told: Told) -> None:
        self._speaker = speaker
        self._kept = Kept("speaker", speaker, told)

    async def run(self) -> None:
        async def lost() -> None:
            self._kept.works()
            await self._speaker.lost()

        await self._kept.run(lost)


async def in_time(what: Awaitable[object], limit_s: float, name: str) -> bool:
    """Awaits `what`, which is left behind where it takes longer, even if it does not let itself be cancelled."""

    async def awaited() -> None:
        await what

    task = asyncio.create_task(awaited(), name=name)
    try:
        await asyncio.wait({task}, timeout=limit_s)
    finally:
        if not task.done():
            task.cancel()
    if not task.done() or task.cancelled():
        log.warning("%s: still not done after %.1f s, left behind", name, limit_s)
        return False
    if (error := task.exception()) is not None:
        log.warning("%s: %s", name, error)
    return True


@asynccontextmanager
async def _opened(name: str, device: Device) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(OPEN_LIMIT_S):
            await device.__aenter__()
    except TimeoutError:
        raise DeviceTrouble(f"the {name} does not open") from None
    try:
        yield
    finally:
        await in_time(device.__aexit__(None, None, None), CLOSE_LIMIT_S, f"closing the {name}")


async def _both(one: Coroutine[Any, Any, None], other: Coroutine[Any, Any, None]) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(one)
        group.create_task(other)


def _first(group: ExceptionGroup[DeviceTrouble]) -> DeviceTrouble:
    inner: BaseException = group
    while isinstance(inner, BaseExceptionGroup):
        inner = inner.exceptions[0]
    assert isinstance(inner, DeviceTrouble)
    return inner
