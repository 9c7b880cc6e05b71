"""The tables behind desk.sessions.ratings and desk.sessions.open_pages."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Text
from sqlalchemy.orm import Mapped, mapped_column

from desk.tables import Base, IdText


class RatingRow(Base):
    """What the code user said of a session on the page behind the QR code; what was said at the machine is in the
    session's document."""

    __tablename__ = "ratings"

    session: Mapped[str] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True)
    stars: Mapped[int]
    words: Mapped[str] = mapped_column(Text)
    at_s: Mapped[float]


class OpenPageRow(Base):
    """Somebody has a page of this desk open; good until then."""

    __tablename__ = "open_pages"

    person: Mapped[str] = mapped_column(IdText, primary_key=True)
    desk: Mapped[str] = mapped_column(IdText, primary_key=True)
    until_s: Mapped[float]
