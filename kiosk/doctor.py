"""`kiosk doctor`: tries each part by itself and says in words whether it works."""

from __future__ import annotations

import asyncio
import math
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import aiohttp
import numpy as np

from kiosk.app import client_settings
from kiosk.config import Config
from kiosk.echo import AUDIBLE_DB, echo_db
from kiosk.errors import DeviceTrouble, Trouble, Unreachable
from kiosk.hw.build import Parts, build
from kiosk.hw.ports import SAMPLES_PER_BLOCK, Rect
from kiosk.link.client import Client

LIMIT_S = 10.0
LEAST_FREE_BYTES = 500_000_000


@dataclass(frozen=True, slots=True)
class Finding:
    part: str
    works: bool
    seen: str


async def examine(config: Config) -> list[Finding]:
    """One finding a part, in the order an installer looks at them. Raises ConfigError for a part that is unknown."""
    parts = build(config.hardware, config.call)
    tries: dict[str, Callable[[], Awaitable[str]]] = {
        "display": lambda: _display(parts),
        "camera": lambda: _camera(parts),
        "microphone": lambda: _microphone(parts),
        "speaker": lambda: _speaker(parts),
        "echo": lambda: _echo(parts, config),
        "buttons": lambda: _buttons(parts),
        "disk": lambda: _disk(config),
        "broker": lambda: _broker(config),
        "desk": lambda: _desk(config),
    }
    return [await _try(part, attempt) for part, attempt in tries.items()]


async def _try(part: str, attempt: Callable[[], Awaitable[str]]) -> Finding:
    try:
        async with asyncio.timeout(LIMIT_S):
            return Finding(part, True, await attempt())
    except TimeoutError:
        return Finding(part, False, f"no answer within {LIMIT_S:.0f} s")
    except (Trouble, OSError) as error:
        return Finding(part, False, str(error))


async def _display(parts: Parts) -> str:
    async with parts.display as display:
        width, height = display.size
        overlay = np.zeros((height, width, 4), np.uint8)
        overlay[..., 3] = 255
        await asyncio.to_thread(display.present, (), overlay, (Rect(0, 0, width, height),))
        return f"{width} x {height} px"


async def _camera(parts: Parts) -> str:
    async with parts.camera as camera:
        pictures, packets = camera.pictures(), camera.packets()
        picture, packet = await anext(pictures), await anext(packets)
        still = await camera.still()
        width, height = picture.size
        return f"{width} x {height} px, encoded {len(packet.data)} bytes; stills {still.width} x {still.height} px"


async def _microphone(parts: Parts) -> str:
    async with parts.microphone as microphone:
        blocks = microphone.blocks()
        heard = np.concatenate([await anext(blocks) for _ in range(25)]).astype(np.float64)
        level = math.sqrt(float(np.mean(heard**2))) / 32768
        return f"level {20 * math.log10(level):.0f} dBFS" if level else "silence"


async def _speaker(parts: Parts) -> str:
    t = np.arange(SAMPLES_PER_BLOCK * 25) / 48_000
    tone = (8000 * np.sin(2 * math.pi * 880 * t)).astype(np.int16).reshape(25, -1)
    async with parts.speaker as speaker:
        for block in tone:
            speaker.play(block)
            await asyncio.sleep(0.02)
    return "played a tone"


async def _echo(parts: Parts, config: Config) -> str:
    """Of real sound only, and where a canceller is said to be."""
    if config.call.echo != "pipewire":
        return {"duck": "half-duplex: people speak in turns", "none": "nothing cancels it, as set"}[config.call.echo]
    if not (config.hardware.microphone.startswith("alsa:") and config.hardware.speaker.startswith("alsa:")):
        return "none: microphone and speaker have nothing to do with each other"
    async with parts.microphone as microphone, parts.speaker as speaker:
        louder_db = await echo_db(microphone, speaker)
    if louder_db > AUDIBLE_DB:
        said = f"the speaker is heard in the microphone, {louder_db:.0f} dB above the room: PipeWire does not cancel it"
        raise DeviceTrouble(f'{said} (image-build/pipewire), or set call.echo to "duck"')
    return f"cancelled: {louder_db:.0f} dB above the room"


async def _buttons(parts: Parts) -> str:
    async with parts.buttons, parts.lamp as lamp:
        lamp.show("live")
        await asyncio.sleep(0.3)
        lamp.show("idle")
    return "ready; the lamp was lit for a moment"


async def _disk(config: Config) -> str:
    folder = config.data_folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".doctor"
        probe.write_bytes(b"x")
        probe.unlink()
    except OSError as error:
        raise DeviceTrouble(f"{folder} cannot be written: {error.strerror}") from error
    free = shutil.disk_usage(folder).free
    if free < LEAST_FREE_BYTES:
        raise DeviceTrouble(f"only {free / 1e6:.0f} MB are free in {folder}")
    return f"{free / 1e9:.1f} GB free in {folder}"


async def _broker(config: Config) -> str:
    async with Client(client_settings(config, "doctor")) as client:
        try:
            async with asyncio.timeout(LIMIT_S / 2):
                await anext(client.connections())
        except TimeoutError:
            raise Unreachable(f"{config.broker.host}:{config.broker.port} lets us not in") from None
    return f"{config.broker.host}:{config.broker.port}"


async def _desk(config: Config) -> str:
    if not config.desk_url:
        raise Unreachable("no desk_url in the settings")
    timeout = aiohttp.ClientTimeout(total=LIMIT_S / 2)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as http, http.get(config.desk_url + "/healthz") as answer:
            if answer.status != 200:
                raise Unreachable(f"{config.desk_url} says {answer.status}")
    except aiohttp.ClientError as error:
        raise Unreachable(f"{config.desk_url}: {error}") from error
    return config.desk_url
