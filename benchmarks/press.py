"""From the finger to the light: how long the kiosk takes to answer on its display.

press: the real kiosk with simulated hardware (nothing of it is faked: pins that bounce, gpiozero, the debouncing, the
stage, the painting thread, SDL's software renderer at 1024x600), from the moment the contact closes to the first pixel
that is another one. release: from the contact's opening to the first pixel of the creation flow.
pose: from a mark's new pose being told to the painting thread to its colour standing at the new place on the display,
while the camera's pictures come at 30 a second, so that poses fall anywhere between two of them.

Bars: press 50 ms (median), pose one frame of 30 a second (median).
"""

from __future__ import annotations

import asyncio
import os
import random
import socket
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np

from benchmarks.report import median, percentile, tell
from kiosk.app import Kiosk, client_settings
from kiosk.book.book import Book
from kiosk.config import Broker, Config, Gpio, Hardware
from kiosk.hw.build import build
from kiosk.hw.ports import Picture, Pixels
from kiosk.hw.sim.display import MemoryDisplay
from kiosk.hw.sim.panel import Panel
from kiosk.link.client import Client
from kiosk.notify import Systemd
from kiosk.session.provider import Provider
from kiosk.session.record import Device, Person
from kiosk.ui.gallery import sample_picture
from kiosk.ui.gallery_views import sample_views
from kiosk.ui.layout import picture_fit
from kiosk.ui.local import Front
from kiosk.ui.show import Show
from kiosk.ui.view import View

TIMES = int(os.environ.get("TIMES", "60"))
PRESS_BAR_MS = 50.0
FRAME_MS = 1000 / 30
SIZE = (1024, 600)


class Watch:
    """Sees the first moment at which `changed` holds for what the display shows."""

    def __init__(self, display: MemoryDisplay) -> None:
        self._display = display
        self._changed: Callable[[Pixels], bool] | None = None
        self._seen = threading.Event()
        self.at_s = 0.0
        display.on_present = self._presented

    def expect(self, changed: Callable[[Pixels], bool]) -> None:
        self._seen.clear()
        self._changed = changed

    async def seen(self) -> float:
        """Monotonic seconds."""
        assert await asyncio.to_thread(self._seen.wait, 10), "nothing happened on the display"
        return self.at_s

    def _presented(self) -> None:
        now = time.monotonic()
        if self._changed and self._changed(self._display.grab()):
            self._changed, self.at_s = None, now
            self._seen.set()


def other_than(before: Pixels) -> Callable[[Pixels], bool]:
    return lambda shown: not np.array_equal(shown, before)


# --- press ------------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def kiosk(folder: Path) -> AsyncIterator[tuple[Panel, MemoryDisplay]]:
    """Without a broker: the button works without a network."""
    config = Config(
        id="kiosk-1",
        device=Device("press-7", "Press 7"),
        data=str(folder),
        broker=Broker(port=free_port()),
        hardware=Hardware(
            camera="scene",
            microphone="tone",
            speaker="meter",
            display=f"memory:{SIZE[0]}x{SIZE[1]}",
            gpio=Gpio(factory="mock", decline=22),
            panel_port=free_port(),
        ),
        provider=Provider(language="de", staff=(Person("anna", "Anna"),), reasons=("A", "B")),
    )
    parts = build(config.hardware, config.call)
    assert parts.panel
    assert isinstance(parts.display, MemoryDisplay)
    async with AsyncExitStack() as stack:
        show = await stack.enter_async_context(Show(parts.display, "de"))
        for device in (parts.buttons, parts.touchscreen, parts.lamp):
            await stack.enter_async_context(device)
        book = await Book.open(folder / "book.json", config.id, config.device, config.provider)
        stack.push_async_callback(book.close)
        client = await stack.enter_async_context(Client(client_settings(config, "b-1")))
        stop = asyncio.Event()
        task = asyncio.create_task(Kiosk(config, parts, book, show, client, "b-1", Systemd()).run(stop))
        yield parts.panel, parts.display
        stop.set()
        await task


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


async def presses() -> tuple[list[float], list[float]]:
    """ms from the contact's closing to the first changed pixel, and from its opening to the next screen's."""
    down: list[float] = []
    up: list[float] = []
    with tempfile.TemporaryDirectory(prefix="kiosk-bench-") as folder:
        async with kiosk(Path(folder)) as (panel, display):
            watch = Watch(display)
            await asyncio.sleep(1.0)
            for _ in range(TIMES):
                await asyncio.sleep(0.3 + random.random() * 0.05)
                before = display.grab()
                watch.expect(other_than(before))
                began = time.monotonic()
                panel.pins.press("camera_plus")
                down.append((await watch.seen() - began) * 1000)
                await asyncio.sleep(0.1)
                watch.expect(lambda shown, idle=before: bool((shown != idle).any(axis=2).mean() > 0.05))  # type: ignore[misc]
                began = time.monotonic()
                panel.pins.release("camera_plus")
                up.append((await watch.seen() - began) * 1000)
                panel.pins.press("decline")  # out of the flow again
                await asyncio.sleep(0.1)
                panel.pins.release("decline")
    return down, up


# --- pose -------------------------------------------------------------------------------------------------------------


def call_view() -> View:
    return next(view for name, view, _ in sample_views("de", SIZE, sample_picture(64, 36, 10)) if name == "call")


def with_mark(view: View, x: float) -> View:
    """The call with one mark, its left edge at `x` (0..1 of the frame)."""
    assert view.call is not None
    overlay = view.call.overlay
    mark = msgspec.structs.replace(
        overlay.marks[0], colour="#00ff00", label="", by="", quad=((x, 0.6), (x + 0.2, 0.6), (x + 0.2, 0.9), (x, 0.9))
    )
    overlay = msgspec.structs.replace(overlay, strokes=(), pointers=(), marks=(mark,))
    return replace(view, call=replace(view.call, overlay=overlay))


def stands_at(x: float) -> Callable[[Pixels], bool]:
    px, py = (round(v) for v in picture_fit(SIZE, (1280, 720)).to_display(x, 0.75))

    def look(shown: Pixels) -> bool:
        blue, green, red = shown[py, px].tolist()
        return bool(green > 180 and blue < 90 and red < 90)

    return look


async def poses() -> list[float]:
    """ms from Show.set to the mark's edge standing at its new place."""
    display, view = MemoryDisplay(*SIZE), call_view()
    live = [sample_picture(1280, 720, hue) for hue in (30, 40)]
    told: list[float] = []
    async with Show(display) as show:
        watch = Watch(display)
        camera = asyncio.create_task(pictures(show, live))
        show.set(with_mark(view, 0.1), Front(size=SIZE, by_touch=True))
        for n in range(TIMES * 2):
            await asyncio.sleep(0.1 + random.random() / 30)
            x = 0.12 + 0.02 * (n % 30)
            watch.expect(stands_at(x))
            began = time.monotonic()
            show.set(with_mark(view, x), Front(size=SIZE, by_touch=True))
            told.append((await watch.seen() - began) * 1000)
        camera.cancel()
    return told


async def pictures(show: Show, live: list[Picture]) -> None:
    """30 a second, by the clock."""
    began = time.monotonic()
    for n in range(1_000_000):
        show.picture(live[n % 2])
        await asyncio.sleep(max(0.0, began + (n + 1) / 30 - time.monotonic()))


async def measure() -> int:
    down, up = await presses()
    pose = await poses()
    rows, figures = [], dict[str, object](benchmark="press")
    for key, what, values in (
        ("press", f"press → first changed pixel (bar: median ≤ {PRESS_BAR_MS:.0f} ms)", down),
        ("release", "release → the next screen", up),
        ("pose", f"mark pose → pixel (bar: median ≤ {FRAME_MS:.1f} ms)", pose),
    ):
        middle, most = median(values), percentile(values, 0.95)
        rows.append((what, f"{middle:.1f} / {most:.1f} ms", f"median / p95 of {len(values)}"))
        figures[key] = {"median_ms": round(middle, 1), "p95_ms": round(most, 1)}
    passed = median(down) <= PRESS_BAR_MS and median(pose) <= FRAME_MS
    tell("From the finger to the light", rows, figures | {"passed": passed})
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(measure()))
