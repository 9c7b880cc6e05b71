"""Notifications: where people want to be told, and who was told of what."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

ID = sa.String(40)
COUNTED = sa.BigInteger().with_variant(sa.Integer, "sqlite")
TABLES = ("push_keys", "push_subscriptions", "notify_addresses", "notify_wishes")
ALERTS = ("alerts", "alert_people", "alert_messages")


def upgrade() -> None:
    _places()
    _alerts()


def downgrade() -> None:
    for name in (*reversed(ALERTS), *reversed(TABLES)):
        op.drop_table(name)


def _places() -> None:
    op.create_table(
        "push_keys",
        sa.Column("id", ID, primary_key=True),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "push_subscriptions",
        sa.Column("id", ID, primary_key=True),
        _account(index=True, nullable=False),
        sa.Column("key", ID, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("name", sa.String(300), nullable=False),
        *_used(),
    )
    op.create_table(
        "notify_addresses",
        sa.Column("id", ID, primary_key=True),
        _account(index=True, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("service", sa.String(100), nullable=False),
        *_used(),
    )
    op.create_table(
        "notify_wishes",
        _account(primary_key=True),
        sa.Column("mail", sa.Boolean, nullable=False),
        sa.Column("zone", sa.String(64), nullable=False),
        sa.Column("quiet_from", sa.Integer, nullable=False),
        sa.Column("quiet_to", sa.Integer, nullable=False),
        sa.Column("even_then", sa.Boolean, nullable=False),
    )


def _alerts() -> None:
    op.create_table(
        "alerts",
        _session(primary_key=True),
        sa.Column("key", ID, primary_key=True),
        sa.Column("level", sa.Integer, nullable=False),
        sa.Column("due_s", sa.Double, index=True),
        sa.Column("seen", sa.Boolean, nullable=False),
        sa.Column("begun_s", sa.Double, nullable=False),
        sa.Column("settled_s", sa.Double, index=True),
    )
    op.create_table("alert_people", _session(primary_key=True), _account(primary_key=True, index=True))
    op.create_table(
        "alert_messages",
        sa.Column("id", COUNTED, primary_key=True, autoincrement=True),
        _session(nullable=False),
        sa.Column("key", ID, nullable=False),
        sa.Column("what", sa.String(10), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("target", ID, nullable=False),
        _account(index=True),
        sa.Column("level", sa.Integer, nullable=False),
        sa.Column("state", sa.String(10), nullable=False, index=True),
        sa.Column("due_s", sa.Double, nullable=False, index=True),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("desk", ID, nullable=False),
        sa.Column("taken_s", sa.Double, nullable=False),
        sa.UniqueConstraint("session", "key", "what", "kind", "target"),
    )


def _account(**more: Any) -> sa.Column[Any]:
    return sa.Column("account", ID, sa.ForeignKey("accounts.id", ondelete="CASCADE"), **more)


def _session(**more: Any) -> sa.Column[Any]:
    return sa.Column("session", ID, sa.ForeignKey("sessions.id", ondelete="CASCADE"), **more)


def _used() -> list[sa.Column[Any]]:
    return [
        sa.Column("created_s", sa.Double, nullable=False),
        sa.Column("used_s", sa.Double),
        sa.Column("failed", sa.String(20), nullable=False),
    ]
