"""Writes the preservation metadata of a resource, PREMIS alone or METS round it, to whoever takes the pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from muniment.archive import Archive
from muniment.content import Hashers
from muniment.workflows.reports.mets import mets as mets_of
from muniment.workflows.reports.premis import Grant, HeldCopy, PremisRecord
from muniment.workflows.reports.premis import premis as premis_of


def pieces(record: PremisRecord, *, mets: bool) -> Iterator[bytes]:
    """The document, piece by piece."""
    return mets_of(record) if mets else premis_of(record)


def write_premis(
    archive: Archive,
    id: str,
    write: Callable[[bytes], object],
    *,
    project: str | None = None,
    mets: bool = False,
    grants: Sequence[Grant] = (),
    copies: Sequence[HeldCopy] = (),
) -> tuple[int, str]:
    """Hand the document to `write`; its length in bytes and its sha256.

    Raises:
        ResourceNotFound, AmbiguousId: There is no such resource.
        DamagedRecord, ReadFailed: It ended early, because a record cannot be had.
    """
    hashers = Hashers(["sha256"])
    for piece in pieces(PremisRecord(archive, id, project, grants=grants, copies=copies), mets=mets):
        hashers.update(piece)
        write(piece)
    return hashers.size, hashers.values()["sha256"]
