"""How Alembic reaches the control database: always on a connection, and in a transaction, that it is handed."""

from __future__ import annotations

from alembic import context

from muniment.database.metadata import metadata
from muniment.database.schema import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    transactional_ddl=False,  # the transaction is the caller's
)
context.run_migrations()
