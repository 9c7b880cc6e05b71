"""How Alembic reaches the database: over the connection that desk.database hands it, inside of its transaction."""

from __future__ import annotations

from alembic import context

from desk import (  # noqa: F401 - their tables belong to Base as well
    tables_calls,
    tables_deletions,
    tables_notifications,
    tables_people,
    tables_ratings,
    tables_webhooks,
)
from desk.tables import Base

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite alters a table by making it anew
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
