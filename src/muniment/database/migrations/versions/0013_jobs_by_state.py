"""An index of jobs by their state, so that a list of those that run reads no others.

A released migration is never edited: it says what a database of that time looks like.
"""

from __future__ import annotations

from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Make the index."""
    op.create_index("jobs_state", "jobs", ["state", "created_at", "id"])
