"""The time that is believed when files are deleted by rule."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.create_table(
        "clock",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("good_s", sa.Double, nullable=False),
        sa.Column("since_s", sa.Double),
        sa.Column("seen_s", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def downgrade() -> None:
    op.drop_table("clock")
