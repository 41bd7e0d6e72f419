"""The schema of the control database: which revision a database has, and how it comes to the newest."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Column, Connection, MetaData, PrimaryKeyConstraint, String, Table, insert, inspect, select

from muniment.database.metadata import metadata
from muniment.database.tables import first_rows
from muniment.errors.database import DatabaseBehind, DatabaseNewer, DatabaseNotThere

if TYPE_CHECKING:
    from muniment.database.database import Database

VERSION_TABLE = "ledger_version"
"""So called since the ledger alone had a history; a Muniment of that time finds it and leaves the rest alone."""
_MIGRATIONS = Path(__file__).parent / "migrations"
_version = Table(
    VERSION_TABLE,
    MetaData(),  # of its own: Alembic makes this table itself
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name=f"{VERSION_TABLE}_pkc"),
)


@cache
def revisions() -> tuple[str, ...]:
    """All revisions, oldest first, from the names of their files (Alembic itself is slow to import)."""
    return tuple(sorted(path.name.split("_")[0] for path in (_MIGRATIONS / "versions").glob("[0-9]*.py")))


def current(connection: Connection) -> str | None:
    """The revision a database has; None if it has none yet."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.scalar(select(_version.c.version_num))


def ensure(database: Database, *, migrate: bool) -> str | None:
    """See that the tables are the newest, or say what they are; the revision there was before.

    Raises:
        DatabaseNotThere: There are no tables, and they were not to be made.
        DatabaseBehind: The tables are older, and they were not to be updated.
        DatabaseNewer: The tables are of a revision this Muniment does not know.
        DatabaseUnavailable: The database cannot be reached.
    """
    if database.embedded and migrate:
        Path(database.place).parent.mkdir(parents=True, exist_ok=True)
    found = database.read(current)
    newest = revisions()[-1]
    if found == newest:
        return found
    if found is not None and found not in revisions():
        raise DatabaseNewer(place=database.place, found=found, needed=newest)
    if not migrate:
        if found is None:
            raise DatabaseNotThere(place=database.place)
        raise DatabaseBehind(place=database.place, found=found, needed=newest)
    # One process migrates while the others wait; those find that it is done.
    database.write(lambda connection: upgrade(connection, newest), alone="migration")
    return found


def upgrade(connection: Connection, to: str) -> None:
    """Bring a database to revision `to`, within the transaction of `connection`: all of it or nothing."""
    if current(connection) == to:
        return
    if to == revisions()[-1] and not inspect(connection).get_table_names():
        _make(connection, to)
        return
    from alembic import command  # noqa: PLC0415 - slow to import, and rarely needed
    from alembic.config import Config  # noqa: PLC0415 - as above

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, to)


def _make(connection: Connection, to: str) -> None:
    """Make the newest tables in an empty database at once: the same that all migrations together make."""
    metadata.create_all(connection, checkfirst=False)
    for table, row in first_rows:
        connection.execute(insert(table), row)
    _version.create(connection)
    connection.execute(insert(_version), {"version_num": to})
