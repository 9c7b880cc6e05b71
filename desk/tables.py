"""The tables: what the desk remembers of what kiosks told it, and its own few facts.

A change here wants a revision in desk/migrations/versions; a test holds both against each other.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, LargeBinary, String, Text, false
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

IdText = String(40)
Whole = BigInteger()
"""What comes from outside may be larger than 32 bits: files, revisions, times."""
Counted = BigInteger().with_variant(Integer, "sqlite")
"""Numbers rows; SQLite counts up in its plain INTEGER only."""


class Base(DeclarativeBase):
    pass


class KioskRow(Base):
    __tablename__ = "kiosks"

    id: Mapped[str] = mapped_column(IdText, primary_key=True)
    device_id: Mapped[str] = mapped_column(IdText, default="")
    device_name: Mapped[str] = mapped_column(String(200), default="")
    online: Mapped[bool] = mapped_column(default=False)
    boot: Mapped[str] = mapped_column(IdText, default="")
    connection: Mapped[int] = mapped_column(Whole, default=0)
    old_boots: Mapped[str] = mapped_column(Text, default="")
    """Space separated, newest first: a late will of one of these is ignored."""
    about: Mapped[bytes | None] = mapped_column(LargeBinary)
    health: Mapped[bytes | None] = mapped_column(LargeBinary)
    changed_s: Mapped[float] = mapped_column(default=0.0)
    """When it came or went; `healthy_s`: when it last told its health."""
    healthy_s: Mapped[float] = mapped_column(default=0.0, server_default="0")
    in_force: Mapped[bytes | None] = mapped_column(LargeBinary)
    """Its configuration, as it said (kiosk.wire.messages.InForce)."""
    provider: Mapped[str] = mapped_column(String(200), default="", server_default="", index=True)
    search: Mapped[str] = mapped_column(Text, default="", server_default="")
    """What a search looks through (desk.sessions.wanted)."""


class SessionRow(Base):
    __tablename__ = "sessions"
    __table_args__ = (
        Index("sessions_by_device", "device_id", "created_s"),
        Index("sessions_by_state", "state", "created_s"),
        Index("sessions_by_kiosk", "kiosk", "created_s"),
    )
    """And on PostgreSQL `sessions_by_words`, of three letters each (revision 0009): it wants an extension."""

    id: Mapped[str] = mapped_column(IdText, primary_key=True)
    kiosk: Mapped[str] = mapped_column(IdText)
    device_id: Mapped[str] = mapped_column(IdText)
    epoch: Mapped[str] = mapped_column(Text)
    rev: Mapped[int] = mapped_column(Whole)
    old_epochs: Mapped[str] = mapped_column(Text, default="")
    state: Mapped[str] = mapped_column(String(20))
    """As it is shown: of a lost session not the one in the document."""
    document: Mapped[bytes] = mapped_column(LargeBinary)
    created_s: Mapped[float] = mapped_column(index=True)
    """When it was created: by the kiosk's clock where that could be trusted, else when the desk first heard of it."""
    updated_s: Mapped[float]
    search: Mapped[str] = mapped_column(Text, default="", server_default="")
    """What a search looks through (desk.sessions.wanted)."""


class HeldRow(Base):
    """Which sessions a kiosk holds, as it last said; no row: it never did."""

    __tablename__ = "held_sessions"

    kiosk: Mapped[str] = mapped_column(ForeignKey("kiosks.id", ondelete="CASCADE"), primary_key=True)
    boot: Mapped[str] = mapped_column(IdText)
    n: Mapped[int] = mapped_column(Whole)
    """Of two words of one boot the one with the higher number is the newer."""
    ids: Mapped[str] = mapped_column(Text)
    """Space separated."""


class LostRow(Base):
    """A session that its kiosk has lost; gone when the kiosk has it after all."""

    __tablename__ = "lost_sessions"

    session: Mapped[str] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True)
    at_s: Mapped[float]
    """When the desk noticed."""


class SessionPersonRow(Base):
    """Who may see a session: asked, assigned, or told because nobody reacted (desk.notifications.told). Rewritten where
    a revision has other people."""

    __tablename__ = "session_people"
    __table_args__ = (Index("session_people_newest", "person", "created_s"),)

    session: Mapped[str] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True)
    person: Mapped[str] = mapped_column(IdText, primary_key=True)
    assigned: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Responsible, not only asked."""
    created_s: Mapped[float] = mapped_column(default=0.0, server_default="0")
    """The session's, so that an index has somebody's own in their order."""


class ConsentRow(Base):
    """What does not fit of a session's consent receipts (desk.sessions.consents); no row: everything does."""

    __tablename__ = "session_consents"

    session: Mapped[str] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True)
    found: Mapped[bytes] = mapped_column(LargeBinary)


class ArtifactRow(Base):
    """A file that is here, whole and verified. One artifact may have had several contents (layers change)."""

    __tablename__ = "artifacts"
    __table_args__ = (Index("artifacts_by_age", "kind", "verified_s"),)

    session: Mapped[str] = mapped_column(IdText, primary_key=True)
    artifact: Mapped[str] = mapped_column(IdText, primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    bytes: Mapped[int] = mapped_column(Whole)
    content_type: Mapped[str] = mapped_column(Text)
    path: Mapped[str] = mapped_column(Text)
    """Within the file store."""
    verified_s: Mapped[float]
    kind: Mapped[str] = mapped_column(String(20), default="", server_default="")
    """As kiosk.session.record.ArtifactKind."""


class NonceRow(Base):
    """Sign-in links that were used, and cookies that were signed out; kept until they would have expired."""

    __tablename__ = "used_nonces"

    nonce: Mapped[str] = mapped_column(String(64), primary_key=True)
    expires_s: Mapped[int] = mapped_column(Whole)


class AuditRow(Base):
    """Who did what."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(Counted, primary_key=True, autoincrement=True)
    at_s: Mapped[float] = mapped_column(index=True)
    person: Mapped[str] = mapped_column(IdText, index=True)
    """Empty: nobody who is known here."""
    what: Mapped[str] = mapped_column(String(100))
    target: Mapped[str] = mapped_column(String(100), default="")
    outcome: Mapped[str] = mapped_column(String(100), default="")
    address: Mapped[str] = mapped_column(String(45), default="", server_default="")
    """Where from, where that is known."""


class FilmRow(Base):
    """A recording with its drawings burned in (desk.files.films_store): wanted, on its way, or made."""

    __tablename__ = "films"

    session: Mapped[str] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True)
    artifact: Mapped[str] = mapped_column(IdText, primary_key=True)
    key: Mapped[str] = mapped_column(String(64))
    """What it is made of."""
    state: Mapped[str] = mapped_column(String(20), index=True)
    percent: Mapped[int]
    error: Mapped[str] = mapped_column(String(40))
    desk: Mapped[str] = mapped_column(IdText)
    """Which one makes it; `beat_s`: when that said so last."""
    beat_s: Mapped[float]
    asked_s: Mapped[float]
    tries: Mapped[int]
    path: Mapped[str] = mapped_column(Text)
    """Within the file store."""
    sha256: Mapped[str] = mapped_column(String(64))
    bytes: Mapped[int] = mapped_column(Whole)
