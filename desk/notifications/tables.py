"""The tables of notifications: where people want to be told, and who was told of what. What would let somebody write to
people (addresses, subscriptions, our own key) is sealed (desk.notifications.keys)."""

from __future__ import annotations

from sqlalchemy import ForeignKey, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from desk.tables import Base, Counted, IdText


def _account() -> Mapped[str]:
    return mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), index=True)


class PushKeyRow(Base):
    """The key by which push services know this desk (VAPID)."""

    __tablename__ = "push_keys"

    id: Mapped[str] = mapped_column(IdText, primary_key=True)
    """Of the signing secret that it is sealed with: another secret makes another key."""
    sealed: Mapped[bytes] = mapped_column(LargeBinary)


class PushRow(Base):
    """A browser that wants Web Push."""

    __tablename__ = "push_subscriptions"

    id: Mapped[str] = mapped_column(IdText, primary_key=True)
    """Of the endpoint: a browser that subscribes again, or for somebody else, has one row."""
    account: Mapped[str] = _account()
    key: Mapped[str] = mapped_column(IdText)
    """The push key that it is good for."""
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    name: Mapped[str] = mapped_column(String(300))
    """What the browser calls itself."""
    created_s: Mapped[float]
    used_s: Mapped[float | None]
    """When it last took something."""
    failed: Mapped[str] = mapped_column(String(20))
    """Why the last one could not be delivered; empty: it could."""


class AddressRow(Base):
    """An address for Apprise."""

    __tablename__ = "notify_addresses"

    id: Mapped[str] = mapped_column(IdText, primary_key=True)
    account: Mapped[str] = _account()
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    name: Mapped[str] = mapped_column(String(100))
    service: Mapped[str] = mapped_column(String(100))
    """What Apprise calls it; all that is ever shown of the address."""
    created_s: Mapped[float]
    used_s: Mapped[float | None]
    failed: Mapped[str] = mapped_column(String(20))


class WishRow(Base):
    """How somebody wants to be told; no row: at any time, and not by e-mail."""

    __tablename__ = "notify_wishes"

    account: Mapped[str] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True)
    mail: Mapped[bool]
    zone: Mapped[str] = mapped_column(String(64))
    """Empty: no quiet hours."""
    quiet_from: Mapped[int]
    """Minutes after midnight, there."""
    quiet_to: Mapped[int]
    even_then: Mapped[bool]
    """In quiet hours too, when nobody else reacts."""


class AlertRow(Base):
    """What people are told of: a request, or one ringing. There is one row, so it is told once."""

    __tablename__ = "alerts"

    session: Mapped[str] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(IdText, primary_key=True)
    level: Mapped[int]
    """How many groups were told since nobody reacted."""
    due_s: Mapped[float | None] = mapped_column(index=True)
    """When the next one is told."""
    seen: Mapped[bool]
    begun_s: Mapped[float]
    settled_s: Mapped[float | None] = mapped_column(index=True)
    """When there was nothing to react to any more."""


class AlertPersonRow(Base):
    """Whom it was told to, by whatever way, and may look therefore."""

    __tablename__ = "alert_people"

    session: Mapped[str] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True)
    account: Mapped[str] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True, index=True)


class AlertMessageRow(Base):
    """One message to one place: waiting, being sent by one of the desks, done, or failed."""

    __tablename__ = "alert_messages"
    __table_args__ = (UniqueConstraint("session", "key", "what", "kind", "target"),)

    id: Mapped[int] = mapped_column(Counted, primary_key=True, autoincrement=True)
    session: Mapped[str] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"))
    key: Mapped[str] = mapped_column(IdText)
    what: Mapped[str] = mapped_column(String(10))
    """told, or over: what takes the place of the former."""
    kind: Mapped[str] = mapped_column(String(10))
    target: Mapped[str] = mapped_column(IdText)
    account: Mapped[str | None] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), index=True)
    level: Mapped[int]
    state: Mapped[str] = mapped_column(String(10), index=True)
    due_s: Mapped[float] = mapped_column(index=True)
    tries: Mapped[int]
    desk: Mapped[str] = mapped_column(IdText)
    """Which one sends it, and since when."""
    taken_s: Mapped[float]
