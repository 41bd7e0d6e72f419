"""What a key may be used for at most, and failed sign-ins that all processes count together.

A released migration is never edited: it says what a database of that time looks like.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Add the column and the table."""
    op.add_column("access_keys", sa.Column("scope", sa.Text, nullable=False, server_default=""))
    op.create_table(
        "access_failures",
        sa.Column("who", sa.String(80), nullable=False),
        sa.Column("at", sa.Double, nullable=False),
    )
    op.create_index("access_failures_who", "access_failures", ["who", "at"])
