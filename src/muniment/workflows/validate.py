"""Judge the resources of an archive that is not in a folder here: by the OCFL objects it gives out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from muniment.content import Finding
from muniment.content.archive import Archive
from muniment.content.trees import temporary_folder
from muniment.validation import validate_path


def validate_given_out(archive: Archive, id: str | None = None, project: str | None = None) -> Iterator[Finding]:
    """Every finding of one resource's OCFL object, or of all, one after the other.

    Each is fetched into the temporary folder of the system, unpacked and judged there, and removed: it takes room for
    the largest of them twice.

    Raises:
        ResourceNotFound, AmbiguousId: As `Archive.get`.
        DamagedRecord, MemberDamaged, MemberUnreadable, TransferCut: It cannot be given out; `audit` says why.
        NotInBucket: It is in a bucket: make a folder of it with `muniment mirror`, and judge that.
    """
    if id is not None:
        named = iter([(id, archive.get(id, project=project).project)])
    else:
        named = ((each.id, each.project) for each in archive.resources(project=project))
    for name, place in named:
        with temporary_folder("muniment-judged-") as folder:
            packed = Path(folder) / "object.tar"
            with packed.open("wb") as file:
                archive.export(name, "ocfl", file.write, project=place)
            yield from validate_path(packed)
