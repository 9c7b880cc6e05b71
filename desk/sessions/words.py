"""What kiosks say of themselves into the tables, many at once: about, health, and the configuration in force.

Used by desk.sessions.store inside of its transactions. One row is written once, however much of it was said.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncSession

from desk.sessions.many import Many
from desk.sessions.presences import kiosk_rows
from desk.tables import KioskRow
from kiosk.wire.codec import encode
from kiosk.wire.messages import About, Health, InForce

_ABOUT = ("about", "device_id", "device_name", "search")
_HEALTH = ("health", "healthy_s")
_IN_FORCE = ("in_force", "provider")
_NOTHING: dict[str, Any] = dict.fromkeys((*_ABOUT, *_HEALTH, *_IN_FORCE))
_ROWS = Many(KioskRow, "id", _NOTHING, keep=True)


class Words(Struct, frozen=True):
    """What one kiosk said; None: nothing of that kind."""

    about: About | None = None
    health: Health | None = None
    in_force: InForce | None = None


async def take_words(db: AsyncSession, told: Mapping[str, Words], now_s: float) -> list[str]:
    """By kiosk. Those of which something is other than before: that they told their health once more is not."""
    asked = [name for name in Words.__struct_fields__ if any(getattr(words, name) for words in told.values())]
    rows = await kiosk_rows(db, told, *asked)
    values = {kiosk: _values(kiosk, told[kiosk], row, now_s) for kiosk, row in rows.items()}
    await _ROWS.update(db, [{**_NOTHING, "id": kiosk, **each} for kiosk, each in values.items() if each])
    return [kiosk for kiosk, each in values.items() if _is_news(told[kiosk], rows[kiosk], each)]


def _values(kiosk: str, words: Words, row: Any, now_s: float) -> dict[str, Any]:
    """What is to be written."""
    values: dict[str, Any] = {}
    if (about := words.about) and row.about != (body := encode(about)):
        search = f"{kiosk}\n{about.device.id}\n{about.device.name}".casefold()
        values |= zip(_ABOUT, (body, about.device.id, about.device.name, search), strict=True)
    if words.health:
        values |= zip(_HEALTH, (encode(words.health), now_s), strict=True)
    if words.in_force and row.in_force != (body := encode(words.in_force)):
        values |= zip(_IN_FORCE, (body, words.in_force.name), strict=True)
    return values


def _is_news(words: Words, row: Any, values: Mapping[str, Any]) -> bool:
    if "about" in values or "in_force" in values:
        return True
    return words.health is not None and _parts(row.health) != words.health.parts


def _parts(health: bytes | None) -> dict[str, str] | None:
    return msgspec.json.decode(health, type=Health).parts if health else None
