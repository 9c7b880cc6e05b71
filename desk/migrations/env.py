"""How Alembic reaches the database: over the connection that desk.database hands it, inside of its transaction."""

from __future__ import annotations

from alembic import context

from desk.tables_all import every_table

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=every_table(),
    render_as_batch=True,  # SQLite alters a table by making it anew
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
