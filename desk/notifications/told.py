"""Whom a notification reached may look, whoever is responsible: the session's page, and among his own in every list."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import false, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from desk.database import Transactions
from desk.notifications.tables import AlertPersonRow
from desk.people.tables import AccountRow
from desk.tables import SessionPersonRow, SessionRow
from kiosk.session.record import Person

_TOLD = select(AlertPersonRow.session, AlertPersonRow.account, false(), SessionRow.created_s).join(
    SessionRow, SessionRow.id == AlertPersonRow.session
)


async def was_told(transactions: Transactions, session: str, account: str) -> bool:
    """Whether this person was told of this session's request: because he is responsible, or nobody else reacted."""
    async with transactions.read() as db:
        return await db.get(AlertPersonRow, (session, account)) is not None


async def list_for_told(db: AsyncSession, sessions: Sequence[str]) -> None:
    """Puts these sessions into the lists of those who were told of them, and are not in them as responsible: a list is
    one walk through one index (`session_people_newest`), whatever the reason why somebody sees a session."""
    dialect = postgresql if db.get_bind().dialect.name == "postgresql" else sqlite
    theirs = dialect.insert(SessionPersonRow).from_select(
        ["session", "person", "assigned", "created_s"], _TOLD.where(AlertPersonRow.session.in_(sessions))
    )
    await db.execute(theirs.on_conflict_do_nothing())


async def told_beside(db: AsyncSession, sessions: Sequence[str]) -> dict[str, set[str]]:
    """Who was told of each of these; those of which nobody was are left out."""
    query = select(AlertPersonRow.session, AlertPersonRow.account).where(AlertPersonRow.session.in_(sessions))
    told: dict[str, set[str]] = {}
    for session, account in await db.execute(query):
        told.setdefault(session, set()).add(account)
    return told


async def told_people(transactions: Transactions, session: str, beside: Collection[str]) -> list[Person]:
    """Whom it was told to, but those `beside` whom that was (ids: of the responsible). By their names."""
    query = select(AccountRow.id, AccountRow.name).join(AlertPersonRow, AlertPersonRow.account == AccountRow.id)
    async with transactions.read() as db:
        found = await db.execute(query.where(AlertPersonRow.session == session).order_by(AccountRow.name))
        return [Person(account, name) for account, name in found if account not in beside]


async def told_of(transactions: Transactions, sessions: Sequence[str], account: str) -> list[str]:
    """Of which of these this person was told, in their order."""
    if not sessions:
        return []
    theirs = AlertPersonRow.account == account
    query = select(AlertPersonRow.session).where(AlertPersonRow.session.in_(sessions), theirs)
    async with transactions.read() as db:
        found = set(await db.scalars(query))
    return [session for session in sessions if session in found]
