"""Parity for many small files: one PAR2 set over all their bytes, one after the other, and an index of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from io import FileIO
from pathlib import Path
from typing import NamedTuple

from muniment.archive.disk import durable
from muniment.archive.parity import sets as work
from muniment.archive.parity.files import ParitySet
from muniment.archive.parity.geometry import geometry
from muniment.archive.parity.pack_index import Member, PackIndex, index_lines, index_paths, read_index
from muniment.archive.parity.par2 import Par2, Verdict
from muniment.archive.parity.salvage import salvage
from muniment.content.digests import Digest, Hashers, digest_of
from muniment.content.regular import descriptor_of, open_regular
from muniment.errors.archive import ReadFailed, SourceChanged
from muniment.errors.base import BadInput
from muniment.errors.parity import CannotRepair, ParityNotMade

PACK = "pack"
_PIECE = 1 << 20


class ToPack(NamedTuple):
    """A file for a pack: the name it is asked for by, where it is, its size in bytes, and what its digest must be."""

    name: str
    path: Path
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
        index = write_stream(files, folder / name)
        return finish_pack(tool or Par2(), folder, name, index, target_folder, redundancy) if index.size else None


def write_stream(files: Iterable[tuple[str, Path, int] | ToPack], stream_path: Path, packs: int = 1) -> PackIndex:
    """Write all bytes of `files` one after the other, and say what lies where.

    Raises:
        BadInput, ParityNotMade, SourceChanged, ReadFailed, DiskFull, WriteFailed: As `make_for_pack`.
    """
    members: dict[str, Member] = {}
    hashers = Hashers(("sha256",))

    def pieces() -> Iterator[bytes]:
        for item in files:
            file = ToPack(*item)
            if file.name in members:
                raise BadInput(reason=f"two files of a pack have the name {file.name!r}")
            members[file.name] = Member(file.name, file.size)
            if file.size < _PIECE:
                yield _read_whole(file)
            else:
                yield from _read_exactly(file)

    def joined() -> Iterator[bytes]:
        for data in _joined(pieces()):
            hashers.update(data)
            yield data

    durable.write_file(stream_path, joined())
    return PackIndex(tuple(members.values()), hashers.size, hashers.values()["sha256"], packs)


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
    for path in copies:
        durable.write_file(path, index_lines(index))
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


def _joined(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces that are worth a write each."""
    waiting: list[bytes] = []
    size = 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= _PIECE:
            yield b"".join(waiting)
            waiting.clear()
            size = 0
    yield b"".join(waiting)


def _read_whole(file: ToPack) -> bytes:
    """All bytes of a file of less than a piece. Of such there are ten thousands: each call counts."""
    try:
        descriptor = descriptor_of(file.path)
        try:
            # One byte more than there should be, so that the answer tells the end as well.
            data = os.read(descriptor, file.size + 1)
            while len(data) < file.size and (more := os.read(descriptor, file.size + 1 - len(data))):
                data += more
        finally:
            os.close(descriptor)
    except OSError as error:
        raise ReadFailed(path=file.path, reason=error.strerror or str(error)) from error
    if len(data) != file.size:
        raise SourceChanged(path=file.path)
    if file.digest:
        _refuse_other(file, file.digest, digest_of(data, file.digest.algorithm))
    return data


def _read_exactly(file: ToPack) -> Iterator[bytes]:
    left = file.size
    hashers = Hashers([file.digest.algorithm] if file.digest else [])
    try:
        with open_regular(file.path) as stream:
            while data := stream.read(min(_PIECE, left + 1)):
                left -= len(data)
                if left < 0:
                    raise SourceChanged(path=file.path)
                hashers.update(data)
                yield data
    except OSError as error:
        raise ReadFailed(path=file.path, reason=error.strerror or str(error)) from error
    if left:
        raise SourceChanged(path=file.path)
    if file.digest:
        _refuse_other(file, file.digest, hashers.values()[file.digest.algorithm])


def _refuse_other(file: ToPack, wanted: Digest, found: str) -> None:
    if found != wanted.value:
        reason = f"its {wanted.algorithm} is {found}, not {wanted.value}"
        raise ParityNotMade(path=file.path, reason=reason)


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
