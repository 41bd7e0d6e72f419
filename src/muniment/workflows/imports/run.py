"""Import of bags, bags of instances and OCFL objects: validated first, then imported whole or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from muniment.archive import Archive as LocalArchive
from muniment.content import Finding, Progress, quiet
from muniment.content.archive import Archive
from muniment.content.trees import temporary_folder
from muniment.errors.archive import PackageRefused, PathCollides, PathTaken, ResourceExists
from muniment.errors.base import BadInput
from muniment.errors.content import BadId, BadProject, BadValue, NameNotUnicode, UnknownDigest, UnsafePath
from muniment.session import Session
from muniment.validation import read_bag as read_tag_files
from muniment.validation import recognise, unpack_package, validate_path
from muniment.workflows.imports.bags import read_bag
from muniment.workflows.imports.complete import complete, copied, holes_of
from muniment.workflows.imports.crates import read_crate
from muniment.workflows.imports.instances import is_instances, read_instances
from muniment.workflows.imports.ocfl import object_roots, read_object
from muniment.workflows.imports.resource import ImportedResource, look, refuse
from muniment.workflows.tars import tar_of

Notice = Callable[[Finding], None]

UNNAMED = "the package"
"""What a package is called whose sender gave it no name."""
_MOST_TOLD = 3
UNKNOWN_LAYOUT = {"O903", "O904"}
"""Where objects lie in a root whose layout is not known here cannot be judged; they are taken in all the same."""
_CLAIMS = (UnsafePath, NameNotUnicode, UnknownDigest, BadId, BadProject, PathCollides, PathTaken, BadValue)
"""What is wrong with a name or a digest in a package is wrong with the package."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """What an import was asked for; `called` is the package as its user knows it."""

    called: str
    id: str | None
    project: str | None
    staged: bool

    @property
    def origin(self) -> dict[str, str]:
        """What events say of where it came from."""
        return {} if self.called == UNNAMED else {"path": Path(self.called).name}


def ignore(finding: Finding) -> None:
    """Take no notice of a warning."""


def import_package(
    archive: Archive,
    path: str | os.PathLike[str],
    *,
    id: str | None = None,
    project: str | None = None,
    staged: bool = False,
    completing: Session | None = None,
    called: str = "",
    notice: Notice = ignore,
    progress: Progress = quiet,
) -> list[str]:
    """Import what is at `path` as new resources and return their ids.

    `path` is a bag (BagIt 0.93 to 1.0), a bag of instances, an OCFL object or storage root, or an RO-Crate: a
    folder, a tar or a zip. Packages of Muniment's keep id, project, instance identifiers,
    times, agents and messages; `id` and `project` override what a package says of itself. Of a foreign
    bag the id is its External-Identifier, or a new one. What is to be said of the package goes to `notice`. With
    `staged`, what an OCFL object holds staged (extension 0005) becomes its newest instance. With `completing`,
    what a bag's fetch.txt lists and it does not hold is fetched by that session, into a copy of the bag.
    `called` is what its sender calls the package, where `path` is only how it came here: messages and the event
    of the ingestion name it so.

    Each resource becomes visible whole or not at all. In a storage root all objects are judged before
    the first is taken in. To an archive behind a server the package travels as a tar, and is judged there.

    Raises:
        PackageRefused: It is damaged, not valid, or could do harm; nothing was taken in.
        ResourceExists, ResourcePurged: An id is taken; nothing was taken in.
        BadInput: One id was given for several resources.
        DigestMismatch: A file changed after it was judged; its resource was not taken in.
        DiskFull, WriteFailed, ReadFailed: The storage refused; the resource was not taken in.
        AddressRefused, FileUnavailable, FileDiffers, RemoteError: A file could not be fetched; nothing was taken in.
    """
    place = Path(path)
    asked = _Asked(called or os.fspath(path), id, project, staged)
    if not place.is_dir() and not place.is_file():
        refuse(asked.called, "there is neither a folder nor a file")
    if not isinstance(archive, LocalArchive):
        name = called or place.resolve().name
        with _completed_for_server(place, completing, asked.called, notice, progress) as whole:
            return archive.import_package(
                tar_of(whole), id=id, project=project, staged=staged, name=name, notice=notice, progress=progress
            )
    if place.is_dir() and not (completing and holes_of(place)):
        return _take(archive, place, asked, notice, progress)
    with archive.unpacking_folder() as folder:
        root = _laid_open(place, folder, asked.called, notice, progress)
        if completing:
            complete(root, completing, progress)
        return _take(archive, root, asked, notice, progress)


def _laid_open(place: Path, folder: Path, called: str, notice: Notice, progress: Progress) -> Path:
    """What was packed, unpacked in `folder`; of a folder a copy there."""
    if place.is_dir():
        return copied(place, folder / (place.resolve().name or "package"))
    unpacked = unpack_package(os.fspath(place), os.fspath(folder), progress, name=Path(called).name)
    _refuse_failed(unpacked.findings, called, notice)
    return Path(unpacked.folder)


@contextlib.contextmanager
def _completed_for_server(
    place: Path, completing: Session | None, called: str, notice: Notice, progress: Progress
) -> Iterator[Path]:
    """What is sent to a server: a bag is completed here, for a server fetches for nobody's package."""
    if completing is None or (place.is_dir() and not holes_of(place)):
        yield place
        return
    with temporary_folder("muniment-package-") as folder:
        root = _laid_open(place, Path(folder), called, notice, progress)
        complete(root, completing, progress)
        yield root


def _take(archive: LocalArchive, root: Path, asked: _Asked, notice: Notice, progress: Progress) -> list[str]:
    id, project = asked.id, asked.project  # noqa: A001 - what it is everywhere
    try:
        _judge(root, asked.called, notice, progress)
        incoming = _read(root, asked)
        if id is not None and len(incoming) != 1:
            raise BadInput(reason=f"one id cannot serve the {len(incoming)} resources in {asked.called}")
        named = [(id or item.id or None, project or item.project or None, item) for item in incoming]
        for name, where, _ in named:
            if name is not None:
                _refuse_taken(archive, name, where)
        if len({(name, where) for name, where, _ in named if name is not None}) < sum(
            name is not None for name, _, _ in named
        ):
            refuse(asked.called, "two of its objects have one id")
        histories = [(name, where, item.instances()) for name, where, item in named]
        imported = archive.import_histories(histories, progress=progress)
    except _CLAIMS as error:
        raise PackageRefused(path=asked.called, reason=str(error).rstrip(".")) from error
    except PackageRefused as error:
        raise _named(error, root, asked.called) from error
    return [instance.id for instance in imported]


def _named(error: PackageRefused, root: Path, called: str) -> PackageRefused:
    """The same refusal of what the user knows: where the package lay for its import is gone, or nobody's business."""
    place = Path(str(error.details["path"]))
    inside = place.relative_to(root) if place.is_relative_to(root) else Path()
    return PackageRefused(path=Path(called, inside), reason=error.details["reason"])


def _refuse_taken(archive: LocalArchive, id: str, project: str | None) -> None:
    place = project or archive.config.project
    if archive.exists(id, place):
        raise ResourceExists(id=id, project=place)


def _judge(root: Path, called: str, notice: Notice, progress: Progress) -> None:
    """Refuse what its own format's rules find fault with; tell the warnings."""
    if recognise(root) is None:
        refuse(called, "it is neither a bag nor an OCFL object or storage root, nor an RO-Crate")
    _refuse_failed(validate_path(root, progress=progress), called, notice)


def _refuse_failed(findings: Iterable[Finding], called: str, notice: Notice) -> None:
    failed: list[Finding] = []
    count = 0
    for finding in findings:
        if finding.failed and finding.code not in UNKNOWN_LAYOUT:
            count += 1
            failed += [finding] if count <= _MOST_TOLD else []
        elif (finding.code, called) != ("B512", UNNAMED):
            notice(finding)
    if count:
        more = f" (and {count - len(failed)} further findings)" if count > len(failed) else ""
        said = "; ".join(f"{finding.code} {finding.message.rstrip('.')}" for finding in failed)
        refuse(called, f"{said}{more}")


def _read(root: Path, asked: _Asked) -> list[ImportedResource]:
    kind, origin, staged = recognise(root), asked.origin, asked.staged
    if kind == "ocfl-root":
        return [read_object(each, {**origin, "kind": "ocfl"}, staged=staged) for each in object_roots(root)]
    if kind == "ocfl-object":
        return [read_object(root, {**origin, "kind": "ocfl"}, staged=staged)]
    found = look(root)
    if kind == "crate":
        return [read_crate(found, {**origin, "kind": "ro-crate"})]
    bag = read_tag_files(root)
    if is_instances(bag):
        return [read_instances(found, {**origin, "kind": "instances"})]
    return [read_bag(found, bag, {**origin, "kind": "bag"})]
