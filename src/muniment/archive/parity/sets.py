"""The folder par2 works in: the data and the set under names of our choosing, gone when the work is done."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from muniment.archive.disk import durable
from muniment.archive.parity.geometry import Geometry
from muniment.archive.parity.par2 import Outcome, Par2, Verdict
from muniment.archive.parity.salvage import salvage
from muniment.archive.parity.sidecar import ParityFile, read_digests, set_files, sidecar_path, write_sidecar
from muniment.content.digests import Hashers
from muniment.content.regular import open_regular
from muniment.errors.archive import ReadFailed
from muniment.errors.base import BadInput
from muniment.errors.parity import CannotRepair

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_]{0,199}")


def refuse_name(name: str) -> None:
    """Set names go to par2's command line and its search for volumes: letters, digits and '_' only.

    Raises:
        BadInput: The name has other characters, or none.
    """
    if not _NAME.fullmatch(name):
        raise BadInput(reason=f"{name!r} cannot name a parity set; use letters, digits and '_'")


@contextlib.contextmanager
def work_folder(parent: Path) -> Iterator[Path]:
    """A new folder in `parent`, removed with all in it on the way out.

    Raises:
        DiskFull, WriteFailed: The storage refused.
    """
    folder = parent.absolute() / f"parity-{secrets.token_hex(8)}"
    durable.make_folder(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def lend(source: Path, name: Path) -> None:
    """Let par2 find `source` under `name`: as a second link, or as a copy where links are refused.

    par2 create passes over symbolic links. The second link is only read, and gone with the work folder.

    Raises:
        ReadFailed: The source cannot be read.
        DiskFull, WriteFailed: The storage refused.
    """
    try:
        os.link(source.resolve(), name)
    except OSError:
        try:
            stream = open_regular(source, follow=True)
        except OSError as error:
            raise ReadFailed(path=source, reason=error.strerror or str(error)) from error
        with stream, durable.writing(name), name.open("xb") as copy:
            shutil.copyfileobj(stream, copy, 1 << 20)


def build_set(tool: Par2, folder: Path, name: str, shape: Geometry, threads: int | None = None) -> list[ParityFile]:
    """Run par2 over the file `name` in the work folder; the files it made, with their digests.

    Raises:
        ParityToolFailed: par2 did not finish well.
        ReadFailed: What it wrote cannot be read back.
    """
    tool.create(folder, name, shape, threads=threads)
    return digests_of(set_files(folder, name))


def digests_of(paths: list[Path]) -> list[ParityFile]:
    """Size and digests of each file.

    Raises:
        ReadFailed: One cannot be read.
    """
    files = []
    for path in paths:
        try:
            files.append(read_digests(path))
        except OSError as error:
            raise ReadFailed(path=path, reason=error.strerror or str(error)) from error
    return files


def deliver(files: list[ParityFile], folder: Path, name: str, target: Path) -> tuple[ParityFile, ...]:
    """Write the sidecar and move the finished set to `target`, sidecar last; the files where they are then.

    Raises:
        DiskFull, WriteFailed: The storage refused.
    """
    write_sidecar(folder, name, files)
    sidecar = digests_of([sidecar_path(folder, name)])
    delivered = []
    for file in [*files, *sidecar]:
        place = target / file.path.name
        durable.rename(file.path, place)
        delivered.append(ParityFile(place, file.size, file.digests))
    return tuple(delivered)


def bring_set(parity: Path, name: str, folder: Path) -> None:
    """Write `<name>.par2` into the work folder: what can be read of all files of the set, one after the other.

    PAR2 packets stand for themselves, wherever they lie (PAR2 specification 2.0, "Packets"). In one file none
    depends on another being found: par2 starts from one file, gives up when that has no main packet, and
    passes over symbolic links when it looks for more.

    Raises:
        CannotRepair: There are no files of this set.
        DiskFull, WriteFailed: The storage refused.
    """
    paths = [path for path in set_files(parity, name) if path.suffix == ".par2"]
    if not paths:
        raise CannotRepair(path=name, reason=f"there are no parity files for it in {parity}")
    pieces = itertools.chain.from_iterable(salvage(path, size_or_nothing(path)) for path in paths)
    durable.write_file(folder / f"{name}.par2", pieces)


def size_or_nothing(path: Path) -> int:
    """Bytes of a file as the storage says; 0 when it says nothing."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def repair(tool: Par2, folder: Path, name: str, shown: str) -> None:
    """Repair the file `name` in the work folder.

    Raises:
        CannotRepair: More is lost than the parity can stand in for; the message says how much.
        ParityToolFailed: par2 could not come to a verdict.
    """
    verdict = tool.repair(folder, name)
    if verdict.outcome is not Outcome.INTACT:
        raise CannotRepair(path=shown, reason=in_words(verdict))


def in_words(verdict: Verdict) -> str:
    """What is wrong, for an error's message."""
    if verdict.outcome is Outcome.UNREADABLE:
        return "the storage could not be read"
    if not verdict.blocks and verdict.short:
        return f"nothing of it is left, and the parity is {verdict.short} blocks short of standing in for all of it"
    if not verdict.blocks:
        return "too little of the file or of its parity is left to begin with"
    spare = verdict.lost - verdict.short
    return f"{verdict.lost} of its {verdict.blocks} blocks are lost and the parity can stand in for {max(spare, 0)}"


def sha256_of(path: Path, stopped: Callable[[], bool] = bool) -> str:
    """The sha256 of one file; of a part of it, once `stopped` says so.

    Raises:
        ReadFailed: It cannot be read.
    """
    hashers = Hashers(("sha256",))
    try:
        with open_regular(path, follow=True) as stream:
            while not stopped() and (data := stream.read(1 << 20)):
                hashers.update(data)
    except OSError as error:
        raise ReadFailed(path=path, reason=error.strerror or str(error)) from error
    return hashers.values()["sha256"]
