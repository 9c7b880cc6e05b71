"""Accounts: who may sign in, and as what. Each method is one transaction.

People of the settings file have accounts as well, which follow the file at each start: whoever is gone from it is
locked. Accounts of single sign-on follow their provider in the same way, at each sign-in. All others are changed here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, cast

from msgspec import UNSET, Struct, UnsetType
from sqlalchemy import delete, func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from desk.config import Language, MaybeEmail, Member, Rank
from desk.database import Transactions, insert_missing
from desk.notifications.tables import AddressRow, PushRow, WishRow
from desk.people.tables import AccountRow, IdentityRow, LinkRow, RecoveryRow, SignInRow, TokenRow
from desk.problems import Problem, not_found
from kiosk.errors import ConfigError
from kiosk.session.record import Id, Text

Origin = Literal["desk", "settings", "sso"]
STRONGEST = (Rank.ADMINISTRATOR, Rank.MODERATOR, Rank.STAFF, Rank.FLEET_MANAGER)


class Account(Struct, frozen=True):
    """As administrators see it. seen_s: last heard of in a browser; 0: never."""

    id: Id
    name: Text
    email: str
    roles: tuple[Rank, ...]
    language: str
    origin: Origin
    locked: bool
    has_password: bool
    second_factor: bool
    created_s: float
    seen_s: float = 0.0


class Profile(Struct, frozen=True):
    """What an account begins with."""

    id: Id
    name: Text
    email: MaybeEmail = ""
    roles: tuple[Rank, ...] = (Rank.STAFF,)
    language: Language | Literal[""] = ""


class Changes(Struct, frozen=True):
    """What is left out stays."""

    name: Text | UnsetType = UNSET
    email: MaybeEmail | UnsetType = UNSET
    roles: tuple[Rank, ...] | UnsetType = UNSET
    language: Language | Literal[""] | UnsetType = UNSET


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a sign-in is held against; never leaves the desk. totp: sealed (desk.people.second_factor)."""

    member: Member
    locked: bool
    password: str
    totp: bytes | None
    totp_step: int


class Accounts:
    def __init__(self, transactions: Transactions, now: Callable[[], float]) -> None:
        self._begin, self._read, self._now = transactions.begin, transactions.read, now

    # --- who there is -------------------------------------------------------------------------------------------------

    async def all(self) -> list[Account]:
        """By name; locked ones as well, removed ones not."""
        seen = select(SignInRow.account, func.max(SignInRow.seen_s)).group_by(SignInRow.account)
        async with self._read() as db:
            rows = await db.scalars(select(AccountRow).where(AccountRow.removed_s.is_(None)))
            last: dict[str, float] = {row[0]: row[1] for row in await db.execute(seen)}
            found = [view_of(row, last.get(row.id, 0.0)) for row in rows]
        return sorted(found, key=lambda account: (account.name.casefold(), account.id))

    async def get(self, account: str) -> Account:
        """
        Raises:
            Problem: 404, there is none.
        """
        async with self._read() as db:
            return view_of(await account_row(db, account))

    async def member(self, account: str) -> Member | None:
        """Who may act in this moment; None where there is none, or it is locked."""
        async with self._read() as db:
            row = await db.get(AccountRow, account)
            return member_of(row) if row and not row.locked and row.removed_s is None else None

    async def members(self) -> list[Member]:
        """Those who may sign in, by name."""
        return [_member(account) for account in await self.all() if not account.locked]

    async def credentials(self, login: str) -> Credentials | None:
        """By id or e-mail address, however it is written."""
        wanted = login.strip().casefold()
        query = select(AccountRow).where(or_(AccountRow.id == wanted, AccountRow.email == wanted))
        async with self._read() as db:
            row = (await db.scalars(query.where(AccountRow.removed_s.is_(None)))).first()
            if row is None:
                return None
            return Credentials(member_of(row), row.locked, row.password, row.totp, row.totp_step)

    async def has_administrator(self) -> bool:
        """Whether there is one who can sign in: has a password, or comes from the settings or from single sign-on."""
        async with self._read() as db:
            return await _administrators(db) > 0

    # --- made and changed ---------------------------------------------------------------------------------------------

    async def follow_settings(self, people: Iterable[Member]) -> None:
        """At each start: they are as the file says, and who is gone from it is locked.

        Raises:
            ConfigError: an e-mail address is another account's.
        """
        told = {person.id: person for person in people}
        try:
            async with self._begin() as db:
                theirs = await db.scalars(select(AccountRow).where(AccountRow.origin == "settings"))
                for row in theirs:
                    row.locked, row.email = row.id not in told, None
                await db.flush()
                for person in told.values():
                    await insert_missing(db, AccountRow, **_new(person.id, "settings", self._now()))
                    _follow(await db.get_one(AccountRow, person.id), person)
        except IntegrityError:
            raise ConfigError("people: an e-mail address is that of another account at this desk") from None

    async def add(self, profile: Profile, origin: Origin = "desk") -> Account:
        """
        Raises:
            Problem: 409, the id or the e-mail address is somebody's.
        """
        values = _new(profile.id, origin, self._now()) | {
            "name": profile.name,
            "email": profile.email.casefold() or None,
            "roles": " ".join(sorted(set(profile.roles))),
            "language": profile.language,
        }
        try:
            async with self._begin() as db:
                if not await insert_missing(db, AccountRow, **values):
                    raise _taken()
                return view_of(await db.get_one(AccountRow, profile.id))
        except IntegrityError:
            raise _taken() from None

    async def change(self, account: str, changes: Changes) -> Account:
        """
        Raises:
            Problem: 404; 409 where it follows something else, or nobody would be left to administer.
        """
        try:
            async with self._begin() as db:
                await _one_at_a_time(db)
                row = await account_row(db, account)
                if row.origin != "desk" and (changes.roles is not UNSET or changes.email is not UNSET):
                    raise Problem(409, "follows", "this account follows the settings file or single sign-on")
                _apply(row, changes)
                await db.flush()
                await _somebody_administers(db)
                return view_of(row)
        except IntegrityError:
            raise _taken() from None

    async def lock(self, account: str, locked: bool) -> None:
        """Nobody stays signed in with a locked one."""
        async with self._begin() as db:
            await _one_at_a_time(db)
            row = await account_row(db, account)
            if row.origin == "settings":
                raise Problem(409, "follows", "this account follows the settings file")
            row.locked = locked
            await db.flush()
            if locked:
                await _somebody_administers(db)
                await _let_go(db, account)

    async def remove(self, account: str) -> None:
        """It is gone for good but for its id and name, which sessions and the audit log name."""
        async with self._begin() as db:
            await _one_at_a_time(db)
            row = await account_row(db, account)
            if row.origin == "settings":
                raise Problem(409, "follows", "this account follows the settings file")
            row.removed_s, row.locked, row.email, row.password, row.totp = self._now(), True, None, "", None
            await db.flush()
            await _somebody_administers(db)
            await _let_go(db, account)
            for table in (IdentityRow, RecoveryRow, TokenRow, PushRow, AddressRow, WishRow):
                await db.execute(delete(table).where(table.account == account))

    # --- what they sign in with ---------------------------------------------------------------------------------------

    async def set_password(self, account: str, hashed: str, *, only_rehash: bool = False) -> None:
        """Whoever is signed in elsewhere is not any more, and links are worth nothing."""
        async with self._begin() as db:
            row = await account_row(db, account)
            row.password = hashed
            if not only_rehash:
                await _let_go(db, account)

    async def set_second_factor(self, account: str, sealed: bytes | None, step: int, recovery: Iterable[str]) -> None:
        """`recovery`: hashes of the new codes; former ones are worth nothing."""
        async with self._begin() as db:
            row = await account_row(db, account)
            row.totp, row.totp_step = sealed, step
            await db.execute(delete(RecoveryRow).where(RecoveryRow.account == account))
            db.add_all(RecoveryRow(hash=h, account=account) for h in recovery)

    async def use_step(self, account: str, step: int) -> bool:
        """Whether this code was not taken yet, by any desk."""
        async with self._begin() as db:
            row = await account_row(db, account, lock=True)
            if row.totp_step >= step:
                return False
            row.totp_step = step
            return True

    async def use_recovery(self, hashed: str) -> bool:
        async with self._begin() as db:
            return _hit(await db.execute(delete(RecoveryRow).where(RecoveryRow.hash == hashed)))

    async def recovery_left(self, account: str) -> int:
        query = select(func.count()).select_from(RecoveryRow).where(RecoveryRow.account == account)
        async with self._read() as db:
            return await db.scalar(query) or 0

    # --- single sign-on -----------------------------------------------------------------------------------------------

    async def of_identity(self, issuer: str, subject: str) -> str | None:
        async with self._read() as db:
            row = await db.get(IdentityRow, (issuer, subject))
            return row.account if row else None

    async def by_email(self, email: str) -> str | None:
        async with self._read() as db:
            return await db.scalar(select(AccountRow.id).where(AccountRow.email == email.casefold()))

    async def bind(self, issuer: str, subject: str, account: str) -> None:
        async with self._begin() as db:
            await insert_missing(db, IdentityRow, issuer=issuer, subject=subject, account=account)

    async def follow_identity(self, account: str, name: str, roles: Iterable[Rank]) -> None:
        """An account that was made by single sign-on is as its provider says today."""
        async with self._begin() as db:
            row = await account_row(db, account)
            if row.origin == "sso":
                row.name, row.roles = name or row.name, " ".join(sorted(set(roles)))


def member_of(row: AccountRow) -> Member:
    return _member(view_of(row))


def _member(account: Account) -> Member:
    role = next((rank for rank in STRONGEST if rank in account.roles), Rank.STAFF)
    language = cast("Language | None", account.language or None)
    return Member(
        id=account.id, name=account.name, role=role, language=language, email=account.email, roles=account.roles
    )


def view_of(row: AccountRow, seen_s: float = 0.0) -> Account:
    return Account(
        id=row.id,
        name=row.name,
        email=row.email or "",
        roles=tuple(Rank(role) for role in row.roles.split()),
        language=row.language,
        origin=cast(Origin, row.origin),
        locked=row.locked,
        has_password=bool(row.password),
        second_factor=row.totp is not None,
        created_s=row.created_s,
        seen_s=seen_s,
    )


def _new(account: str, origin: Origin, now_s: float) -> dict[str, object]:
    empty = {"name": account, "roles": "", "language": "", "password": "", "totp_step": 0, "locked": False}
    return {**empty, "id": account, "origin": origin, "created_s": now_s}


def _follow(row: AccountRow, person: Member) -> None:
    """Where somebody was invited by this id before, that account stays what it is."""
    if row.origin == "settings":
        row.name, row.roles = person.name, " ".join(sorted(person.ranks))
        row.email, row.language = person.email.casefold() or None, row.language or person.language or ""
        row.locked, row.removed_s = False, None


def _apply(row: AccountRow, changes: Changes) -> None:
    if changes.name is not UNSET:
        row.name = changes.name
    if changes.email is not UNSET:
        row.email = changes.email.casefold() or None
    if changes.roles is not UNSET:
        row.roles = " ".join(sorted(set(changes.roles)))
    if changes.language is not UNSET:
        row.language = changes.language


async def account_row(db: AsyncSession, account: str, *, lock: bool = False) -> AccountRow:
    row = await db.get(AccountRow, account, with_for_update=lock or None)
    if row is None or row.removed_s is not None:
        raise not_found("account")
    return row


async def _let_go(db: AsyncSession, account: str) -> None:
    for table in (SignInRow, LinkRow):
        await db.execute(delete(table).where(table.account == account))


async def _administrators(db: AsyncSession) -> int:
    able = or_(AccountRow.password != "", AccountRow.origin != "desk")
    query = select(func.count()).select_from(AccountRow).where(AccountRow.roles.contains(Rank.ADMINISTRATOR.value))
    return await db.scalar(query.where(AccountRow.locked.is_(False), AccountRow.removed_s.is_(None), able)) or 0


async def _one_at_a_time(db: AsyncSession) -> None:
    """Two administrators who take each other's role away at once must not both find that the other is left."""
    theirs = select(AccountRow.id).where(AccountRow.roles.contains(Rank.ADMINISTRATOR.value))
    await db.execute(theirs.order_by(AccountRow.id).with_for_update())


async def _somebody_administers(db: AsyncSession) -> None:
    """In the transaction of a change by an administrator; where it left none, it is not done."""
    if not await _administrators(db):
        raise Problem(409, "last_administrator", "somebody must be left who can administer the desk")


def _hit(result: object) -> bool:
    return bool(getattr(result, "rowcount", 0))


def _taken() -> Problem:
    return Problem(409, "taken", "this name or e-mail address is somebody's already")
