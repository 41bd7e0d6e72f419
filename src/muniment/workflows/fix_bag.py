"""A corrected copy of a bag that is valid but for deviations: the same files, tag files written by the rules."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

from muniment.content import Finding, Hashers, Progress, Severity, quiet
from muniment.content.digests import ALGORITHMS
from muniment.content.trees import temporary_folder
from muniment.errors.base import BadInput
from muniment.layouts.packages import LaidOutPackage, at, manifest, text
from muniment.layouts.streams import Member
from muniment.validation import Bag, read_bag, recognise, unpack_package, validate_path
from muniment.validation.bagit.bag import MANIFEST, PAYLOAD
from muniment.workflows.output import refuse_existing, write_folder

_CHUNK = 1 << 20
_WRITTEN = {"bagit.txt", "bag-info.txt", "package-info.txt", "fetch.txt"}
_BREAKS = re.compile(r"[\r\n%]")


def fix_copy(package: str | os.PathLike[str], target: Path, *, progress: Progress = quiet) -> None:
    """Write the bag in a folder, tar or zip to the new folder `target` without deviations, and judge what was written.

    Manifests name the files as they are spelt on disk, once each and escaped; links inside become files; `bagit.txt`,
    `bag-info.txt` and `fetch.txt` are written by the rules of the declared version, in UTF-8. Every file is compared
    with its digest while it is copied, and read back.

    Raises:
        BadInput: There is no bag there, or it is not valid: what is missing or damaged cannot be corrected.
        OutputExists: There is something at `target`.
        MemberDamaged, NotVerified, DiskFull, WriteFailed: It could not be written; nothing is left.
    """
    refuse_existing(target)
    name = os.fspath(package)
    if recognise(package) != "packed":
        _fix(Path(package), target, name, progress)
        return
    with temporary_folder("muniment-package-") as folder:
        unpacked = unpack_package(name, folder, progress)
        _refuse_failed(unpacked.findings, name)
        _fix(Path(unpacked.folder), target, name, progress)


def _fix(bag: Path, target: Path, called: str, progress: Progress) -> None:
    if recognise(bag) != "bag":
        raise BadInput(reason=f"{called} is no bag, and only a bag can be corrected")
    _refuse_failed(validate_path(bag, progress=progress), called)
    read = read_bag(bag)
    write_folder(LaidOutPackage(target.name, list(_members(read))), target, progress)
    left = [finding for finding in validate_path(target) if finding.failed or finding.severity is Severity.DEVIATION]
    if left:
        raise BadInput(reason=f"{target} still has {left[0].code} {left[0].message}")


def _refuse_failed(findings: Iterable[Finding], called: str) -> None:
    failed = next((finding for finding in findings if finding.failed), None)
    if failed is not None:
        raise BadInput(reason=f"{called} is not valid and cannot be corrected: {failed.code} {failed.message}")


def _members(bag: Bag) -> Iterator[Member]:
    payload = {path: _place(bag, path) for path in bag.payload}
    known: dict[str, dict[str, str]] = {}
    for each in bag.payload_manifests:
        for path, digest in each.entries.items():
            # A listed path is a file, a link that is written as the file it leads to, or another spelling of a file.
            name = path if path in payload else bag.stand_ins.get(path, path)
            known.setdefault(name, {})[each.algorithm] = digest
    for path, place in payload.items():
        usable = {name: value for name, value in known.get(path, {}).items() if name in ALGORITHMS}
        yield Member(path, place.stat().st_size, partial(at, place), usable, int(place.stat().st_mtime))
    tags: list[Member] = []
    for path in sorted(bag.tree.files):
        if not path.startswith(PAYLOAD) and path not in _WRITTEN and not MANIFEST.fullmatch(path):
            place = Path(bag.tree.path(path))
            tags.append(Member(path, place.stat().st_size, partial(at, place), {}, int(place.stat().st_mtime)))
    tags += _described(bag, known)
    yield from tags
    algorithms = sorted({each.algorithm for each in bag.tag_manifests} & ALGORITHMS.keys())
    for algorithm in algorithms:
        lines = ((_digest(tag, algorithm), _escaped(tag.name, bag)) for tag in sorted(tags, key=lambda tag: tag.name))
        yield text(f"tagmanifest-{algorithm}.txt", manifest(lines), 0)


def _described(bag: Bag, known: Mapping[str, Mapping[str, str]]) -> Iterator[Member]:
    """bagit.txt, bag-info.txt and the payload manifests."""
    version = bag.declared or "1.0"
    yield text("bagit.txt", f"BagIt-Version: {version}\nTag-File-Character-Encoding: UTF-8\n".encode(), 0)
    if bag.info:
        lines = "".join(f"{label}: {value}\n" for label, value in bag.info)
        yield text(bag.info_name, lines.encode("utf-8", "surrogateescape"), 0)
    if bag.fetch:
        holes = ((f"{hole.url} {'-' if hole.size is None else hole.size}", path) for path, hole in bag.fetch.items())
        lines = "".join(f"{start} {_escaped(path, bag)}\n" for start, path in holes)
        yield text("fetch.txt", lines.encode("utf-8", "surrogateescape"), 0)
    for algorithm in sorted({each.algorithm for each in bag.payload_manifests}):
        listed = (
            (found[algorithm], _escaped(path, bag)) for path, found in sorted(known.items()) if algorithm in found
        )
        yield text(f"manifest-{algorithm}.txt", manifest(listed), 0)


def _place(bag: Bag, path: str) -> Path:
    return Path(bag.tree.path(bag.stand_ins[path] if path in bag.tree.links else path))


def _escaped(path: str, bag: Bag) -> str:
    """A path as a manifest has it (RFC 8493 §2.1.3); before BagIt 1.0 a percent sign stands for itself."""
    keep = "" if bag.version >= (1, 0) else "%"
    return _BREAKS.sub(lambda found: found[0] if found[0] == keep else f"%{ord(found[0]):02X}", path)


def _digest(tag: Member, algorithm: str) -> str:
    hashers = Hashers([algorithm])
    with tag.open(0) as file:
        while piece := file.read(_CHUNK):
            hashers.update(piece)
    return hashers.values()[algorithm]
