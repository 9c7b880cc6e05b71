"""Whom a notification reached may look, whoever is responsible."""

from __future__ import annotations

from desk.database import Transactions
from desk.notifications.tables import AlertPersonRow


async def was_told(transactions: Transactions, session: str, account: str) -> bool:
    """Whether this person was told of this session's request: because he is responsible, or nobody else reacted."""
    async with transactions.read() as db:
        return await db.get(AlertPersonRow, (session, account)) is not None
