"""The tables of CKAN portals: what is known of their links, and the figures that are kept of them.

A released migration is never edited: it says what a database of that time looks like.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the tables."""
    _portals()
    _datasets()
    _links()
    _counters()
    _slots()
    _attempts()


def _portals() -> None:
    op.create_table(
        "ckan_portals",
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("settings", sa.Text(), nullable=False),
        sa.Column("key_id", sa.String(16), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("polled_to", sa.Text(), nullable=False),
        sa.Column("swept_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )


def _datasets() -> None:
    op.create_table(
        "ckan_datasets",
        sa.Column("portal", sa.String(40), nullable=False),
        sa.Column("id", sa.String(200), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("organization", sa.Text(), nullable=False),
        sa.Column("links", sa.Integer(), nullable=False),
        sa.Column("broken", sa.Integer(), nullable=False),
        sa.Column("seen_at", sa.Double(), nullable=False),
        sa.Column("gone", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("portal", "id"),
    )
    op.create_index("ckan_datasets_by_name", "ckan_datasets", ["portal", "name"])


def _links() -> None:
    op.create_table(
        "ckan_links",
        sa.Column("portal", sa.String(40), nullable=False),
        sa.Column("resource", sa.String(200), nullable=False),
        sa.Column("dataset", sa.String(200), nullable=False),
        sa.Column("organization", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("url_type", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("gone", sa.Boolean(), nullable=False),
        sa.Column("asked_url", sa.Text(), nullable=True),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("is_broken", sa.Boolean(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("redirected_to", sa.Text(), nullable=True),
        sa.Column("moved_to", sa.Text(), nullable=True),
        sa.Column("fresh_until", sa.Double(), nullable=True),
        sa.Column("notes", sa.Text(), nullable=False),
        sa.Column("kept_as", sa.Text(), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("mimetype", sa.Text(), nullable=True),
        sa.Column("md5", sa.String(32), nullable=True),
        sa.Column("sha256", sa.String(64), nullable=True),
        sa.Column("etag", sa.Text(), nullable=True),
        sa.Column("last_modified", sa.Text(), nullable=True),
        sa.Column("fetched_at", sa.Double(), nullable=True),
        sa.Column("fetched_url", sa.Text(), nullable=True),
        sa.Column("first_failure", sa.Double(), nullable=True),
        sa.Column("last_success", sa.Double(), nullable=True),
        sa.Column("failure_count", sa.Integer(), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("updated", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("portal", "resource"),
    )
    op.create_index("ckan_links_by_dataset", "ckan_links", ["portal", "dataset"])
    op.create_index("ckan_links_broken", "ckan_links", ["portal", "is_broken", "organization", "resource"])
    op.create_index("ckan_links_by_content", "ckan_links", ["sha256"])
    op.create_index("ckan_links_by_url", "ckan_links", ["portal", "url"])


def _counters() -> None:
    op.create_table(
        "ckan_counters",
        sa.Column("portal", sa.String(40), nullable=False),
        sa.Column("dimension", sa.String(16), nullable=False),
        sa.Column("name", sa.String(300), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("links", sa.Integer(), nullable=False),
        sa.Column("broken", sa.Integer(), nullable=False),
        sa.Column("unknown", sa.Integer(), nullable=False),
        sa.Column("kept", sa.Integer(), nullable=False),
        sa.Column("broken_kept", sa.Integer(), nullable=False),
        sa.Column("datasets", sa.Integer(), nullable=False),
        sa.Column("broken_datasets", sa.Integer(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("portal", "dimension", "name", "day"),
    )


def _slots() -> None:
    op.create_table(
        "ckan_slots",
        sa.Column("name", sa.String(300), nullable=False),
        sa.Column("next_at", sa.Double(), nullable=False),
        sa.Column("held", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )


def _attempts() -> None:
    op.create_table(
        "ckan_attempts",
        sa.Column("portal", sa.String(40), nullable=False),
        sa.Column("resource", sa.String(200), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("kept_as", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("portal", "resource", "at"),
    )
