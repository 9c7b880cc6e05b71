"""MQTT topics: `kiosk/1/{kiosk}/presence`, `.../up/...` written by the kiosk, `.../down/...` read by it."""

from __future__ import annotations

import re
from typing import NamedTuple

from kiosk.errors import Malformed

ROOT = "kiosk/1"
ID = re.compile(r"[a-z0-9-]{3,40}\Z")


class Topic(NamedTuple):
    """A topic taken apart: `kiosk/1/k-1/up/session/s-1` is Topic("k-1", "up/session", "s-1")."""

    kiosk: str
    kind: str
    session: str = ""

    def __str__(self) -> str:
        return f"{ROOT}/{self.kiosk}/{self.kind}" + (f"/{self.session}" if self.session else "")


PRESENCE = "presence"
ABOUT = "up/about"
HEALTH = "up/health"
CONFIG_REPORTED = "up/config"
SESSION = "up/session"
ANSWER = "up/answer"
SIGNAL_UP = "up/signal"
CONFIG_DESIRED = "down/config"
COMMAND = "down/command"
SIGNAL_DOWN = "down/signal"
RECEIPT = "down/receipt"
STAFF = "down/staff"
FLEET_COMMAND = "down/fleet"
FLEET_ANSWER = "up/fleet"
"""Fleet managers have command topics of their own: on the desk's they could claim to be any staff member."""

_PLAIN = {
    PRESENCE,
    ABOUT,
    HEALTH,
    CONFIG_REPORTED,
    ANSWER,
    CONFIG_DESIRED,
    COMMAND,
    RECEIPT,
    STAFF,
    FLEET_COMMAND,
    FLEET_ANSWER,
}
_WITH_SESSION = {SESSION, SIGNAL_UP, SIGNAL_DOWN}


def takes_session(kind: str) -> bool:
    """Whether topics of this kind name a session as well."""
    return kind in _WITH_SESSION


def parse(topic: str) -> Topic:
    """The topic taken apart.

    Raises:
        Malformed: not one of ours, or with an id that is not `[a-z0-9-]{3,40}`.
    """
    parts = topic.split("/")
    if len(parts) < 4 or "/".join(parts[:2]) != ROOT or not ID.match(parts[2]):
        raise Malformed(f"not a topic of ours: {topic[:100]!r}")
    kind = "/".join(parts[3:5])
    session = parts[5] if len(parts) == 6 else ""
    fits = (kind in _PLAIN and len(parts) <= 5) or (kind in _WITH_SESSION and len(parts) == 6 and ID.match(session))
    if not fits:
        raise Malformed(f"not a topic of ours: {topic[:100]!r}")
    return Topic(parts[2], kind, session)


def kiosk_filter(kiosk: str) -> str:
    """The one filter a kiosk subscribes with."""
    return f"{ROOT}/{kiosk}/down/#"


DESK_FILTERS = (f"{ROOT}/+/presence", f"{ROOT}/+/up/#")
