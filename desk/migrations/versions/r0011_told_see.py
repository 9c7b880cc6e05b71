"""Who was told of a session because nobody else reacted has it in his list."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.execute(
        "INSERT INTO session_people (session, person, assigned, created_s) "
        "SELECT alert_people.session, alert_people.account, false, sessions.created_s "
        "FROM alert_people JOIN sessions ON sessions.id = alert_people.session "
        "WHERE NOT EXISTS (SELECT 1 FROM session_people AS known "
        "WHERE known.session = alert_people.session AND known.person = alert_people.account)"
    )


def downgrade() -> None:
    """They stay: an older desk rewrites them with the session's next change."""
