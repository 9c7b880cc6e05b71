"""What kiosks tell, files, and the desk's own few facts.

A database that a desk made before there were revisions has all of these or only the first of them: what is there stays,
and what is missing is made, so such a file needs no stamp.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

ID = sa.String(40)
WHOLE = sa.BigInteger()
TABLES = (
    "kiosks",
    "sessions",
    "held_sessions",
    "lost_sessions",
    "session_people",
    "session_consents",
    "artifacts",
    "used_nonces",
    "audit",
)


def upgrade() -> None:
    _kiosks()
    _sessions()
    _of_sessions()
    _files()
    _own_facts()


def downgrade() -> None:
    for name in reversed(TABLES):
        op.drop_table(name)


def _kiosks() -> None:
    op.create_table(
        "kiosks",
        sa.Column("id", ID, primary_key=True),
        sa.Column("device_id", ID, nullable=False),
        sa.Column("device_name", sa.String(200), nullable=False),
        sa.Column("online", sa.Boolean, nullable=False),
        sa.Column("boot", ID, nullable=False),
        sa.Column("connection", WHOLE, nullable=False),
        sa.Column("old_boots", sa.Text, nullable=False),
        sa.Column("about", sa.LargeBinary),
        sa.Column("health", sa.LargeBinary),
        sa.Column("changed_s", sa.Double, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "held_sessions",
        sa.Column("kiosk", ID, sa.ForeignKey("kiosks.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("boot", ID, nullable=False),
        sa.Column("n", WHOLE, nullable=False),
        sa.Column("ids", sa.Text, nullable=False),
        if_not_exists=True,
    )


def _sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", ID, primary_key=True),
        sa.Column("kiosk", ID, nullable=False),
        sa.Column("device_id", ID, nullable=False),
        sa.Column("epoch", sa.Text, nullable=False),
        sa.Column("rev", WHOLE, nullable=False),
        sa.Column("old_epochs", sa.Text, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("document", sa.LargeBinary, nullable=False),
        sa.Column("created_s", sa.Double, nullable=False),
        sa.Column("updated_s", sa.Double, nullable=False),
        if_not_exists=True,
    )
    for column in ("kiosk", "state", "created_s"):
        op.create_index(f"ix_sessions_{column}", "sessions", [column], if_not_exists=True)
    op.create_index("sessions_by_device", "sessions", ["device_id", "created_s"], if_not_exists=True)


def _of_sessions() -> None:
    op.create_table(
        "lost_sessions",
        _session(),
        sa.Column("at_s", sa.Double, nullable=False),
        if_not_exists=True,
    )
    op.create_table("session_people", _session(), sa.Column("person", ID, primary_key=True), if_not_exists=True)
    op.create_index("ix_session_people_person", "session_people", ["person"], if_not_exists=True)
    op.create_table(
        "session_consents", _session(), sa.Column("found", sa.LargeBinary, nullable=False), if_not_exists=True
    )


def _session() -> sa.Column[str]:
    return sa.Column("session", ID, sa.ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True)


def _files() -> None:
    op.create_table(
        "artifacts",
        sa.Column("session", ID, primary_key=True),
        sa.Column("artifact", ID, primary_key=True),
        sa.Column("sha256", sa.String(64), primary_key=True),
        sa.Column("bytes", WHOLE, nullable=False),
        sa.Column("content_type", sa.Text, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("verified_s", sa.Double, nullable=False),
        if_not_exists=True,
    )


def _own_facts() -> None:
    op.create_table(
        "used_nonces",
        sa.Column("nonce", sa.String(64), primary_key=True),
        sa.Column("expires_s", WHOLE, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "audit",
        sa.Column("id", WHOLE.with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("at_s", sa.Double, nullable=False),
        sa.Column("person", ID, nullable=False),
        sa.Column("what", sa.String(100), nullable=False),
        sa.Column("target", sa.String(100), nullable=False),
        sa.Column("outcome", sa.String(100), nullable=False),
        if_not_exists=True,
    )
