"""Reports as they were last computed.

A released migration is never edited: it says what a database of that time looks like.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "reports",
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("project", sa.String(length=129), nullable=False),
        sa.Column("made_at", sa.Double(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "project"),
    )
