"""One history for everything: keys, rules and realms, selections, and answers given before.

Until now each of these made its own tables, beside the ledger's or alone in a file. They are taken over as they
are found, with all that is in them, and made where they are missing.

A released migration is never edited: it says what a database of that time looks like.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the tables, or take over those that are there."""
    known = set(sa.inspect(op.get_bind()).get_table_names())
    _access(known)
    if "nexus_selections" not in known:
        _selections()
    if "nexus_crcs" not in known:
        op.create_table(
            "nexus_crcs",
            sa.Column("digest", sa.String(length=140), nullable=False),
            sa.Column("crc", sa.BigInteger(), nullable=False),
            sa.PrimaryKeyConstraint("digest"),
        )
    _answers(known)


def _access(known: set[str]) -> None:
    if "access_state" not in known:
        op.create_table("access_state", sa.Column("data_version", sa.BigInteger(), nullable=False))
        op.execute("INSERT INTO access_state VALUES (1)")
        _access_tables()
        return
    # An older Muniment, which looked here for its version, fails from now on and changes nothing.
    op.drop_column("access_state", "schema_version")
    if op.get_bind().dialect.name == "sqlite":
        # Types were written in other words there and a constraint had no name; both change only with the table.
        tables = ("access_keys", "access_rules", "access_realms")
        op.drop_index("access_keys_name")
        for table in tables:
            op.rename_table(table, f"{table}_before")
        _access_tables()
        for table in tables:
            op.execute(f"INSERT INTO {table} SELECT * FROM {table}_before")  # noqa: S608 - names of ours
            op.drop_table(f"{table}_before")


def _access_tables() -> None:
    op.create_table(
        "access_keys",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=True),
        sa.Column("revoked_at", sa.Double(), nullable=True),
        sa.Column("used_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("access_keys_name", "access_keys", ["name"])
    op.create_table(
        "access_rules",
        sa.Column("address", sa.String(length=130), nullable=False),
        sa.Column("rev", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("acl", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.Double(), nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("address", "rev"),
    )
    op.create_table(
        "access_realms",
        sa.Column("label", sa.String(length=64), nullable=False),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("settings", sa.Text(), nullable=False),
        sa.Column("deprecated", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.Double(), nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("label"),
        sa.UniqueConstraint("issuer", name="access_realms_issuer_key"),
    )


def _selections() -> None:
    op.create_table(
        "nexus_selections",
        sa.Column("project", sa.String(length=130), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("entries", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("project", "id"),
    )
    op.create_index("ix_nexus_selections_expires_at", "nexus_selections", ["expires_at"])


def _answers(known: set[str]) -> None:
    op.create_table(
        "idempotency_answers",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("request", sa.String(length=64), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("made", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index("idempotency_answers_made", "idempotency_answers", ["made"])
    if "web_answers" in known:
        op.execute("INSERT INTO idempotency_answers SELECT key, request, answer, made FROM web_answers")
        op.drop_table("web_answers")
