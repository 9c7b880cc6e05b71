"""Where people are signed in: browsers by a cookie, programs by an API token. Both are looked up at each request, so
that what is taken back is worth nothing from that moment, at every desk."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from msgspec import Struct
from sqlalchemy import delete, select, update

from desk.config import Member, SignIn
from desk.database import Transactions
from desk.people.accounts import member_of
from desk.people.rights import Scope
from desk.people.tables import AccountRow, SignInRow, TokenRow
from desk.problems import Problem, not_found
from desk.seals import fingerprint

Way = Literal["password", "link", "sso"]
NOTED_S = 60.0
"""Being heard of is written down this often: a page asks for more than a database wants to write."""
TOKEN_MARK = "desk_"  # noqa: S105 - what each begins with, so that scanners of repositories know one
MOST_TOKENS = 20


class Browser(Struct, frozen=True):
    """As its person sees it; `here`: the one he sees it in."""

    id: str
    way: Way
    created_s: float
    seen_s: float
    address: str
    agent: str
    here: bool = False


class Token(Struct, frozen=True):
    id: str
    name: str
    scopes: tuple[Scope, ...]
    created_s: float
    expires_s: float
    used_s: float = 0.0


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who asks. scopes: of an API token; None: it is a browser. bare: no second factor is set up, and none was asked
    for by a provider of single sign-on."""

    member: Member
    id: str
    scopes: frozenset[Scope] | None = None
    bare: bool = False


class SignIns:
    def __init__(self, transactions: Transactions, lasts: SignIn, now: Callable[[], float]) -> None:
        self._begin, self._read, self._now = transactions.begin, transactions.read, now
        self._idle_s, self._most_s = lasts.idle_hours * 3600, lasts.most_days * 86400

    @property
    def most_s(self) -> int:
        return int(self._most_s)

    # --- browsers -----------------------------------------------------------------------------------------------------

    async def begin(self, account: str, way: Way, address: str, agent: str) -> str:
        """A new token for the cookie; never one that somebody else could know before."""
        token, now = secrets.token_urlsafe(32), self._now()
        row = SignInRow(hash=fingerprint(token), id=secrets.token_hex(8), account=account, way=way)
        row.created_s = row.seen_s = now
        row.expires_s, row.address, row.agent = now + self._most_s, address[:45], _plain(agent)
        async with self._begin() as db:
            await db.execute(delete(SignInRow).where(SignInRow.expires_s < now))
            db.add(row)
        return token

    async def who(self, token: str) -> SignedIn | None:
        now = self._now()
        query = select(SignInRow, AccountRow).join(AccountRow, AccountRow.id == SignInRow.account)
        query = query.where(SignInRow.hash == fingerprint(token), AccountRow.locked.is_(False))
        async with self._read() as db:
            found = (await db.execute(query)).first()
        if found is None:
            return None
        row, account = found
        if row.expires_s <= now or row.seen_s <= now - self._idle_s:
            return None
        if row.seen_s < now - NOTED_S:
            await self._note(row.hash, now)
        return SignedIn(member_of(account), row.id, bare=account.totp is None and row.way != "sso")

    async def _note(self, hashed: str, now: float) -> None:
        async with self._begin() as db:
            await db.execute(update(SignInRow).where(SignInRow.hash == hashed).values(seen_s=now))

    async def end(self, token: str) -> None:
        async with self._begin() as db:
            await db.execute(delete(SignInRow).where(SignInRow.hash == fingerprint(token)))

    async def end_one(self, account: str, browser: str) -> None:
        """
        Raises:
            Problem: 404, this person is signed in nowhere of that id.
        """
        async with self._begin() as db:
            done = await db.execute(delete(SignInRow).where(SignInRow.account == account, SignInRow.id == browser))
            if not getattr(done, "rowcount", 0):
                raise not_found("browser")

    async def end_all(self, account: str, but: str = "") -> None:
        async with self._begin() as db:
            await db.execute(delete(SignInRow).where(SignInRow.account == account, SignInRow.id != but))

    async def browsers(self, account: str, here: str) -> list[Browser]:
        """Newest first."""
        now = self._now()
        query = select(SignInRow).where(SignInRow.account == account, SignInRow.expires_s > now)
        query = query.where(SignInRow.seen_s > now - self._idle_s).order_by(SignInRow.seen_s.desc())
        async with self._read() as db:
            return [_browser(row, here) for row in await db.scalars(query)]

    # --- API tokens ---------------------------------------------------------------------------------------------------

    async def make_token(self, account: str, name: str, scopes: tuple[Scope, ...], days: float) -> tuple[Token, str]:
        """It, and the one time that it is shown.

        Raises:
            Problem: 409, the person has too many.
        """
        secret, now = TOKEN_MARK + secrets.token_urlsafe(32), self._now()
        row = TokenRow(hash=fingerprint(secret), id=secrets.token_hex(8), account=account, name=name)
        row.scopes, row.created_s, row.expires_s = " ".join(sorted(set(scopes))), now, now + days * 86400
        async with self._begin() as db:
            await db.execute(delete(TokenRow).where(TokenRow.expires_s < now))
            if len((await db.scalars(select(TokenRow.id).where(TokenRow.account == account))).all()) >= MOST_TOKENS:
                raise Problem(409, "full", f"at most {MOST_TOKENS} tokens; delete one first")
            db.add(row)
        return _token(row), secret

    async def who_has(self, secret: str) -> SignedIn | None:
        now = self._now()
        query = select(TokenRow, AccountRow).join(AccountRow, AccountRow.id == TokenRow.account)
        query = query.where(TokenRow.hash == fingerprint(secret), AccountRow.locked.is_(False))
        async with self._read() as db:
            found = (await db.execute(query.where(TokenRow.expires_s > now))).first()
        if found is None:
            return None
        row, account = found
        if (row.used_s or 0.0) < now - NOTED_S:
            async with self._begin() as db:
                await db.execute(update(TokenRow).where(TokenRow.hash == row.hash).values(used_s=now))
        return SignedIn(member_of(account), row.id, frozenset(Scope(s) for s in row.scopes.split()))

    async def tokens(self, account: str) -> list[Token]:
        query = select(TokenRow).where(TokenRow.account == account, TokenRow.expires_s > self._now())
        async with self._read() as db:
            return [_token(row) for row in await db.scalars(query.order_by(TokenRow.created_s.desc()))]

    async def end_token(self, account: str, token: str) -> None:
        async with self._begin() as db:
            done = await db.execute(delete(TokenRow).where(TokenRow.account == account, TokenRow.id == token))
            if not getattr(done, "rowcount", 0):
                raise not_found("token")


def _browser(row: SignInRow, here: str) -> Browser:
    way: Way = "password" if row.way == "password" else "sso" if row.way == "sso" else "link"
    return Browser(row.id, way, row.created_s, row.seen_s, row.address, row.agent, row.id == here)


def _token(row: TokenRow) -> Token:
    scopes = tuple(Scope(s) for s in row.scopes.split())
    return Token(row.id, row.name, scopes, row.created_s, row.expires_s, row.used_s or 0.0)


def _plain(agent: str) -> str:
    return "".join(c for c in agent if c.isprintable())[:300]
