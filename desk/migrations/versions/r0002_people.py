"""People: accounts and how they sign in; where something was done from."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

ID = sa.String(40)
HASH = sa.String(64)
TABLES = ("accounts", "identities", "recovery_codes", "sign_ins", "one_time_links", "api_tokens", "tries")


def upgrade() -> None:
    _accounts()
    _ways_in()
    op.create_table(
        "tries",
        sa.Column("key", sa.String(100), primary_key=True),
        sa.Column("n", sa.BigInteger, nullable=False),
        sa.Column("since_s", sa.Double, nullable=False, index=True),
    )
    op.add_column("audit", sa.Column("address", sa.String(45), nullable=False, server_default=""))
    op.create_index("ix_audit_person", "audit", ["person"])
    op.create_index("ix_audit_at_s", "audit", ["at_s"])


def downgrade() -> None:
    op.drop_index("ix_audit_at_s", "audit")
    op.drop_index("ix_audit_person", "audit")
    with op.batch_alter_table("audit") as audit:
        audit.drop_column("address")
    for name in reversed(TABLES):
        op.drop_table(name)


def _accounts() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", ID, primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("email", sa.String(254), unique=True),
        sa.Column("roles", sa.String(100), nullable=False),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("origin", sa.String(20), nullable=False),
        sa.Column("password", sa.Text, nullable=False),
        sa.Column("totp", sa.LargeBinary),
        sa.Column("totp_step", sa.BigInteger, nullable=False),
        sa.Column("locked", sa.Boolean, nullable=False),
        sa.Column("removed_s", sa.Double),
        sa.Column("created_s", sa.Double, nullable=False),
    )
    op.create_table(
        "identities",
        sa.Column("issuer", sa.String(500), primary_key=True),
        sa.Column("subject", sa.String(255), primary_key=True),
        _account(),
    )
    op.create_table("recovery_codes", sa.Column("hash", HASH, primary_key=True), _account())


def _ways_in() -> None:
    op.create_table(
        "sign_ins",
        sa.Column("hash", HASH, primary_key=True),
        sa.Column("id", ID, nullable=False, unique=True),
        _account(),
        sa.Column("way", sa.String(20), nullable=False),
        sa.Column("created_s", sa.Double, nullable=False),
        sa.Column("seen_s", sa.Double, nullable=False),
        sa.Column("expires_s", sa.Double, nullable=False, index=True),
        sa.Column("address", sa.String(45), nullable=False),
        sa.Column("agent", sa.String(300), nullable=False),
    )
    op.create_table(
        "one_time_links",
        sa.Column("hash", HASH, primary_key=True),
        _account(nullable=True),
        sa.Column("expires_s", sa.Double, nullable=False),
    )
    op.create_table(
        "api_tokens",
        sa.Column("hash", HASH, primary_key=True),
        sa.Column("id", ID, nullable=False, unique=True),
        _account(),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("scopes", sa.String(100), nullable=False),
        sa.Column("created_s", sa.Double, nullable=False),
        sa.Column("used_s", sa.Double),
        sa.Column("expires_s", sa.Double, nullable=False),
    )


def _account(*, nullable: bool = False) -> sa.Column[Any]:
    there = sa.ForeignKey("accounts.id", ondelete="CASCADE")
    return sa.Column("account", ID, there, nullable=nullable, index=True)
