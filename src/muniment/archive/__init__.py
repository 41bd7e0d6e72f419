"""The archive: write-once packages on disk. Import from here; the modules below may change at any time."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from muniment.archive.archive import Archive
from muniment.archive.ingest.transaction import Transaction
from muniment.archive.package.instance import Instance
from muniment.archive.package.kept import FilesKept
from muniment.content.archive import Leftover, Repair, Summary
from muniment.content.config import ArchiveConfig, Mode
from muniment.content.events import Event
from muniment.content.identity import Agent, new_uuid

if TYPE_CHECKING:
    from muniment.archive.bucket.archive import BucketArchive as BucketArchive
    from muniment.archive.copies import CopyRepair as CopyRepair
    from muniment.archive.copies import LogRepair as LogRepair
    from muniment.archive.copies import log_lines as log_lines
    from muniment.archive.copies import log_size as log_size
    from muniment.archive.copies import own_files as own_files
    from muniment.archive.copies import parse_own_files as parse_own_files
    from muniment.archive.copies import repair_own_files as repair_own_files
    from muniment.archive.copies import tombstone_files as tombstone_files
    from muniment.archive.copies import wrong_own_files as wrong_own_files
    from muniment.archive.description import Description as Description
    from muniment.archive.description import describe as describe
    from muniment.archive.description import described as described
    from muniment.archive.description import newest_number as newest_number
    from muniment.archive.description import number_in as number_in
    from muniment.archive.index.contents import ContentIndex as ContentIndex
    from muniment.archive.index.contents import Found as Found
    from muniment.archive.index.contents import LastCheck as LastCheck
    from muniment.archive.index.contents import Totals as Totals
    from muniment.archive.index.facets import EVERYTHING as EVERYTHING
    from muniment.archive.index.facets import FacetQuery as FacetQuery
    from muniment.archive.index.facets import Facets as Facets
    from muniment.archive.ingest.import_history import ImportedFile as ImportedFile
    from muniment.archive.ingest.import_history import ImportedInstance as ImportedInstance
    from muniment.archive.ingest.several import commit_several as commit_several
    from muniment.archive.ingest.uploads import ParkedTransaction as ParkedTransaction
    from muniment.archive.ingest.uploads import Receiving as Receiving
    from muniment.archive.ingest.uploads import Upload as Upload
    from muniment.archive.ingest.uploads import UploadRequest as UploadRequest
    from muniment.archive.ingest.uploads import begun_by as begun_by
    from muniment.archive.ingest.uploads import extend_lease as extend_lease
    from muniment.archive.ingest.uploads import parked_transactions as parked_transactions
    from muniment.archive.ingest.uploads import receiving as receiving
    from muniment.archive.parity.blocks import ParityBlocks as ParityBlocks
    from muniment.archive.parity.blocks import blocks_of as blocks_of
    from muniment.archive.parity.external import make_parity as make_parity
    from muniment.archive.parity.external import parity_of as parity_of
    from muniment.archive.parity.external import repair_copy as repair_copy
    from muniment.archive.parity.par2 import find_program as find_program
    from muniment.archive.restored import RestoredArchive as RestoredArchive
    from muniment.archive.restored import RestoredFiles as RestoredFiles
    from muniment.archive.usage import Usage as Usage
    from muniment.archive.usage import UsageReader as UsageReader

_LATE = {
    "bucket.archive": ("BucketArchive",),
    "index.contents": ("ContentIndex", "Found", "LastCheck", "Totals"),
    "index.facets": ("EVERYTHING", "FacetQuery", "Facets"),
    "copies": (
        "CopyRepair",
        "LogRepair",
        "log_lines",
        "log_size",
        "own_files",
        "parse_own_files",
        "repair_own_files",
        "tombstone_files",
        "wrong_own_files",
    ),
    "description": ("Description", "describe", "described", "newest_number", "number_in"),
    "restored": ("RestoredArchive", "RestoredFiles"),
    "ingest.import_history": ("ImportedFile", "ImportedInstance"),
    "ingest.several": ("commit_several",),
    "parity.par2": ("find_program",),
    "parity.blocks": ("ParityBlocks", "blocks_of"),
    "parity.external": ("make_parity", "parity_of", "repair_copy"),
    "ingest.uploads": (
        "ParkedTransaction",
        "Receiving",
        "Upload",
        "UploadRequest",
        "begun_by",
        "extend_lease",
        "parked_transactions",
        "receiving",
    ),
    "usage": ("Usage", "UsageReader"),
}
"""What is loaded on first use, by module: few commands need it, and together it takes as long as all the rest."""
_MODULE_OF = {name: module for module, names in _LATE.items() for name in names}

__all__ = [
    "EVERYTHING",
    "Agent",
    "Archive",
    "ArchiveConfig",
    "BucketArchive",
    "ContentIndex",
    "CopyRepair",
    "Description",
    "Event",
    "FacetQuery",
    "Facets",
    "FilesKept",
    "Found",
    "ImportedFile",
    "ImportedInstance",
    "Instance",
    "LastCheck",
    "Leftover",
    "LogRepair",
    "Mode",
    "ParityBlocks",
    "ParkedTransaction",
    "Receiving",
    "Repair",
    "RestoredArchive",
    "RestoredFiles",
    "Summary",
    "Totals",
    "Transaction",
    "Upload",
    "UploadRequest",
    "Usage",
    "UsageReader",
    "begun_by",
    "blocks_of",
    "commit_several",
    "describe",
    "described",
    "extend_lease",
    "find_program",
    "log_lines",
    "log_size",
    "make_parity",
    "new_uuid",
    "newest_number",
    "number_in",
    "own_files",
    "parity_of",
    "parked_transactions",
    "parse_own_files",
    "receiving",
    "repair_copy",
    "repair_own_files",
    "tombstone_files",
    "wrong_own_files",
]


def __getattr__(name: str) -> object:
    """Load what few need on first use."""
    if name in _MODULE_OF:
        return getattr(import_module(f"muniment.archive.{_MODULE_OF[name]}"), name)
    message = f"module 'muniment.archive' has no attribute {name!r}"
    raise AttributeError(message)
