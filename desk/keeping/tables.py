"""The tables of deletions: what is to be deleted, and what was; and the time that is believed."""

from __future__ import annotations

from sqlalchemy import String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from desk.tables import Base, Counted, IdText, Whole


class DeletionRow(Base):
    """A file that is deleted: from when it was decided (it is shown to nobody any more) to when it is gone, and for
    good as the receipt of that."""

    __tablename__ = "deletions"
    __table_args__ = (UniqueConstraint("session", "artifact", "sha256", "kind"),)

    id: Mapped[int] = mapped_column(Counted, primary_key=True, autoincrement=True)
    session: Mapped[str] = mapped_column(IdText, index=True)
    artifact: Mapped[str] = mapped_column(IdText)
    sha256: Mapped[str] = mapped_column(String(64))
    """Of the content."""
    kind: Mapped[str] = mapped_column(String(20))
    """As kiosk.session.record.ArtifactKind; or film."""
    name: Mapped[str] = mapped_column(String(100))
    bytes: Mapped[int] = mapped_column(Whole)
    path: Mapped[str] = mapped_column(Text)
    """Within the file store."""
    person: Mapped[str] = mapped_column(IdText)
    """Who wished it; empty: a rule did."""
    reason: Mapped[str] = mapped_column(String(200))
    """The person's, or the rule in words."""
    at_s: Mapped[float]
    """When it was decided."""
    done_s: Mapped[float | None] = mapped_column(index=True)
    """When it was gone; none: a desk is at it, or will be."""
    claimed_s: Mapped[float]
    """When a desk last began with it: one that does not come back leaves it to another."""


class ClockRow(Base):
    """What desks believed of the time when they last looked (desk.keeping.clock); one row."""

    __tablename__ = "clock"

    id: Mapped[str] = mapped_column(IdText, primary_key=True)
    good_s: Mapped[float]
    """The newest time that was believed."""
    since_s: Mapped[float | None]
    """First and newest time of a clock that is in doubt; none: it is not."""
    seen_s: Mapped[float]
