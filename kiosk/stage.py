"""What stands on the display, and what a press means: the code user's side of everything.

Holds what belongs to the moment (creation flow, open article, which ended session is still shown); all that lasts is in
the book. Inputs become intents in kiosk.ui.front; here intents become inputs to the book and to the call.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

from kiosk.asking import Asking
from kiosk.book.book import Book
from kiosk.calls import Calls
from kiosk.config import Config
from kiosk.errors import Refused, Trouble
from kiosk.fleet.board import Board
from kiosk.hw.ports import Buttons, Key, Lamp, LampState, Press, Touch, Touchscreen
from kiosk.pens import Pens
from kiosk.session import inputs as do
from kiosk.session.record import CODE_USER, Consent, Rating, Session
from kiosk.session.states import OPEN, State
from kiosk.ui.front import react
from kiosk.ui.local import Chosen, Draw, Front, Intent, Tick
from kiosk.ui.view import View
from kiosk.wire.channel import SnapshotClose, SnapshotTake, Undo

log = logging.getLogger(__name__)

PRESENT_S = 300.0
"""Somebody who touched the kiosk so lately is taken to be still there: staff's START need not ring."""

DISMISS_S = 60.0
"""How long a session that is over stays on the display when nobody presses anything."""

TICK_S = 0.25
AWAY_S = 180.0
"""An article that nobody touches for so long is closed."""

RECALL_S = 120.0
"""How long a session that was put away can be looked at again: for who pressed too early."""

NOTICE_S = 5.0

OFFLINE_S = 5.0
"""A blip of the network is not worth a banner."""

TROUBLES = {
    "update": "updating",
    "kiosk": "stopping",
    "camera": "no_camera",
    "network": "no_network",
    "microphone": "no_sound",
    "speaker": "no_sound",
    "disk": "disk_full",
    "book": "not_kept",
    "buttons": "stuck_button",
}
"""Part on the board -> what the display says, the worst first."""

MUST_BE_SEEN = ("updating", "stopping")
"""With these the display does not sleep."""


class Display(Protocol):
    def set(self, view: View, front: Front) -> None: ...


class Stage:
    """Runs as one task (`run`); `refresh` is called by whoever knows of a change."""

    def __init__(
        self,
        *,
        config: Config,
        book: Book,
        calls: Calls,
        display: Display,
        size: tuple[int, int],
        buttons: Buttons,
        touchscreen: Touchscreen,
        lamp: Lamp,
        board: Board,
        wording: Callable[[View], str],
        is_sent: Callable[[Session], bool],
        online: Callable[[], bool],
        public_link: Callable[[Session], str],
        staff_online: Callable[[], bool | None] = lambda: None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config, self._book, self._calls, self._display = config, book, calls, display
        self._buttons, self._touchscreen, self._lamp, self._board = buttons, touchscreen, lamp, board
        self._wording, self._is_sent, self._online, self._now = wording, is_sent, online, now
        self._public_link, self._staff_online = public_link, staff_online
        self._front = Front(size=size, long_press_s=config.hardware.gpio.long_press_s)
        self._asking = Asking(book, config, lambda given: self._consent(given, in_call=False), now)
        self._article: str | None = None
        self._shown: str | None = None
        self._shown_since_s = 0.0
        self._input_s = -PRESENT_S
        self._online_s = now()
        self._pens = Pens(calls)
        self._awake_s = now()
        self._slept = False
        self._put_away: tuple[str, float] | None = None
        self._unknown_code_s = -NOTICE_S

    def code_user_present(self) -> bool:
        return self._now() - self._input_s < PRESENT_S

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._presses(), name="stage buttons")
            group.create_task(self._touches(), name="stage touch")
            group.create_task(self._keys(), name="stage keys")
            group.create_task(self._follow(), name="stage sessions")
            group.create_task(self._ticks(), name="stage time")

    def resize(self, size: tuple[int, int]) -> None:
        """The display is another one now."""
        self._front = Front(size=size, long_press_s=self._front.long_press_s)
        self.refresh()

    def refresh(self) -> None:
        """Shows what is now; cheap, from the loop."""
        view = self._view()
        self._slept = view.asleep
        self._front, _ = react(self._front, view, Tick(self._now()))
        self._display.set(view, self._front)
        self._lamp.show(self._lamp_state(view.session))

    # --- what comes in ------------------------------------------------------------------------------------------------

    async def _presses(self) -> None:
        async for press in self._buttons.presses():
            await self._take(press)

    async def _touches(self) -> None:
        async for touch in self._touchscreen.touches():
            await self._take(touch)

    async def _keys(self) -> None:
        async for key in self._touchscreen.keys():
            await self._take(key)

    async def _take(self, what: Press | Touch | Key) -> None:
        view = self._view()  # as it is before: what wakes a sleeping display does nothing else
        self._asking.touched()
        self._input_s = self._shown_since_s = self._awake_s = self._now()
        self._front, intents = react(self._front, view, what)
        for intent in intents:
            try:
                await self._act(intent)
            except Refused as error:  # the session changed under the finger: the display shows what it is now
                log.info("refused at the kiosk: %s", error.text)
            except Trouble as error:
                log.warning("cannot be done: %s", error.text)
        self.refresh()

    async def _follow(self) -> None:
        async for session in self._book.follow():
            if session.state in OPEN or session.id == self._shown:
                self._show(session)
            self.refresh()

    def _show(self, session: Session) -> None:
        """The session that is in progress is on the display, and stays there for a while when it is over."""
        self._shown, self._shown_since_s = session.id, self._now()
        self._awake_s = self._shown_since_s
        if session.state in OPEN and session.state is not State.REQUESTED:
            self._asking.drop()
            self._article = None

    async def _ticks(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self._watch_network()
            self._watch_buttons()
            if self._time_passes():
                self.refresh()

    def _watch_network(self) -> None:
        now = self._now()
        if self._online():
            self._online_s = now
            self._board.works("network")
        elif now - self._online_s > OFFLINE_S:
            self._board.fails("network", "no connection to the broker")

    def _watch_buttons(self) -> None:
        if trouble := self._buttons.trouble:
            self._board.fails("buttons", trouble)
        else:
            self._board.works("buttons")

    def _time_passes(self) -> bool:
        """What a moment ended, if any."""
        now = self._now()
        if self._asking.passes():
            return True
        session = self._session()
        if session and session.state not in OPEN and now - self._shown_since_s > DISMISS_S:
            self._shown = None
            return True
        if now - self._input_s > AWAY_S and (self._article or self._front.browsing):
            self._article, self._front = None, self._front.on("")
            return True
        return self._front.held is not None or self._asleep(session) != self._slept or self._notices_end()

    def _notices_end(self) -> bool:
        """Once, when what was said or offered for a moment is over."""
        now, over = self._now(), False
        if self._put_away and now - self._put_away[1] > RECALL_S:
            self._put_away, over = None, True
        if 0 < self._unknown_code_s < now - NOTICE_S:
            self._unknown_code_s, over = -NOTICE_S, True
        return over

    def _asleep(self, session: Session | None) -> bool:
        """Nobody is there, and nothing is going on."""
        sleep_s = self._config.hardware.sleep_s
        busy = session or self._asking.flow or self._article or self._asking.discarded
        if not sleep_s or busy or any(t in MUST_BE_SEEN for t in self._troubles()):
            return False
        return self._now() - self._awake_s > sleep_s

    # --- what it means ------------------------------------------------------------------------------------------------

    async def _act(self, intent: Intent) -> None:
        if isinstance(intent, Draw):
            await self._pens.draw(intent)
        elif self._asking.flow is not None:
            await self._asking.act(intent)
        else:
            await self._act_outside_flow(intent)

    async def _act_outside_flow(self, intent: Chosen) -> None:
        match intent.id:
            case "ask" | "ask-with-reason":
                await self._begin(reason=intent.arg)
            case "scan":
                await self._scanned(intent.arg)
            case "recall" if self._put_away:
                self._shown, self._shown_since_s = self._put_away[0], self._now()
            case "article":
                self._article = intent.arg
            case "back":
                self._article = None
            case "done":
                self._put_away = (self._shown, self._now()) if self._shown else self._put_away
                self._shown = self._article = None
                self._asking.drop()
            case _:
                session = self._session()
                if session is not None:
                    await self._act_on(session, intent)

    async def _begin(self, reason: str = "", ticket: str = "") -> None:
        if self._book.provider.requests_allowed and self._book.open_session is None:
            self._article = self._shown = None
            await self._asking.begin(reason, ticket)

    async def _scanned(self, code: str) -> None:
        """The device's own code asks for help, any other is a ticket's; where no request may be made, that is said."""
        device = self._config.device
        if not self._book.provider.requests_allowed:
            self._unknown_code_s = self._now()
        elif code.casefold() in (device.id.casefold(), device.name.casefold()):
            await self._begin()
        else:
            await self._begin(ticket=code)

    async def _act_on(self, session: Session, intent: Chosen) -> None:
        simple: dict[str, do.Input] = {
            "cancel": do.Cancel("code_user"),
            "start": do.Start(),
            "accept": do.Start(),
            "decline": do.GiveUp(),
            "give-up": do.GiveUp(),
            "hang-up": do.End("hung_up"),
            "consent-yes": do.GiveConsent(self._consent(True, in_call=True)),
            "consent-no": do.GiveConsent(self._consent(False, in_call=True)),
            "withdraw": do.GiveConsent(self._consent(False, in_call=True)),
        }
        if intent.id in ("consent-no", "withdraw"):
            self._calls.withdraw()
        if intent.id in simple:
            await self._book.put(session.id, simple[intent.id], CODE_USER)
        elif intent.id == "rate":
            await self._book.put(session.id, do.Rate(Rating(int(intent.arg))), CODE_USER)
        else:
            await self._act_in_call(intent.id)

    async def _act_in_call(self, choice: str) -> None:
        match choice:
            case "snapshot":
                await self._calls.tool(SnapshotTake())
            case "live":
                await self._calls.tool(SnapshotClose())
            case "undo":
                snapshot = self._calls.open_snapshot
                if snapshot:
                    await self._calls.tool(Undo(snapshot=snapshot))
            case "mute" | "unmute":
                self._calls.mute(choice == "mute")

    def _consent(self, given: bool, *, in_call: bool) -> Consent:
        view = self._view()
        return Consent(
            given=given,
            at=datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            wording=self._wording(view),
            language=view.language,
            way="call" if in_call else "creation_flow",
        )

    # --- what is shown ------------------------------------------------------------------------------------------------

    def _session(self) -> Session | None:
        session = self._book.open_session
        if session is None and self._shown:
            session = self._book.sessions.get(self._shown)
        return session

    def _view(self) -> View:
        session = self._session()
        provider = self._book.provider
        return View(
            language=provider.language,
            device_name=self._config.device.name,
            provider=provider,
            online=self._online(),
            staff_online=self._staff_online(),
            session=session,
            sent=session is not None and self._is_sent(session),
            flow=self._asking.flow,
            flow_discarded=self._asking.discarded,
            call=self._pens.over(self._calls.view(session)),
            troubles=self._troubles(),
            article=self._article,
            recall=self._put_away is not None and session is None,
            asleep=self._asleep(session),
            qr=self._public_link(session) if session and session.state not in OPEN else "",
            now_s=self._now(),
            touched_s=self._awake_s,
        )

    def _troubles(self) -> tuple[str, ...]:
        failing = self._board.failing()
        codes = {**TROUBLES, "book": "not_kept" if self._book.trouble else "begun_anew"}
        told = [code for part, code in codes.items() if part in failing]
        if self._now() - self._unknown_code_s < NOTICE_S:
            told.insert(0, "unknown_code")
        return tuple(dict.fromkeys(told if self._book.clock_ok else [*told, "no_time"]))

    def _lamp_state(self, session: Session | None) -> LampState:
        if self._calls.camera_is_live:
            return "live"
        waiting = session is not None and session.state in (State.REQUESTED, State.CONFIRMED)
        return "waiting" if waiting else "idle"
