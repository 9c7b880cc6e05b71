"""Reading the audit log: by page, and whole as CSV. It is written by Store.audit."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from msgspec import Struct
from sqlalchemy import Select, select

from desk.database import Transactions
from desk.people.tables import AccountRow
from desk.tables import AuditRow

PAGE = 500
COLUMNS = ("time", "person", "name", "what", "target", "outcome", "address")


class Entry(Struct, frozen=True):
    """n: counts up. name: of the person, as it is today."""

    n: int
    at_s: float
    person: str
    name: str
    what: str
    target: str
    outcome: str
    address: str


class Asked(Struct, frozen=True):
    """What is left empty or 0 asks for nothing."""

    person: str = ""
    what: str = ""
    target: str = ""
    since_s: float = 0.0
    until_s: float = 0.0


async def entries(transactions: Transactions, asked: Asked, before: int = 0, limit: int = PAGE) -> list[Entry]:
    """Newest first; `before`: only those with a smaller number."""
    query = _query(asked).order_by(AuditRow.id.desc()).limit(limit)
    if before:
        query = query.where(AuditRow.id < before)
    async with transactions.read() as db:
        return [_entry(found[0], found[1] or "") for found in await db.execute(query)]


async def as_csv(transactions: Transactions, asked: Asked) -> AsyncIterator[bytes]:
    """In pieces, so that a long log needs little memory."""
    yield _lines([COLUMNS])
    before = 0
    while page := await entries(transactions, asked, before):
        yield _lines([_columns(entry) for entry in page])
        before = page[-1].n


def _query(asked: Asked) -> Select[AuditRow, str]:
    query = select(AuditRow, AccountRow.name).join(AccountRow, AccountRow.id == AuditRow.person, isouter=True)
    for column, wanted in (
        (AuditRow.person, asked.person),
        (AuditRow.what, asked.what),
        (AuditRow.target, asked.target),
    ):
        if wanted:
            query = query.where(column == wanted)
    if asked.since_s:
        query = query.where(AuditRow.at_s >= asked.since_s)
    return query.where(AuditRow.at_s < asked.until_s) if asked.until_s else query


def _entry(row: AuditRow, name: str) -> Entry:
    return Entry(row.id, row.at_s, row.person, name, row.what, row.target, row.outcome, row.address)


def _columns(entry: Entry) -> tuple[str, ...]:
    at = datetime.fromtimestamp(entry.at_s, UTC).isoformat(timespec="seconds")
    texts = (at, entry.person, entry.name, entry.what, entry.target, entry.outcome, entry.address)
    return tuple(_harmless(text) for text in texts)


def _harmless(text: str) -> str:
    """A spreadsheet takes what begins like this for a formula."""
    return "'" + text if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _lines(rows: list[tuple[str, ...]]) -> bytes:
    page = io.StringIO()
    csv.writer(page).writerows(rows)
    return page.getvalue().encode()
