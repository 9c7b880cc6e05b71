"""Sessions that their kiosk has lost: shown as ended, with the reason; nothing that is stored here is changed.

A kiosk loses a session that was never on its disk when the power went, or with the disk itself. It says at each connect
and at each new session which it holds (kiosk.wire.messages.Presence). What is not over here and is not held there is
lost: a pure function of the newest of those words and of the session as it was last told, so it does not matter in
which order the two come, or how often. A kiosk that holds the session after all (the old disk is back) puts it right by
saying so.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime

from msgspec.structs import replace

from kiosk.session.record import SYSTEM, Change, Session
from kiosk.session.states import ENDED, Event, State

CAUSE = "kiosk_lost"

_ENDS = {
    State.REQUESTED: (Event.CANCEL, State.CANCELLED),
    State.CONFIRMED: (Event.CANCEL, State.CANCELLED),
    State.RUNNING: (Event.CLOSE, State.CLOSED),
    State.COMPLETED: (Event.CLOSE, State.CLOSED),
}
"""What never had its call is called off; the others are done."""


def is_lost(told: Session, held: Collection[str] | None) -> bool:
    """`held`: what the kiosk has said that it holds; None where it never said so."""
    if held is None or told.id in held:
        return False
    return told.state not in ENDED or any(a.waits for a in told.artifacts)


def as_lost(told: Session, at_s: float) -> Session:
    """As it is shown: over, since the desk noticed it (seconds since 1970).

    In an epoch of its own: pages that know the session as it was told take this for news, and the other way round.
    """
    shown = replace(told, epoch=f"{told.epoch}.{CAUSE}", ringing=None)
    if told.state in ENDED:
        return shown
    event, target = _ENDS[told.state]
    at = datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    change = Change(at, SYSTEM, event, told.state, target, CAUSE)
    recording = replace(told.recording, running=False)
    return replace(shown, state=target, recording=recording, history=(*told.history, change))


def was_lost(shown: Session) -> bool:
    """Of a session as it is shown."""
    return shown.epoch.endswith(f".{CAUSE}")
