"""Values every part of Muniment speaks in: paths, digests, entries, packages and findings."""

from __future__ import annotations

from muniment.content.digests import ALGORITHMS, Digest, Hashers, parse_expected
from muniment.content.entries import Entry, Package
from muniment.content.findings import FINDINGS, Finding, Kind, Severity
from muniment.content.paths import LogicalPath
from muniment.content.progress import Progress, quiet

__all__ = [
    "ALGORITHMS",
    "FINDINGS",
    "Digest",
    "Entry",
    "Finding",
    "Hashers",
    "Kind",
    "LogicalPath",
    "Package",
    "Progress",
    "Severity",
    "parse_expected",
    "quiet",
]
