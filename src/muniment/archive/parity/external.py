"""External parity: the archive's own set of some content, and sets of the same kind, for copies that lie elsewhere."""

from __future__ import annotations

from pathlib import Path

from muniment.archive.context import ArchiveContext
from muniment.archive.parity import check_set, make_for_file, repair_file
from muniment.archive.parity.protect import file_set_folder
from muniment.archive.parity.sidecar import set_files, sidecar_path


def parity_of(archive: object, sha256: str) -> tuple[Path, ...] | None:
    """The files of the set the archive has of the content `sha256`, the index first; to be read, never written.

    None where it has none, where the set is not as it was recorded, and for an archive behind a server.
    """
    context = getattr(archive, "context", None)
    if not isinstance(context, ArchiveContext):
        return None
    folder = file_set_folder(context.layout, sha256)
    if not sidecar_path(folder, sha256).exists() or check_set(folder, sha256):
        return None
    return _of(folder, sha256)


def make_parity(source: Path, sha256: str, folder: Path, redundancy: int) -> tuple[Path, ...]:
    """Make the set of a file whose content has that sha256 in `folder`; its files, the index first.

    Raises:
        ParityNotMade: The file's bytes are not those of `sha256`, or it is empty.
        ParityToolMissing, ParityToolFailed: par2 could not do it.
        ReadFailed, DiskFull, WriteFailed: The storage refused.
    """
    make_for_file(source, sha256, folder, redundancy)
    return _of(folder, sha256)


def _of(folder: Path, sha256: str) -> tuple[Path, ...]:
    """Index and volumes; Muniment's own files beside them are not part of a PAR2 set."""
    return tuple(path for path in set_files(folder, sha256) if path.suffix == ".par2")


def repair_copy(damaged: Path, sha256: str, parity: Path, scratch: Path, target: Path) -> Path:
    """Write the repaired bytes of a copy elsewhere to `target`, from the set in `parity`; nothing is changed.

    Raises:
        CannotRepair: More is lost than the parity can stand in for.
        ParityToolMissing, ParityToolFailed: par2 could not come to a verdict.
        DiskFull, WriteFailed: The scratch folder refused.
    """
    return repair_file(damaged, sha256, parity, scratch, target)
