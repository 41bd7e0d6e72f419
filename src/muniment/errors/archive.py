"""Errors of the archive itself: resources, transactions, modes and the storage below them."""

from __future__ import annotations

from muniment.errors.base import (
    EXIT_FINDINGS,
    BadInput,
    Conflict,
    MissingThing,
    MunimentError,
    Refused,
    StorageError,
)


class NotAnArchive(BadInput):
    """{path} is not an archive: {reason}.

    Make one with `muniment --archive {path} init`, or name another folder.
    """

    http_status = 500
    outage = True


class NewerFormat(BadInput):
    """{path} has the archive format {found}; this Muniment reads up to {known}. Use a newer Muniment."""

    http_status = 500
    outage = True


class NotEmpty(Conflict):
    """{path} is not empty, so no archive was made there. Name an empty or new folder."""


class MirrorChanged(Conflict):
    """{path} cannot be brought up to date: since it was made, something was added or purged there itself (event {event}, {id}), so it has a history of its own. Nothing was changed. Mirror to another folder."""  # noqa: E501 - the docstring is the message


class ResourceNotFound(MissingThing, KeyError):
    """There is no resource {id!r} in this archive.

    `muniment ls` lists what there is.
    """


class ResourcePurged(ResourceNotFound):
    """The resource {id!r} was purged on {when}: {why}. Its id is not used again."""

    http_status = 410


class AmbiguousId(Conflict):
    """The id {id!r} is used in several projects ({projects}). Name the project as well."""


class InstanceNotFound(MissingThing, KeyError):
    """The resource {id!r} has no instance {instance!r}; its instances are 1 to {head}."""


class FileNotInInstance(MissingThing, KeyError):
    """Instance {instance} of {id!r} holds no file {path!r}.

    `muniment ls {id}` lists its files.
    """


class ResourceExists(Conflict):
    """There is already a resource {id!r} in {project}. Open it to add an instance, or choose another id."""


class StaleTransaction(Conflict):
    """The resource {id!r} changed while this transaction was open: it began on instance {base}, the newest is now {head}. Nothing was stored; begin again on the newest instance."""  # noqa: E501 - the docstring is the message

    http_status = 412


class TransactionRolledBack(Conflict):
    """The transaction {transaction} was rolled back by another machine: its group was given up, or it was taken for abandoned, as its upload had not changed for days. Nothing was stored; begin again."""  # noqa: E501 - the docstring is the message


class ArchiveGone(StorageError):
    """{place} is no archive any more, or was set back: {name}, which this machine knows, is gone. Nothing was stored. Bring the bucket back, and begin again; if it was meant, remove what this machine knows of it, {state}."""  # noqa: E501 - the docstring is the message


class CommitUncertain(StorageError):
    """Nobody can tell yet whether the transaction {transaction} was committed: {reason}. It is complete in the bucket; the next opening of the archive finishes it, and the log then names it. Do not begin it again before that."""  # noqa: E501 - the docstring is the message

    http_status = 503


class NotInBucket(Refused):
    """An archive whose home is a bucket does not do this: {what}.

    Make a folder of it with `muniment mirror`, and do it there.
    """


class PathTaken(Conflict):
    """The path {path!r} was already added in this transaction. Use `replace`, or give it another name."""


class PathCollides(Conflict):
    """The path {path!r} cannot be a file here: {other!r} needs it as a folder, or is a file above it."""


class TransactionClosed(Conflict):
    """This transaction on {id!r} was already {how}. Begin a new one."""


class TransactionBusy(Conflict):
    """The transaction {transaction} is being worked on at this moment. Try again shortly."""

    retry = True
    outage = True


class TransactionForbidden(Refused):
    """The transaction {transaction} belongs to {agent}, who began it: nobody else may fill or commit it. Begin one of your own."""  # noqa: E501 - the docstring is the message


class ResourceReserved(Conflict):
    """The resource {id!r} is reserved by the prepared transaction {transaction}. Try again when that is closed."""

    retry = True
    outage = True


class NotPrepared(Conflict):
    """The transaction {transaction} was not prepared as part of a group. Commit or roll it back by itself."""


class ReadOnlyInstance(Refused, TypeError):
    """Instance {instance} of {id!r} is read-only. Open the resource with mode 'a' to change it."""

    http_status = 405


class NotAllowedInMode(Refused):
    """This archive is in {mode} mode: {action} is not allowed."""


class ReasonNeeded(BadInput):
    """A purge needs a reason, which is kept for ever.

    Say why with --reason.
    """


class SourceUnreadable(BadInput):
    """{path} could not be read: {reason}. Nothing was stored."""


class ArchiveInside(BadInput):
    """{path} holds the archive itself ({archive}), which cannot be kept in itself. Name the rest one by one."""


class SourceChanged(BadInput):
    """{path} changed while it was being read. Nothing was stored; add it again when it is at rest."""


class NotAPlainFile(BadInput):
    """{path} is neither a file nor a folder ({kind}), so it cannot be kept. Leave it out."""


class DiskFull(StorageError):
    """There is no room left for {path}. Free some space and try again."""


class WriteFailed(StorageError):
    """{path} could not be written: {reason}."""

    http_status = 500


class Unfinished(StorageError):
    """{what} was decided, but is not finished: {reason} The next opening of the archive goes on with it."""

    http_status = 500
    retry = False


class ReadFailed(StorageError):
    """{path} could not be read: {reason}. It may be intact; try again.

    If it stays so, run `muniment audit`.
    """

    http_status = 500


class DamagedFile(StorageError):
    """{path} is damaged: its {algorithm} is {found}, recorded was {expected}.

    Run `muniment repair`.
    """

    http_status = 500
    retry = False


class DamagedRecord(StorageError):
    """{path} is not the record it should be: {reason}.

    Run `muniment audit` and `muniment repair`.
    """

    http_status = 500
    retry = False


class LeftoverNotFound(MissingThing):
    """There is no unfinished transaction {transaction!r}.

    `muniment recover` lists them.
    """


class LeftoverIncomplete(Conflict):
    """The unfinished transaction {transaction} cannot be replayed: {reason}. Roll it back instead."""


class PackageRefused(BadInput):
    """{path} was refused: {reason}. Nothing was taken from it."""

    http_status = 422


class OutputExists(Conflict):
    """{path} already exists and is not overwritten. Name a new place."""


class IndexFailed(StorageError):
    """The index {path} cannot be used: {reason}.

    It is derived: `muniment reindex` builds it anew.
    """

    http_status = 500


class OutputFailed(StorageError):
    """Standard output could not be written: {reason}. What the command did to the archive, it did."""

    http_status = 500


class WorkerDied(MunimentError):
    """A hashing process ended unexpectedly ({reason}). Nothing was recorded; try again."""

    retry = True
    outage = True


class CheckFailed(MunimentError):
    """{count} findings need attention."""

    exit_status = EXIT_FINDINGS
    http_status = 200
