"""The tables of keys, rules, realms and sessions (`muniment.access`), in the same database as all others."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, Integer, String, Table, Text, UniqueConstraint

from muniment.database.metadata import metadata

# One row. `data_version` grows with each change, so that every process sees it and reads anew.
access_state = Table("access_state", metadata, Column("data_version", BigInteger, nullable=False))

access_keys = Table(
    "access_keys",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("name", Text, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("expires_at", Double),
    Column("revoked_at", Double),
    Column("used_at", Double),
    Column("scope", Text, nullable=False, server_default=""),
)
Index("access_keys_name", access_keys.c.name)

# What failed within a minute, and not for longer: many processes slow down together whoever guesses.
access_failures = Table(
    "access_failures",
    metadata,
    Column("who", String(80), nullable=False),
    Column("at", Double, nullable=False),
)
Index("access_failures_who", access_failures.c.who, access_failures.c.at)

# Every revision stays: who could do what, and when, is a record too.
access_rules = Table(
    "access_rules",
    metadata,
    Column("address", String(130), primary_key=True),
    Column("rev", Integer, primary_key=True, autoincrement=False),
    Column("acl", Text, nullable=False),
    Column("changed_at", Double, nullable=False),
    Column("changed_by", Text, nullable=False),
)

access_realms = Table(
    "access_realms",
    metadata,
    Column("label", String(64), primary_key=True),
    Column("rev", Integer, nullable=False),
    Column("issuer", Text, nullable=False),
    Column("settings", Text, nullable=False),
    Column("deprecated", Boolean, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("changed_at", Double, nullable=False),
    Column("changed_by", Text, nullable=False),
    UniqueConstraint("issuer", name="access_realms_issuer_key"),  # as PostgreSQL names it by itself
)

access_realm_revisions = Table(
    "access_realm_revisions",
    metadata,
    Column("label", String(64), primary_key=True),
    Column("rev", Integer, primary_key=True, autoincrement=False),
    Column("settings", Text, nullable=False),
    Column("deprecated", Boolean, nullable=False),
    Column("changed_at", Double, nullable=False),
    Column("changed_by", Text, nullable=False),
)

# Sessions of people in a browser. Of the cookie there is only a digest.
access_sessions = Table(
    "access_sessions",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("realm", String(64), nullable=False),
    Column("subject", Text, nullable=False),
    Column("groups", Text, nullable=False),  # JSON
    Column("display_name", Text, nullable=False),
    Column("email", Text, nullable=False),
    Column("key_id", String(16)),  # the key that was shown; the session ends with it
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False, index=True),
)

# Who was sent to an issuer to sign in, until they come back.
access_sign_ins = Table(
    "access_sign_ins",
    metadata,
    Column("digest", String(64), primary_key=True),  # of the state they come back with
    Column("realm", String(64), nullable=False),
    Column("nonce", Text, nullable=False),
    Column("verifier", Text, nullable=False),
    Column("onward", Text, nullable=False),  # the page they wanted
    Column("expires_at", Double, nullable=False),
)
