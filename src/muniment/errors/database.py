"""Errors of the control database, which holds the ledger, keys and rules, selections, and answers given before."""

from __future__ import annotations

from muniment.errors.base import BadInput, Conflict, MissingThing, StorageError


class DatabaseUnavailable(StorageError):
    """The control database at {place} cannot be reached: {reason}. Nothing was recorded; try again."""

    http_status = 503


class DatabaseBroken(StorageError):
    """The control database at {place} failed: {reason}."""

    http_status = 500
    retry = False


class DatabaseNotThere(MissingThing):
    """There is no control database at {place} yet.

    Make its tables with `muniment ledger migrate`.
    """

    http_status = 500
    outage = True


class DatabaseBehind(Conflict):
    """The control database at {place} has the schema {found}; this Muniment needs {needed}.

    Run `muniment ledger migrate`.
    """

    http_status = 500
    outage = True


class DatabaseNewer(Conflict):
    """The control database at {place} has the schema {found}, which this Muniment does not know (it knows {needed}). Use a newer Muniment."""  # noqa: E501 - the docstring is the message

    http_status = 500
    outage = True


class DatabaseNotEmpty(Conflict):
    """The control database at {place} holds something already ({what}), so no other was copied into it."""


class BadDatabaseAddress(BadInput):
    """The control database's address cannot be used: {reason}. Give a file, or 'postgresql://user@host/database'."""

    http_status = 500
    outage = True


class BadControlBackup(BadInput):
    """The backup of the control database cannot be restored: {reason}. Nothing was changed."""

    http_status = 422
