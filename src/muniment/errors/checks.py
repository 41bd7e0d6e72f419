"""Errors of the checks on ingest: viruses, formats, and their programs."""

from __future__ import annotations

from muniment.errors.base import EXIT_REMOTE, BadInput, BadSetting, MunimentError


class InfectedFiles(BadInput):
    """{count} infected: {names}. Nothing was committed; what was found lies in quarantine."""

    http_status = 422


class FileNotScanned(BadInput):
    """{path} was not scanned for viruses: {reason}. Such files are refused.

    The setting MUNIMENT_VIRUS_UNSCANNED says so.
    """

    http_status = 422


class FormatRefused(BadInput):
    """{path} is refused by the format policy: its format is {format}; {reason}."""

    http_status = 422


class BadFormatPolicy(BadSetting):
    """The format policy {path} cannot be used: {reason}."""


class ScannerUnavailable(MunimentError):
    """The virus scanner at {address} does not do its work: {reason}. Nothing was committed; try again."""

    exit_status = EXIT_REMOTE
    http_status = 503
    retry = True
    outage = True


class FormatToolFailed(MunimentError):
    """Formats cannot be identified with {tool}: {reason}. Nothing was committed; try again."""

    exit_status = EXIT_REMOTE
    http_status = 503
    retry = True
    outage = True
