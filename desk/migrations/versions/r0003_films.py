"""Recordings with their drawings burned in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

ID = sa.String(40)


def upgrade() -> None:
    op.create_table(
        "films",
        sa.Column("session", ID, sa.ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("artifact", ID, primary_key=True),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("state", sa.String(20), nullable=False, index=True),
        sa.Column("percent", sa.Integer, nullable=False),
        sa.Column("error", sa.String(40), nullable=False),
        sa.Column("desk", ID, nullable=False),
        sa.Column("beat_s", sa.Double, nullable=False),
        sa.Column("asked_s", sa.Double, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("films")
