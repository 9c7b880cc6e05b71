"""Quiet hours: when somebody does not want to be woken. Pure.

Hours are wall time where the person is, so they move with summer time: an hour that comes twice is quiet twice, and an
end that a clock change leaps over is where the clock is after it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


@dataclass(frozen=True, slots=True)
class QuietHours:
    """`begin` and `end`: minutes after midnight, in `zone`. Over midnight where the end is the earlier one."""

    begin: int
    end: int
    zone: str


def zone_of(name: str) -> ZoneInfo:
    """
    Raises:
        ValueError: there is no time zone of this name.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError, ValueError) as error:  # names of folders, and of nothing at all
        raise ValueError(f"{name!r} is no time zone") from error


def quiet_until(hours: QuietHours, now_s: float) -> float:
    """Until when it is quiet, in wall seconds; `now_s` itself where it is not."""
    zone = zone_of(hours.zone)
    here = datetime.fromtimestamp(now_s, zone)
    minute = here.hour * 60 + here.minute
    before_end, begun = minute < hours.end, minute >= hours.begin
    quiet = (begun and before_end) if hours.begin < hours.end else (begun or before_end)
    return _next(here, hours.end, zone) if quiet else now_s


def _next(here: datetime, minute: int, zone: ZoneInfo) -> float:
    """When the clock there shows this minute next."""
    at = time(minute // 60, minute % 60)
    days = (here.date() + timedelta(days=n) for n in (0, 1))
    moments = (datetime.combine(day, at, zone).replace(fold=fold) for day in days for fold in (0, 1))
    return min(m for moment in moments if (m := moment.astimezone(UTC).timestamp()) > here.timestamp())
