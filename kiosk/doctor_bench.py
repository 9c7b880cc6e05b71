"""What the checks of `kiosk doctor` work with: the parts, the checklist on the display, and a hand that answers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace

from kiosk.config import Config
from kiosk.errors import DeviceTrouble, Trouble
from kiosk.hw.build import Parts
from kiosk.hw.ports import Display, Layer, Picture, Press, Touch
from kiosk.link.client import Client
from kiosk.mailbox import Queue
from kiosk.ui import theme
from kiosk.ui.canvas import Canvas
from kiosk.ui.doctor_screens import DoctorView, Row, RowState, Said, checklist, picture_rect

ANSWER_S = 60.0
PAINTED_S = 20.0
"""The first picture brings up the whole of SDL and GL: seconds on a slow machine."""
READ_S = 2.0
"""How long the last screen stays where nobody is asked."""


@dataclass(frozen=True, slots=True)
class Outcome:
    state: RowState
    said: Said


def works(code: str, **values: object) -> Outcome:
    return Outcome("works", Said(code, values))


def fails(code: str, **values: object) -> Outcome:
    return Outcome("fails", Said(code, values))


def left_out(code: str = "left_out", **values: object) -> Outcome:
    return Outcome("left_out", Said(code, values))


class Checklist:
    """The checklist on the display, where there is one. From the loop; painted and shown in one thread, as a display
    wants it. One that fails or hangs is left alone from then on: `trouble` says why."""

    def __init__(self, config: Config, parts: tuple[str, ...], attended: bool) -> None:
        rows = tuple(Row(part) for part in parts)
        self._view = DoctorView(config.provider.language, config.device.name, rows, attended=attended)
        self._display: Display | None = None
        self._painting = ThreadPoolExecutor(1, "doctor painting")
        self.trouble: DeviceTrouble | None = None

    async def on(self, display: Display) -> None:
        self._display, self._canvas = display, Canvas(display.size)
        await self._paint()

    async def runs(self, part: str) -> None:
        await self._row(Row(part, "runs"))

    async def found(self, part: str, outcome: Outcome) -> None:
        self._view = replace(self._view, question="", picture=False)
        await self._row(Row(part, outcome.state, outcome.said))

    async def asks(self, question: str, button: str = "") -> None:
        self._view = replace(self._view, question=question, button=button)
        await self._paint()

    async def shows(self, picture: Picture) -> None:
        self._view = replace(self._view, picture=True)
        await self._paint(picture)

    async def _row(self, row: Row) -> None:
        rows = tuple(row if row.part == other.part else other for other in self._view.rows)
        self._view = replace(self._view, rows=rows)
        await self._paint()

    async def _paint(self, picture: Picture | None = None) -> None:
        if self._display is None:
            return
        work = asyncio.get_running_loop().run_in_executor(
            self._painting, self._present, self._display, self._view, picture
        )
        try:
            await asyncio.wait_for(work, PAINTED_S)
        except DeviceTrouble as trouble:
            self.trouble, self._display = trouble, None
        except TimeoutError:
            self.trouble, self._display = DeviceTrouble("display: takes no picture"), None

    def _present(self, display: Display, view: DoctorView, picture: Picture | None) -> None:
        changed = self._canvas.update(tuple(checklist(view, display.size)), theme.GROUND)
        layers = (Layer(picture, picture_rect(display.size)),) if picture else ()
        display.present(layers, self._canvas.pixels, changed)


class Hand:
    """Whoever stands before the kiosk: presses and touches, in order."""

    def __init__(self) -> None:
        self._events: Queue[Press | Touch] = Queue(64)

    @asynccontextmanager
    async def reading(self, parts: Parts, troubles: dict[str, Trouble]) -> AsyncIterator[None]:
        tasks = []
        if "buttons" not in troubles:
            tasks.append(asyncio.create_task(self._read(parts.buttons.presses()), name="doctor buttons"))
        if "touch" not in troubles:
            tasks.append(asyncio.create_task(self._read(parts.touchscreen.touches()), name="doctor touch"))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def answer(self, limit_s: float = ANSWER_S) -> bool | None:
        """True: a short press or a touch. False: a long one, or decline. None: nobody is there."""
        while (event := await self.event(limit_s)) is not None:
            if isinstance(event, Touch):
                if event.phase == "up":
                    return True
            elif event.phase in ("short", "long"):
                return event.phase == "short" and event.button != "decline"
        return None

    async def event(self, limit_s: float = ANSWER_S) -> Press | Touch | None:
        """The next one; None: none has come."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                return await self._events.get()
        return None

    def forget(self) -> None:
        """What was pressed before a question is no answer to it."""
        self._events.clear()

    async def _read(self, source: AsyncIterator[Press] | AsyncIterator[Touch]) -> None:
        with contextlib.suppress(DeviceTrouble):
            async for event in source:
                self._events.put(event)


@dataclass(slots=True)
class Bench:
    """troubles: of the parts that stay open, what kept them from being opened. client: once signed in at the broker.
    stack: closes what a check leaves open for the next ones. unreached: the network was tried in
    vain. desk_ahead_s: the desk's clock minus ours, once known."""

    config: Config
    parts: Parts
    installer: bool
    checklist: Checklist
    hand: Hand
    stack: AsyncExitStack
    troubles: dict[str, Trouble] = field(default_factory=dict)
    client: Client | None = None
    unreached: bool = False
    desk_ahead_s: float | None = None

    async def ask(self, question: str, button: str = "") -> bool | None:
        """Puts a question on the display; see Hand.answer."""
        self.hand.forget()
        await self.checklist.asks(question, button)
        return await self.hand.answer()

    async def end(self, all_work: bool) -> None:
        """Leaves the list standing until it was read."""
        question = "works" if all_work else "fails"
        if self.installer:
            await self.ask(question)
        else:
            await self.checklist.asks(question)
            await asyncio.sleep(READ_S if "display" not in self.troubles else 0)
