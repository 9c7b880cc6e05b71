"""Links that are good once: to set a password, or to become the first administrator."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from sqlalchemy import delete

from desk.database import Transactions
from desk.people.accounts import Account, account_row, view_of
from desk.people.tables import LinkRow
from desk.problems import Problem
from desk.seals import fingerprint


class OnceLinks:
    """An account of None: for a first administrator, and there may be several of them."""

    def __init__(self, transactions: Transactions, now: Callable[[], float]) -> None:
        self._begin, self._read, self._now = transactions.begin, transactions.read, now

    async def make(self, account: str | None, lifetime_s: float) -> str:
        """A token; those made earlier for this account are worth nothing. Those for a first administrator all hold:
        several desks may start at once."""
        token = secrets.token_urlsafe(32)
        async with self._begin() as db:
            await db.execute(delete(LinkRow).where(LinkRow.expires_s < self._now()))
            if account is not None:
                await db.execute(delete(LinkRow).where(LinkRow.account == account))
            db.add(LinkRow(hash=fingerprint(token), account=account, expires_s=self._now() + lifetime_s))
        return token

    async def whose(self, token: str) -> Account | None:
        """
        Raises:
            Problem: 401, it was used, is over, or never was one.
        """
        async with self._read() as db:
            row = await db.get(LinkRow, fingerprint(token))
            if row is None or row.expires_s <= self._now():
                raise _over()
            return view_of(await account_row(db, row.account)) if row.account else None

    async def use(self, token: str) -> None:
        """
        Raises:
            Problem: 401, as above; of two who come at once, one.
        """
        async with self._begin() as db:
            row = await db.get(LinkRow, fingerprint(token), with_for_update=True)
            if row is None or row.expires_s <= self._now():
                raise _over()
            whose = LinkRow.account == row.account if row.account else LinkRow.account.is_(None)
            await db.execute(delete(LinkRow).where(whose))

    async def give_back(self, token: str, lifetime_s: float) -> None:
        """One for a first administrator that was used for nothing."""
        async with self._begin() as db:
            db.add(LinkRow(hash=fingerprint(token), account=None, expires_s=self._now() + lifetime_s))


def _over() -> Problem:
    return Problem(401, "link_over", "this link was used before, or its time is over")
