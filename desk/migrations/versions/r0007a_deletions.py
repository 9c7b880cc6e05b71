"""Deletions and their receipts; of each file, which kind it is."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0007a"
down_revision = "0007"

ID = sa.String(40)
COUNTED = sa.BigInteger().with_variant(sa.Integer, "sqlite")
BATCH = 500


def upgrade() -> None:
    op.create_table(
        "deletions",
        sa.Column("id", COUNTED, primary_key=True, autoincrement=True),
        sa.Column("session", ID, nullable=False, index=True),
        sa.Column("artifact", ID, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("person", ID, nullable=False),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.Column("at_s", sa.Double, nullable=False),
        sa.Column("done_s", sa.Double, index=True),
        sa.Column("claimed_s", sa.Double, nullable=False),
        sa.UniqueConstraint("session", "artifact", "sha256", "kind"),
    )
    op.add_column("artifacts", sa.Column("kind", sa.String(20), nullable=False, server_default=""))
    op.create_index("artifacts_by_age", "artifacts", ["kind", "verified_s"])
    _fill()


def downgrade() -> None:
    op.drop_index("artifacts_by_age", "artifacts")
    with op.batch_alter_table("artifacts") as artifacts:
        artifacts.drop_column("kind")
    op.drop_table("deletions")


def _fill() -> None:
    """From the sessions' documents: the kind of each file that is here."""
    sessions = sa.table("sessions", sa.column("id"), sa.column("document", sa.LargeBinary))
    files = sa.table("artifacts", *(sa.column(name) for name in ("session", "artifact", "kind")))
    db, last = op.get_bind(), ""
    while True:
        query = sa.select(sessions.c.id, sessions.c.document).where(sessions.c.id > last)
        rows = db.execute(query.order_by(sessions.c.id).limit(BATCH)).all()
        for last, document in rows:
            for told in json.loads(document).get("artifacts", ()) if document else ():
                of_it = (files.c.session == last, files.c.artifact == told["id"])
                db.execute(sa.update(files).where(*of_it).values(kind=told["kind"]))
        if len(rows) < BATCH:
            return
