"""The tables of people: accounts, how they sign in, and what counts tries. No row holds a secret that could be used:
passwords are hashed slowly, tokens of 256 bits by SHA-256, second factors are sealed (desk.people.second_factor)."""

from __future__ import annotations

from sqlalchemy import ForeignKey, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from desk.tables import Base, IdText, Whole

Hash = String(64)


class AccountRow(Base):
    """Somebody who may sign in, or could once: what is removed keeps its row, because others name its id."""

    __tablename__ = "accounts"

    id: Mapped[str] = mapped_column(IdText, primary_key=True)
    """The one that kiosks know staff by."""
    name: Mapped[str] = mapped_column(String(200))
    email: Mapped[str | None] = mapped_column(String(254), unique=True)
    """In small letters."""
    roles: Mapped[str] = mapped_column(String(100))
    """Space separated."""
    language: Mapped[str] = mapped_column(String(8), default="")
    origin: Mapped[str] = mapped_column(String(20))
    """desk: made here; settings: from the settings file, which it follows; sso: by single sign-on, likewise."""
    password: Mapped[str] = mapped_column(Text, default="")
    """argon2's hash; empty: none is set."""
    totp: Mapped[bytes | None] = mapped_column(LargeBinary)
    totp_step: Mapped[int] = mapped_column(Whole, default=0)
    """Of the last code that was taken: none is taken twice."""
    locked: Mapped[bool] = mapped_column(default=False)
    removed_s: Mapped[float | None]
    created_s: Mapped[float]


def _account() -> Mapped[str]:
    return mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), index=True)


class IdentityRow(Base):
    """Who somebody is at the provider of single sign-on."""

    __tablename__ = "identities"

    issuer: Mapped[str] = mapped_column(String(500), primary_key=True)
    subject: Mapped[str] = mapped_column(String(255), primary_key=True)
    account: Mapped[str] = _account()


class RecoveryRow(Base):
    """A recovery code that was not used yet."""

    __tablename__ = "recovery_codes"

    hash: Mapped[str] = mapped_column(Hash, primary_key=True)
    account: Mapped[str] = _account()


class SignInRow(Base):
    """A browser in which somebody is signed in."""

    __tablename__ = "sign_ins"

    hash: Mapped[str] = mapped_column(Hash, primary_key=True)
    id: Mapped[str] = mapped_column(IdText, unique=True)
    account: Mapped[str] = _account()
    way: Mapped[str] = mapped_column(String(20))
    created_s: Mapped[float]
    seen_s: Mapped[float]
    expires_s: Mapped[float] = mapped_column(index=True)
    address: Mapped[str] = mapped_column(String(45))
    agent: Mapped[str] = mapped_column(String(300))


class LinkRow(Base):
    """A link that is good once: to set a password, or (without an account) to make the first administrator's."""

    __tablename__ = "one_time_links"

    hash: Mapped[str] = mapped_column(Hash, primary_key=True)
    account: Mapped[str | None] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), index=True)
    expires_s: Mapped[float]


class TokenRow(Base):
    """An API token; shown once, when it was made."""

    __tablename__ = "api_tokens"

    hash: Mapped[str] = mapped_column(Hash, primary_key=True)
    id: Mapped[str] = mapped_column(IdText, unique=True)
    account: Mapped[str] = _account()
    name: Mapped[str] = mapped_column(String(100))
    scopes: Mapped[str] = mapped_column(String(100))
    created_s: Mapped[float]
    used_s: Mapped[float | None]
    expires_s: Mapped[float]


class TryRow(Base):
    """How often something was tried since when (desk.people.tries)."""

    __tablename__ = "tries"

    key: Mapped[str] = mapped_column(String(100), primary_key=True)
    n: Mapped[int] = mapped_column(Whole)
    since_s: Mapped[float] = mapped_column(index=True)
