"""Participants' connections, so that any desk can go on with them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

ID = sa.String(40)


def upgrade() -> None:
    op.create_table(
        "peers",
        sa.Column("id", ID, primary_key=True),
        sa.Column("kiosk", ID, nullable=False),
        sa.Column("session", ID, nullable=False, index=True),
        sa.Column("person", ID, nullable=False),
        sa.Column("way", sa.String(10), nullable=False),
        sa.Column("ufrag", sa.Text, nullable=False),
        sa.Column("etag", sa.String(40), nullable=False),
        sa.Column("over", sa.Boolean, nullable=False),
        sa.Column("offer", sa.String(40), nullable=False),
        sa.Column("asked_s", sa.Double, nullable=False),
        sa.Column("made_s", sa.Double, nullable=False, index=True),
    )


def downgrade() -> None:
    op.drop_table("peers")
