"""The history of the tables of keys and rules, as SQL that SQLite and PostgreSQL both take.

A released step is never edited: it says what a database of that time looks like. Times are seconds since
1970 UTC, lists are JSON text. Everything has a name of its own (`access_...`), beside the ledger's tables.
"""

from __future__ import annotations

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    # 1: keys, rules and realms.
    (
        # data_version grows with each change, so that every process sees it and reads anew.
        "CREATE TABLE access_state (schema_version INTEGER NOT NULL, data_version BIGINT NOT NULL)",
        "INSERT INTO access_state VALUES (0, 1)",
        """CREATE TABLE access_keys (
            id VARCHAR(16) NOT NULL PRIMARY KEY,
            name TEXT NOT NULL,
            digest VARCHAR(64) NOT NULL,
            created_at DOUBLE PRECISION NOT NULL,
            created_by TEXT NOT NULL,
            expires_at DOUBLE PRECISION,
            revoked_at DOUBLE PRECISION,
            used_at DOUBLE PRECISION
        )""",
        "CREATE INDEX access_keys_name ON access_keys (name)",
        # Every revision stays: who could do what, and when, is a record too.
        """CREATE TABLE access_rules (
            address VARCHAR(130) NOT NULL,
            rev INTEGER NOT NULL,
            acl TEXT NOT NULL,
            changed_at DOUBLE PRECISION NOT NULL,
            changed_by TEXT NOT NULL,
            PRIMARY KEY (address, rev)
        )""",
        """CREATE TABLE access_realms (
            label VARCHAR(64) NOT NULL PRIMARY KEY,
            rev INTEGER NOT NULL,
            issuer TEXT NOT NULL UNIQUE,
            settings TEXT NOT NULL,
            deprecated BOOLEAN NOT NULL,
            created_at DOUBLE PRECISION NOT NULL,
            created_by TEXT NOT NULL,
            changed_at DOUBLE PRECISION NOT NULL,
            changed_by TEXT NOT NULL
        )""",
    ),
)
