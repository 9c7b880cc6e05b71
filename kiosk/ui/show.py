"""The one painting thread. Slots of size one lead into it, newest wins: nobody who tells it something ever waits."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Self

from kiosk.errors import DeviceTrouble
from kiosk.hw.ports import Display, Picture
from kiosk.mailbox import Slot
from kiosk.ui.local import Front
from kiosk.ui.paint import Painted, Painter, next_tick_s, shows_pictures
from kiosk.ui.view import View

log = logging.getLogger(__name__)

STOP_S = 2.0
"""At the kiosk's own end, for which systemd gives it five."""

HANGS_S = 10.0
"""A frame that takes longer than this is none: the driver hangs, and the kiosk is started anew, with any call that is
on. Where software draws in place of a GPU, one takes seconds on a busy machine."""

REOPEN_S = 2.0
"""Between two tries to open a display that is not there."""


class Show:
    """Shows the newest View on a Display, which it opens, and opens anew where it was pulled out or switched off.

    Paints when told something new, at the camera's pace in a call (at most `fps`), and by itself only while
    something on the screen moves with time. An idle screen costs nothing.

    painted: how often it has painted; painted_s: when last (monotonic).
    trouble: why nothing can be seen; empty where it can.
    changed: called from the loop when that, or the size, is another.
    turns: grows each time that what was told is dealt with, also where nothing had to be painted: for the watchdog.
    """

    def __init__(
        self, display: Display, language: str = "de", *, fps: float = 60.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._display, self._language, self._clock = display, language, clock
        self._interval_s = 1.0 / fps
        self._changed = threading.Condition()
        self._view: View | None = None
        self._front = Front()
        self._live: Picture | None = None
        self._staff: Picture | None = None
        self._new_view = self._new_picture = self._closing = False
        self._thread: threading.Thread | None = None
        self._died: Slot[Exception] | None = None
        self._dark = False
        self.trouble = ""
        self.changed: Callable[[], None] = lambda: None
        self.painted = 0
        self.painted_s = 0.0
        self.turns = 0
        self._anew_s = 0.0
        self._said = (False, (0, 0))

    @property
    def size(self) -> tuple[int, int]:
        return self._display.size

    async def __aenter__(self) -> Self:
        """Where there is no display that is said, and the kiosk goes on without; it is opened when it comes."""
        await self._open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._thread:
            try:
                await self._close(STOP_S)
            except DeviceTrouble as hangs:  # left behind: what ended the kiosk must not be hidden by it
                log.warning("%s", hangs.text)

    async def run(self) -> None:
        """Returns never; raises what ended the painting thread, but for the display that it lost.

        Raises:
            DeviceTrouble: the display's driver hangs.
        """
        while True:
            while not self._thread and not await self._open():  # noqa: ASYNC110 - the world is asked, not a part
                await asyncio.sleep(REOPEN_S)
            error = await self._ended()
            if isinstance(error, DeviceTrouble):
                self._say(error.text)  # before it is closed: a driver may hang in that, and the kiosk end by it
            await self._close(HANGS_S)
            if not isinstance(error, DeviceTrouble):
                raise error
            await asyncio.sleep(REOPEN_S)

    async def _open(self) -> bool:
        try:
            await self._display.__aenter__()
        except DeviceTrouble as error:
            self.turns += 1
            self._say(error.text)
            return False
        self._died, self._dark = Slot(), False
        self._closing, self._new_view = False, self._view is not None
        self._thread = threading.Thread(target=self._work, name="painting", daemon=True)
        self._thread.start()
        self._say("")
        return True

    async def _close(self, limit_s: float) -> None:
        thread, self._thread = self._thread, None
        assert thread is not None, "open"
        with self._changed:
            self._closing = True
            self._changed.notify()
        await asyncio.to_thread(thread.join, limit_s)  # one frame at most
        if thread.is_alive():
            raise DeviceTrouble("display: its driver hangs")
        await self._display.__aexit__(None, None, None)

    async def _ended(self) -> Exception:
        """What ended the painting thread, or took the display away."""
        assert self._died is not None, "open"
        lost = asyncio.create_task(self._lost(), name="display lost")
        died = asyncio.create_task(self._died.get(), name="painting died")
        try:
            done, _ = await asyncio.wait((lost, died), return_when=asyncio.FIRST_COMPLETED)
        finally:
            lost.cancel()
            died.cancel()
        return done.pop().result()

    async def _lost(self) -> DeviceTrouble:
        try:
            await self._display.lost()
        except DeviceTrouble as error:
            return error
        return DeviceTrouble("display: closed")

    def _say(self, trouble: str) -> None:
        """At the edges: once when it is lost, once when it is back."""
        if (bool(trouble), self.size) != self._said:
            self._said = bool(trouble), self.size
            self.trouble = trouble
            self.changed()

    def set(self, view: View, front: Front) -> None:
        """From any thread: shows this from now on."""
        with self._changed:
            self._view, self._front, self._new_view = view, front, True
            if not shows_pictures(view):
                self._live = self._staff = None  # no picture outlives its call
            self._changed.notify()

    def picture(self, picture: Picture) -> None:
        """From any thread: the camera's newest picture."""
        with self._changed:
            self._live = picture
            self._wake_for_picture()

    def staff_picture(self, picture: Picture | None) -> None:
        """From any thread: the staff camera's newest picture; None takes it away."""
        with self._changed:
            appears = (picture is None) != (self._staff is None)
            self._staff = picture
            self._new_view |= appears  # its frame comes or goes
            self._wake_for_picture()

    def _wake_for_picture(self) -> None:
        if self._view is not None and shows_pictures(self._view):
            self._new_picture = True
            self._changed.notify()

    # --- the painting thread ------------------------------------------------------------------------------------------

    def _work(self) -> None:
        try:
            painter = Painter(self._display.size)
            self._present(painter.starting(self._language))
            while self._wait():
                self._paint(painter)
                self.turns += 1
        except Exception as error:  # noqa: BLE001 - whatever it is, it must surface in run(), not die with its thread
            assert self._died is not None
            self._died.put(error)

    def _wait(self) -> bool:
        """Until there is something to paint; False when it is over."""
        with self._changed:
            pause = self.painted_s + self._interval_s - self._clock()
            if pause > 0:
                self._changed.wait_for(lambda: self._closing, pause)
            due_s = self._due_s()
            left_s = None if due_s is None else max(0.0, due_s - self._clock())
            self._changed.wait_for(lambda: self._closing or self._new_view or self._new_picture, left_s)
            self._new_view |= due_s is not None and self._clock() >= due_s  # time has moved something
            return not self._closing

    def _due_s(self) -> float | None:
        """When what was painted last looks different by time alone, however many pictures come under it meanwhile."""
        if self._view is None:
            return None
        tick = next_tick_s(replace(self._view, now_s=self._anew_s), self._front)
        return None if tick is None else self._anew_s + tick

    def _paint(self, painter: Painter) -> None:
        with self._changed:
            view, front, live, staff = self._view, self._front, self._live, self._staff
            anew = self._new_view
            self._new_view = self._new_picture = False
        if view is None:
            return
        if anew:
            self._anew_s = self._clock()
            self._present(painter.paint(replace(view, now_s=self._anew_s), front, live, staff))
        else:
            self._present(painter.same(view, live, staff))

    def _present(self, painted: Painted) -> None:
        """A panel that sleeps is left alone until there is something to see on it."""
        if painted.asleep and self._dark:
            return
        if self._dark:
            self._display.power(True)
        self._display.present(painted.layers, painted.overlay, painted.changed)
        if painted.asleep:
            self._display.power(False)
        self._dark = painted.asleep
        self.painted += 1
        self.painted_s = self._clock()
