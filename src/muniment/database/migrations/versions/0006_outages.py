"""Outages, whose turn it is, and what each step waits for.

A released migration is never edited: it says what a database of that time looks like.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the columns and the table."""
    op.add_column("jobs", sa.Column("paused", sa.Boolean(), nullable=False, server_default=sa.text("false")))
    op.add_column("steps", sa.Column("requester", sa.Text(), nullable=False, server_default=""))
    op.add_column("steps", sa.Column("claimed_at", sa.Double(), nullable=True))
    op.add_column("steps", sa.Column("outages", sa.Integer(), nullable=False, server_default=sa.text("0")))
    op.add_column("steps", sa.Column("waits_for", sa.Text(), nullable=True))
    op.execute("UPDATE steps SET requester = (SELECT jobs.requester FROM jobs WHERE jobs.id = steps.job)")
    ready = sa.text("state = 'ready'")
    turn = ["priority", "requester", "next_at", "number"]
    op.create_index("steps_turn", "steps", turn, sqlite_where=ready, postgresql_where=ready)
    waits = sa.text("waits_for IS NOT NULL")
    op.create_index("steps_waits", "steps", ["waits_for"], sqlite_where=waits, postgresql_where=waits)
    op.add_column("limits", sa.Column("closed_by", sa.Text(), nullable=False, server_default=""))
    op.create_table(
        "outages",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("since", sa.Double(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("probe", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
