"""The tables of webhooks: who wants to be told, and the outbox of what is still to be told (desk.webhooks.rows)."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from desk.tables import Base, Counted, IdText


class WebhookRow(Base):
    __tablename__ = "webhooks"

    id: Mapped[str] = mapped_column(IdText, primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    url: Mapped[str] = mapped_column(Text)
    kinds: Mapped[str] = mapped_column(Text)
    """Space separated: of these it is told."""
    active: Mapped[bool]
    secret: Mapped[bytes] = mapped_column(LargeBinary)
    """Sealed (desk.webhooks.signature): it must be known to sign with it."""
    created_s: Mapped[float]
    failures: Mapped[int]
    """In a row; `pause_until_s`: nothing is tried before."""
    pause_until_s: Mapped[float]


class DeliveryRow(Base):
    """One event for one webhook: written with the change itself, in its transaction."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        UniqueConstraint("webhook", "event", name="webhook_deliveries_once"),
        Index("webhook_deliveries_due", "state", "due_s"),
    )

    id: Mapped[int] = mapped_column(Counted, primary_key=True, autoincrement=True)
    webhook: Mapped[str] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"))
    event: Mapped[str] = mapped_column(String(64))
    kind: Mapped[str] = mapped_column(String(40))
    session: Mapped[str | None] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"), index=True)
    """Goes with it: what is deleted here is told to nobody any more."""
    body: Mapped[bytes] = mapped_column(LargeBinary)
    """Empty once it is told: of what was given up it stays, to be sent again."""
    state: Mapped[str] = mapped_column(String(10))
    made_s: Mapped[float]
    due_s: Mapped[float]
    tries: Mapped[int]
    desk: Mapped[str] = mapped_column(IdText)
    """Which process tells it; `claimed_s`: since when."""
    claimed_s: Mapped[float]
    status: Mapped[int]
    """Of the last answer; 0: there was none, and `error` says why."""
    error: Mapped[str] = mapped_column(String(200))
    took_ms: Mapped[int]
    ended_s: Mapped[float]
