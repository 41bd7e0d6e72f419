"""Writes a package outside the archive under a temporary name, reads it back, and only then renames it."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from muniment.content import Hashers, Progress
from muniment.content.trees import make_folders, remove_folders
from muniment.errors.archive import DiskFull, OutputExists, WriteFailed
from muniment.errors.exchange import NameNotCarried, NotVerified
from muniment.layouts.packages import LaidOutPackage, PackageTar, PackageZip
from muniment.layouts.streams import Member, Slice
from muniment.layouts.streams.members import in_order
from muniment.workflows.tars import unpack

_CHUNK = 1 << 20
_FEW = 200
"""Up to so many files are synced one by one; more cost less by syncing everything."""
_FULL = {errno.ENOSPC, errno.EDQUOT}
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def refuse_existing(target: Path) -> None:
    """Refuse to write over anything, a broken link included.

    Raises:
        OutputExists: There is something at `target`.
    """
    if os.path.lexists(target):
        raise OutputExists(path=target)


def write_packed(plan: PackageTar | PackageZip, target: Path, progress: Progress) -> str:
    """Write a tar or zip to the new file `target` and return its sha256.

    Raises:
        OutputExists: There is something at `target`.
        MemberDamaged, MemberUnreadable: A file could not be sent whole; nothing is left.
        NotVerified: It does not read back as it was written; nothing is left.
        DiskFull, WriteFailed: The storage refused; nothing is left.
    """
    refuse_existing(target)
    part = _beside(target)
    try:
        with _writing(part), os.fdopen(os.open(part, _NEW, 0o644), "wb", buffering=0) as file:
            digest = _pour(plan, file, progress)
            os.fsync(file.fileno())
        _refuse_unequal(part, target, ("sha256", digest), plan.length)
        with _writing(target):
            _give_name(part, target)
            _sync_folder(target.parent)
    finally:
        with contextlib.suppress(OSError):
            part.unlink()
    return digest


Fetch = Callable[[Callable[[bytes], object]], tuple[int, str]]
"""Something that hands a tar or zip to a function piece by piece, and tells its length and sha256."""


def receive_packed(fetch: Fetch, target: Path) -> str:
    """Write a tar or zip that comes from elsewhere to the new file `target` and return its sha256.

    Raises:
        OutputExists: There is something at `target`.
        NotVerified: It does not read back as it came; nothing is left.
        DiskFull, WriteFailed: The storage refused; nothing is left.
        MunimentError: As `fetch`; nothing is left.
    """
    with _received(fetch, target) as (part, sha256), _writing(target):
        _give_name(part, target)
        _sync_folder(target.parent)
    return sha256


def receive_folder(fetch: Fetch, target: Path) -> None:
    """Write a package that comes from elsewhere as a tar to the new folder `target`.

    Raises:
        MunimentError: As `receive_packed`; nothing is left.
    """
    with _received(fetch, target) as (part, _), _writing(target):
        unpack(part, target)
        _sync_folder(target.parent)


@contextlib.contextmanager
def _received(fetch: Fetch, target: Path) -> Iterator[tuple[Path, str]]:
    """A tar that has come, beside its place and compared, and its sha256; gone at the end of a `with` block."""
    refuse_existing(target)
    part = _beside(target)
    try:
        with _writing(part), os.fdopen(os.open(part, _NEW, 0o644), "wb", buffering=1 << 20) as file:
            length, sha256 = fetch(file.write)
            file.flush()
            os.fsync(file.fileno())
        _refuse_unequal(part, target, ("sha256", sha256), length)
        yield part, sha256
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def write_stream(plan: PackageTar, progress: Progress) -> str:
    """Write a tar to the standard output and return its sha256; there is nothing to read back from.

    Raises:
        MemberDamaged, MemberUnreadable: A file could not be sent whole; the stream ends short.
        WriteFailed: Nobody takes it.
    """
    with _writing("standard output"):
        digest = _pour(plan, sys.stdout.buffer, progress)
        sys.stdout.buffer.flush()
        return digest


def write_folder(laid: LaidOutPackage, target: Path, progress: Progress) -> None:
    """Write a package to the new folder `target`.

    Raises:
        OutputExists: There is something at `target`.
        NameNotCarried: The target cannot hold one of the names; nothing is left.
        MemberDamaged, MemberUnreadable: A file could not be read whole; nothing is left.
        NotVerified: A file does not read back as it was written; nothing is left.
        DiskFull, WriteFailed: The storage refused; nothing is left.
    """
    refuse_existing(target)
    part = _beside(target)
    members = in_order(laid.members)
    try:
        with _writing(part):
            part.mkdir()
            for folder in laid.folders:
                make_folders(part / folder)
        proofs = [_write_member(part, member, target) for member in _told(members, "writing", progress)]
        _settle(part, members)
        for member, proof in zip(_told(members, "verifying", progress), proofs, strict=True):
            _refuse_unequal(part / member.name, target, proof, member.size)
        with _writing(target):
            refuse_existing(target)
            part.rename(target)
            _sync_folder(target.parent)
    finally:
        remove_folders(part)


def _pour(plan: PackageTar | PackageZip, file: BinaryIO, progress: Progress) -> str:
    hashers = Hashers(["sha256"])
    for chunk in plan.read(chunk=_CHUNK):
        view = memoryview(chunk)
        while view:
            view = view[file.write(view) or 0 :]
        hashers.update(chunk)
        progress("writing", hashers.size, plan.length, size=hashers.size)
    return hashers.values()["sha256"]


def _write_member(part: Path, member: Member, target: Path) -> tuple[str, str]:
    """Write one file and return the digest it must read back with."""
    place = part / member.name
    proof = member.proof()
    hashers = Hashers([] if proof else ["sha256"])
    with _writing(place, member.name, target):
        make_folders(place.parent)
        descriptor = os.open(place, _NEW, 0o644)
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            for chunk in Slice(member, 0, member.size).pieces(_CHUNK):
                hashers.update(chunk)
                view = memoryview(chunk)
                while view:
                    view = view[file.write(view) :]
        # Some file systems hold fewer years than a package does.
        with contextlib.suppress(OSError, OverflowError):
            os.utime(place, (member.modified, member.modified))
    return proof or ("sha256", hashers.values()["sha256"])


def _settle(part: Path, members: Sequence[Member]) -> None:
    """Let what was written leave the cache for the disk: only then can it be read back from there."""
    if len(members) > _FEW:
        os.sync()
        return
    for member in members:
        with _writing(part / member.name), (part / member.name).open("rb", buffering=0) as file:
            os.fsync(file.fileno())


def _refuse_unequal(place: Path, target: Path, proof: tuple[str, str], size: int) -> None:
    algorithm, value = proof
    hashers = Hashers([algorithm])
    try:
        with place.open("rb", buffering=0) as file:
            if hasattr(os, "posix_fadvise"):
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            while chunk := file.read(_CHUNK):
                hashers.update(chunk)
    except OSError as error:
        raise NotVerified(path=target, reason=f"{place.name}: {error.strerror}") from error
    if hashers.size != size or hashers.values()[algorithm] != value:
        raise NotVerified(path=target, reason=f"{place.name} has {hashers.size} bytes, {size} were written")


def _told(members: Sequence[Member], step: str, progress: Progress) -> Iterator[Member]:
    size = 0
    for done, member in enumerate(members, 1):
        yield member
        size += member.size
        progress(step, done, len(members), size=size)


def _beside(target: Path) -> Path:
    return target.absolute().parent / f".{target.name[:200]}.{secrets.token_hex(4)}.part"


def _give_name(part: Path, target: Path) -> None:
    """Rename without ever writing over a file that came in between, where the filesystem can say so."""
    try:
        os.link(part, target)
    except FileExistsError:
        raise OutputExists(path=target) from None
    except OSError:
        # No hard links here (FAT, some network shares, LTFS).
        refuse_existing(target)
        part.rename(target)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _writing(place: Path | str, name: str = "", target: Path | None = None) -> Iterator[None]:
    try:
        yield
    except FileExistsError as error:
        if not name:
            raise OutputExists(path=place) from error
        reason = "the filesystem takes it for another file's name"
        raise NameNotCarried(path=name, target=target, reason=reason) from error
    except OSError as error:
        if error.errno in _FULL:
            raise DiskFull(path=place) from error
        if name and error.errno in {errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ}:
            raise NameNotCarried(path=name, target=target, reason=error.strerror) from error
        raise WriteFailed(path=place, reason=error.strerror or str(error)) from error
