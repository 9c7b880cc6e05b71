"""What a notification says, in its reader's language. What comes from outside stands in it as plain, short text."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

from msgspec import Struct

from desk.config import Language
from desk.notifications.alerts import REQUEST
from desk.texts import texts
from kiosk.session.record import Session
from kiosk.session.states import State

MOST_TITLE, MOST_TEXT = 120, 300
"""Web Push carries 4 kB, of which these are at most half."""


class Said(Struct, frozen=True):
    """tag: what replaces what, as in the page itself (page.js). silent: makes no noise."""

    title: str
    text: str
    tag: str
    path: str
    silent: bool = False


class Words:
    """Catalogues, read once."""

    def __init__(self, language: str) -> None:
        """`language`: of people who have none of their own."""
        self._gettext = {one: texts(one).gettext for one in get_args(Language)}
        self._language = language

    def told(self, session: Session, key: str, level: int, language: str = "") -> Said:
        _ = self._in(language)
        if key != REQUEST:
            title = _("{device} is calling")
        elif level:
            title = _("Nobody has reacted yet: {device}")
        else:
            title = _("New request: {device}")
        text = session.reason or _("No reason given")
        who = f"{session.requester}: {text}" if session.requester else text
        return _said(session, key, title.format(device=session.device.name), who)

    def over(self, session: Session, key: str, language: str = "") -> Said:
        """What became of it: takes the place of the notification, without a noise."""
        _ = self._in(language)
        name, state = _who(session, key)
        if key != REQUEST:
            title = _("{device} does not call any more")
        elif state is State.CONFIRMED:
            title = _("{name} has confirmed: {device}") if name else _("Confirmed: {device}")
        else:
            title = _("{name} has called it off: {device}") if name else _("Called off: {device}")
        return _said(session, key, title.format(device=session.device.name, name=name), session.reason, silent=True)

    def test(self, language: str = "") -> Said:
        _ = self._in(language)
        return Said(_("This is a test"), _("Requests for video sessions reach you here."), "test", "/account")

    def _in(self, language: str) -> Callable[[str], str]:
        return self._gettext.get(language or self._language, self._gettext["en"])


def harmless(text: str) -> str:
    """For chats: somebody at a machine must not call a whole channel (@everyone) by the reason that he gives."""
    return text.replace("@", "@\u200b").replace("<!", "<\u200b!")


def _said(session: Session, key: str, title: str, text: str, *, silent: bool = False) -> Said:
    tag = f"{'asks' if key == REQUEST else 'rings'}-{session.id}"
    return Said(_plain(title, MOST_TITLE), _plain(text, MOST_TEXT), tag, f"/sessions/{session.id}", silent)


def _who(session: Session, key: str) -> tuple[str, State]:
    """Who brought it out of REQUESTED, where that was somebody of the staff, and to what."""
    change = next((c for c in session.history if c.source is State.REQUESTED), None)
    if change is None or key != REQUEST:
        return "", session.state
    return (change.actor.name if change.actor.id else ""), change.target


def _plain(text: str, most: int) -> str:
    """One line, without what turns or hides text."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= most else line[: most - 1] + "…"
