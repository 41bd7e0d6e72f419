"""The tables of portals and links in the control database, alike in SQLite and PostgreSQL.

Times are seconds since 1970 UTC as doubles, JSON is canonical text. A change here needs a migration.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, Integer, LargeBinary, MetaData, String, Table, Text

metadata = MetaData()

portals = Table(
    "ckan_portals",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("url", Text, nullable=False),
    Column("settings", Text, nullable=False),
    Column("key_id", String(16)),
    Column("sealed", LargeBinary),  # the token, under a key of the key file
    Column("polled_to", Text, nullable=False),
    Column("swept_at", Double, nullable=False),
)

datasets = Table(
    "ckan_datasets",
    metadata,
    Column("portal", String(40), primary_key=True),
    Column("id", String(200), primary_key=True),
    Column("name", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("organization", Text, nullable=False),  # its name; empty where a dataset has none
    Column("links", Integer, nullable=False),
    Column("broken", Integer, nullable=False),
    Column("seen_at", Double, nullable=False),
    Column("gone", Boolean, nullable=False),
    Index("ckan_datasets_by_name", "portal", "name"),
)

links = Table(
    "ckan_links",
    metadata,
    Column("portal", String(40), primary_key=True),
    Column("resource", String(200), primary_key=True),
    Column("dataset", String(200), nullable=False),
    Column("organization", Text, nullable=False),
    Column("position", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("format", Text, nullable=False),  # what the portal says it is
    Column("url", Text, nullable=False),
    Column("url_type", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("gone", Boolean, nullable=False),  # the portal has no such resource any more
    # the latest attempt
    Column("asked_url", Text),  # the address as the portal had it when it was asked
    Column("status", Integer),
    Column("is_broken", Boolean),
    Column("reason", Text, nullable=False),
    Column("redirected_to", Text),
    Column("moved_to", Text),  # where a permanent redirect leads
    Column("fresh_until", Double),
    Column("notes", Text, nullable=False),  # JSON: soft 404, format found, rows, same content elsewhere
    # the last success
    Column("kept_as", Text),  # "{timestamp}/{filename}" of the newest copy
    Column("size", BigInteger),
    Column("mimetype", Text),
    Column("md5", String(32)),
    Column("sha256", String(64)),
    Column("etag", Text),
    Column("last_modified", Text),
    Column("fetched_at", Double),  # when its bytes were last read whole
    Column("fetched_url", Text),
    # the history
    Column("first_failure", Double),
    Column("last_success", Double),
    Column("failure_count", Integer, nullable=False),
    Column("created", Double, nullable=False),
    Column("updated", Double),
    Index("ckan_links_by_dataset", "portal", "dataset"),
    Index("ckan_links_broken", "portal", "is_broken", "organization", "resource"),
    Index("ckan_links_by_content", "sha256"),
    Index("ckan_links_by_url", "portal", "url"),
)

counters = Table(
    "ckan_counters",
    metadata,
    Column("portal", String(40), primary_key=True),
    Column("dimension", String(16), primary_key=True),  # all, organization, host, status
    Column("name", String(300), primary_key=True),
    Column("day", Integer, primary_key=True),  # days since 1970: the value at the end of that day
    Column("links", Integer, nullable=False),
    Column("broken", Integer, nullable=False),
    Column("unknown", Integer, nullable=False),
    Column("kept", Integer, nullable=False),
    Column("broken_kept", Integer, nullable=False),
    Column("datasets", Integer, nullable=False),
    Column("broken_datasets", Integer, nullable=False),
    Column("bytes", BigInteger, nullable=False),
)

slots = Table(
    "ckan_slots",
    metadata,
    Column("name", String(300), primary_key=True),  # a host, or a dataset that is written to
    Column("next_at", Double, nullable=False),
    Column("held", Text, nullable=False),  # JSON: step id to until when
    Column("failures", Integer, nullable=False),  # connection failures in a row
    Column("reason", Text, nullable=False),
)

attempts = Table(
    "ckan_attempts",
    metadata,
    Column("portal", String(40), primary_key=True),
    Column("resource", String(200), primary_key=True),
    Column("at", Double, primary_key=True),
    Column("status", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("kept_as", Text),
)
"""Each change of a link's state, for its history as a strip."""
