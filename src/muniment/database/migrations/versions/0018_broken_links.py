"""Why links are broken, the longest broken first, counts by cause and of what failed once only; jobs by requester.

A released migration is never edited: it says what a database of that time looks like.
"""

from __future__ import annotations

import time

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0015"

_CAUSE = """CASE
    WHEN status = 10 THEN 'no address'
    WHEN lower(reason) LIKE '%certificate%' THEN 'certificate'
    WHEN lower(reason) LIKE '%timed out%' OR lower(reason) LIKE '%silent for too long%'
        OR lower(reason) LIKE '%too slow%' OR lower(reason) LIKE '%took longer%' THEN 'timed out'
    WHEN lower(reason) LIKE 'connection error%' THEN 'no host'
    WHEN reason LIKE '%404%' OR reason LIKE '%410%' THEN 'not found'
    WHEN reason LIKE '%401%' OR reason LIKE '%403%' OR reason LIKE '%407%' OR reason LIKE '%451%' THEN 'refused'
    WHEN reason LIKE '% 50_%' OR reason LIKE '50_%' THEN 'server error'
    ELSE 'other' END"""


def upgrade() -> None:
    """Add the column and its indexes, and count the broken links there are."""
    op.create_index("jobs_requester", "jobs", ["requester", "created_at", "id"])
    op.add_column("ckan_links", sa.Column("cause", sa.String(16), nullable=False, server_default=""))
    op.execute(f"UPDATE ckan_links SET cause = {_CAUSE} WHERE is_broken = true")  # noqa: S608 - written above
    for name, columns in (
        ("ckan_links_longest", ()),
        ("ckan_links_longest_organization", ("organization",)),
        ("ckan_links_longest_host", ("host",)),
        ("ckan_links_longest_cause", ("cause",)),
    ):
        op.create_index(
            name,
            "ckan_links",
            ["portal", *columns, "first_failure", "resource"],
            sqlite_where=sa.text("is_broken IS 1 AND gone IS 0"),
            postgresql_where=sa.text("is_broken IS true AND gone IS false"),
        )
    _count("failed", "CASE WHEN failure_count <= 1 THEN 'once' ELSE 'again' END")
    _count("cause", "cause")


def _count(dimension: str, name: str) -> None:
    query = (
        f"SELECT portal, {name} AS counted, count(*), "  # noqa: S608 - written above
        "sum(CASE WHEN kept_as IS NULL THEN 0 ELSE 1 END), "
        "sum(CASE WHEN kept_as IS NULL THEN 0 ELSE coalesce(size, 0) END) "
        "FROM ckan_links WHERE is_broken = true AND gone = false GROUP BY portal, counted"
    )
    rows = [
        {
            "portal": portal,
            "dimension": dimension,
            "name": counted,
            "day": int(time.time() // 86_400),
            "links": links,
            "broken": links,
            "unknown": 0,
            "kept": kept,
            "broken_kept": kept,
            "datasets": 0,
            "broken_datasets": 0,
            "bytes": size,
        }
        for portal, counted, links, kept, size in op.get_bind().execute(sa.text(query))
    ]
    if rows:
        counters = sa.table("ckan_counters", *(sa.column(column) for column in rows[0]))
        op.bulk_insert(counters, rows)
