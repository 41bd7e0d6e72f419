"""Until when a copy is locked and how, as its store said when it was made or last read back.

A released migration is never edited: it says what a database of that time looks like.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Add the columns; what is locked already is known at the next verification."""
    op.add_column("copies", sa.Column("lock_mode", sa.String(16), nullable=False, server_default=""))
    op.add_column("copies", sa.Column("locked_until", sa.Double))
