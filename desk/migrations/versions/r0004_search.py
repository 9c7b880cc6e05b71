"""What a search looks through, who is responsible, and what is in force at a kiosk."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

BATCH = 500


def upgrade() -> None:
    op.add_column("sessions", sa.Column("search", sa.Text, nullable=False, server_default=""))
    op.add_column("session_people", sa.Column("assigned", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("kiosks", sa.Column("healthy_s", sa.Double, nullable=False, server_default="0"))
    op.add_column("kiosks", sa.Column("in_force", sa.LargeBinary))
    op.add_column("kiosks", sa.Column("provider", sa.String(200), nullable=False, server_default=""))
    op.add_column("kiosks", sa.Column("search", sa.Text, nullable=False, server_default=""))
    op.create_index("ix_kiosks_provider", "kiosks", ["provider"])
    _fill_sessions()
    _fill_kiosks()


def downgrade() -> None:
    op.drop_index("ix_kiosks_provider", "kiosks")
    for table, columns in {
        "kiosks": ("search", "provider", "in_force", "healthy_s"),
        "session_people": ("assigned",),
        "sessions": ("search",),
    }.items():
        with op.batch_alter_table(table) as changed:
            for column in columns:
                changed.drop_column(column)


def _fill_sessions() -> None:
    sessions = sa.table("sessions", sa.column("id"), sa.column("document", sa.LargeBinary), sa.column("search"))
    people = sa.table("session_people", sa.column("session"), sa.column("person"), sa.column("assigned", sa.Boolean))
    db, last = op.get_bind(), ""
    while True:
        query = sa.select(sessions.c.id, sessions.c.document).where(sessions.c.id > last)
        rows = db.execute(query.order_by(sessions.c.id).limit(BATCH)).all()
        for last, document in rows:
            told = json.loads(document) if document else {}
            db.execute(sa.update(sessions).where(sessions.c.id == last).values(search=_words(told)))
            ids = [person["id"] for person in told.get("assigned", ())]
            mine = (people.c.session == last, people.c.person.in_(ids))
            db.execute(sa.update(people).where(*mine).values(assigned=True))
        if len(rows) < BATCH:
            return


def _words(told: dict[str, Any]) -> str:
    device = told.get("device", {})
    own = [
        device.get("name", ""),
        device.get("id", ""),
        *(told.get(k, "") for k in ("reason", "requester", "note", "id")),
    ]
    tickets = [word for t in told.get("tickets", ()) for word in (t["id"], t.get("title", ""))]
    people = [person["name"] for person in told.get("assigned", ())]
    return "\n".join((*own, *tickets, *people)).casefold()


def _fill_kiosks() -> None:
    kiosks = sa.table("kiosks", *(sa.column(name) for name in ("id", "device_id", "device_name", "search")))
    db = op.get_bind()
    for kiosk, device, name in db.execute(sa.select(kiosks.c.id, kiosks.c.device_id, kiosks.c.device_name)).all():
        text = "\n".join((kiosk, device, name)).casefold()
        db.execute(sa.update(kiosks).where(kiosks.c.id == kiosk).values(search=text))
