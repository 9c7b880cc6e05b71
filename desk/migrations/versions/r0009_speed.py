"""Indexes for lists and searches in a million sessions."""

from __future__ import annotations

import logging

import sqlalchemy as sa
from alembic import op
from sqlalchemy.exc import DBAPIError

revision = "0009"
down_revision = "0008"

log = logging.getLogger(__name__)

LISTS = {"sessions_by_state": "state", "sessions_by_kiosk": "kiosk"}
WORDS = "CREATE INDEX sessions_by_words ON sessions USING gin (search gin_trgm_ops) WITH (fastupdate = on)"


def upgrade() -> None:
    for name, column in LISTS.items():
        op.create_index(name, "sessions", [column, "created_s"])
        op.drop_index(f"ix_sessions_{column}", "sessions")
    db = op.get_bind()
    if db.dialect.name == "postgresql":
        try:
            with db.begin_nested():
                db.execute(sa.text("CREATE EXTENSION IF NOT EXISTS pg_trgm"))
        except DBAPIError as error:
            log.warning("no pg_trgm, so a search looks through all sessions: %s", type(error.orig).__name__)
        else:
            db.execute(sa.text(WORDS))


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP INDEX IF EXISTS sessions_by_words")
    for name, column in LISTS.items():
        op.create_index(f"ix_sessions_{column}", "sessions", [column])
        op.drop_index(name, "sessions")
