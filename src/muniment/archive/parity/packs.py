"""Parity for many small files: one PAR2 set over all their bytes, one after the other, and an index of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import FileIO
from pathlib import Path
from typing import NamedTuple

from muniment.archive.copying.copy_and_digest import SOURCE, CopyError, join_files
from muniment.archive.copying.jobs import Failed
from muniment.archive.disk import durable
from muniment.archive.parity import sets as work
from muniment.archive.parity.files import ParitySet
from muniment.archive.parity.geometry import geometry
from muniment.archive.parity.pack_index import Member, PackIndex, index_bytes, index_paths, read_index
from muniment.archive.parity.par2 import Par2, Verdict
from muniment.archive.parity.salvage import salvage
from muniment.content.digests import Digest
from muniment.errors.archive import ReadFailed, SourceChanged
from muniment.errors.base import BadInput
from muniment.errors.parity import CannotRepair, ParityNotMade

PACK = "pack"
_PIECE = 1 << 20


class ToPack(NamedTuple):
    """A file for a pack: the name it is asked for by, where it is, its size in bytes, and what its digest must be."""

    name: str
    path: Path | str
    size: int
    digest: Digest | None = None


def make_for_pack(
    files: Iterable[tuple[str, Path, int] | ToPack],
    target_folder: Path,
    redundancy: int,
    *,
    scratch: Path | None = None,
    name: str = PACK,
    tool: Par2 | None = None,
) -> ParitySet | None:
    """Make one set over `files` in `target_folder`; None when they hold no byte, or at 0 percent.

    Writes `<name>.par2`, its volume, `<name>.index`, `<name>.index.copy` and the sidecar; all or none. The order
    of `files` is kept. The packed stream lies in `scratch` meanwhile (default: the target folder; it must be on the
    target's filesystem). Nothing is synced: publishing is the caller's.

    Raises:
        BadInput: Two files have one name.
        ParityNotMade: A file has not the digest that was given: parity of rotten bytes would bring them back.
        SourceChanged: A file has not the size that was given.
        ParityToolMissing, ParityToolFailed: par2 could not do it.
        ReadFailed, DiskFull, WriteFailed: The storage refused.
    """
    work.refuse_name(name)
    if not redundancy:
        return None
    with work.work_folder(scratch or target_folder) as folder:
        index = write_stream([ToPack(*file) for file in files], folder / name)
        return finish_pack(tool or Par2(), folder, name, index, target_folder, redundancy) if index.size else None


def index_of(files: Iterable[ToPack], size: int, sha256: str, packs: int = 1) -> PackIndex:
    """What lies where in a stream of `files`, of so many bytes, with that sha256."""
    return PackIndex(tuple(Member(file.name, file.size) for file in files), size, sha256, packs)


def parts_of(files: Iterable[ToPack]) -> tuple[tuple[str, int, str, str], ...]:
    """The files as whoever joins them wants to be told.

    Raises:
        BadInput: Two files have one name.
    """
    names: set[str] = set()
    parts = []
    for file in files:
        if file.name in names:
            raise BadInput(reason=f"two files of a pack have the name {file.name!r}")
        names.add(file.name)
        parts.append((os.fspath(file.path), file.size, *(file.digest or ("", ""))))
    return tuple(parts)


def write_stream(files: Sequence[ToPack], stream_path: Path, packs: int = 1) -> PackIndex:
    """Write all bytes of `files` one after the other, and say what lies where.

    Raises:
        BadInput, ParityNotMade, SourceChanged, ReadFailed, DiskFull, WriteFailed: As `make_for_pack`.
    """
    parts = parts_of(files)
    try:
        size, sha256 = join_files(os.fspath(stream_path), parts)
    except CopyError as trouble:
        side, kind, _, reason = trouble.row
        if kind == "changed":
            raise SourceChanged(path=trouble.path) from trouble
        if kind == "other":
            raise ParityNotMade(path=trouble.path, reason=reason) from trouble
        if side == SOURCE:
            raise ReadFailed(path=trouble.path, reason=reason) from trouble
        raise Failed.of(None, "", os.fspath(stream_path), trouble.row).error() from trouble
    return index_of(files, size, sha256, packs)


def finish_pack(
    tool: Par2,
    folder: Path,
    name: str,
    index: PackIndex,
    target_folder: Path,
    redundancy: int,
    threads: int | None = None,
) -> ParitySet:
    """Make the set of the stream `name` in the work folder, of which `index` tells, and move it to `target_folder`.

    Raises:
        ParityToolFailed: par2 could not do it.
        ReadFailed, DiskFull, WriteFailed: The storage refused.
    """
    made = work.build_set(tool, folder, name, geometry(index.size, redundancy), threads)
    copies = index_paths(folder, name)
    lines = index_bytes(index)
    for path in copies:
        durable.write_file(path, lines)
    made += work.digests_of(list(copies))
    return ParitySet(name, index.size, work.deliver(made, folder, name, target_folder))


def pack_members(parity_folder: Path, *, name: str = PACK) -> tuple[Member, ...]:
    """The names and sizes of the files in a pack, in its order.

    Raises:
        CannotRepair: The index is lost in both copies.
    """
    return read_index(parity_folder, name).members


def verify_pack(
    parity_folder: Path, present: Mapping[str, Path], scratch: Path, *, name: str = PACK, tool: Par2 | None = None
) -> Verdict:
    """Whether the files of a pack agree with its parity and, if not, whether they can be repaired.

    `present` says where each file of the pack is now; those it leaves out count as lost.

    Raises:
        CannotRepair: The index or all parity files are lost.
        ParityToolMissing, ParityToolFailed: par2 could not come to a verdict.
        DiskFull, WriteFailed: The scratch folder refused.
    """
    work.refuse_name(name)
    index = read_index(parity_folder, name)
    with work.work_folder(scratch) as folder:
        work.bring_set(parity_folder, name, folder)
        durable.write_file(folder / name, _stream(index, present))
        return (tool or Par2()).verify(folder, name)


def repair_pack(
    parity_folder: Path,
    present: Mapping[str, Path],
    wanted: Mapping[str, Path],
    scratch: Path,
    *,
    name: str = PACK,
    tool: Par2 | None = None,
) -> list[Path]:
    """Write the repaired bytes of the `wanted` files (name → new path); those in `present` are only read.

    All files of the pack that are left (`present`: name → path, damaged ones included) take part. The stream's
    sha256 is checked before anything is written out, so a result is right or there is none.

    Raises:
        BadInput: A wanted name is not in the pack.
        CannotRepair: More is lost than the parity can stand in for; the message says how much.
        ParityToolMissing, ParityToolFailed: par2 could not come to a verdict.
        DiskFull, WriteFailed: The scratch folder refused.
    """
    work.refuse_name(name)
    index = read_index(parity_folder, name)
    strangers = set(wanted) - {member.name for member in index.members}
    if strangers:
        raise BadInput(reason=f"{min(strangers)!r} is not in the pack {parity_folder / name}")
    with work.work_folder(scratch) as folder:
        work.bring_set(parity_folder, name, folder)
        durable.write_file(folder / name, _stream(index, present))
        if work.sha256_of(folder / name) != index.sha256:
            work.repair(tool or Par2(), folder, name, str(parity_folder / name))
            found = work.sha256_of(folder / name)
            if found != index.sha256:
                reason = f"the repaired bytes have the sha256 {found}, not {index.sha256}"
                raise CannotRepair(path=parity_folder / name, reason=reason)
        return _cut(index, folder / name, wanted)


def _stream(index: PackIndex, present: Mapping[str, Path]) -> Iterator[bytes]:
    """The packed stream from what is left: every file cut or filled with zeros to its recorded size."""
    for member in index.members:
        yield from salvage(present.get(member.name), member.size)


def _cut(index: PackIndex, stream_path: Path, wanted: Mapping[str, Path]) -> list[Path]:
    written = []
    place = 0
    with stream_path.open("rb", buffering=0) as stream:
        for member in index.members:
            if member.name in wanted:
                stream.seek(place)
                durable.write_file(wanted[member.name], _take(stream, member.size))
                written.append(wanted[member.name])
            place += member.size
    return written


def _take(stream: FileIO, size: int) -> Iterator[bytes]:
    while size > 0 and (data := stream.read(min(_PIECE, size))):
        size -= len(data)
        yield data
