"""What is told of the configuration that is in force."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from kiosk.session.provider import Provider
from kiosk.wire.codec import MAX_MESSAGE, encode
from kiosk.wire.messages import InForce

ROOM = 1024


def in_force(provider: Provider) -> InForce:
    """Whole where it fits into one message. Else the texts of the last articles are left out, and then articles and
    what else there may be many of: what is in force is told all the same."""
    told = msgspec.convert(provider, InForce, from_attributes=True)
    articles = list(told.articles)
    for n in reversed(range(len(articles))):
        if _fits(told):
            return told
        articles[n] = replace(articles[n], text="")
        told = replace(told, articles=tuple(articles))
    return told if _fits(told) else replace(told, articles=(), tickets=(), reasons=(), note="")


def _fits(told: InForce) -> bool:
    return len(encode(told)) <= MAX_MESSAGE - ROOM
