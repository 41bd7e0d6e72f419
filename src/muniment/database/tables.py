"""The tables of the control database, alike in SQLite and PostgreSQL, each with whose it is.

Times are seconds since 1970 UTC as doubles, JSON is canonical text (PostgreSQL's own JSON types refuse
an escaped NUL and give keys back in another order), states are words. A change here needs a migration,
and a dump of the newest database before it in tests/unit/database/released.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    TypeDecorator,
    text,
)
from sqlalchemy.engine import Dialect

from muniment.database.access_tables import access_state
from muniment.database.metadata import metadata

# --- the ledger (`muniment.jobs`)


class Word(TypeDecorator[str]):
    """A word from one of our enumerations: drivers differ in what they make of an enumeration's member."""

    impl = String(16)
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - given by SQLAlchemy
        """The bare text."""
        return None if value is None else str(value)


# SQLite numbers rows by itself only when the key is exactly INTEGER.
_serial = BigInteger().with_variant(Integer(), "sqlite")

jobs = Table(
    "jobs",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("key", Text),  # the requester's idempotency key; NULL once another job took it over
    Column("former_key", Text),
    Column("requester", Text, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("given", Text, nullable=False),
    Column("digest", String(64), nullable=False),  # of all that was submitted: tells a repeat from a clash
    Column("period", Text),  # the periodic job this is one run of
    Column("root", String(32), nullable=False),
    Column("state", Word, nullable=False),
    Column("cancelling", Boolean, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("ended_at", Double),
    Column("result", Text),
    Column("reason", Text, nullable=False),
    Column("steps", Integer, nullable=False),
    Column("steps_done", Integer, nullable=False),
    Column("steps_failed", Integer, nullable=False),
    Column("steps_cancelled", Integer, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("paused", Boolean, nullable=False, server_default=text("false")),
)
Index("jobs_key", jobs.c.kind, jobs.c.key, unique=True)
Index("jobs_former_key", jobs.c.kind, jobs.c.former_key)
Index("jobs_created", jobs.c.created_at, jobs.c.id)
Index("jobs_state", jobs.c.state, jobs.c.created_at, jobs.c.id)
Index("jobs_requester", jobs.c.requester, jobs.c.created_at, jobs.c.id)
_running_job = text("state = 'running'")
Index("jobs_period", jobs.c.period, sqlite_where=_running_job, postgresql_where=_running_job)

steps = Table(
    "steps",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("job", String(32), ForeignKey("jobs.id"), nullable=False),
    Column("parent", String(32)),  # the step it came from; NULL for the job's first
    Column("joins", Boolean, nullable=False),  # whether it is its parent's continuation, not a child
    Column("follows", String(32)),  # its own continuation, once there is one
    Column("number", Integer, nullable=False),  # order of making within the job
    Column("name", Text, nullable=False),
    Column("given", Text, nullable=False),
    Column("secrets", Text, nullable=False),  # names of the credentials it may see, as JSON
    Column("priority", Integer, nullable=False),
    Column("state", Word, nullable=False),
    Column("outcome", Word),  # of the step and everything below it; NULL while something is owed
    Column("open_children", Integer, nullable=False),
    Column("failed_children", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),  # how often it was claimed
    Column("failures", Integer, nullable=False),
    Column("losses", Integer, nullable=False),  # how often its worker vanished
    Column("max_failures", Integer),
    Column("max_losses", Integer),
    Column("next_at", Double, nullable=False),
    Column("first_at", Double),  # when it was first claimed
    Column("sent_until", Double),  # a message for it is thought to be under way until then
    Column("lease_owner", Text),
    Column("lease_until", Double),
    Column("fence", BigInteger, nullable=False),  # grows with each claim: older holders are refused
    Column("what", Text, nullable=False),
    Column("done", BigInteger, nullable=False),
    Column("total", BigInteger),
    Column("size", BigInteger, nullable=False),
    Column("result", Text),
    Column("reason", Text, nullable=False),
    Column("ended_at", Double),
    Column("requester", Text, nullable=False, server_default=""),  # its job's, so that turns can be taken by it
    Column("claimed_at", Double),  # when it was last claimed
    Column("outages", Integer, nullable=False, server_default=text("0")),  # how often in a row it met one
    Column("waits_for", Text),  # the name of the outage or the limit that it waits for
)
_ready = text("state = 'ready'")
_running = text("state = 'running'")
# Partial: steps that have ended, which is nearly all of them in an old ledger, cost a claim nothing.
Index("steps_ready", steps.c.priority, steps.c.next_at, steps.c.number, sqlite_where=_ready, postgresql_where=_ready)
Index(
    "steps_turn",
    steps.c.priority,
    steps.c.requester,
    steps.c.next_at,
    steps.c.number,
    sqlite_where=_ready,
    postgresql_where=_ready,
)
_waits = text("waits_for IS NOT NULL")
Index("steps_waits", steps.c.waits_for, sqlite_where=_waits, postgresql_where=_waits)
Index("steps_lease", steps.c.lease_until, sqlite_where=_running, postgresql_where=_running)
Index("steps_owner", steps.c.lease_owner, sqlite_where=_running, postgresql_where=_running)
Index("steps_job", steps.c.job, steps.c.state)
Index("steps_number", steps.c.job, steps.c.number)
Index("steps_parent", steps.c.parent, steps.c.number)

# What jobs are about, as their requesters name it: of one kind, one thing has one job at a time.
subjects = Table(
    "subjects",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("job", String(32), ForeignKey("jobs.id"), primary_key=True),
    Column("open", Boolean, nullable=False),  # until the job has ended
)
_open = text("open")
Index("subjects_open", subjects.c.kind, subjects.c.subject, unique=True, sqlite_where=_open, postgresql_where=_open)
Index("subjects_job", subjects.c.job)

secrets = Table(
    "secrets",
    metadata,
    Column("job", String(32), ForeignKey("jobs.id"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("key_id", String(16), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)

history = Table(
    "history",
    metadata,
    Column("seq", _serial, primary_key=True, autoincrement=True),
    Column("job", String(32), ForeignKey("jobs.id"), nullable=False),
    Column("step", String(32)),
    Column("at", Double, nullable=False),
    Column("what", Text, nullable=False),
    Column("detail", Text, nullable=False),
)
Index("history_job", history.c.job, history.c.seq)

periods = Table(
    "periods",
    metadata,
    Column("name", Text, primary_key=True),
    Column("rule", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("call", Text, nullable=False),
    Column("requester", Text, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("next_at", Double, nullable=False),
    Column("last_job", String(32)),
)

workers = Table(
    "workers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("engine", Text, nullable=False),
    Column("names", Text, nullable=False),
    Column("started_at", Double, nullable=False),
    Column("seen_at", Double, nullable=False),
)

limits = Table(
    "limits",
    metadata,
    Column("name", Text, primary_key=True),  # a service for a credential, or at a host
    Column("closed_until", Double, nullable=False),
    Column("blocks", Text, nullable=False),  # calls given out: [until when, how many], as JSON
    Column("closed_by", Text, nullable=False, server_default=""),  # whose answer closed it
)

outages = Table(
    "outages",
    metadata,
    Column("name", Text, primary_key=True),
    Column("since", Double, nullable=False),
    Column("reason", Text, nullable=False),  # as it was first met
    Column("probe", String(32), nullable=False),  # the step that tries more often than the others that wait
)

# --- selections of Nexus (`muniment.doors.nexus`)

# `id` is an IRI of up to 1,024 bytes.
nexus_selections = Table(
    "nexus_selections",
    metadata,
    Column("project", String(130), primary_key=True),
    Column("id", Text, primary_key=True),
    Column("entries", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("expires_at", Double, nullable=False, index=True),
)

# The CRC-32 of files that were once sent in a zip.
nexus_crcs = Table(
    "nexus_crcs",
    metadata,
    Column("digest", String(140), primary_key=True),
    Column("crc", BigInteger, nullable=False),
)

# --- answers of requests with an idempotency key (`muniment.http`)

idempotency_answers = Table(
    "idempotency_answers",
    metadata,
    Column("key", String(64), primary_key=True),  # a digest of caller and key
    Column("request", String(64), nullable=False),  # a digest: tells a repeat from a clash
    Column("answer", Text, nullable=False),  # JSON; empty while the request is being worked on
    Column("made", Double, nullable=False),
)
Index("idempotency_answers_made", idempotency_answers.c.made)

# --- portals and their links (`muniment.doors.ckan`)

ckan_portals = Table(
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

ckan_datasets = Table(
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
    Column("modified", Text, nullable=False, server_default=""),  # metadata_modified, when all was taken over
    Index("ckan_datasets_by_name", "portal", "name"),
)

_BROKEN: dict[str, Any] = {
    "sqlite_where": text("is_broken IS 1 AND gone IS 0"),
    "postgresql_where": text("is_broken IS true AND gone IS false"),
}
"""Of an index: only links that are broken stand in it, so that the many that are well cost nothing."""

ckan_links = Table(
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
    Column("cause", String(16), nullable=False, server_default=""),  # why it is broken, as reports count it
    Index("ckan_links_by_dataset", "portal", "dataset"),
    Index("ckan_links_broken", "portal", "is_broken", "organization", "resource"),
    # Broken links, the longest broken first: all of them, and those of an organisation, a host or a cause.
    Index("ckan_links_longest", "portal", "first_failure", "resource", **_BROKEN),
    Index("ckan_links_longest_organization", "portal", "organization", "first_failure", "resource", **_BROKEN),
    Index("ckan_links_longest_host", "portal", "host", "first_failure", "resource", **_BROKEN),
    Index("ckan_links_longest_cause", "portal", "cause", "first_failure", "resource", **_BROKEN),
    Index("ckan_links_by_content", "sha256"),
    Index("ckan_links_by_url", "portal", "url"),
)

ckan_counters = Table(
    "ckan_counters",
    metadata,
    Column("portal", String(40), primary_key=True),
    Column("dimension", String(16), primary_key=True),  # all, organization, host, status, size, failed, cause
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

ckan_slots = Table(
    "ckan_slots",
    metadata,
    Column("name", String(300), primary_key=True),  # a host, or a dataset that is written to
    Column("next_at", Double, nullable=False),
    Column("held", Text, nullable=False),  # JSON: step id to until when
    Column("failures", Integer, nullable=False),  # connection failures in a row
    Column("reason", Text, nullable=False),
    Column("booked_to", Double, nullable=False, server_default="0"),  # until when those that wait have a turn
    Column("pace", Double, nullable=False, server_default="0"),  # seconds that a turn takes, of late
)

ckan_attempts = Table(
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

# --- the Distillery (`muniment.doors.distillery`)

distillery_lines = Table(
    "distillery_lines",
    metadata,
    Column("batch", String(32), primary_key=True),
    Column("number", Integer, primary_key=True),  # from 1, without gaps
    Column("at", Double, nullable=False),
    Column("kind", Word, nullable=False),  # info, waiting, problem; finished and failed are the last
    Column("folder", Text, nullable=False),  # empty where a line is about the whole batch
    Column("text", Text, nullable=False),
)

distillery_copies = Table(
    "distillery_copies",
    metadata,
    Column("destination", String(16), primary_key=True),
    Column("key", String(1024), primary_key=True),
    Column("component_id", String(200), nullable=False),
    Column("path", Text, nullable=False),  # in the instance
    Column("instance", Integer, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("md5", String(32), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("place", Text, nullable=False),  # the tape it lies on
    Column("uri", Text, nullable=False),
    Column("verified_at", Double, nullable=False),
    Index("distillery_copies_by_object", "component_id"),
)
"""Each file that was proved to be in a store: what the catalogue and the audit rest on."""

distillery_remembered = Table(
    "distillery_remembered",
    metadata,
    Column("name", String(500), primary_key=True),  # what a publisher calls a thing it made elsewhere
    Column("value", Text, nullable=False),
)

distillery_holds = Table(
    "distillery_holds",
    metadata,
    Column("name", String(300), primary_key=True),  # a tape that is being recorded
    Column("holder", String(64), nullable=False),
    Column("until", Double, nullable=False),
)

# --- copies (`muniment.workflows.copies`): all of it can be made again from the log and the stores

stores = Table(
    "stores",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("id", String(36), nullable=False),  # as the mark in the store says, so that another is not taken for it
    Column("address", Text, nullable=False),
    Column("key_id", String(16)),
    Column("sealed", LargeBinary),  # its credentials
    Column("request_price", Double, nullable=False),  # of a thousand requests, in whatever money
    Column("read_price", Double, nullable=False),  # of a gigabyte (10^9 bytes) that is read
    Column("read_rate", Double),  # bytes a second, as the last verification found
    Column("logged", BigInteger, nullable=False),  # number of the newest event of the log that it holds
    Column("reason", Text, nullable=False),  # why it could not be used when it was last tried; empty when it could
    Column("added_at", Double, nullable=False),
    Column("answered_at", Double),  # when it could last be used; the figures beside it are of then
    Column("silent_since", Double),  # since when it cannot, as far as it was tried
    Column("total", BigInteger),  # bytes of room, where it says so
    Column("free", BigInteger),
    Column("rev", Integer, nullable=False, server_default="1"),  # of its newest revision
)

# What a store was after each change of it. Credentials are not kept: only whether it had some.
store_revisions = Table(
    "store_revisions",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("rev", Integer, primary_key=True, autoincrement=False),
    Column("address", Text, nullable=False),
    Column("request_price", Double, nullable=False),
    Column("read_price", Double, nullable=False),
    Column("credentials", String(10), nullable=False),  # none, given (with this change), kept (those before)
    Column("changed_at", Double, nullable=False),
    Column("changed_by", Text, nullable=False),
)

tapes = Table(
    "tapes",
    metadata,
    Column("store", String(40), primary_key=True),
    Column("tape", String(101), primary_key=True),
    Column("files", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("total", BigInteger),  # bytes of the tape, known once it was in the drive
    Column("free", BigInteger),
    Column("read_only", Boolean, nullable=False),
    Column("in_drive", Boolean, nullable=False),
    Column("written_at", Text, nullable=False),  # RFC 3339; empty where nothing was
    Column("seen_at", Double),  # when it was last in the drive
)

policies = Table(
    "policies",
    metadata,
    Column("project", Text, primary_key=True),  # * for every project that has none of its own
    Column("text", Text, nullable=False),  # TOML, as it was set
    Column("event", BigInteger, nullable=False),  # number of the event that records it
)

copies = Table(
    "copies",
    metadata,
    Column("store", String(40), primary_key=True),
    Column("layout", String(16), primary_key=True),
    Column("project", String(129), primary_key=True),
    Column("resource", Text, primary_key=True),
    Column(
        "number", Integer, primary_key=True, autoincrement=False
    ),  # of the instance; 0 for the archive itself, which is checked whole
    Column("state", Word, nullable=False),  # owed, made, damaged, purging
    Column("reason", Text, nullable=False),
    Column(
        "generation", Integer, nullable=False
    ),  # a copy that cannot be repaired in its place is made again beside it
    Column("keys", Integer, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("record", String(64), nullable=False),  # sha256 of its record in the store
    Column("made_at", Double),
    Column("verified_at", Double),
    Column("due_at", Double, nullable=False),  # when an owed one is tried next
    Column("lock_mode", String(16), nullable=False, server_default=""),  # governance, compliance, hold
    Column("locked_until", Double),  # as its store said when it was made or last read back
    Index("copies_by_resource", "project", "resource"),
    Index("copies_by_state", "store", "state", "due_at"),
    Index("copies_by_age", "state", "verified_at"),
)

retentions = Table(
    "retentions",
    metadata,
    Column("project", String(129), primary_key=True),
    Column("resource", Text, primary_key=True),
    Column("mode", Word, nullable=False),  # governance, compliance
    Column("until_at", Double, nullable=False),
    Column("hold", Boolean, nullable=False),
    Column("event", BigInteger, nullable=False),
    Index("retentions_by_end", "until_at"),
)

purge_requests = Table(
    "purge_requests",
    metadata,
    Column("project", String(129), primary_key=True),
    Column("resource", Text, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("requester", Text, nullable=False),
    Column("requested_at", Double, nullable=False),
)

copy_marks = Table(
    "copy_marks",
    metadata,
    Column("name", String(40), primary_key=True),  # how far the log was looked through for new instances
    Column("value", BigInteger, nullable=False),
)

# --- reports that were computed (`muniment.workflows.reports`); they can be computed again at any time

reports = Table(
    "reports",
    metadata,
    Column("kind", String(16), primary_key=True),  # ndsa, formats
    Column("project", String(129), primary_key=True),  # empty for the whole archive
    Column("made_at", Double, nullable=False),
    Column("document", Text, nullable=False),  # as JSON
)

# --- what the database belongs to (`muniment.app`)

belongings = Table(
    "belongings",
    metadata,
    Column("name", Text, primary_key=True),  # archive, stores
    Column("value", Text, nullable=False),
)

first_rows: tuple[tuple[Table, dict[str, object]], ...] = ((access_state, {"data_version": 1}),)
"""What a new database begins with."""
