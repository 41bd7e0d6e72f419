"""Reads an RO-Crate in a folder for import: all files are kept, and what it says of itself is what it is found by."""

from __future__ import annotations

from muniment.archive import ImportedFile, ImportedInstance
from muniment.content import Entry, LogicalPath
from muniment.content.times import from_ns
from muniment.validation import crate_document, describe_crate
from muniment.workflows.imports.resource import ImportedResource, Json, PackageFiles


def read_crate(found: PackageFiles, origin: Json) -> ImportedResource:
    """The resource in a crate: a single instance of a new id, for a crate has nothing that must be unique."""
    files = []
    for path, status in sorted(found.files.items()):
        entry = Entry(LogicalPath.parse(path), status.st_size, {}, from_ns(status.st_mtime_ns))
        files.append(ImportedFile(entry, found.place(path)))
    metadata = describe_crate(found.place(crate_document(list(found.files)))).metadata
    arrival = ImportedInstance(files, metadata=metadata, folders=found.empty, detail={"origin": origin})
    return ImportedResource("", "", lambda: [arrival])
