"""The ledger's schema: which revision a database has, and how it comes to the newest."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from muniment.errors.jobs import LedgerBehind, LedgerNewer, LedgerNotThere
from muniment.jobs.database import Database

VERSION_TABLE = "ledger_version"
"""Of its own name, so that other tables in the same database may have their own history."""
_MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 0x6D756E696D656E74  # any number that is ours: one migration at a time on PostgreSQL


@cache
def revisions() -> tuple[str, ...]:
    """All revisions, oldest first, from the names of their files (Alembic itself is slow to import)."""
    return tuple(sorted(path.name.split("_")[0] for path in (_MIGRATIONS / "versions").glob("[0-9]*.py")))


def current(connection: Connection) -> str | None:
    """The revision a database has; None if it has no ledger."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    found = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))  # noqa: S608 - a constant of ours
    return None if found is None else str(found)


def ensure(database: Database, *, migrate: bool) -> str | None:
    """See that the tables are the newest, or say what they are; the revision there was before.

    Raises:
        LedgerNotThere: There are no tables, and they were not to be made.
        LedgerBehind: The tables are older, and they were not to be updated.
        LedgerNewer: The tables are of a revision this Muniment does not know.
        LedgerUnavailable: The database cannot be reached.
    """
    if database.embedded and migrate:
        Path(database.place).parent.mkdir(parents=True, exist_ok=True)
    with database.mapped():
        found = database.read(current)
    newest = revisions()[-1]
    if found == newest:
        return found
    if found is not None and found not in revisions():
        raise LedgerNewer(place=database.place, found=found, needed=newest)
    if not migrate:
        if found is None:
            raise LedgerNotThere(place=database.place)
        raise LedgerBehind(place=database.place, found=found, needed=newest)
    database.write(lambda connection: upgrade(connection, newest))
    return found


def upgrade(connection: Connection, to: str) -> None:
    """Bring a database to revision `to`, within the transaction of `connection`: all of it or nothing.

    SQLite's BEGIN IMMEDIATE and an advisory lock on PostgreSQL let one process migrate while others wait.
    """
    from alembic import command  # noqa: PLC0415 - slow to import, and rarely needed
    from alembic.config import Config  # noqa: PLC0415 - as above

    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    if current(connection) == to:
        return
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, to)
