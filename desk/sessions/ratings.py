"""What code users say of their sessions: stars and words, one rating a session, changed while its page lives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta, Struct
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from desk.database import Transactions
from desk.sessions.tables import RatingRow

MOST_WORDS = 1000


class Rated(Struct, frozen=True):
    stars: Annotated[int, Meta(ge=1, le=5)]
    words: Annotated[str, Meta(max_length=MOST_WORDS)] = ""


async def rating_of(transactions: Transactions, session: str) -> Rated | None:
    async with transactions.read() as db:
        row = await db.get(RatingRow, session)
        return Rated(row.stars, row.words) if row else None


async def ratings_of(db: AsyncSession, sessions: Sequence[str]) -> dict[str, Rated]:
    """By session; those without one are left out."""
    rows = await db.scalars(select(RatingRow).where(RatingRow.session.in_(sessions)))
    return {row.session: Rated(row.stars, row.words) for row in rows}


async def rate(transactions: Transactions, session: str, rated: Rated, at_s: float) -> None:
    """The latest counts."""
    async with transactions.begin() as db:
        await db.merge(RatingRow(session=session, stars=rated.stars, words=rated.words, at_s=at_s))
