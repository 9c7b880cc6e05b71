"""How often something may be tried: counted in the database, so that several desks count together.

Nobody is locked out by somebody else's tries. A browser that this person has signed in with before counts for itself
(OWASP's device cookies); strangers are counted by where they come from, and only a great many places together make
strangers wait everywhere. Waiting always ends by itself.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import case, delete, update

from desk.database import Transactions, insert_missing
from desk.people.tables import TryRow
from desk.problems import Problem

WINDOW_S = 900.0
FORGOTTEN_S = 86400.0


@dataclass(frozen=True, slots=True)
class Count:
    key: str
    most: int


class Tries:
    def __init__(self, transactions: Transactions, now: Callable[[], float]) -> None:
        self._transactions = transactions
        self._now = now

    async def take(self, *counts: Count) -> None:
        """Counts one more of each, before it is tried: so many at once count as well.

        Raises:
            Problem: 429, it is too many; says when to come again.
        """
        waits = [await self._one(count) for count in counts]
        wait_s = max(waits, default=0.0)
        if wait_s > 0:
            seconds = str(int(wait_s) + 1)
            raise Problem(429, "too_many_tries", "too many tries; please wait", {"Retry-After": seconds})

    async def _one(self, count: Count) -> float:
        """Seconds to wait."""
        now = self._now()
        over = TryRow.since_s <= now - WINDOW_S
        again = (
            update(TryRow)
            .where(TryRow.key == count.key)
            .values(n=case((over, 1), else_=TryRow.n + 1), since_s=case((over, now), else_=TryRow.since_s))
            .returning(TryRow.n, TryRow.since_s)
            .execution_options(synchronize_session=False)
        )
        async with self._transactions.begin() as db:
            await db.execute(delete(TryRow).where(TryRow.since_s < now - FORGOTTEN_S))
            await insert_missing(db, TryRow, key=count.key, n=0, since_s=now)
            n, since_s = (await db.execute(again)).one()
        return float(since_s + WINDOW_S - now) if n > count.most else 0.0

    async def give_back(self, *counts: Count) -> None:
        """It was no wrong try after all."""
        for count in counts:
            one_less = update(TryRow).where(TryRow.key == count.key, TryRow.n > 0).values(n=TryRow.n - 1)
            async with self._transactions.begin() as db:
                await db.execute(one_less.execution_options(synchronize_session=False))


def counts_of(login: str, address: str, browser: str) -> tuple[Count, ...]:
    """What a try to sign in counts for. `browser`: the mark of one this person signed in with before, or none."""
    account, place = _short(login.strip().casefold()), network_of(address)
    if browser:
        return (Count(f"browser {_short(browser)}", 10),)
    return (
        Count(f"at {account} {place}", 10),
        Count(f"all {account}", 100),
        Count(f"from {place}", 60),
    )


def network_of(address: str) -> str:
    """The address; of IPv6 the /64, of which everybody has all addresses."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "?"
    return str(ip) if ip.version == 4 else str(ipaddress.ip_network((int(ip), 64), strict=False).network_address)


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:40]
