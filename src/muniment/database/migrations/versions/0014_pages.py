"""What pages show from rows: revisions of realms, what was last seen of stores and tapes, sizes of copies of links.

A released migration is never edited: it says what a database of that time looks like.
"""

from __future__ import annotations

import time

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Make the tables, with a first revision of each realm and the counts of the copies there are."""
    op.create_table(
        "access_realm_revisions",
        sa.Column("label", sa.String(length=64), nullable=False),
        sa.Column("rev", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("settings", sa.Text(), nullable=False),
        sa.Column("deprecated", sa.Boolean(), nullable=False),
        sa.Column("changed_at", sa.Double(), nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("label", "rev"),
    )
    op.execute(
        "INSERT INTO access_realm_revisions (label, rev, settings, deprecated, changed_at, changed_by) "
        "SELECT label, rev, settings, deprecated, changed_at, changed_by FROM access_realms"
    )
    op.create_table(
        "tapes",
        sa.Column("store", sa.String(length=40), nullable=False),
        sa.Column("tape", sa.String(length=101), nullable=False),
        sa.Column("files", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=True),
        sa.Column("free", sa.BigInteger(), nullable=True),
        sa.Column("read_only", sa.Boolean(), nullable=False),
        sa.Column("in_drive", sa.Boolean(), nullable=False),
        sa.Column("written_at", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("store", "tape"),
    )
    for name, kind in (
        ("answered_at", sa.Double()),
        ("silent_since", sa.Double()),
        ("total", sa.BigInteger()),
        ("free", sa.BigInteger()),
    ):
        op.add_column("stores", sa.Column(name, kind, nullable=True))
    _sizes()


def _sizes() -> None:
    """Count the copies of links by size, in bins of powers of ten, named by their upper end."""
    bins = " ".join(f"WHEN coalesce(size, 0) <= {10**power} THEN '{10**power}'" for power in range(3, 12))
    counted = ", ".join(
        f"sum(CASE WHEN {condition} THEN 1 ELSE 0 END)"
        for condition in ("is_broken = true", "is_broken IS NULL AND status IS NOT NULL")
    )
    query = (
        f"SELECT portal, CASE {bins} ELSE '{10**12}' END AS bin, count(*), {counted}, sum(coalesce(size, 0)) "  # noqa: S608 - numbers
        "FROM ckan_links WHERE kept_as IS NOT NULL AND gone = false GROUP BY portal, bin"
    )
    day = int(time.time() // 86_400)
    rows = [
        {
            "portal": portal,
            "dimension": "size",
            "name": name,
            "day": day,
            "links": links,
            "broken": broken,
            "unknown": unknown,
            "kept": links,
            "broken_kept": broken,
            "datasets": 0,
            "broken_datasets": 0,
            "bytes": size,
        }
        for portal, name, links, broken, unknown, size in op.get_bind().execute(sa.text(query))
    ]
    counters = sa.table("ckan_counters", *(sa.column(name) for name in (rows[0] if rows else ())))
    if rows:
        op.bulk_insert(counters, rows)
