"""Somebody's own sessions in their order, by an index alone."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.add_column("session_people", sa.Column("created_s", sa.Double, nullable=False, server_default="0"))
    op.execute(
        "UPDATE session_people SET created_s = "
        "(SELECT sessions.created_s FROM sessions WHERE sessions.id = session_people.session)"
    )
    op.create_index("session_people_newest", "session_people", ["person", "created_s"])
    op.drop_index("ix_session_people_person", "session_people")


def downgrade() -> None:
    op.create_index("ix_session_people_person", "session_people", ["person"])
    op.drop_index("session_people_newest", "session_people")
    op.drop_column("session_people", "created_s")
