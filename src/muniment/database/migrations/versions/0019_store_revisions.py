"""What a store was after each change, so that changes can be undone and two people at once do not undo each other's.

A released migration is never edited: it says what a database of that time looks like.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Add the table, with the stores there are as their first revisions."""
    op.add_column("stores", sa.Column("rev", sa.Integer, nullable=False, server_default="1"))
    op.create_table(
        "store_revisions",
        sa.Column("name", sa.String(40), primary_key=True),
        sa.Column("rev", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("request_price", sa.Double, nullable=False),
        sa.Column("read_price", sa.Double, nullable=False),
        sa.Column("credentials", sa.String(10), nullable=False),
        sa.Column("changed_at", sa.Double, nullable=False),
        sa.Column("changed_by", sa.Text, nullable=False),
    )
    op.execute(
        "INSERT INTO store_revisions"
        " (name, rev, address, request_price, read_price, credentials, changed_at, changed_by)"
        " SELECT name, 1, address, request_price, read_price,"
        " CASE WHEN sealed IS NULL THEN 'none' ELSE 'given' END, added_at, '' FROM stores"
    )
