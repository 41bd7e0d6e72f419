"""Errors of registering containers: what a submission says wrongly, what is not there, and what could not be told."""

from __future__ import annotations

from muniment.errors.base import BadInput, Conflict, MissingThing, MunimentError, Refused, RemoteError, StorageError

# --- a submission


class SubmissionNotJson(BadInput):
    """The body is not JSON: {reason}."""


class ContainerField(BadInput):
    """{field}: {reason}."""


class ContainerExists(Conflict):
    """Container ID already exists: {id} {how}."""


class NotSigned(Refused):
    """The signature was not accepted: {reason}."""

    http_status = 401


# --- asking for what was registered


class ContainerNotFound(MissingThing, KeyError):
    """There is no registration of a container {id!r}. While it is being made, its status tells how far it is."""


class ServiceNotFound(MissingThing, KeyError):
    """The container {id!r} has no service {service!r}."""


class FileNotFound(MissingThing, KeyError):
    """The container {id!r} has no file with the sha256 {sha256!r}."""


class BadFileName(BadInput):
    """This cannot be the name of a download: {reason}."""


class LinkRefused(Refused):
    """This link is not valid: {reason}. Ask for the file again."""


# --- working


class ContainerFailed(RemoteError):
    """The container {id!r} could not be registered: {reason}"""  # noqa: D415 - the reasons are sentences

    retry = False


class InstanceGone(StorageError):
    """The container {id!r} was committed as the instance {instance}, which the archive does not show now.

    Look for it with `muniment audit`, and whether its disk is mounted.
    """


class CallbackFailed(RemoteError):
    """{address} did not take the callback for {id!r}: {reason}."""


class CallbackAddressGone(RemoteError):
    """The callback for {id!r} was for {address}, which is no longer among the settings. Put it back, or submit the container again."""  # noqa: E501 - the docstring is the message

    retry = False


class NoCallbackKey(MunimentError):
    """There is no key to sign callbacks with, or to check them.

    Set MUNIMENT_HMAC_KEY to a random text.
    """

    outage = True


class TransactionGone(MunimentError):
    """The transaction {transaction} of {id!r} is no longer there; it is begun anew."""


class RegistrationDamaged(StorageError):
    """{count} files of the registration stores are not as they were recorded, the first of them {first}.

    Run `muniment registration repair`.
    """

    retry = False
    outage = False
