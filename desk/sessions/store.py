"""What the desk remembers, behind a few methods in our words. All of it is async; each method is one transaction.

Errors of the database surface as SQLAlchemy's own; the follower retries them, requests end with 500.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import msgspec
from sqlalchemy import delete, select, text
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from desk.database import Transactions, engine_of, insert_missing, migrate
from desk.keeping.tables import ClockRow, DeletionRow
from desk.sessions.consents import FINE, ConsentCheck
from desk.sessions.intake import Told, people_of, take_sessions
from desk.sessions.notices import Kind, Notices
from desk.sessions.presences import take_presences
from desk.sessions.store_lost import document, lost_with_files, shown
from desk.sessions.wanted import Wanted, WantedKiosks, kiosks_query, place_of, sessions_query
from desk.sessions.words import Words, take_words
from desk.tables import ArtifactRow, AuditRow, ConsentRow, KioskRow, NonceRow, SessionRow
from kiosk.session.record import ArtifactKind, Device, Session
from kiosk.wire.messages import About, Health, InForce, Presence

EVERY_KIOSK = WantedKiosks(limit=100_000)
MOST_PROVIDERS = 500


class KioskView(msgspec.Struct, frozen=True):
    """A kiosk as people see it."""

    id: str
    online: bool
    device: Device | None = None
    software: str = ""
    parts: dict[str, str] = {}
    """Each part of the kiosk: "ok" or what is wrong with it."""
    changed_s: float = 0.0
    provider: str = ""


class KioskDetails(msgspec.Struct, frozen=True):
    """What is known of a kiosk. changed_s: when it came or went; healthy_s: when it last told its health; uptime_s: how
    long it had run then. in_force: its configuration, where it has said so."""

    kiosk: KioskView
    about: About | None = None
    healthy_s: float = 0.0
    uptime_s: float = 0.0
    in_force: InForce | None = None


@dataclass(frozen=True, slots=True)
class SessionPage:
    """`after`: what the next page is asked for with; empty: that was all."""

    sessions: list[Session]
    after: str = ""


@dataclass(frozen=True, slots=True)
class Came:
    """What presences changed. kiosks: those that came or went. sessions: those that are lost by what their kiosk says
    it holds, or found again, as they are shown now (desk.sessions.lost)."""

    kiosks: list[str]
    sessions: list[Session]


@dataclass(frozen=True, slots=True)
class StoredFile:
    session: str
    artifact: str
    sha256: str
    bytes: int
    content_type: str
    path: str


_PLAN_FOR_WORDS = text("SET LOCAL plan_cache_mode = force_custom_plan")
"""Whether a word is rare decides by which index it is looked for, so PostgreSQL must plan for this word."""

__all__ = ["Told", "people_of"]  # of desk.sessions.intake: the words of what is done here


class Store:
    """Opened by `open_store`."""

    def __init__(self, engine: AsyncEngine, now: Callable[[], float]) -> None:
        self._engine = engine
        self._now = now
        self.transactions = Transactions(engine)
        self.notices = Notices(engine)
        """What is changed here is told to all desks by these."""
        self._begin, self._read = self.transactions.begin, self.transactions.read
        self.noted: list[Callable[[AsyncSession, Session, Session | None], Awaitable[None]]] = []
        """Told of each session that is other than before, and what it was before, inside of the transaction: what they
        write is there if and only if the session is."""

    async def close(self) -> None:
        await self._engine.dispose()

    # --- kiosks -------------------------------------------------------------------------------------------------------

    async def take_presence(self, kiosk: str, told: Presence) -> bool:
        """Whether it was news; a late will of a former boot or connection is not. What it holds is left alone."""
        return bool((await self.take_presences({kiosk: msgspec.structs.replace(told, held=None)})).kiosks)

    async def take_held(self, kiosk: str, told: Presence) -> list[str]:
        """The ids of sessions that are lost by what the kiosk says it holds, or found again (desk.sessions.lost)."""
        return [session.id for session in (await self.take_presences({kiosk: told})).sessions]

    async def take_presences(self, told: Mapping[str, Presence]) -> Came:
        """By kiosk. All of it is there, or nothing."""
        async with self._begin() as db:
            kiosks, rows = await take_presences(db, told, self._now())
            await self.notices.add(db, "kiosk", kiosks)
            sessions = await shown(db, rows)
            for session, row in zip(sessions, rows, strict=True):
                await self._note(db, session, document(row))
            await self.notices.add(db, "session", [row.id for row in rows])
            return Came(kiosks, sessions)

    async def lost_with_files(self, *kiosks: str) -> list[Session]:
        """Sessions that these kiosks have lost, of which files may still lie in their spools."""
        async with self._read() as db:
            return await lost_with_files(db, kiosks)

    async def take_words(self, told: Mapping[str, Words]) -> list[str]:
        """By kiosk. Those of which something is other than before; all of it is there, or nothing."""
        async with self._begin() as db:
            changed = await take_words(db, told, self._now())
            await self.notices.add(db, "kiosk", changed)
            return changed

    async def take_about(self, kiosk: str, told: About) -> None:
        await self.take_words({kiosk: Words(about=told)})

    async def take_health(self, kiosk: str, told: Health) -> bool:
        """Whether a part is now better or worse."""
        return bool(await self.take_words({kiosk: Words(health=told)}))

    async def take_in_force(self, kiosk: str, told: InForce) -> bool:
        """Whether it is another configuration than before."""
        return bool(await self.take_words({kiosk: Words(in_force=told)}))

    async def kiosk_details(self, kiosk: str) -> KioskDetails | None:
        async with self._read() as db:
            row = await db.get(KioskRow, kiosk)
            return _details(row) if row else None

    async def providers(self) -> list[str]:
        async with self._read() as db:
            named = select(KioskRow.provider).where(KioskRow.provider != "").distinct().order_by(KioskRow.provider)
            return list(await db.scalars(named.limit(MOST_PROVIDERS)))

    async def kiosks(self, wanted: WantedKiosks = EVERY_KIOSK) -> tuple[list[KioskView], str]:
        """Those that fit, and what the next page is asked for with (`after`); empty: that was all."""
        async with self._read() as db:
            rows = list(await db.scalars(kiosks_query(wanted)))
        page = rows[: wanted.limit]
        return [_view(row) for row in page], page[-1].id if len(rows) > len(page) else ""

    async def kiosk(self, kiosk: str) -> KioskView | None:
        async with self._read() as db:
            row = await db.get(KioskRow, kiosk)
            return _view(row) if row else None

    # --- sessions -----------------------------------------------------------------------------------------------------

    async def take_session(self, told: Session) -> Told:
        """Projects a document that its own kiosk told."""
        return (await self.take_sessions([told]))[0]

    async def take_sessions(self, told: list[Session]) -> list[Told]:
        """Documents of different sessions; what became of each. All of it is there, or nothing."""
        async with self._begin() as db:
            taken, news = await take_sessions(db, told, self._now())
            await self.notices.add(db, "session", [one.session.id for one in news])
            for one in news:
                await self._note(db, one.session, one.before)
            return taken

    async def _note(self, db: AsyncSession, session: Session, before: Session | None) -> None:
        for noted in self.noted:
            await noted(db, session, before)

    async def session(self, session_id: str) -> Session | None:
        async with self._read() as db:
            row = await db.get(SessionRow, session_id)
            return (await shown(db, [row]))[0] if row else None

    async def sessions_of(self, ids: list[str]) -> list[Session]:
        """In this order, without those that are not there."""
        async with self._read() as db:
            found = await db.scalars(select(SessionRow).where(SessionRow.id.in_(ids)))
            here = {session.id: session for session in await shown(db, list(found))}
        return [here[session] for session in ids if session in here]

    async def tell_session(self, session: str) -> None:
        """Something that belongs to it changed: pages that show it are told."""
        await self.tell("session", [session])

    async def tell(self, kind: Kind, ids: list[str]) -> None:
        """Something changed that is no row of theirs."""
        async with self._begin() as db:
            await self.notices.add(db, kind, ids)

    async def consent_check(self, session_id: str) -> ConsentCheck:
        async with self._read() as db:
            return _found(await db.get(ConsentRow, session_id))

    async def sessions(self, wanted: Wanted) -> SessionPage:
        """Newest first.

        Raises:
            Malformed: `wanted.after` is no place in a list.
        """
        query = sessions_query(wanted)
        async with self._read() as db:
            if wanted.words and db.get_bind().dialect.name == "postgresql":
                await db.execute(_PLAN_FOR_WORDS)
            rows = list(await db.scalars(query))
            page = rows[: wanted.limit]
            return SessionPage(await shown(db, page), place_of(page[-1]) if len(rows) > len(page) else "")

    async def earlier(self, session: Session, limit: int) -> list[Session]:
        """What the same device had before, newest first."""
        async with self._read() as db:
            row = await db.get(SessionRow, session.id)
            if row is None:
                return []
            query = (
                select(SessionRow)
                .where(SessionRow.device_id == row.device_id, SessionRow.id != row.id)
                .where(SessionRow.created_s <= row.created_s)
                .order_by(SessionRow.created_s.desc(), SessionRow.id)
                .limit(limit)
            )
            return await shown(db, list(await db.scalars(query)))

    # --- files --------------------------------------------------------------------------------------------------------

    async def add_file(self, file: StoredFile, kind: ArtifactKind) -> None:
        """Idempotent: one that is already there stays. It is never from before the time that was believed last: a clock
        that has gone back would make it old (desk.keeping.clock)."""
        values = {name: getattr(file, name) for name in file.__slots__}
        async with self._begin() as db:
            at_s = max(self._now(), await db.scalar(select(ClockRow.good_s)) or 0.0)
            await insert_missing(db, ArtifactRow, **values, kind=kind.value, verified_s=at_s)

    async def file(self, session: str, artifact: str, sha256: str) -> StoredFile | None:
        async with self._read() as db:
            row = await db.get(ArtifactRow, (session, artifact, sha256))
            return _file(row) if row else None

    async def files(self, session: str) -> dict[tuple[str, str], StoredFile]:
        """By (artifact, SHA-256)."""
        async with self._read() as db:
            rows = await db.scalars(select(ArtifactRow).where(ArtifactRow.session == session))
            return {(row.artifact, row.sha256): _file(row) for row in rows}

    async def deleted(self, session: str) -> dict[tuple[str, str], float]:
        """What was here and is deleted, by (artifact, SHA-256): since when."""
        query = select(DeletionRow).where(DeletionRow.session == session, DeletionRow.kind != "film")
        async with self._read() as db:
            return {(row.artifact, row.sha256): row.at_s for row in await db.scalars(query)}

    # --- people -------------------------------------------------------------------------------------------------------

    async def use_nonce(self, nonce: str, expires_s: int) -> bool:
        """Whether this was its first use. Those that are over anyway are forgotten by the way."""
        async with self._begin() as db:
            await db.execute(delete(NonceRow).where(NonceRow.expires_s < self._now()))
            return await insert_missing(db, NonceRow, nonce=nonce, expires_s=expires_s)

    async def is_used(self, nonce: str) -> bool:
        async with self._read() as db:
            return await db.get(NonceRow, nonce) is not None

    async def audit(self, person: str, what: str, target: str = "", outcome: str = "", address: str = "") -> None:
        async with self._begin() as db:
            row = AuditRow(at_s=self._now(), person=person, what=what, target=target, outcome=outcome, address=address)
            db.add(row)

    async def audited(self) -> list[tuple[str, str, str, str]]:
        """(person, what, target, outcome), oldest first."""
        async with self._read() as db:
            rows = await db.scalars(select(AuditRow).order_by(AuditRow.id))
            return [(r.person, r.what, r.target, r.outcome) for r in rows]


async def open_store(url: str | URL, now: Callable[[], float] = time.time) -> Store:
    """The store at `url`, at the newest revision; folder and tables are made where they are missing.

    Raises:
        ConfigError: it cannot be reached, or is of a newer desk.
    """
    engine = engine_of(url)
    try:
        await migrate(engine)
    except BaseException:
        await engine.dispose()
        raise
    return Store(engine, now)


def _found(row: ConsentRow | None) -> ConsentCheck:
    return msgspec.json.decode(row.found, type=ConsentCheck) if row else FINE


def _file(row: ArtifactRow) -> StoredFile:
    return StoredFile(row.session, row.artifact, row.sha256, row.bytes, row.content_type, row.path)


def _view(row: KioskRow) -> KioskView:
    about = msgspec.json.decode(row.about, type=About) if row.about else None
    health = msgspec.json.decode(row.health, type=Health) if row.health else None
    return KioskView(
        id=row.id,
        online=row.online,
        device=about.device if about else None,
        software=about.software if about else "",
        parts=health.parts if health else {},
        changed_s=row.changed_s,
        provider=row.provider,
    )


def _details(row: KioskRow) -> KioskDetails:
    about = msgspec.json.decode(row.about, type=About) if row.about else None
    health = msgspec.json.decode(row.health, type=Health) if row.health else None
    in_force = msgspec.json.decode(row.in_force, type=InForce) if row.in_force else None
    return KioskDetails(_view(row), about, row.healthy_s, health.uptime_s if health else 0.0, in_force)
