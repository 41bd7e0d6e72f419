"""Errors of the ledger: what was asked, and what can no longer be done about it."""

from __future__ import annotations

from muniment.errors.base import BadInput, Conflict, MissingThing, MunimentError, RemoteError, StorageError


class JobNotFound(MissingThing, KeyError):
    """There is no job {job!r} in the ledger.

    `muniment job ls` lists what there is.
    """


class NothingToRetry(Conflict):
    """The job {job} ended well, so there is nothing to try again."""


class CredentialsErased(Conflict):
    """The job {job} brought credentials, which were erased when it ended. Submit it again with them."""


class StepNotFound(MissingThing, KeyError):
    """There is no step {step!r} in the ledger."""


class KeyUsed(Conflict):
    """The key {key!r} was already used for another {kind} job ({job}), with other content. Choose another key, or ask for that job."""  # noqa: E501 - the docstring is the message


class SubjectTaken(Conflict):
    """The {kind} job {job} is about {subject!r} already and has not ended. Wait for its end, or cancel it."""


class BadSubmission(BadInput):
    """This cannot be put into the ledger: {reason}."""

    http_status = 422


class BadPeriod(BadInput):
    """The period {period!r} cannot be used: {reason}. Give a number of seconds, or five cron fields such as '30 2 * * 1-5'."""  # noqa: E501 - the docstring is the message


class UnknownStep(BadInput, KeyError):
    """No step is called {name!r} here; known are: {known}."""


class StepNameTaken(Conflict):
    """Two steps are called {name!r}. The name is written to disk, so each needs its own."""


class StepCancelled(MunimentError):
    """The job {job} was cancelled, so this step stopped."""


class LeaseLost(MunimentError):
    """This worker's lease on step {step} ended and another may have taken it over; what it still had to say was not recorded."""  # noqa: E501 - the docstring is the message


class StepStalled(RemoteError):
    """The step {name!r} made no progress for {seconds:.0f} seconds, so this attempt was ended."""


class StorageStalled(StorageError):
    """The step {name!r} made no progress for {seconds:.0f} seconds, though it asks only this archive's own means. Look what they wait for."""  # noqa: E501 - the docstring is the message


class AttemptTooLong(MunimentError):
    """The step {name!r} ran for {seconds:.0f} seconds at a stretch; it lets others go first, and goes on after them."""


class SecretInTheOpen(BadInput):
    """The step {name!r} would have written a credential of its job into {where}; that was refused. Name the secret instead of repeating it."""  # noqa: E501 - the docstring is the message


class SecretNotGiven(MissingThing):
    """The step {name!r} needs the secret {secret!r}, which this job does not hold (it may have been erased when the job ended)."""  # noqa: E501 - the docstring is the message


class SecretUnreadable(MunimentError):
    """The secret {secret!r} of job {job} cannot be decrypted: {reason}. Put the key it was encrypted with back into the key file."""  # noqa: E501 - the docstring is the message

    outage = True


class BadKeyFile(BadInput):
    """The key file {path} cannot be used: {reason}."""

    http_status = 500
    outage = True


class NoKeyFile(BadInput):
    """This job brings credentials, but the ledger was opened without a key file to encrypt them with. Configure one."""

    http_status = 500
    outage = True


class WrongArchive(Conflict):
    """The ledger at {place} belongs to the archive with the id {known}; this one has the id {given}.

    Name the ledger of this archive (MUNIMENT_LEDGER), or say with `muniment ledger assign` that it is this one's from now on.
    """  # noqa: E501 - the docstring is the message


class WrongStores(Conflict):
    """The ledger at {place} works with the stores {known}; here the settings name {given}.

    Set MUNIMENT_REGISTRATION_STORES alike on all machines, or say with `muniment ledger assign` that these are its stores from now on.
    """  # noqa: E501 - the docstring is the message


class BrokerUnavailable(StorageError):
    """The broker at {place} cannot be reached: {reason}. The ledger keeps what is owed and sends it again later."""

    http_status = 503
