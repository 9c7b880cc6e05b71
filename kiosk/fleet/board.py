"""Which of the kiosk's parts work: one place that the display, MQTT and the log are fed from."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kiosk.errors import StoreTrouble

log = logging.getLogger(__name__)

OK = "ok"


class Board:
    """Parts by name; each "ok" or a sentence that says what is wrong. Logs the edges; used from the loop."""

    def __init__(self, changed: Callable[[], None] = lambda: None) -> None:
        self._parts: dict[str, str] = {}
        self.changed = changed

    def works(self, part: str) -> None:
        self._say(part, OK)

    def fails(self, part: str, text: str) -> None:
        self._say(part, text or "does not work")

    @contextmanager
    def disk(self) -> Iterator[None]:
        """What is done inside needs the disk: where it fails that is said, and the kiosk goes on without."""
        try:
            yield
        except StoreTrouble as error:
            self.fails("disk", error.text)
        else:
            self.works("disk")

    @property
    def parts(self) -> dict[str, str]:
        """A copy."""
        return dict(self._parts)

    def failing(self) -> frozenset[str]:
        return frozenset(p for p, text in self._parts.items() if text != OK)

    def _say(self, part: str, text: str) -> None:
        before = self._parts.get(part)
        if before == text:
            return
        self._parts[part] = text
        if text != OK:
            log.warning("%s: %s", part, text)
        elif before is not None:
            log.info("%s works again", part)
        self.changed()
