"""Errors about values: paths, digests and ids that cannot be what they claim to be."""

from __future__ import annotations

from muniment.errors.base import EXIT_FINDINGS, BadInput, MunimentError, StorageError


class UnsafePath(BadInput):
    """The path {path!r} cannot be kept: {reason}. Give a relative path without '..', such as 'folder/file.txt'."""

    http_status = 422


class NameNotUnicode(BadInput):
    """The name {name!r} is not valid UTF-8. Rename the file, or add it under another name."""


class UnknownDigest(BadInput):
    """{digest!r} is not a digest Muniment can check. Give 'sha256:…', 'sha512:…', 'sha1:…' or 'md5:…' in hex."""

    http_status = 422


class DigestMismatch(BadInput):
    """{path}: the {algorithm} digest is {found}, but {expected} was expected. The file was refused, not stored."""

    http_status = 422


class BadId(BadInput):
    """The id {id!r} cannot be used: {reason}. Use up to 1,024 bytes of text without control characters."""

    http_status = 422


class BadProject(BadInput):
    """{project!r} is not a project. Write it as 'organisation/project', each of 1 to 64 letters, digits, '_' or '-'."""

    http_status = 422


class BadTime(BadInput):
    """{value!r} is not a point in the log. Give an ISO 8601 time with a zone, a Unix time, or an event number."""

    http_status = 422


class BadStamp(BadInput):
    """{what} cannot be read: {reason}."""

    http_status = 422


class StampRefused(MunimentError):
    """The time stamp does not prove that the log had reached {head}: {reason}."""

    exit_status = EXIT_FINDINGS
    http_status = 422


class BadHead(BadInput):
    """{head!r} is not a head of the log.

    Give the number and the hash as `muniment head` printed them: '42:3f…'.
    """

    http_status = 422


class BadValue(BadInput):
    """{what} cannot be kept: {reason}."""

    http_status = 422


class PieceMismatch(StorageError):
    """The bytes from {start} up to {stop} are damaged: their sha256 is {found}, recorded was {expected}."""

    http_status = 500
    retry = False
