"""What code users say of their sessions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007a"


def upgrade() -> None:
    op.create_table(
        "ratings",
        sa.Column("session", sa.String(40), sa.ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("stars", sa.Integer, nullable=False),
        sa.Column("words", sa.Text, nullable=False),
        sa.Column("at_s", sa.Double, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("ratings")
