"""The creation flow at the kiosk: what was answered so far, until it is a request, is left, or nobody goes on."""

from __future__ import annotations

from collections.abc import Callable

from kiosk.book.book import Book
from kiosk.config import Config
from kiosk.errors import Refused
from kiosk.session import flow as flows
from kiosk.session.record import CODE_USER, Consent
from kiosk.ui.local import Chosen

DISCARDED_S = 6.0
"""How long it is said that a flow was discarded."""


class Asking:
    """Used from the loop. flow: on the display, if any. consent: as it is given now, with the words that are shown."""

    def __init__(
        self, book: Book, config: Config, consent: Callable[[bool], Consent], now: Callable[[], float]
    ) -> None:
        self._book, self._config, self._consent, self._now = book, config, consent, now
        self.flow: flows.Flow | None = None
        self._touched_s = 0.0
        self._discarded_s: float | None = None

    @property
    def discarded(self) -> bool:
        """Shall be said just now."""
        return self._discarded_s is not None

    def touched(self) -> None:
        """Somebody is there."""
        self._touched_s = self._now()

    def drop(self) -> None:
        """Nothing of it is on the display any more."""
        self.flow = self._discarded_s = None

    def passes(self) -> bool:
        """Whether time has ended something: nobody goes on with the flow, or that was said for long enough."""
        now = self._now()
        if self.flow and now - self._touched_s > self._config.provider.flow_timeout_s:
            self.flow, self._discarded_s = None, now
            return True
        if self._discarded_s is not None and now - self._discarded_s > DISCARDED_S:
            self._discarded_s = None
            return True
        return False

    async def begin(self, reason: str = "", ticket: str = "") -> None:
        """Raises Trouble: with no steps the press is the request, and that may be refused."""
        self._discarded_s = None
        await self._go_on(flows.begin(self._book.provider, reason, self._config.hardware.touch, ticket))

    async def act(self, intent: Chosen) -> None:
        """A choice in the flow. Raises Trouble."""
        flow = self.flow
        assert flow is not None, "begun"
        match intent.id:
            case "scan" if flow.step != "ticket":
                return  # a code is no answer to another question
            case "ticket" | "scan":
                flow = flows.choose_ticket(flow, self._book.provider, intent.arg)
            case "answer" if flow.step == "ticket" and intent.arg:
                flow = flows.choose_ticket(flow, self._book.provider, intent.arg)
            case "answer":
                flow = flows.answer(flow, intent.arg)
            case "consent-yes" | "consent-no":
                flow = flows.answer(flow, consent=self._consent(intent.id == "consent-yes"))
            case "next":
                flow = flows.answer(flow)
            case "back":
                self.flow = flows.back(flow)
                return
            case "leave":
                self.flow = None
                return
        await self._go_on(flow)

    async def _go_on(self, flow: flows.Flow) -> None:
        """To the next step; with none left the request is made."""
        if flow.step is None:
            try:
                await self._book.put(None, flow.request, CODE_USER)
            except Refused:
                self.flow = None
                raise
        self.flow = flow if flow.step else None
