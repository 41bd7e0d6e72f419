"""How Alembic reaches the ledger: always on a connection, and in a transaction, that it is handed."""

from __future__ import annotations

from alembic import context

from muniment.jobs.schema import VERSION_TABLE
from muniment.jobs.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    transactional_ddl=False,  # the transaction is the caller's
)
context.run_migrations()
