"""The table behind desk.calls.peers."""

from __future__ import annotations

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from desk.tables import Base, IdText


class PeerRow(Base):
    """A participant's connection; gone when its session's call is over."""

    __tablename__ = "peers"

    id: Mapped[str] = mapped_column(IdText, primary_key=True)
    kiosk: Mapped[str] = mapped_column(IdText)
    session: Mapped[str] = mapped_column(IdText, index=True)
    person: Mapped[str] = mapped_column(IdText)
    way: Mapped[str] = mapped_column(String(10))
    ufrag: Mapped[str] = mapped_column(Text)
    etag: Mapped[str] = mapped_column(String(40))
    over: Mapped[bool]
    offer: Mapped[str] = mapped_column(String(40))
    """The newest, while its answer is waited for at one of the desks; `asked_s`: since when."""
    asked_s: Mapped[float]
    made_s: Mapped[float] = mapped_column(index=True)
