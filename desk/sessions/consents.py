"""What the desk remembers of consent: no receipt that a kiosk told is ever taken back in silence.

Each session document is held against the one before it. A kiosk whose newest file was damaged comes back with the one
before, under a new epoch, and may really have fewer receipts than the desk: that is said as it is. Under the same epoch
nothing of the kind can happen by itself: there somebody has cut or changed the chain.
"""

from __future__ import annotations

from msgspec import Struct

from kiosk.session import receipts
from kiosk.session.receipts import Fault
from kiosk.session.record import Receipt, Session

MAX_LOST = 100
"""Of so many are we reminded: bounds what a kiosk that invents and takes back receipts can cost us."""


class ConsentCheck(Struct, frozen=True):
    """What of a session's receipts does not fit: with each other and its files, or with what was told earlier.

    lost: as they were told once; the kiosk does not have them (like this) any more.
    restored: all of them were lost when the kiosk's memory had become an earlier one (a new epoch).
    """

    faults: tuple[Fault, ...] = ()
    lost: tuple[Receipt, ...] = ()
    restored: bool = False

    @property
    def text(self) -> str:
        """For a log: without names and times."""
        gone = ", ".join(str(r.n) for r in self.lost)
        how = "the kiosk came back with an earlier state" if self.restored else "they were cut or changed"
        said = [f"receipts known here that the kiosk no longer has: {gone} ({how})"] if gone else []
        return "; ".join([*said, *(fault.text for fault in self.faults)])


FINE = ConsentCheck()


def check(told: Session, before: Session | None, known: ConsentCheck = FINE) -> ConsentCheck:
    """Holds `told` against the document `before` it, and what was `known` to be lost then."""
    earlier = (*known.lost, *(before.consents if before else ()))
    lost = tuple(dict.fromkeys(r for r in earlier if r not in told.consents))[-MAX_LOST:]
    just_now = [r for r in lost if r not in known.lost]
    by_new_epoch = not just_now or (before is not None and before.epoch != told.epoch)
    restored = bool(lost) and by_new_epoch and (known.restored or not known.lost)
    return ConsentCheck(receipts.faults(told), lost, restored)
