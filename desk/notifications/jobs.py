"""What the desk hands to the process that sends (desk.notifications.post) and hears back: a line of JSON each."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Code = Literal["ok", "gone", "later", "refused", "private", "bad", "late"]
"""ok: it was taken. gone: that browser wants no more. later: try again. refused: for good. private: not an address that
it may connect to. bad: not understood. late: no answer in time."""


class Push(Struct, frozen=True, tag="push"):
    """Web Push. topic: one that waits at the push service is replaced by the next one of the same."""

    endpoint: str
    p256dh: str
    auth: str
    key: str
    contact: str
    topic: str
    payload: str
    lasts_s: int


class Tell(Struct, frozen=True, tag="tell"):
    """By Apprise."""

    address: str
    title: str
    text: str


class Look(Struct, frozen=True, tag="look"):
    """Whether Apprise understands this address; tells nobody."""

    address: str


Job = Push | Tell | Look


class Order(Struct, frozen=True):
    n: int
    job: Job


class Outcome(Struct, frozen=True):
    """service: whose address it is. wait_s: not before then, as the service asks."""

    n: int
    code: Code
    service: str = ""
    wait_s: float = 0.0
