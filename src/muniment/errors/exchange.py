"""Errors of exporting, importing and migrating packages."""

from __future__ import annotations

from muniment.errors.base import BadInput, Conflict, StorageError


class UnknownLayout(BadInput):
    """{layout!r} is not a layout a resource can be exported in. Name one of: {known}."""


class NameNotCarried(BadInput):
    """{path!r} cannot be a file below {target}: {reason}. Nothing was left there; export to a tar file instead."""


class NotVerified(StorageError):
    """{path} does not read back as it was written: {reason}. Nothing was left of it; look at the storage and try again."""  # noqa: E501 - the docstring is the message

    http_status = 500


class ResourceDiffers(Conflict):
    """The archive at {target} has a resource {id!r} already, and it is not the same: {reason}. Nothing was copied."""
