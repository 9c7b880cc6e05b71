"""The painting thread: newest wins, an idle screen costs nothing, its death is told."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest

from kiosk.hw.ports import Layer, Picture, Pixels, Rect
from kiosk.hw.sim.display import MemoryDisplay
from kiosk.session.states import State
from kiosk.ui.gallery import sample_picture
from kiosk.ui.gallery_views import provider, session
from kiosk.ui.local import Front
from kiosk.ui.show import Show
from kiosk.ui.view import CallView, View

BASE = View("de", "Presse 7", provider("de"), online=True)
FRONT = Front(size=(320, 200))


class Screen:
    """A display that can be held up and can fail."""

    size = (320, 200)

    def __init__(self) -> None:
        self.presented: list[tuple[tuple[Layer, ...], tuple[Rect, ...]]] = []
        self.go = threading.Event()
        self.go.set()
        self.fails: Exception | None = None
        self.lit: list[bool] = []
        self.news = threading.Condition()

    async def __aenter__(self) -> Screen:
        return self

    async def __aexit__(self, *_: Any) -> None:
        return None

    async def lost(self) -> None:
        await asyncio.Event().wait()

    def power(self, on: bool) -> None:
        self.lit.append(on)

    def present(self, layers: tuple[Layer, ...], overlay: Pixels, changed: tuple[Rect, ...]) -> None:
        self.go.wait(10)
        if self.fails:
            raise self.fails
        with self.news:
            self.presented.append((layers, changed))
            self.news.notify_all()

    async def count(self, n: int) -> None:
        """Until `n` were presented."""
        await self._until(lambda: len(self.presented) >= n)

    async def sees(self, picture: Picture) -> None:
        """Until it was presented."""
        await self._until(lambda: any(layer.picture is picture for layer in self.presented[-1][0]))

    async def _until(self, done: Callable[[], bool]) -> None:
        def wait() -> bool:
            with self.news:
                return self.news.wait_for(done, 10)

        assert await asyncio.to_thread(wait)


def call() -> View:
    return replace(BASE, session=session("de", State.RUNNING), call=CallView(staff_camera=True))


async def test_the_newest_view_is_shown_and_those_between_are_left_out() -> None:
    screen = Screen()
    async with Show(screen) as show:
        await screen.count(1)
        screen.go.clear()
        show.set(replace(BASE, article="a-0"), FRONT)
        for n in range(50):
            show.set(replace(BASE, device_name=f"Presse {n}"), FRONT)
        screen.go.set()
        await screen.count(2)
        assert show.painted <= 4


async def test_pictures_come_under_the_overlay_without_repainting_it() -> None:
    screen = Screen()
    async with Show(screen) as show:
        show.set(call(), FRONT)
        await screen.count(2)
        for n in range(2, 5):  # one may come just as the call's clock has moved
            picture = sample_picture(64, 36, n)
            show.picture(picture)
            await screen.sees(picture)
        under = [changed for layers, changed in screen.presented if layers]
        assert () in under


async def test_the_clock_goes_on_while_pictures_come() -> None:
    screen, now = Screen(), [100.0]
    async with Show(screen, clock=lambda: now[0]) as show:
        show.set(call(), FRONT)
        await screen.count(2)
        now[0] += 0.3
        show.picture(sample_picture(64, 36, 5))
        await screen.count(3)
        assert screen.presented[2][1] == ()
        now[0] += 0.9
        show.picture(sample_picture(64, 36, 6))
        await screen.count(4)
        assert screen.presented[3][1] != ()


async def test_no_picture_outlives_its_call() -> None:
    screen = Screen()
    async with Show(screen) as show:
        show.set(call(), FRONT)
        await screen.count(2)
        show.picture(sample_picture(64, 36, 5))
        await screen.count(3)
        show.set(BASE, FRONT)
        await screen.count(4)
        show.set(call(), FRONT)
        await screen.count(5)
        assert screen.presented[3][0] == ()
        assert screen.presented[4][0] == ()


async def test_the_staff_picture_comes_and_goes() -> None:
    screen = Screen()
    async with Show(screen) as show:
        show.set(call(), FRONT)
        await screen.count(2)
        show.staff_picture(sample_picture(64, 48, 5))
        await screen.count(3)
        assert len(screen.presented[2][0]) == 1
        show.staff_picture(None)
        await screen.count(4)
        assert screen.presented[3][0] == ()


async def test_pictures_on_a_page_wake_nobody() -> None:
    screen = Screen()
    async with Show(screen) as show:
        show.set(BASE, FRONT)
        await screen.count(2)
        for _ in range(20):
            show.picture(sample_picture(64, 36, 5))
        show.set(replace(BASE, device_name="Presse 8"), FRONT)
        await screen.count(3)
        assert all(layers == () for layers, _ in screen.presented)
        assert len(screen.presented) <= 4


async def test_the_death_of_the_painting_thread_is_told() -> None:
    screen = Screen()
    async with Show(screen) as show:
        await screen.count(1)
        screen.fails = ValueError("a mistake of ours")
        show.set(BASE, FRONT)
        with pytest.raises(ValueError, match="of ours"):
            await show.run()


async def test_painting_is_counted_for_the_watchdog() -> None:
    screen = Screen()
    async with Show(screen, clock=lambda: 5.0) as show:
        await screen.count(1)
        show.set(BASE, FRONT)
        await screen.count(2)
    assert (show.painted, show.painted_s) == (2, 5.0)


async def test_a_sleeping_panel_is_switched_off_once_and_on_before_anything_is_shown() -> None:
    screen = Screen()
    async with Show(screen) as show:
        show.set(BASE, FRONT)
        await screen.count(2)
        show.set(replace(BASE, asleep=True), FRONT)
        await screen.count(3)
        show.set(replace(BASE, asleep=True, online=False), FRONT)  # nothing that anybody could see
        show.set(BASE, FRONT)
        await screen.count(4)
    assert screen.lit == [False, True]


@contextlib.asynccontextmanager
async def running(show: Show) -> AsyncIterator[None]:
    async with show:
        task = asyncio.create_task(show.run())
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


async def test_a_display_that_was_pulled_out_comes_back_in_its_own_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kiosk.ui.show.REOPEN_S", 0.01)
    display, news = MemoryDisplay(320, 200), []
    show = Show(display)
    show.changed = lambda: news.append((show.trouble, show.size))
    async with running(show):
        show.set(BASE, FRONT)
        await until(lambda: display.grab().any())
        display.unplug()
        await until(lambda: show.trouble)
        show.set(replace(BASE, device_name="Presse 8"), FRONT)  # nobody waits for a display
        display.plug((200, 320))
        await until(lambda: not show.trouble and display.grab()[:, :, 0].any())
        assert display.grab().shape == (320, 200, 3)
    assert news == [("", (320, 200)), ("display: not connected", (320, 200)), ("", (200, 320))]


async def test_a_kiosk_that_starts_without_a_display_opens_it_when_there_is_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("kiosk.ui.show.REOPEN_S", 0.01)
    display = MemoryDisplay(320, 200)
    display.unplug()
    show = Show(display)
    async with running(show):
        assert show.trouble == "display: none is connected"
        assert show.turns, "the watchdog sees that it tries"
        show.set(BASE, FRONT)
        display.plug()
        await until(lambda: display.grab().any())
