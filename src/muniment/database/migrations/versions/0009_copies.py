"""Copies: the stores, the policies, what is owed and what was made, retention, and requests to purge.

A released migration is never edited: it says what a database of that time looks like.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "stores",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("request_price", sa.Double(), nullable=False),
        sa.Column("read_price", sa.Double(), nullable=False),
        sa.Column("read_rate", sa.Double(), nullable=True),
        sa.Column("logged", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("added_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "policies",
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("event", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("project"),
    )
    _copies()
    op.create_table(
        "retentions",
        sa.Column("project", sa.String(length=129), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("mode", sa.String(length=16), nullable=False),
        sa.Column("until_at", sa.Double(), nullable=False),
        sa.Column("hold", sa.Boolean(), nullable=False),
        sa.Column("event", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("project", "resource"),
    )
    op.create_index("retentions_by_end", "retentions", ["until_at"])
    op.create_table(
        "purge_requests",
        sa.Column("project", sa.String(length=129), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("requester", sa.Text(), nullable=False),
        sa.Column("requested_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("project", "resource"),
    )
    op.create_table(
        "copy_marks",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )


def _copies() -> None:
    op.create_table(
        "copies",
        sa.Column("store", sa.String(length=40), nullable=False),
        sa.Column("layout", sa.String(length=16), nullable=False),
        sa.Column("project", sa.String(length=129), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("keys", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("record", sa.String(length=64), nullable=False),
        sa.Column("made_at", sa.Double(), nullable=True),
        sa.Column("verified_at", sa.Double(), nullable=True),
        sa.Column("due_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("store", "layout", "project", "resource", "number"),
    )
    op.create_index("copies_by_resource", "copies", ["project", "resource"])
    op.create_index("copies_by_state", "copies", ["store", "state", "due_at"])
    op.create_index("copies_by_age", "copies", ["state", "verified_at"])
