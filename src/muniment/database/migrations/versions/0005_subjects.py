"""What jobs are about, so that of one kind one thing has one job at a time; and whose this database is.

A released migration is never edited: it says what a database of that time looks like.
"""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the tables, and name the subjects of the jobs there are."""
    op.create_table(
        "belongings",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    subjects = op.create_table(
        "subjects",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("job", sa.String(length=32), nullable=False),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["job"], ["jobs.id"]),
        sa.PrimaryKeyConstraint("kind", "subject", "job"),
    )
    op.create_index(
        "subjects_open",
        "subjects",
        ["kind", "subject"],
        unique=True,
        sqlite_where=sa.text("open"),
        postgresql_where=sa.text("open"),
    )
    op.create_index("subjects_job", "subjects", ["job"])
    _fill(subjects)


def _fill(subjects: sa.Table) -> None:
    """Jobs of OSF say in `given` which containers they are about."""
    connection = op.get_bind()
    query = sa.text("SELECT id, given, state FROM jobs WHERE kind = 'osf' ORDER BY created_at, id")
    taken: set[str] = set()
    for job, given, state in connection.execute(query).all():
        ids = dict.fromkeys(str(each) for each in (json.loads(given) or {}).get("ids", []))
        rows = []
        for each in ids:
            # Until now two jobs could run for one child; the older one keeps it.
            holds = state == "running" and each not in taken
            rows.append({"kind": "osf", "subject": each, "job": job, "open": holds})
            if holds:
                taken.add(each)
        if rows:
            connection.execute(sa.insert(subjects), rows)
