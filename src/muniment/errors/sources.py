"""Errors of taking in from services: what was asked wrongly, what a service refused, and what it failed to give.

Three kinds, told apart by their base. `BadInput` and its like: the submission has to change. `FileError`: one
file cannot be had, the rest goes on. Other `RemoteError`: the service failed, and `retry` says whether to wait.
"""

from __future__ import annotations

from muniment.errors.base import BadInput, MunimentError, Refused, RemoteError

# --- the submission has to change


class UnknownSource(BadInput):
    """Unsupported service {service}. Known are: {known}."""


class BadService(BadInput):
    """Invalid service {service!r}: {reason}."""


class FieldMissing(BadInput):
    """The service {service} is missing the field {field}: {help}"""  # noqa: D415 - the help ends the sentence


class FieldEmpty(BadInput):
    """The service {service} can not have an empty field {field}: {help}"""  # noqa: D415 - the help ends the sentence


class FieldWrong(BadInput):
    """The field {field} of the service {service} cannot be used: {reason}."""


class CredentialRefused(BadInput):
    """{service} refused the credential in {field} (status {status}). Give one that is valid and may read {what}."""

    http_status = 422


class NotAtService(BadInput):
    """{service} has no {what} that this credential may see ({where}). Check the field {field}."""

    http_status = 422


class AddressRefused(Refused):
    """{host} is not an address that may be fetched from: {reason}.

    Private networks are opened by the setting MUNIMENT_ALLOW_PRIVATE_ADDRESSES=true.
    """


class AddressNeverAllowed(AddressRefused):
    """{host} is not an address that may ever be fetched from: {reason}."""


class RedirectRefused(Refused):
    """{service} redirected {where} to a place that is not followed: {reason}."""


class CertificateRefused(Refused):
    """The certificate of {host} was not accepted: {reason}. Nothing was sent there."""


class ProgramMissing(MunimentError):
    """The program {program} is needed for {service} and is not installed. Install it on the worker."""

    outage = True


# --- one file cannot be had


class FileError(RemoteError):
    """{path}: {reason}"""  # noqa: D415 - the reason is a sentence of its own

    retry = False


class FileUnavailable(FileError):
    """{path}: {service} does not give this file: {reason}."""


class FileTooLarge(FileError):
    """{path}: File is too large."""


class FileDiffers(FileError):
    """{path}: {service} announced {what} {expected}, but {found} came."""

    retry = True


class FileChanged(FileError):
    """{path}: it changed at {service} while it was being fetched. Fetch it again from its beginning."""

    retry = True


class FileCut(FileError):
    """{path}: {service} broke off after {size} bytes: {reason}. Fetch it again."""

    retry = True


# --- the service failed


class HostUnknown(RemoteError):
    """The name {host} cannot be resolved: {reason}."""


class ServiceUnreachable(RemoteError):
    """{service} cannot be reached at {where}: {reason}."""


class ServiceFailed(RemoteError):
    """{service} answered {status} to {where}: {reason}."""


class ServiceRefused(RemoteError):
    """{service} refused {where} with status {status}: {reason}."""

    retry = False


class RateLimited(RemoteError):
    """{service} accepts no more calls before {until}. Nothing was asked of it; go on then."""

    http_status = 503


class UnexpectedAnswer(RemoteError):
    """{service} answered {where} with something else than it should: {reason}."""

    retry = False


class ListingEndless(RemoteError):
    """The listing of {service} at {where} does not end: {reason}."""

    retry = False


class ProgramFailed(RemoteError):
    """{program} failed for {service}: {reason}."""
