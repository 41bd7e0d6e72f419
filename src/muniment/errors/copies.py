"""Errors of copies: policies, known stores, restoring, retention."""

from __future__ import annotations

from muniment.errors.base import BadInput, Conflict, MissingThing, Refused, StorageError


class BadPolicy(BadInput):
    """The policy of {project} cannot be used: {reason}."""


class BadDuration(BadInput):
    """{given!r} is no length of time: write a number and a unit, such as 90d, 12h, 2w or 10y."""


class StoreUnknown(MissingThing):
    """There is no store called {name!r}; there are {known}.

    Add it with `muniment store add`.
    """


class StoreExists(Conflict):
    """There is a store called {name!r} already, at {address}."""


class StoreNotEmpty(Conflict):
    """The store {name!r} holds {count} copies.

    Give --forget to say that they are not to be counted any more.
    """


class WrongStore(StorageError):
    """What lies at {address} is not the store {name!r} as it is known: {reason}."""

    retry = False
    http_status = 502


class CopyDamaged(StorageError):
    """The copy of instance {number} of {id!r} in {store} is not what was recorded: {reason}."""

    retry = False
    http_status = 502


class NothingToRestore(MissingThing):
    """{store} holds no copy of {what}."""


class RestoreIncomplete(StorageError):
    """{count} things could not be restored, the first of them: {reason}. What was restored is in place: run it again, or from another store."""  # noqa: E501 - the docstring is the message

    retry = False


class DrillFailed(StorageError):
    """What was restored from {store} did not pass: {reason}."""

    retry = False


class StillRetained(Refused):
    """{id!r} is kept until {until} ({mode}) and is not purged before."""


class NotShortened(StillRetained):
    """{id!r} is kept until {until} ({mode}), and that is not shortened: {reason}."""


class ApprovalNeeded(Refused):
    """A purge under a policy takes two people: {reason}."""
