"""Turns that are booked at a host, and when a dataset's description was taken over.

A released migration is never edited: it says what a database of that time looks like.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the columns."""
    op.add_column("ckan_datasets", sa.Column("modified", sa.Text(), nullable=False, server_default=""))
    op.add_column("ckan_slots", sa.Column("booked_to", sa.Double(), nullable=False, server_default="0"))
    op.add_column("ckan_slots", sa.Column("pace", sa.Double(), nullable=False, server_default="0"))
